"""The connections of a backend that has several addresses or a breaker: a lane for each address.

For each request an address is chosen (`balance`) among those whose circuit lets requests pass; a lane is a `Pool` of
its own. An address that could not be reached comes last for some seconds, breaker or not. When `max_connections` are in
use a request waits in line for one that becomes free, for as long as connecting may take.
"""

import asyncio
import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from dovetail.gateway.proxy.pool import DialFailed, Pool
from dovetail.gateway.proxy.settings import Limits
from dovetail.gateway.proxy.traffic.balance import Candidate, order
from dovetail.gateway.proxy.traffic.guard import Guard, Target
from dovetail.routing.model import Upstream

if TYPE_CHECKING:
    from dovetail.gateway.proxy.upstream import UpstreamConnection


_AWAY_SECONDS = 5.0


class Lane(Pool):
    """The connections to one address."""

    def __init__(self, lanes: "Lanes", target: Target, upstream: Upstream, limits: Limits) -> None:
        super().__init__(upstream, limits)
        self.lanes = lanes
        self.target = target
        self.open: set[UpstreamConnection] = set()
        self.away_until = 0.0
        """It could not be reached a moment ago: until then the others come first."""

    @property
    def busy(self) -> int:
        """Connections in use."""
        return len(self.open) - len(self._idle)

    def put(self, connection: "UpstreamConnection", now: float) -> None:
        if not self.lanes.handed_over(connection, self, now):
            super().put(connection, now)

    def forget(self, connection: "UpstreamConnection") -> None:
        super().forget(connection)
        if connection in self.open:
            self.open.discard(connection)
            self.lanes.guard.release()

    def close_one(self) -> bool:
        """Close the connection that has been idle for longest, and leave its place to somebody else."""
        while self._idle:
            connection = self._idle.popleft()
            if connection in self.open:
                self.open.discard(connection)
                connection.transport.close()
                return True
        return False


class Lanes(Pool):
    """See the module. To an exchange it is a pool."""

    def __init__(self, upstream: Upstream, limits: Limits, guard: Guard) -> None:
        super().__init__(upstream, limits)
        self.guard = guard
        self._next = 0
        self._plain = upstream.breaker is None and upstream.balance == "RoundRobin" and len(upstream.addresses) > 0
        """Whose turn it is is all there is to decide."""
        targets: tuple[Target, ...] = (upstream.unix_path,) if upstream.unix_path else upstream.addresses
        self.targets = targets
        self._lanes = [
            Lane(self, target, upstream if len(targets) == 1 else _only(upstream, target), limits) for target in targets
        ]
        guard.keep_only(set(targets))

    def take(self, now: float, *, repeatable: bool, avoid: Collection[Target] = ()) -> "UpstreamConnection | None":
        if self._plain and not avoid:
            return self._take_in_turn(now, repeatable)
        if self.guard.waiting:
            return None
        lanes = self._order(now, avoid)
        connection = lanes[0].take(now, repeatable=repeatable) if lanes else None
        if connection is not None:
            self._next += not avoid
            connection.probe = self.guard.sent(lanes[0].target, now)
        return connection

    def _take_in_turn(self, now: float, repeatable: bool) -> "UpstreamConnection | None":
        lanes = self._lanes
        for turn in range(self._next, self._next + len(lanes)):
            lane = lanes[turn % len(lanes)]
            if lane.away_until <= now:
                connection = lane.take(now, repeatable=repeatable)
                if connection is not None:
                    self._next = turn + 1
                return connection
        return None

    async def dial(self, avoid: Collection[Target] = ()) -> "UpstreamConnection":
        """A connection to the best address, or to the next one. Raises DialFailed, Refused."""
        loop = asyncio.get_running_loop()
        if not self._lanes:
            raise DialFailed("it has no address")
        if not self._order(loop.time(), avoid):
            raise self.guard.closed_for(self.targets, loop.time())
        waited = await self._room(loop)
        if waited is not None:
            return waited
        try:
            connection = await self._dial(loop, avoid)
        except BaseException:
            self.guard.release()
            raise
        if connection.closing:
            self.guard.release()
        return connection

    async def _dial(self, loop: asyncio.AbstractEventLoop, avoid: Collection[Target]) -> "UpstreamConnection":
        lanes = self._order(loop.time(), avoid)
        self._next += not avoid
        problem: DialFailed | None = None
        for lane in lanes:
            if not self.guard.permits(lane.target, loop.time()):
                continue
            probe = self.guard.sent(lane.target, loop.time())
            try:
                async with asyncio.timeout(self.upstream.connect_timeout / len(lanes)):
                    connection = await lane.dial()
            except (TimeoutError, DialFailed) as error:
                self.guard.told(lane.target, "bad", loop.time(), probe=probe)
                lane.away_until = loop.time() + _AWAY_SECONDS
                text = f"no connection within {self.upstream.connect_timeout:g} s"
                problem = error if isinstance(error, DialFailed) else DialFailed(text, timed_out=True)
                continue
            except BaseException:
                self.guard.told(lane.target, "gone", loop.time(), probe=probe)
                raise
            lane.away_until = 0.0
            if not connection.closing:
                lane.open.add(connection)
            connection.probe = probe
            return connection
        raise problem or self.guard.closed_for(self.targets, loop.time())

    async def _room(self, loop: asyncio.AbstractEventLoop) -> "UpstreamConnection | None":
        """Wait for a place for one more connection, or for a connection that another request gives back."""
        guard, most = self.guard, self.guard.rule.max_connections
        until = loop.time() + self.upstream.connect_timeout
        while most is not None and guard.connections >= most:
            now = loop.time()
            for lane in self._order(now, ()):
                connection = lane.take(now, repeatable=False)
                if connection is not None:
                    connection.probe = guard.sent(lane.target, now)
                    return connection
            if any(lane.close_one() for lane in self._lanes):
                return None  # its place is ours
            connection = await self._waited(loop, until)
            if connection is not None and not connection.closing:
                return connection
            if connection is not None:
                self._given_back(connection)
        guard.connections += 1
        return None

    async def _waited(self, loop: asyncio.AbstractEventLoop, until: float) -> "UpstreamConnection | None":
        """`until`: who is woken and finds nothing has waited that long already."""
        guard = self.guard
        most = guard.rule.max_connections
        if guard.rule.max_pending_requests is not None and len(guard.waiting) >= guard.rule.max_pending_requests:
            raise guard.refuse("maxPendingRequests", f"{len(guard.waiting)} requests wait for a connection")
        future: asyncio.Future[UpstreamConnection | None] = loop.create_future()
        entry = (self, future)
        guard.waiting.append(entry)  # pyright: ignore[reportArgumentType] - what it holds is this module's business
        delivered = False
        try:
            async with asyncio.timeout_at(until):
                connection = await future
                delivered = True
                return connection
        except TimeoutError:
            raise guard.refuse("maxConnections", f"none of {most} connections became free in time") from None
        finally:
            with contextlib.suppress(ValueError):
                guard.waiting.remove(entry)  # pyright: ignore[reportArgumentType]
            if not delivered and future.done() and not future.cancelled():
                self._given_back(future.result())

    def _given_back(self, connection: "UpstreamConnection | None") -> None:
        """The one who waited for this is gone."""
        if connection is None:
            self.guard.wake()
            return
        if isinstance(connection.pool, Lane):
            now = asyncio.get_running_loop().time()
            self.guard.told(connection.pool.target, "gone", now, probe=connection.probe)
        connection.transport.close()

    def handed_over(self, connection: "UpstreamConnection", lane: Lane, now: float) -> bool:
        """Give a connection to the request that has waited longest, if any."""
        if not self.guard.waiting or self._closed:
            return False
        if not self.guard.permits(lane.target, now):
            connection.transport.close()
            return True
        for entry in self.guard.waiting:
            if entry[0] is self and not entry[1].done():
                self.guard.waiting.remove(entry)
                connection.probe = self.guard.sent(lane.target, now)
                entry[1].set_result(connection)
                return True
        return False

    def _order(self, now: float, avoid: Collection[Target]) -> list[Lane]:
        lanes, guard = self._lanes, self.guard
        if len(lanes) == 1:
            return lanes if guard.permits(lanes[0].target, now) else []
        candidates = [Candidate(guard.permits(lane.target, now), lane.busy) for lane in lanes]
        avoided = [index for index, lane in enumerate(lanes) if lane.away_until > now or lane.target in avoid]
        return [lanes[index] for index in order(candidates, self.upstream.balance, self._next, avoided)]

    def sweep(self, now: float) -> None:
        for lane in self._lanes:
            lane.sweep(now)

    def close(self) -> None:
        self._closed = True
        for lane in self._lanes:
            lane.close()


def _only(upstream: Upstream, target: Target) -> Upstream:
    """The upstream with this address alone."""
    return upstream if isinstance(target, str) else msgspec.structs.replace(upstream, addresses=(target,))
