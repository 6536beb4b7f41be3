"""The worker process: a listening socket that it shares with its siblings, and what watches over its connections."""

import asyncio
import contextlib
import gc
import logging
import resource
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from dovetail.gateway.audit.recorder import Recorder
from dovetail.gateway.proxy.downstream import Downstream
from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.following import follow
from dovetail.gateway.proxy.heads import HeadReader
from dovetail.gateway.proxy.listening import Listener
from dovetail.gateway.proxy.metrics import Metrics
from dovetail.gateway.proxy.outgoing import Client
from dovetail.gateway.proxy.pools import Pools
from dovetail.gateway.proxy.presence import Presence
from dovetail.gateway.proxy.request_headers import Head
from dovetail.gateway.proxy.scraping import scraped
from dovetail.gateway.proxy.serving import Serving
from dovetail.gateway.proxy.settings import WorkerSettings
from dovetail.gateway.proxy.tls import server_context
from dovetail.gateway.proxy.traffic.client_address import Trusted, came_over_tls
from dovetail.gateway.proxy.traffic.figures import figures
from dovetail.gateway.proxy.traffic.limiter import LIMITS_FILE, Limiter
from dovetail.gateway.reports import Reports, beside
from dovetail.gateway.snapshot import Snapshot

_SWEEP_SECONDS = 0.5
_AT_ONCE = 256
"""Connections that are looked at in one go."""
_DRAIN_STEP = 0.02
_LAST_REPORTS_SECONDS = 0.5
_log = logging.getLogger(__name__)
_access = logging.getLogger("dovetail.access")


class Worker:
    """What all connections of one process share. `serving` is swapped whole, between two requests."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.serving = Serving(Snapshot(generation=0))
        self.pools = Pools(settings.limits)
        self.limiter = Limiter(settings.snapshot_socket.with_name(LIMITS_FILE))
        self.trusted = Trusted(settings.trusted_proxies)
        self.heads = HeadReader(settings.limits)
        self.reports = Reports()
        self.metrics = Metrics(self.reports.dropped)
        self.recorder = Recorder(self)
        self.presence = Presence(self.reports, self.heads.forget)
        self.draining = False
        self.ready = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time
        """For waits."""
        self.wall: Callable[[], float] = time.time
        """Seconds of the epoch, for what tokens say."""
        self._connections: set[Downstream] = set()
        self._by_address: Counter[bytes] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._log_requests = _access.isEnabledFor(logging.DEBUG)

    def adopt(self, snapshot: Snapshot) -> int:
        """Serve this snapshot from the next request on; the one before stays if this one cannot be served."""
        try:
            self.serving = Serving(snapshot, self.serving)
        except Exception:
            _log.exception("a snapshot cannot be served", extra={"fields": {"generation": snapshot.generation}})
            return self.serving.snapshot.generation
        self.pools.adopt(snapshot.table.upstreams)
        self.recorder.adopted()
        self.metrics.generation = snapshot.generation
        self.ready.set()
        return snapshot.generation

    def _forget_routes(self) -> None:
        self.metrics.keep_only({route.id for route in self.serving.snapshot.table.routes})

    def figures(self) -> str:
        """What a scrape gets; routes that are not in force any more have no lines of their own."""
        self._forget_routes()
        return self.metrics.render() + figures(self.pools.guards.all(), self.limiter)

    def spawn(self, work: Coroutine[Any, Any, None], name: str, failed: Callable[[], None]) -> "asyncio.Task[None]":
        """Run something for an exchange and hold it until it ends. `failed` is told if it raises: a client waits."""
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, failed))
        return task

    def _done(self, failed: Callable[[], None], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a connection's task failed", exc_info=task.exception())
            failed()

    def joined(self, connection: Downstream) -> None:
        """A client has connected; it is turned away at once when there are too many."""
        self.metrics.accepted += 1
        self._connections.add(connection)
        self._by_address[connection.peer.address] += 1
        self.metrics.connections = len(self._connections)
        many = len(self._connections) > self.limits.connections
        alone = not connection.peer.trusted  # a proxy has the connections of all its clients
        if many or (alone and self._by_address[connection.peer.address] > self.limits.connections_per_address):
            self.metrics.turned_away += 1
            connection.transport.abort()

    def told_client(self, proxy: Client, head: Head) -> Client:
        """The client for whom a trusted proxy has called, by what it says."""
        address = self.trusted.client(proxy.address.decode(), head.forwarded_for) if head.forwarded_for else None
        secure = came_over_tls(head.forwarded_proto, otherwise=proxy.secure)
        return Client(address.encode() if address else proxy.address, secure)

    def left(self, connection: Downstream) -> None:
        """A client's connection is gone."""
        if connection in self._connections:
            self._connections.discard(connection)
            address = connection.peer.address
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
        self.metrics.connections = len(self._connections)

    def finished(self, exchange: Exchange) -> None:
        """Count a request, and log it when asked to, or when it went wrong on our side."""
        seconds = exchange.last - exchange.begun if exchange.begun else 0.0
        self.metrics.answered(exchange.code, exchange.route_id, seconds)
        self.recorder.finished(exchange, seconds)
        ours = exchange.code >= 502 and not exchange.quiet
        if self._log_requests or ours:
            _access.log(
                logging.WARNING if ours else logging.DEBUG, "request",
                extra={"fields": {
                    "method": exchange.head.method, "path": exchange.head.target.partition(b"?")[0].decode("latin-1"),
                    "code": exchange.code, "route": exchange.route_id or "-", "user": exchange.user or "-",
                    "ms": round(seconds * 1000, 1), "client": exchange.peer.address.decode(),
                }},
            )  # fmt: skip

    async def sweep(self) -> None:
        """Enforce every limit on time, until cancelled. One timer for all connections costs less than one for each."""
        while True:
            await self._sweep_connections()
            self.presence.look(self._under_way(), self.serving, self.wall())
            self.pools.sweep(self.now())
            if self.metrics.large:
                self._forget_routes()

    async def _sweep_connections(self) -> None:
        """Look at each once in a step: some at a time, so that no request waits for all of them to be looked at."""
        connections = tuple(self._connections)
        turns = 1 + len(connections) // _AT_ONCE
        for turn in range(turns):
            await asyncio.sleep(_SWEEP_SECONDS / turns)
            now = self.now()
            for connection in connections[turn * _AT_ONCE : (turn + 1) * _AT_ONCE]:
                if connection in self._connections:
                    self._check(connection, now)

    def _check(self, connection: Downstream, now: float) -> None:
        try:
            connection.check(now)
            if connection.active is not None:
                self.recorder.look(connection.active, now)
        except Exception:  # one connection must not take all the others with it
            _log.exception("a connection could not be looked at")
            connection.abort()

    def _under_way(self) -> list[Exchange]:
        return [connection.active for connection in self._connections if connection.active is not None]

    async def drain(self) -> None:
        """Stop. Every answer from now on is the last of its connection and says so; connections that stay idle are
        closed after a moment, the others when their answer is out or the time is over."""
        self.draining = True
        begun, limits = self.now(), self.limits
        while self._connections and (spent := self.now() - begun) < limits.drain:
            if spent >= limits.drain_idle:
                for connection in tuple(self._connections):
                    connection.close_if_idle()
                if not any(connection.busy for connection in self._connections):
                    break
            await asyncio.sleep(_DRAIN_STEP)
        for connection in tuple(self._connections):
            connection.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        self.pools.close()
        self.limiter.close()
        await self.reports.flush(_LAST_REPORTS_SECONDS)


def _allow_descriptors() -> None:
    """Take as many file descriptors as this user may have: two for each request in flight."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _settle_memory() -> Callable[[], None]:
    """What is here now stays: the collector need not look at it again, nor at every few hundred new objects.

    Returns what undoes that.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)

    def undo() -> None:
        gc.unfreeze()
        gc.set_threshold(*before)

    return undo


async def serve(settings: WorkerSettings, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve until cancelled, then drain. Ready means listening, with a first snapshot in force."""
    _allow_descriptors()
    worker = Worker(settings)
    context = server_context(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    async with asyncio.TaskGroup() as group, contextlib.AsyncExitStack() as stack:
        group.create_task(follow(settings.snapshot_socket, worker.adopt), name="snapshots")
        group.create_task(worker.sweep(), name="sweep")
        group.create_task(worker.reports.run(beside(settings.snapshot_socket)), name="reports")
        await worker.ready.wait()
        settled = _settle_memory()
        listener = Listener(lambda: Downstream(worker), context, settings.limits.handshake_timeout)
        await listener.open(settings.host, settings.port)
        if settings.metrics_socket is not None:
            await stack.enter_async_context(scraped(settings.metrics_socket, worker.figures))
        on_ready()
        try:
            await asyncio.Event().wait()
        finally:
            settled()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(asyncio.ensure_future(_stop(worker, listener)))


async def _stop(worker: Worker, listener: Listener) -> None:
    worker.draining = True
    await listener.close()
    await worker.drain()
