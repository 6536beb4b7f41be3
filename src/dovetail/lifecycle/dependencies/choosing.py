"""The best of all solutions of a network, by deciding one extension after the other.

First what is asked for, in that order, each in its best version that still has a solution. Then whatever is required
by what is decided already, and what is installed and cannot stay as it is, by name; there, versions in the optional
ranges of what is decided come first.
"""

import heapq
from collections.abc import Collection

from dovetail.lifecycle.dependencies.catalogue import Candidate
from dovetail.lifecycle.dependencies.demands import Demands
from dovetail.lifecycle.dependencies.network import ABSENT, Search
from dovetail.lifecycle.dependencies.statements import Kept, Pinned, Stays


class Chooser:
    """Decides on a network of which some constraints are given up. They must leave a solution."""

    def __init__(self, demands: Demands, off: Collection[int]) -> None:
        self._demands = demands
        self._search = Search(demands.network, off)
        self._model = self._search.solve()
        given_up = [demands.statement(number) for number in off]
        self._gone = demands.request.removals | {one.extension for one in given_up if isinstance(one, Stays)}
        self._changing = {one.extension for one in given_up if isinstance(one, Kept | Pinned)}
        self._decided: dict[str, Candidate] = {}
        self._wishes: dict[str, list[int]] = {}
        self._due: list[str] = []

    def ranks(self) -> tuple[int, ...]:
        """Decide what is asked for: how far each is from the best version there is."""
        return tuple(self._decide(goal.extension) for goal in self._demands.request.goals)

    def rest(self) -> dict[str, Candidate]:
        """Decide what follows, after `ranks`: a version for each extension that is there."""
        demands = self._demands
        for goal in demands.request.goals:
            self._settle(goal.extension)
        asked = self._decided.keys()
        staying = demands.situation.installed.keys() - self._gone - asked
        for name in sorted(staying - self._changing):
            self._settle(name)
        for name in staying & self._changing:
            heapq.heappush(self._due, name)
        while self._due:
            name = heapq.heappop(self._due)
            if name not in self._decided:
                self._decide(name)
                self._settle(name)
        return self._decided

    def _decide(self, name: str) -> int:
        """Fix an extension to its first version that has a solution; the version's place among all."""
        assert self._model is not None, "what is given up leaves a solution"
        variable = self._demands.variable(name)
        domain = self._search.domains[variable] & ~ABSENT
        bits = [1 << at for at in range(1, domain.bit_length()) if domain >> at & 1]
        wishes = self._wishes.get(name, [])
        for bit in sorted(bits, key=lambda bit: sum(not bit & mask for mask in wishes)) if wishes else bits:
            model = self._model if self._model[variable] == bit else self._search.allows(variable, bit)
            if model is not None:
                self._model = model
                self._search.assume(variable, bit)
                return bit.bit_length() - 2
        raise AssertionError("an extension that must be there has a version in every solution")

    def _settle(self, name: str) -> None:
        """Write down a decided extension, and what it requires and wishes."""
        demands = self._demands
        variable = demands.variable(name)
        value = demands.chosen(variable, self._search.domains[variable])
        assert value is not None
        self._decided[name] = value
        for one in value.needs(required=False):
            if one.name in demands:
                self._wishes.setdefault(one.name, []).append(demands.mask(one.name, one.version))
        for one in demands.enforced(value):
            if one.name not in self._decided and one.name not in self._gone:
                heapq.heappush(self._due, one.name)
