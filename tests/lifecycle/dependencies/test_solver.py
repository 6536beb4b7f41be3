"""The solver against trying everything, and its explanations against what they claim."""

import itertools
import random
from dataclasses import replace

import pytest

from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.dependencies import words
from dovetail.lifecycle.dependencies.catalogue import Candidate, Catalogue, Installed, Situation, catalogue
from dovetail.lifecycle.dependencies.conflict import Conflict, answer
from dovetail.lifecycle.dependencies.demands import Demands, Goal, Request
from dovetail.lifecycle.dependencies.impact import broken_without
from dovetail.lifecycle.dependencies.solver import Solution, solve
from dovetail.lifecycle.dependencies.statements import Needs, Statement
from tests.lifecycle.dependencies.catalogues import large, small
from tests.lifecycle.dependencies.oracle import best_answer
from tests.lifecycle.dependencies.readings import Reading
from tests.lifecycle.dependencies.test_gate import held

SEEDS = 3000


def test_the_best_answer_is_found_whenever_there_is_one() -> None:
    answered = changed = 0
    for seed in range(SEEDS):
        question = small(random.Random(seed))
        wanted = best_answer(question.situation, question.request)
        found = solve(question.situation, question.request)
        assert (dict(found.chosen) if found else None) == (
            dict(sorted(wanted.items())) if wanted is not None else None
        ), seed
        answered += found is not None
        changed += found is not None and any(one.before and one.after for one in found.changes)
    assert answered > SEEDS * 0.4
    assert changed > SEEDS * 0.05


def test_every_explanation_is_a_contradiction_that_loses_it_with_any_of_its_statements() -> None:
    sizes: list[int] = []
    for seed in range(SEEDS // 4):
        question = small(random.Random(seed))
        said = answer(question.situation, question.request)
        if isinstance(said, Conflict):
            reading = Reading(question.situation, said.core)
            assert not reading.possible(said.core), seed
            assert all(reading.possible(part) for part in itertools.combinations(said.core, len(said.core) - 1)), seed
            sizes.append(len(said.core))
    assert len(sizes) > SEEDS // 10
    assert max(sizes) >= 4


def test_every_repair_solves_it_and_no_part_of_it_does() -> None:
    repaired = 0
    for seed in range(SEEDS // 8):
        question = small(random.Random(seed))
        said = answer(question.situation, question.request)
        if isinstance(said, Solution):
            continue
        demands = Demands(question.situation, question.request)
        everything = [demands.statement(number) for number in range(len(demands.network.constraints))]
        reading = Reading(question.situation, everything)
        for repair in said.repairs:
            given_up = [_plain(one) for one in repair.given_up]
            assert reading.possible([one for one in everything if one not in given_up]), seed
            for kept in given_up:
                part = [one for one in given_up if one != kept]
                assert not reading.possible([one for one in everything if one not in part]), seed
            if not any(isinstance(one, Needs) for one in given_up):
                after = {name: one.version for name, one in question.situation.installed.items()}
                for step in repair.changes:
                    assert after.pop(step.extension, "") == step.before
                    after |= {step.extension: step.after} if step.after else {}
                assert reading.holds([one for one in everything if one not in given_up], after), seed
            repaired += 1
    assert repaired > SEEDS // 16


def _plain(one: Statement) -> Statement:
    return replace(one, offered=()) if hasattr(one, "offered") else one


def market(*lines: str) -> Catalogue:
    """`a 1.0.0 b>=1`: versions with their needs; a word `kube=` or `channel=` is that field."""
    found: list[Candidate] = []
    for line in lines:
        name, rest = line.split(" ", 1)
        needs = " ".join(word for word in rest.split(" ") if "=" not in word or word[0] not in "kd" or word[1] != "=")
        fields = {"k": "", "d": ""} | {word[0]: word[2:] for word in rest.split(" ") if word[1:2] == "="}
        one = held(needs)
        found.append(
            Candidate(name, one.version, one.dependencies, kube_version=fields["k"], deprecated=bool(fields["d"]))
        )
    return Catalogue(found)


def situation(market: Catalogue, **installed: str) -> Situation:
    there = {
        name: Installed(version.removesuffix("!"), pinned=version.endswith("!")) for name, version in installed.items()
    }
    return Situation(market, there, Platform("v1.30.0", "4.1.3"))


@pytest.mark.parametrize(
    ("lines", "installed", "goal", "changes"),
    [
        (["a 1.0.0", "a 2.0.0"], {}, Goal("a"), ["install a 2.0.0"]),
        (["a 1.0.0", "a 2.0.0 d=yes"], {}, Goal("a"), ["install a 1.0.0"]),
        (["a 1.0.0", "a 2.0.0 k=>=1.40"], {}, Goal("a"), ["install a 1.0.0"]),
        (["a 1.0.0 b>=1", "b 1.0.0", "b 2.0.0"], {}, Goal("a"), ["install b 2.0.0", "install a 1.0.0"]),
        (["a 1.0.0 b>=1", "b 1.0.0", "b 2.0.0"], {"b": "1.0.0"}, Goal("a"), ["install a 1.0.0"]),
        (["a 1.0.0 b>=2", "b 1.0.0", "b 2.0.0"], {"b": "1.0.0"}, Goal("a"),
         ["upgrade b from 1.0.0 to 2.0.0", "install a 1.0.0"]),
        (["a 1.0.0 b<2", "b 1.0.0", "b 2.0.0"], {"b": "2.0.0"}, Goal("a"),
         ["go back with b from 2.0.0 to 1.0.0", "install a 1.0.0"]),
        # An older version of what is asked for is better than changing what is installed.
        (["a 2.0.0 b>=2", "a 1.0.0 b", "b 1.0.0", "b 2.0.0"], {"b": "1.0.0"}, Goal("a"), ["install a 1.0.0"]),
        (["a 1.0.0 b", "b 1.0.0 a"], {}, Goal("a"), ["install b 1.0.0", "install a 1.0.0"]),
        # What is broken already, and what it lacks, is nobody else's business.
        (["a 1.0.0", "x 1.0.0 y>=1"], {"x": "1.0.0"}, Goal("a"), ["install a 1.0.0"]),
        (["a 1.0.0 ?b<2", "c 1.0.0", "a 1.0.0 ?b<2 c b", "b 1.0.0", "b 2.0.0"], {}, Goal("a"),
         ["install b 1.0.0", "install c 1.0.0", "install a 1.0.0"]),
    ],
)  # fmt: skip
def test_what_is_done_for_a_goal(lines: list[str], installed: dict[str, str], goal: Goal, changes: list[str]) -> None:
    found = solve(situation(market(*lines), **installed), Request((goal,)))
    assert found is not None
    assert [words.change(one, "en") for one in found.changes] == changes


@pytest.mark.parametrize(
    ("lines", "installed", "request_", "english", "chinese"),
    [
        (["a 1.0.0 b>=2", "b 1.0.0"], {}, Request((Goal("a"),)),
         "These do not go together:\n  - a shall be installed\n  - a 1.0.0 needs b >=2; there is 1.0.0\n"
         "What would solve it, the best first:\n  1. add a repository that has b >=2",
         "以下各项不能同时满足：\n  - 要安装 a\n  - a 1.0.0 需要 b >=2；现有 1.0.0\n"
         "可行的解决办法（按推荐顺序）：\n  1. 添加提供 b >=2 的仓库"),
        (["b 1.0.0"], {}, Request((Goal("a"),)),
         "These do not go together:\n  - no version of a is known\nNothing that can be changed here would solve it.",
         "以下各项不能同时满足：\n  - 没有已知的 a 版本\n这里没有可以调整的办法。"),
        (["a 1.0.0 b>=2", "b 1.0.0", "b 2.0.0"], {"b": "1.0.0!"}, Request((Goal("a"),)),
         "These do not go together:\n  - a shall be installed\n  - b 1.0.0 is installed and pinned\n"
         "  - a 1.0.0 needs b >=2; there is 1.0.0, 2.0.0\nWhat would solve it, the best first:\n"
         "  1. let b change (1.0.0 is pinned), upgrade b from 1.0.0 to 2.0.0, install a 1.0.0",
         "以下各项不能同时满足：\n  - 要安装 a\n  - 已安装 b 1.0.0，版本已锁定\n"
         "  - a 1.0.0 需要 b >=2；现有 1.0.0, 2.0.0\n可行的解决办法（按推荐顺序）：\n"
         "  1. 解除 b 的版本锁定（1.0.0），将 b 从 1.0.0 升级到 2.0.0，安装 a 1.0.0"),
        (["a 1.0.0", "x 1.0.0 a>=1"], {"a": "1.0.0", "x": "1.0.0"}, Request(removals=frozenset("a")),
         "These do not go together:\n  - a shall be uninstalled\n  - x 1.0.0 is installed and stays\n"
         "  - x 1.0.0 needs a >=1; there is 1.0.0\nWhat would solve it, the best first:\n"
         "  1. uninstall a 1.0.0, uninstall x 1.0.0",
         "以下各项不能同时满足：\n  - 要卸载 a\n  - 已安装 x 1.0.0，需要保留\n  - x 1.0.0 需要 a >=1；现有 1.0.0\n"
         "可行的解决办法（按推荐顺序）：\n  1. 卸载 a 1.0.0，卸载 x 1.0.0"),
        (["a 1.0.0 k=>=1.40", "a 1.1.0 k=>=1.40", "a 0.9.0"], {}, Request((Goal("a", ">=1"),)),
         "These do not go together:\n  - a shall be installed\n  - a shall be >=1; there is 0.9.0, 1.0.0, 1.1.0\n"
         "  - a 1.0.0, 1.1.0 run on Kubernetes >=1.40 only; this is v1.30.0\n"
         "What would solve it, the best first:\n  1. install a 0.9.0\n"
         "  2. change Kubernetes from v1.30.0 to >=1.40, install a 1.1.0",
         "以下各项不能同时满足：\n  - 要安装 a\n  - 要求 a 为 >=1；现有 0.9.0, 1.0.0, 1.1.0\n"
         "  - a 1.0.0, 1.1.0 只能在 Kubernetes >=1.40 上运行；当前为 v1.30.0\n"
         "可行的解决办法（按推荐顺序）：\n  1. 安装 a 0.9.0\n  2. 将 Kubernetes 从 v1.30.0 改为 >=1.40，安装 a 1.1.0"),
    ],
)  # fmt: skip
def test_a_conflict_in_words(
    lines: list[str], installed: dict[str, str], request_: Request, english: str, chinese: str
) -> None:
    said = answer(situation(market(*lines), **installed), request_)
    assert isinstance(said, Conflict)
    assert words.conflict(said, "en") == english
    assert words.conflict(said, "zh") == chinese


def test_what_breaks_when_an_extension_goes_is_told_with_those_behind_it() -> None:
    where = situation(
        market("a 1.0.0", "b 1.0.0 a>=1", "c 1.0.0 b", "d 1.0.0 ?a", "e 1.0.0"),
        a="1.0.0", b="1.0.0", c="1.0.0", d="1.0.0", e="1.0.0",
    )  # fmt: skip
    told = [words.broken(one, "en") for one in broken_without("a", where)]
    assert told == ["b 1.0.0 needs a >=1", "c 1.0.0 needs b"]


def test_a_market_of_five_hundred_is_solved_and_explained() -> None:
    chance = random.Random(3)
    there = large(chance)
    kinds: set[type] = set()
    for name in chance.sample(list(there.catalogue), 12):
        for range in ("", ">=4"):
            said = answer(there, Request((Goal(name, range),)))
            kinds.add(type(said))
            if isinstance(said, Solution):
                assert name in said.chosen
            else:
                assert words.conflict(said, "en")
    assert kinds == {Solution, Conflict}


def test_a_version_that_cannot_be_read_does_not_touch_the_others() -> None:
    good = {
        "apiVersion": "kubesphere.io/v1alpha1", "kind": "ExtensionVersion",
        "metadata": {"name": "a-1.0.0", "labels": {"kubesphere.io/extension-ref": "a"}}, "spec": {"version": "1.0.0"},
    }  # fmt: skip
    bad = {**good, "metadata": {"name": "b-1.0.0"}, "spec": {"version": "1.0.0", "externalDependencies": "all"}}
    found = solve(Situation(catalogue([bad, good])), Request((Goal("a"),)))
    assert found is not None
    assert found.chosen == {"a": "1.0.0"}
