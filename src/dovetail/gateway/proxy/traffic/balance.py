"""In which order the addresses of a backend are tried. Pure."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from dovetail.routing.traffic import Balance


class Candidate(NamedTuple):
    """An address as it stands now."""

    available: bool
    """Its circuit lets requests pass."""
    busy: int
    """Requests under way there."""


def order(candidates: Sequence[Candidate], balance: Balance, turn: int, avoid: Collection[int] = ()) -> list[int]:
    """Indices of the available ones, the best first.

    `turn` says whose turn it is; among equally busy ones it decides for LeastRequests, too. Those to `avoid` (a try has
    failed there) come last.
    """
    count = len(candidates)
    indices = [(turn + offset) % count for offset in range(count)]
    found = [index for index in indices if candidates[index].available]
    if balance == "LeastRequests":
        found.sort(key=lambda index: candidates[index].busy)
    if avoid:
        found.sort(key=lambda index: index in avoid)
    return found
