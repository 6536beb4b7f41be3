"""Who may try to log in, and how often: failures are counted by (user, address), by address, and by user for strangers.

The lock is on the pair, so that nobody can lock somebody else out by failing in his name from elsewhere. The count of
an address stops one place from trying many names, the count of a user many places from trying one name. The last two
do not hold up who comes from an address that is known for the user, since he has logged in from there before: an
outsider with many addresses slows down other strangers, not the user. No more tries run at once than could still fail
without locking: guessing in parallel gains nothing, and a burst of right passwords only queues. A try that ends
without a verdict (the cluster is down, the client went away) counts for nothing, since nothing was learnt from it.
IPv6 addresses count by their /64.

State is this process's and bounded: the places that failed longest ago are forgotten first. Replicas of control count
each for itself, so n of them allow n times as many failures.
"""

import asyncio
import contextlib
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from dovetail.iam.errors import HashingBusy, TooManyAttempts

_PATIENCE = 15.0
"""Seconds that a try waits for those before it."""


Familiar = Callable[[str, str], Awaitable[bool]]
"""Whether a user has logged in from a place before, by what is written down."""


@dataclass(frozen=True, slots=True)
class LockoutRules:
    """How many failures in how many seconds are too many; a lock ends `window` after the first of them."""

    per_user_and_address: int = 10
    per_address: int = 60
    per_user: int = 100
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

    def __init__(self, counts: tuple[_Count, ...], succeeded: Callable[[], None]) -> None:
        self._counts, self._succeeded = counts, succeeded

    def failed(self, now: float) -> None:
        """The password was wrong, or there is no such user."""
        for count in self._counts:
            count.fail(now)

    def succeeded(self) -> None:
        """The password was right: the pair starts anew, and the address is known for the user."""
        self._counts[0].failures = 0
        self._succeeded()


class Lockout:
    """Counts tries: `async with lockout.attempt(user, address, clock) as attempt: ...`."""

    def __init__(self, rules: LockoutRules | None = None, familiar: Familiar | None = None) -> None:
        self._rules = rules or LockoutRules()
        self._familiar = familiar
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._ended = asyncio.Condition()
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def attempt(self, user: str, address: str, clock: Callable[[], float]) -> AsyncGenerator[Attempt]:
        """One try at a log-in. Raises TooManyAttempts, and HashingBusy when too many wait already."""
        counts = await self._admitted(user, address, clock)
        for count in counts:
            count.running += 1
        try:
            yield Attempt(counts, lambda: self._remember(user, address))
        finally:
            for count in counts:
                count.running -= 1
            async with self._ended:
                self._ended.notify_all()

    async def _admitted(self, user: str, address: str, clock: Callable[[], float]) -> tuple[_Count, ...]:
        """The counts, the pair's first, once there is room in those that hold this one up."""
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        known = (user, place_of(address)) in self._known
        while True:
            counts = self._counts_of(user, address)
            deciding = counts[:1] if known else counts
            waits = [count.wait(self._rules.window, clock()) for count in deciding]
            if max(waits) > 0:
                if waits[0] == 0 and not known and await self._is_familiar(user, address):
                    known = True
                    continue
                raise TooManyAttempts(max(1, round(max(waits))))
            if not any(count.full for count in deciding):
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

    def _counts_of(self, user: str, address: str) -> tuple[_Count, ...]:
        place, name = place_of(address), f"user:{user[:256]}"
        pair = self._count((name, place), self._rules.per_user_and_address)
        return pair, self._count(("any", place), self._rules.per_address), self._count((name, ""), self._rules.per_user)

    async def _is_familiar(self, user: str, address: str) -> bool:
        """Asked only where it makes a difference; what is written down outlives this process."""
        if self._familiar is None or not await self._familiar(user, place_of(address)):
            return False
        self._remember(user, address)
        return True

    def _remember(self, user: str, address: str) -> None:
        key = (user, place_of(address))
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > self._rules.remembered:
            self._known.popitem(last=False)

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


def place_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or a /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
