"""When an install or an uninstall has to wait for other extensions, and that nobody waits for ever."""

import itertools
import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.dependencies import gate
from dovetail.lifecycle.dependencies.ranges import fits
from dovetail.lifecycle.dependencies.standing import Held, Standing, standing


def held(text: str) -> Held:
    """`1.0.0 b>=1 c` : a version and what it requires; `?b` is optional."""
    version, *needs = text.split(" ")
    return Held(version, tuple(_dependency(need) for need in needs))


def _dependency(text: str) -> Dependency:
    at = next((at for at, char in enumerate(text) if char in "<>=^~"), len(text))
    return Dependency(name=text[:at].lstrip("?"), version=text[at:], required=not text.startswith("?"))


def now(installed: Mapping[str, str] = {}, planned: Mapping[str, str] = {}, leaving: Iterable[str] = ()) -> Standing:
    return Standing(_read(installed), _read(planned), frozenset(leaving))


def _read(given: Mapping[str, str]) -> dict[str, Held]:
    return {name: held(text) for name, text in given.items()}


CATALOGUE = {"b": ["1.0.0", "2.0.0", "3.0.0-rc.1"]}


def message(extension: str, wanted: str, where: Standing) -> str:
    problem = gate.missing(extension, held(wanted), where, lambda name: CATALOGUE.get(name, []))
    return problem.message if problem else ""


@pytest.mark.parametrize(
    ("wanted", "where", "told"),
    [
        ("1.0.0", now(), ""),
        ("1.0.0 ?b>=1", now(), ""),
        ("1.0.0 b>=1.0.0", now({"b": "1.0.0"}), ""),
        ("1.0.0 b>=1.0.0-0", now({"b": "3.0.0-rc.1"}), ""),
        ("1.0.0 b>=1.0.0", now(), "needs b >=1.0.0, which is not installed; install b 2.0.0"),
        ("1.0.0 b", now(), "needs b, which is not installed; install b 3.0.0-rc.1"),
        ("1.0.0 b>=2", now({"b": "1.0.0"}), "and 1.0.0 is installed; change it to b 2.0.0"),
        ("1.0.0 b>=9", now(), "none of the known versions (1.0.0, 2.0.0, 3.0.0-rc.1) is in that range"),
        ("1.0.0 c", now(), "no version of c is known; add a repository"),
        ("1.0.0 b=>broken", now({"b": "1.0.0"}), "none of the known versions"),
        ("1.0.0 b", now({"b": "1.0.0"}, leaving=["b"]), "which is being uninstalled"),
        ("1.0.0 b>=2", now({"b": "1.0.0"}, {"b": "2.0.0"}), "b 2.0.0 is planned but not installed yet"),
        # Rings begin together, when all of them are planned and nothing outside is missing.
        ("1.0.0 b", now({}, {"b": "1.0.0 a"}), ""),
        ("1.0.0 b", now({}, {"b": "1.0.0 a>=2"}), "b 1.0.0 is planned but"),
        ("1.0.0 b", now({}, {"b": "1.0.0 a d"}), "b 1.0.0 is planned but"),
        ("1.0.0 b", now({"d": "1.0.0"}, {"b": "1.0.0 a d"}), ""),
        ("1.0.0 b", now({}, {"b": "1.0.0"}), "b 1.0.0 is planned but"),
        ("1.0.0 b", now({}, {"b": "1.0.0 e", "e": "1.0.0 b"}), "b 1.0.0 is planned but"),
        ("1.0.0 a>=1", now(), ""),
        ("1.0.0 a>=2", now(), "needs a >=2"),
        # Nobody is left with what he cannot use, unless he follows.
        ("2.0.0", now({"a": "1.0.0", "x": "1.0.0 a<2.0.0"}), "would break x 1.0.0 (needs a <2.0.0)"),
        ("2.0.0", now({"a": "1.0.0", "x": "1.0.0 ?a<2.0.0"}), ""),
        ("2.0.0", now({"a": "1.0.0", "x": "1.0.0 a<2.0.0"}, leaving=["x"]), ""),
        ("2.0.0", now({"a": "1.0.0", "x": "1.0.0 a<2.0.0"}, {"x": "2.0.0 a>=2"}), ""),
        ("2.0.0", now({"a": "1.0.0", "x": "1.0.0 a<2.0.0"}, {"x": "1.0.0 a<2.0.0"}), "would break x"),
        ("2.0.0", now({"a": "3.0.0", "x": "1.0.0 a<2.0.0"}), ""),
    ],
)  # fmt: skip
def test_an_install_waits_for_what_it_requires(wanted: str, where: Standing, told: str) -> None:
    assert (told in message("a", wanted, where)) if told else message("a", wanted, where) == ""


def test_the_user_may_break_others_by_saying_so_but_not_himself() -> None:
    where = now({"a": "1.0.0", "x": "1.0.0 a<2.0.0"})
    assert gate.missing("a", held("2.0.0"), where, lambda _: (), ignore_dependents=True) is None
    problem = gate.missing("a", held("2.0.0 b"), where, lambda _: (), ignore_dependents=True)
    assert problem is not None
    assert problem.reason == gate.MISSING


def test_many_missing_ones_are_counted_not_dropped() -> None:
    told = message("a", "1.0.0 " + " ".join(f"n{at}" for at in range(9)), now())
    assert "n4" in told
    assert "and 4 more" in told


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (now({"a": "1.0.0"}), []),
        (now({"a": "1.0.0", "x": "1.0.0 a", "b": "1.0.0 ?a", "c": "1.0.0 a>=1"}), ["c", "x"]),
        (now({"a": "1.0.0"}, {"x": "1.0.0 a"}), []),
        (now({"a": "1.0.0", "x": "1.0.0 a"}, leaving=["a", "x"]), ["x"]),
        (now({"a": "1.0.0 x", "x": "1.0.0 a"}, leaving=["a", "x"]), []),
        (now({"a": "1.0.0 x", "x": "1.0.0 a"}, leaving=["a"]), ["x"]),
        (now({"a": "1.0.0 y", "y": "1.0.0 x", "x": "1.0.0 a"}, leaving=["a", "x", "y"]), []),
        (now({"a": "1.0.0 a"}, leaving=["a"]), []),
    ],
)
def test_an_uninstall_waits_for_those_that_require_it(where: Standing, names: list[str]) -> None:
    assert gate.dependents("a", where) == names


NAMES = ["a", "b", "c", "d"]
VERSIONS = ["1.0.0", "2.0.0"]


def published(chance: random.Random) -> dict[tuple[str, str], Held]:
    """Every version of every extension, each with up to two needs."""
    return {
        (name, version): Held(
            version,
            tuple(
                Dependency(name=chance.choice(NAMES), version=chance.choice(["", ">=2", "<2"]), required=True)
                for _ in range(chance.choice([0, 0, 1, 1, 2]))
            ),
        )
        for name in NAMES
        for version in VERSIONS
    }


def all_that_go_together(versions: Mapping[tuple[str, str], Held]) -> list[dict[str, Held]]:
    sets = [
        {name: versions[name, version] for name, version in zip(NAMES, chosen, strict=True) if version}
        for chosen in itertools.product(["", *VERSIONS], repeat=len(NAMES))
    ]
    return [
        one
        for one in sets
        if all(n.name in one and fits(n.version, one[n.name].version) for held in one.values() for n in held.required)
    ]


def test_from_any_state_that_goes_together_plans_that_go_together_are_reached() -> None:
    chance, reached = random.Random(6), 0
    for _ in range(300):
        states = all_that_go_together(published(chance))
        for _ in range(10):
            before, wanted = chance.choice(states), chance.choice(states)
            assert carried_out(before, wanted, chance) == wanted
            reached += before != wanted
    assert reached > 1000


def carried_out(before: Mapping[str, Held], wanted: Mapping[str, Held], chance: random.Random) -> dict[str, Held]:
    """What is installed when everybody has done, in any order, what the gate lets him do."""
    installed = dict(before)
    while True:
        where = Standing(dict(installed), wanted, frozenset(installed.keys() - wanted.keys()))
        open = [name for name in where.leaving if not gate.dependents(name, where)]
        open += [
            name
            for name, held in wanted.items()
            if installed.get(name) != held and gate.missing(name, held, where, lambda _: ()) is None
        ]
        if not open:
            return installed
        name = chance.choice(sorted(open))
        if name in wanted:
            installed[name] = wanted[name]
        else:
            del installed[name]


def test_the_objects_of_a_cluster_are_read_as_they_are() -> None:
    versions: dict[str, dict[str, Any]] = {
        "a-1.0.0": _version("a", "1.0.0", [{"name": "b", "version": ">=1", "required": True}]),
        "c-1.0.0": _version("c", "1.0.0", [{"version": "no name"}]),
        "b-1.0.0": _version("b", "1.0.0", []),
    }
    plans = [
        _plan("a", "1.0.0", "1.0.0"), _plan("b", "2.0.0", "1.0.0"), _plan("c", "1.0.0", ""),
        _plan("gone", "1.0.0", "1.0.0", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]  # fmt: skip
    seen = standing(plans, versions.get)
    assert {name: one.version for name, one in seen.installed.items()} == {"a": "1.0.0", "b": "1.0.0", "gone": "1.0.0"}
    assert {name: one.version for name, one in seen.planned.items()} == {"a": "1.0.0", "b": "2.0.0", "c": "1.0.0"}
    assert seen.leaving == {"gone"}
    assert [one.name for one in seen.installed["a"].required] == ["b"]
    assert gate.dependents("b", seen) == ["a"]


def _version(extension: str, version: str, dependencies: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "ExtensionVersion",
        "metadata": {"name": f"{extension}-{version}", "labels": {"kubesphere.io/extension-ref": extension}},
        "spec": {"version": version, "externalDependencies": dependencies},
    }


def _plan(name: str, wanted: str, version: str, **metadata: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"extension": {"name": name, "version": wanted}},
        "status": {"state": "Installed", "version": version},
    }
