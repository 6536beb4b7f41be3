"""Who may try to log in, and how often: a count of failures a (user, address), and a larger one an address.

The lock is on the pair, so that nobody can lock somebody else out by failing in his name from elsewhere; the count of
an address alone stops one place from trying many names. No more tries run at once than could still fail without
locking: guessing in parallel gains nothing, and a burst of right passwords only queues. A try that ends without a
verdict (the cluster is down, the client went away) counts for nothing, since nothing was learnt from it. IPv6
addresses count by their /64.

State is this process's and bounded: the places that failed longest ago are forgotten first.
"""

import asyncio
import contextlib
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from dovetail.iam.errors import HashingBusy, TooManyAttempts

_PATIENCE = 15.0
"""Seconds that a try waits for those before it."""


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """How many failures in how many seconds are too many; a lock ends `window` after the first of them."""

    per_user_and_address: int = 10
    per_address: int = 60
    window: float = 600.0
    remembered: int = 20_000
    longest_line: int = 200


@dataclass(slots=True)
class _Count:
    limit: int
    failures: int = 0
    since: float = 0.0
    running: int = 0

    def wait(self, window: float, now: float) -> float:
        """How long a new try has to stay away; forgets failures that are too old."""
        if self.failures and now - self.since >= window:
            self.failures = 0
        return self.since + window - now if self.failures >= self.limit else 0.0

    @property
    def full(self) -> bool:
        return self.failures + self.running >= self.limit

    def fail(self, now: float) -> None:
        self.since = self.since if self.failures else now
        self.failures += 1


class Attempt:
    """One try; say how it went before it ends."""

    def __init__(self, pair: _Count, place: _Count) -> None:
        self._pair, self._place = pair, place

    def failed(self, now: float) -> None:
        """The password was wrong, or there is no such user."""
        self._pair.fail(now)
        self._place.fail(now)

    def succeeded(self) -> None:
        """The password was right: the pair starts anew."""
        self._pair.failures = 0


class Lockout:
    """Counts tries: `async with lockout.attempt(user, address, clock) as attempt: ...`."""

    def __init__(self, rules: LockoutRules | None = None) -> None:
        self._rules = rules or LockoutRules()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._ended = asyncio.Condition()
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def attempt(self, user: str, address: str, clock: Callable[[], float]) -> AsyncGenerator[Attempt]:
        """One try at a log-in. Raises TooManyAttempts, and HashingBusy when too many wait already."""
        pair, place = await self._admitted(user, address, clock)
        pair.running += 1
        place.running += 1
        try:
            yield Attempt(pair, place)
        finally:
            pair.running -= 1
            place.running -= 1
            async with self._ended:
                self._ended.notify_all()

    async def _admitted(self, user: str, address: str, clock: Callable[[], float]) -> tuple[_Count, _Count]:
        """The two counts, once there is room in both."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while True:
            counts = self._counts_of(user, address)
            wait = max(count.wait(self._rules.window, clock()) for count in counts)
            if wait > 0:
                raise TooManyAttempts(max(1, round(wait)))
            if not any(count.full for count in counts):
                return counts
            await self._next_end(deadline - asyncio.get_running_loop().time())

    async def _next_end(self, patience: float) -> None:
        if self._waiting >= self._rules.longest_line or patience <= 0:
            raise HashingBusy(self._waiting)
        self._waiting += 1
        try:
            async with self._ended, asyncio.timeout(patience):
                await self._ended.wait()
        except TimeoutError as error:
            raise HashingBusy(self._waiting) from error
        finally:
            self._waiting -= 1

    def _counts_of(self, user: str, address: str) -> tuple[_Count, _Count]:
        place = _place(address)
        pair = self._count((f"user:{user[:256]}", place), self._rules.per_user_and_address)
        return pair, self._count(("any", place), self._rules.per_address)

    def _count(self, key: tuple[str, str], limit: int) -> _Count:
        count = self._counts.setdefault(key, _Count(limit))
        self._counts.move_to_end(key)
        if len(self._counts) > self._rules.remembered:
            self._forget_one()
        return count

    def _forget_one(self) -> None:
        """Forget the place that tried longest ago and has no try running."""
        idle = next((key for key, count in self._counts.items() if not count.running), None)
        if idle is not None:
            del self._counts[idle]


def _place(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
