"""When the next key takes over: pure rules for anything that signs for a while and is published for longer.

Each entry signs from one moment to another. It is published before it signs (`lead`), so that everybody who keeps the
published list for less than that knows it in time, and after it has signed (`grace`), until nothing that it signed can
still be good. Times are whole seconds of the epoch.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """In seconds: how long an entry signs, and how long it is published before and after that."""

    life: int
    lead: int
    grace: int


class Timed(Protocol):
    """An entry: signs from the first moment until just before the second."""

    @property
    def signs_from(self) -> int: ...
    @property
    def signs_until(self) -> int: ...


T = TypeVar("T", bound=Timed)


def turned(entries: Sequence[T], schedule: Schedule, now: int, make: Callable[[int, int], T]) -> tuple[T, ...]:
    """The entries that should be there now, the one that signs last first; equal to `entries` when nothing is due.

    `make(signs_from, signs_until)` makes a new one.
    """
    kept = sorted((one for one in entries if now < one.signs_until + schedule.grace), key=lambda one: -one.signs_from)
    end = max((one.signs_until for one in kept), default=now)
    if end - schedule.lead <= now:
        begin = max(end, now)
        kept.insert(0, make(begin, begin + schedule.life))
    return tuple(kept)


def signing(entries: Sequence[T], now: int) -> T:
    """The entry that signs now: the latest that has begun to; where clocks disagree, the one that begins first.

    There must be one.
    """
    begun = [one for one in entries if one.signs_from <= now]
    if not begun:
        return min(entries, key=lambda one: one.signs_from)
    return max(begun, key=lambda one: one.signs_from)
