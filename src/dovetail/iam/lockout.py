"""Who may try to log in, and how often: a count of failures a (user, address), and a larger one an address.

The lock is on the pair, so that nobody can lock somebody else out by failing in his name from elsewhere; the count of
an address alone stops one place from trying many names. An attempt counts as failed from the moment it begins and is
taken back when it succeeds, so guessing in parallel gains nothing. IPv6 addresses count by their /64.

State is this process's and bounded: the places that failed longest ago are forgotten first. Pure but for the clock
that the caller hands in.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from dovetail.iam.errors import TooManyAttempts


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """How many failures in how many seconds are too many; a lock ends `window` after the first of them."""

    per_user_and_address: int = 10
    per_address: int = 60
    window: float = 600.0
    remembered: int = 20_000


@dataclass(slots=True)
class _Count:
    failures: int
    since: float


class Lockout:
    """Counts attempts. `begin` before the password is looked at, `succeed` when it was right."""

    def __init__(self, rules: LockoutRules | None = None) -> None:
        self._rules = rules or LockoutRules()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()

    def begin(self, user: str, address: str, now: float) -> None:
        """Count an attempt. Raises TooManyAttempts, and then counts nothing."""
        limits = self._limits(user, address)
        waits = [self._wait(key, limit, now) for key, limit in limits]
        if any(waits):
            raise TooManyAttempts(max(1, round(max(waits))))
        for key, _ in limits:
            self._count(key, now)

    def succeed(self, user: str, address: str) -> None:
        """The attempt was right: the pair starts anew, the address gets this one attempt back."""
        (pair, _), (place, _) = self._limits(user, address)
        self._counts.pop(pair, None)
        count = self._counts.get(place)
        if count is not None:
            count.failures -= 1

    def _limits(self, user: str, address: str) -> list[tuple[tuple[str, str], int]]:
        place = _place(address)
        pair, alone = (f"user:{user[:256]}", place), ("any", place)
        return [(pair, self._rules.per_user_and_address), (alone, self._rules.per_address)]

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        count = self._counts.get(key)
        if count is None or count.failures < limit:
            return 0.0
        return max(0.0, count.since + self._rules.window - now)

    def _count(self, key: tuple[str, str], now: float) -> None:
        count = self._counts.get(key)
        if count is None or now - count.since >= self._rules.window:
            self._counts[key] = _Count(failures=1, since=now)
        else:
            count.failures += 1
        self._counts.move_to_end(key)
        while len(self._counts) > self._rules.remembered:
            self._counts.popitem(last=False)


def _place(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
