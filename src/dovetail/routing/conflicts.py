"""Precedence and conflicts: which of two routes comes first, and where that is only a matter of age.

Exact beats prefix, a longer prefix beats a shorter one, any prefix beats a glob, a glob with more literal characters
beats one with fewer, and everything beats the root prefix `/`, the console's catch-all. Then a route for some methods
beats one for all. What is still equal is a conflict if some request fits both: the older object wins, and the loser is
told the winner and a witness, a request that both claim.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from dovetail.routing.globs import Glob, compatible, literal_length, witness
from dovetail.routing.model import Match, Route

MAX_EFFORT: Final = 1_000_000
"""Steps spent on comparing globs at most (about a second); beyond it age still decides, but nobody is told."""

Specificity = tuple[int, int, int]


class Witness(msgspec.Struct, frozen=True):
    """A request that two matches both take."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Conflict(msgspec.Struct, frozen=True):
    """Two routes of equal specificity that both take `witness`, by their place in the sequence given."""

    winner: int
    loser: int
    witness: Witness


def specificity(match: Match) -> Specificity:
    """Sorts the more specific match first."""
    anyone = 0 if match.methods else 1
    if match.kind == "exact":
        return (0, 0, anyone)
    if match.kind == "glob" and "*" in match.path:
        return (2, -literal_length(match.path), anyone)
    prefix = match.path.rstrip("/")
    return (1, -prefix.count("/"), anyone) if prefix else (3, 0, anyone)


def overlap(first: Match, second: Match) -> Witness | None:
    """A request that both matches take; None when there is none. Symmetric but for the choice of the witness."""
    method = _common_method(first.methods, second.methods)
    if method is None:
        return None
    for a in _patterns(first):
        for b in _patterns(second):
            if (path := _common_path(a, b)) is not None:
                return Witness(method, path)
    return None


def _common_method(first: tuple[str, ...], second: tuple[str, ...]) -> str | None:
    if not first or not second:
        return next(iter(first or second), "GET")
    return next((method for method in first if method in second), None)


def _patterns(match: Match) -> tuple[str, ...]:
    """A match as texts in which only `*` is special. An exact path that holds a star is out of reach of patterns."""
    if match.kind == "exact" or (match.kind == "glob" and "*" in match.path):
        return (match.path,)
    prefix = match.path.rstrip("/")
    return (prefix, f"{prefix}/*") if prefix else ("/*",)


def _common_path(first: str, second: str) -> str | None:
    if "*" not in first and "*" not in second:
        return first if first == second else None
    if "*" not in first:
        return first if Glob(second).matches(first) else None
    if "*" not in second:
        return second if Glob(first).matches(second) else None
    return witness(first, second)


def find_conflicts(routes: Sequence[Route], owners: Sequence[str]) -> list[Conflict]:
    """Conflicts among routes that are in order of precedence; routes with the same owner do not conflict.

    Each loser is told once, of the first winner.
    """
    groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, route in enumerate(routes):
        groups[rivalry(route.match)].append(index)
    conflicts: list[Conflict] = []
    budget = MAX_EFFORT
    for group in groups.values():
        if len(group) > 1:
            found, budget = _within(group, routes, owners, budget)
            conflicts += found
    return sorted(conflicts, key=lambda conflict: (conflict.loser, conflict.winner))


def rivalry(match: Match) -> tuple[object, ...]:
    """The group that a match is in: only within a group can two routes conflict."""
    if match.kind == "glob":
        return ("glob", *specificity(match))
    return (match.kind, match.path, not match.methods)


def effort(first: Match, second: Match) -> int:
    """About how many steps `overlap` takes."""
    if first.kind != "glob" or not compatible(first.path, second.path):
        return 1
    return len(first.path) * len(second.path)


def _within(
    group: list[int], routes: Sequence[Route], owners: Sequence[str], budget: int
) -> tuple[list[Conflict], int]:
    found: list[Conflict] = []
    for place, loser in enumerate(group):
        rivals: Iterable[int] = (index for index in group[:place] if owners[index] != owners[loser])
        for winner in rivals:
            budget -= effort(routes[winner].match, routes[loser].match)
            if budget < 0:
                return found, budget
            if common := overlap(routes[winner].match, routes[loser].match):
                found.append(Conflict(winner, loser, common))
                break
    return found, budget
