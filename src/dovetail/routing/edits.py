"""What makes one sequence of routes out of another: which to take out, which to put in.

Routes that stayed are recognised as the same Python objects or as equals at the same end, so that finding the edit of
ten thousand routes costs about as much as copying them. The edit always leads from the one to the other exactly; that
it is small is only likely.
"""

from collections.abc import Sequence

import msgspec

from dovetail.routing.model import Route

_PIECE = 512


class RouteEdit(msgspec.Struct, frozen=True):
    """`removed` are places before, `inserted` are places after, both ascending."""

    removed: tuple[int, ...] = ()
    inserted: tuple[tuple[int, Route], ...] = ()

    @property
    def size(self) -> int:
        """How many routes it concerns."""
        return len(self.removed) + len(self.inserted)


def edit_between(before: Sequence[Route], after: Sequence[Route]) -> RouteEdit:
    """The edit that leads from the one to the other: `edited(before, edit) == after`."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    left, came = set(map(id, old)) - set(map(id, new)), set(map(id, new)) - set(map(id, old))
    edit = RouteEdit(
        tuple(place for place, route in enumerate(old, start) if id(route) in left),
        tuple((place, route) for place, route in enumerate(new, start) if id(route) in came),
    )
    if edited(before, edit) == tuple(after):
        return edit
    return RouteEdit(tuple(range(start, start + len(old))), tuple(enumerate(new, start)))


def edited(routes: Sequence[Route], edit: RouteEdit) -> tuple[Route, ...]:
    """The routes after an edit."""
    result = list(routes)
    for place in reversed(edit.removed):
        del result[place]
    for place, route in edit.inserted:
        result.insert(place, route)
    return tuple(result)


def _common(first: Sequence[Route], second: Sequence[Route]) -> int:
    """How many routes both begin with."""
    at, most = 0, min(len(first), len(second))
    while at < most and first[at : at + _PIECE] == second[at : at + _PIECE]:
        at += _PIECE
    at = min(at, most)
    while at < most and first[at] == second[at]:
        at += 1
    return at
