"""Catalogues by chance, small enough for the oracle or as large as a market."""

import random
from collections.abc import Collection
from dataclasses import dataclass

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.dependencies.catalogue import Candidate, Catalogue, Installed, Situation
from dovetail.lifecycle.dependencies.demands import Goal, Request

RANGES = ["", ">=2", "<2", ">=3", "^1.0.0", "=2.0.0", "~1.1", ">=1.0.0-0", ">=9", "broken range"]
VERSIONS = ["1.0.0", "1.1.0", "2.0.0", "3.0.0-rc.1", "3.0.0", "odd"]


@dataclass(frozen=True)
class Question:
    situation: Situation
    request: Request


def small(chance: random.Random) -> Question:
    """Up to five extensions in up to four versions, with rings, pins, things that do not run here or are broken."""
    names = "abcde"[: chance.randint(2, 5)]
    candidates = [
        Candidate(
            name, version, tuple(_need(chance, names + "x") for _ in range(chance.choice([0, 1, 1, 2]))),
            kube_version=chance.choice(["", "", "", ">=1.20", ">=1.40"]),
            ks_version=chance.choice(["", "", "", "<1", "=4.1"]),
            deprecated=chance.random() < 0.15, channel=chance.choice(["stable", "stable", "stable", "beta"]),
        )
        for name in names
        for version in chance.sample(VERSIONS, chance.randint(1, 4 if len(names) < 5 else 3))
    ]  # fmt: skip
    platform = chance.choice([Platform(), Platform("v1.30.2+k3s1", "4.1.0"), Platform("v1.30.2", "4.1.0")])
    market = Catalogue(candidates, {name: chance.choice(["", "beta"]) for name in names})
    installed = {name: _installed(chance, market, name) for name in names if chance.random() < 0.45}
    situation = Situation(market, installed, platform)
    return Question(situation, _request(chance, names, installed.keys()))


def _need(chance: random.Random, names: str) -> Dependency:
    return Dependency(
        name=chance.choice(names[:-1] if chance.random() < 0.95 else names),
        version=chance.choice(RANGES[:-2] if chance.random() < 0.97 else RANGES),
        required=chance.random() < 0.75,
        type="extension" if chance.random() < 0.97 else "helm",
    )


def _installed(chance: random.Random, market: Catalogue, name: str) -> Installed:
    version = chance.choice([*(one.version for one in market.versions(name))] * 4 + ["0.9.0"])
    known = next((one.dependencies for one in market.versions(name) if one.version == version), ())
    return Installed(version, known, pinned=chance.random() < 0.2)


def _request(chance: random.Random, names: str, installed: Collection[str]) -> Request:
    goals = [_goal(chance, name) for name in chance.sample(names, chance.choice([0, 1, 1, 1, 2]))]
    asked = {goal.extension for goal in goals}
    removals = {name for name in names if name not in asked and chance.random() < (0.1 if goals else 0.4)}
    return Request(tuple(goals), frozenset(removals & {*installed} if chance.random() < 0.9 else removals))


def _goal(chance: random.Random, name: str) -> Goal:
    kind = chance.randint(0, 3)
    return Goal(name, chance.choice(RANGES[:-1]) if kind == 1 else "", chance.choice(VERSIONS) if kind == 2 else "")


def large(chance: random.Random, extensions: int = 500, versions: int = 20, installed: float = 0.3) -> Situation:
    """A market: each extension needs up to four others, in ranges that move with its own versions."""
    names = [f"ext-{at:03}" for at in range(extensions)]
    candidates: list[Candidate] = []
    for at, name in enumerate(names):
        targets = chance.sample(names, chance.choice([0, 0, 1, 2, 3, 4]))
        for step in range(versions):
            major, minor = 1 + step // 5, step % 5
            needs = tuple(
                Dependency(name=target, version=_moving(chance, major), required=chance.random() < 0.8)
                for target in targets
                if target != name
            )
            kube = ">=1.40" if major == 4 and at % 7 == 0 else ">=1.19.0-0"
            candidates.append(Candidate(name, f"{major}.{minor}.0", needs, kube, ">=4.0", step % 11 == 0))
    return Situation(Catalogue(candidates), {}, Platform("v1.33.1", "4.1.3"))


def _moving(chance: random.Random, major: int) -> str:
    low = max(1, major - chance.choice([0, 1, 1, 2]))
    return chance.choice([f">={low}.0.0", f">={low}.0.0 <{major + 2}.0.0", f"^{low}.0.0 || ^{major}.0.0", ""])
