"""A question as a network of constraints: one variable for each extension, one constraint for each statement.

An extension's values are `absent` and its versions, best first. Only what the question can touch is in the network:
what is asked for, what is installed, and whatever any of their versions could require in turn.

What is in force already is not held against what it runs on, nor against what it lacks already: something that is
broken stays as it is, and does not stand in the way of others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.dependencies.catalogue import Candidate, Group, Situation
from dovetail.lifecycle.dependencies.network import ABSENT, Network
from dovetail.lifecycle.dependencies.ranges import fits
from dovetail.lifecycle.dependencies.statements import (
    KUBERNETES,
    PLATFORM,
    Asked,
    AskedVersion,
    Kept,
    Needs,
    Pinned,
    Removed,
    Statement,
    Stays,
    Wants,
)


@dataclass(frozen=True)
class Goal:
    """An extension to be installed: in a range, in exactly one version, or in any."""

    extension: str
    range: str = ""
    version: str = ""


@dataclass(frozen=True)
class Request:
    """What is asked for. What is installed stays, but for `removals`."""

    goals: tuple[Goal, ...] = ()
    removals: frozenset[str] = frozenset()


class Demands:
    """The network of a request in a situation; `statement` says what a constraint means."""

    def __init__(self, situation: Situation, request: Request) -> None:
        self.situation, self.request = situation, request
        self.network = Network()
        self._said: list[Statement | Group] = []
        self.names: list[str] = []
        self.candidates: list[tuple[Candidate, ...]] = []
        self._variables: dict[str, int] = {}
        self._goals = {goal.extension for goal in request.goals}
        self._pending: list[str] = []
        self._actual = {KUBERNETES: situation.platform.kubernetes, PLATFORM: situation.platform.platform}
        self._masks: dict[tuple[str, str], int] = {}
        self._fitting: dict[tuple[str, str], bool] = {}
        for goal in request.goals:
            self._ask(goal)
        for name in sorted(request.removals):
            self._state(Removed(name), self.variable(name), ABSENT)
        for name in sorted(situation.installed):
            self.variable(name)
        while self._pending:
            self._expand(self._pending.pop())

    def variable(self, extension: str) -> int:
        """The number of an extension's variable; a new one is expanded later."""
        known = self._variables.get(extension)
        if known is not None:
            return known
        offered = self.situation.catalogue.versions(extension)
        held = self.situation.installed.get(extension)
        if held is not None and all(one.version != held.version for one in offered):
            offered = (*offered, self.situation.candidate(extension, held.version))
        self.names.append(extension)
        self.candidates.append(offered)
        self._pending.append(extension)
        number = self._variables[extension] = self.network.variable((2 << len(offered)) - 1)
        return number

    def chosen(self, variable: int, domain: int) -> Candidate | None:
        """What a domain's best bit means: None when the extension may be absent."""
        return None if domain & ABSENT else self.candidates[variable][(domain & -domain).bit_length() - 2]

    def mask(self, extension: str, range: str) -> int:
        """The versions of an extension in a range, as a domain."""
        key = extension, range
        known = self._masks.get(key)
        if known is None:
            known = self._masks[key] = self._mask(extension, range)
        return known

    def _mask(self, extension: str, range: str) -> int:
        found = self.situation.catalogue.mask(extension, range)
        candidates = self.candidates[self.variable(extension)]
        unlisted = len(candidates) > len(self.situation.catalogue.versions(extension))
        return found | 1 << len(candidates) if unlisted and fits(range, candidates[-1].version) else found

    def _ask(self, goal: Goal) -> None:
        variable = self.variable(goal.extension)
        self._state(Asked(goal.extension), variable, ~ABSENT)
        if goal.version:
            told = AskedVersion(goal.extension, version=goal.version)
            self._state(told, variable, self._exactly(goal.extension, goal.version) | ABSENT)
        elif goal.range.strip():
            told = AskedVersion(goal.extension, goal.range)
            self._state(told, variable, self.mask(goal.extension, goal.range) | ABSENT)

    def _expand(self, extension: str) -> None:
        held = self.situation.installed.get(extension)
        variable = self._variables[extension]
        asked, removed = extension in self._goals, extension in self.request.removals
        if held is not None and not removed:
            now = self._exactly(extension, held.version)
            if not asked:
                self._state(Stays(extension, held.version), variable, ~ABSENT)
            if held.pinned:
                self._state(Pinned(extension, held.version), variable, now | ABSENT)
            elif not asked:
                self._state(Kept(extension, held.version), variable, now | ABSENT)
        self._run(extension, variable)
        self._need(variable)

    def _run(self, extension: str, variable: int) -> None:
        held = self.situation.installed.get(extension)
        now = self._exactly(extension, held.version) if held is not None else 0
        for group in self.situation.catalogue.conditions(extension):
            actual = self._actual[group.target]
            if actual and not self._runs(group.range, actual):
                refused = self._without(variable, group, now) if group.mask & now else group
                told = Wants(extension, refused.versions, group.target, group.range, actual)
                self._state(told, variable, ~refused.mask)

    def _runs(self, range: str, actual: str) -> bool:
        key = range, actual
        if key not in self._fitting:
            self._fitting[key] = fits(range, actual)
        return self._fitting[key]

    def _need(self, variable: int) -> None:
        extension, catalogue = self.names[variable], self.situation.catalogue
        held = self.situation.installed.get(extension)
        if held is None or extension in self._goals:
            for group in catalogue.groups(extension):
                self._require(variable, group)
        else:
            now = self._exactly(extension, held.version)
            for group in catalogue.groups(extension):
                lacks = group.mask & now and self._lacks(group.target, group.range)
                self._require(variable, self._without(variable, group, now) if lacks else group)
        if len(self.candidates[variable]) > len(catalogue.versions(extension)):
            unlisted = self.candidates[variable][-1]
            for one in self.enforced(unlisted):
                bit = 1 << len(self.candidates[variable])
                self._require(variable, Group(extension, one.name, one.version, bit, (unlisted.version,)))

    def _without(self, variable: int, group: Group, version: int) -> Group:
        mask = group.mask & ~version
        return replace(group, mask=mask, versions=self._texts(variable, mask))

    def _require(self, variable: int, group: Group) -> None:
        if not group.mask:
            return
        target = self._variables.get(group.target)
        other = self.variable(group.target) if target is None else target
        allowed = self.mask(group.target, group.range)
        self._said.append(group)
        if other == variable:
            self.network.add(variable, ~(group.mask & ~allowed))
        else:
            self.network.add(other, allowed, variable, group.mask)

    def enforced(self, one: Candidate) -> Iterator[Dependency]:
        """What a version requires; what is in force already, and not asked for, only what it does not lack already."""
        held = self.situation.installed.get(one.extension)
        in_force = held is not None and held.version == one.version and one.extension not in self._goals
        return (need for need in one.needs(required=True) if not (in_force and self._lacks(need.name, need.version)))

    def _lacks(self, extension: str, range: str) -> bool:
        held = self.situation.installed.get(extension)
        return held is None or not fits(range, held.version)

    def __contains__(self, extension: str) -> bool:
        return extension in self._variables

    def _state(self, statement: Statement, variable: int, allowed: int) -> None:
        self._said.append(statement)
        self.network.add(variable, allowed)

    def _exactly(self, extension: str, version: str) -> int:
        candidates = self.candidates[self._variables[extension]]
        return sum(2 << at for at, one in enumerate(candidates) if one.version == version)

    def _texts(self, variable: int, mask: int) -> tuple[str, ...]:
        return tuple(one.version for at, one in enumerate(self.candidates[variable]) if mask >> at & 2)

    def statement(self, number: int) -> Statement:
        """What a constraint says."""
        one = self._said[number]
        return Needs(one.extension, one.versions, one.target, one.range) if isinstance(one, Group) else one

    def numbers(self, *kinds: type[Statement]) -> Iterator[int]:
        """The constraints that are statements of these kinds."""
        wanted = tuple(Group if kind is Needs else kind for kind in kinds)
        return (number for number, one in enumerate(self._said) if isinstance(one, wanted))
