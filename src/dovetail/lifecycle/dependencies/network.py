"""Which values a set of variables can have together: binary constraints over small domains, and a search. Pure.

The model: a domain is a bit mask, the lowest bit first in preference. A constraint says "if `source` has one of the
values `when`, then `target` has one of `allowed`", or only "`target` has one of `allowed`". Bit 0 means absent: a
variable that may be absent need not be decided, because nothing is asked of what is absent. The search decides the
variable with the fewest values left, propagates, and on a conflict jumps back to the decision that had a part in it
(conflict-directed backjumping). When there is no solution, `core` is a set of constraints that alone has none.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

ABSENT: Final = 1
_NOBODY: Final = -1
_MOST_STEPS: Final = 8_000_000
"""Looks at constraints, for one question in all: some seconds. Whoever publishes versions can make a question hard."""


class TooHard(Exception):
    """The search was given up; no catalogue that people make comes near this."""

    def __init__(self) -> None:
        super().__init__(
            f"the dependencies were not solved in {_MOST_STEPS} steps; ask for exact versions to make it easier"
        )


class Constraint(NamedTuple):
    """`source` is -1 when it holds in any case."""

    source: int
    when: int
    target: int
    allowed: int


@dataclass
class Network:
    """Variables with their domains, and constraints by number. Grows by `variable` and `add`."""

    domains: list[int] = field(default_factory=list[int])
    constraints: list[Constraint] = field(default_factory=list[Constraint])
    out: list[list[int]] = field(default_factory=list[list[int]])
    into: list[list[int]] = field(default_factory=list[list[int]])
    fixed: list[int] = field(default_factory=list[int])
    steps: list[int] = field(default_factory=lambda: [0])
    """What all searches over it and its parts have taken: one number, shared by them."""

    def variable(self, domain: int) -> int:
        self.domains.append(domain)
        self.out.append([])
        self.into.append([])
        return len(self.domains) - 1

    def add(self, target: int, allowed: int, source: int = _NOBODY, when: int = 0) -> int:
        """A constraint's number."""
        number = len(self.constraints)
        self.constraints.append(Constraint(source, when, target, allowed))
        if source == _NOBODY:
            self.fixed.append(number)
        else:
            self.out[source].append(number)
            self.into[target].append(number)
        return number

    def part(self, numbers: Iterable[int]) -> "tuple[Network, list[int]]":
        """A network of only these constraints and their variables, and their numbers here by those there."""
        small, places, kept = Network(steps=self.steps), dict[int, int](), sorted(numbers)
        for number in kept:
            source, when, target, allowed = self.constraints[number]
            for variable in (source, target):
                if variable != _NOBODY and variable not in places:
                    places[variable] = small.variable(self.domains[variable])
            small.add(places[target], allowed, places.get(source, _NOBODY), when)
        return small, kept


@dataclass
class _Frame:
    """One decision: what is left to try, and why the values before it failed."""

    variable: int
    tried: int
    rest: int
    mark: int
    core: set[int] = field(default_factory=set[int])
    levels: set[int] = field(default_factory=set[int])


class Search:
    """One search over a network, without the constraints that are `off`."""

    def __init__(self, network: Network, off: Collection[int] = ()) -> None:
        self._constraints, self._out, self._into = network.constraints, network.out, network.into
        self._off = frozenset(off)
        self.domains = list(network.domains)
        self._trail: list[tuple[int, int]] = []
        self._entries: dict[int, list[tuple[int, int, int]]] = {}
        self._queue: list[int] = []
        self._steps = network.steps
        self.core: frozenset[int] = frozenset()
        self.possible = self._begin(network)

    def _begin(self, network: Network) -> bool:
        wiped = _NOBODY
        for number in network.fixed:
            if number not in self._off:
                _, _, target, allowed = network.constraints[number]
                if not self._shrink(target, allowed, number):
                    wiped = target
                    break
        self._queue = [*range(len(self.domains))] if wiped == _NOBODY else []
        wiped = wiped if wiped != _NOBODY else self._propagate()
        if wiped != _NOBODY:
            self.core = frozenset(self._reasons(wiped, -1, len(self._trail))[0])
        return wiped == _NOBODY

    def solve(self) -> list[int] | None:
        """The domains of a solution: one bit each, or with the absent bit, which then may be taken. None: see `core`.

        What was assumed before stays, the search's own decisions do not.
        """
        if not self.possible:
            return None
        mark = len(self._trail)
        found = list(self.domains) if self._search() else None
        self._undo(mark)
        return found

    def assume(self, variable: int, allowed: int) -> bool:
        """Narrow a variable for good, if the constraints' first consequences allow it."""
        mark = len(self._trail)
        if self._shrink(variable, allowed, -1) and self._propagate() == _NOBODY:
            return True
        self._undo(mark)
        return False

    def allows(self, variable: int, allowed: int) -> list[int] | None:
        """A solution in which a variable has one of these values; nothing is kept."""
        mark = len(self._trail)
        found = self.solve() if self.assume(variable, allowed) else None
        self._undo(mark)
        return found

    def _search(self) -> bool:
        frames: list[_Frame] = []
        while (variable := self._undecided()) != _NOBODY:
            domain = self.domains[variable]
            frames.append(_Frame(variable, domain, domain, len(self._trail)))
            wiped = self._try(frames)
            while wiped != _NOBODY:
                if not self._back(frames, *self._reasons(wiped, -1, len(self._trail))):
                    return False
                wiped = self._try(frames)
        return True

    def _try(self, frames: list[_Frame]) -> int:
        """Decide the topmost frame's best value that is left."""
        frame = frames[-1]
        value = frame.rest & -frame.rest
        frame.rest ^= value
        # Decisions are entered as -2 - level: below every constraint's number and the -1 of an assumption.
        self._shrink(frame.variable, value, -1 - len(frames))
        return self._propagate()

    def _back(self, frames: list[_Frame], core: set[int], levels: set[int]) -> bool:
        """Undo up to the newest decision that had a part in the conflict and has a value left."""
        while frames:
            frame, level = frames[-1], len(frames) - 1
            self._undo(frame.mark)
            if level in levels:
                frame.core |= core
                frame.levels |= levels - {level}
                if frame.rest:
                    return True
                core, levels = self._reasons(frame.variable, ~frame.tried, frame.mark)
                core |= frame.core
                levels |= frame.levels
            frames.pop()
        self.core = frozenset(core)
        return False

    def _undecided(self) -> int:
        """The present variable with the fewest values, more than one."""
        best, fewest = _NOBODY, 1 << 30
        for variable, domain in enumerate(self.domains):
            if not domain & ABSENT and domain & (domain - 1):
                count = domain.bit_count()
                if count < fewest:
                    best, fewest = variable, count
        return best

    def _shrink(self, variable: int, allowed: int, why: int) -> bool:
        before = self.domains[variable]
        after = before & allowed
        if after != before:
            self._entries.setdefault(variable, []).append((len(self._trail), before ^ after, why))
            self._trail.append((variable, before))
            self.domains[variable] = after
            self._queue.append(variable)
        return after != 0

    def _propagate(self) -> int:
        """The variable that has no value left, or -1."""
        domains, constraints, off = self.domains, self._constraints, self._off
        while self._queue:
            changed = self._queue.pop()
            domain = domains[changed]
            self._steps[0] += 1 + len(self._out[changed]) + len(self._into[changed])
            if self._steps[0] > _MOST_STEPS:
                raise TooHard
            for number in self._out[changed]:
                _, when, target, allowed = constraints[number]
                told = not domain & ~when and domains[target] & ~allowed and number not in off
                if told and not self._shrink(target, allowed, number):
                    return self._wiped(target)
            for number in self._into[changed]:
                source, when, _, allowed = constraints[number]
                told = not domain & allowed and domains[source] & when and number not in off
                if told and not self._shrink(source, ~when, number):
                    return self._wiped(source)
        return _NOBODY

    def _wiped(self, variable: int) -> int:
        self._queue.clear()
        return variable

    def _undo(self, mark: int) -> None:
        self._queue.clear()
        while len(self._trail) > mark:
            variable, before = self._trail.pop()
            self._entries[variable].pop()
            self.domains[variable] = before

    def _reasons(self, variable: int, lost: int, limit: int) -> tuple[set[int], set[int]]:
        """The constraints and the decisions' levels that took these values from a variable before `limit`."""
        core: set[int] = set()
        levels: set[int] = set()
        seen: set[int] = set()
        pending = [(variable, lost, limit)]
        while pending:
            variable, lost, limit = pending.pop()
            for place, removed, why in self._entries.get(variable, ()):
                if place >= limit:
                    break
                if not removed & lost or place in seen:
                    continue
                seen.add(place)
                if why < 0:
                    levels.update({-2 - why} if why < -1 else ())
                    continue
                core.add(why)
                source, when, target, allowed = self._constraints[why]
                if source == variable:
                    pending.append((target, allowed, place))
                elif source != _NOBODY:
                    pending.append((source, ~when, place))
        return core, levels
