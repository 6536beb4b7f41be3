"""The way between a client and the API: the platform's `Transport` replaced by one that delays, loses and reorders.

A request reaches the server after a while, whatever becomes of who sent it, and the answer takes a while, too. In a
storm some requests are refused, some answers lost (so the writer does not know whether it wrote), some never come.
Watches deliver late (each by itself, so that kinds overtake each other), stall, break between two events or inside
one, and are told that their version is gone.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Protocol

from dovetail.kube.errors import RequestTimeout, Unreachable
from dovetail.kube.transport import Request, Response
from tests.simulation.api import Change, MemoryApi, Refusal, Stored
from tests.simulation.kinds import HIDDEN, KINDS, Kind, place_of
from tests.simulation.processes import PROCESS, Process
from tests.simulation.selecting import fields_match, labels_match

SERVER = "https://simulated"
_READS = frozenset({"GET"})
_NO_HEADERS: Mapping[str, str] = {}
_EMPTY = {
    f"/{'apis/' + kind.group if kind.group else 'api'}/{kind.version}/{kind.plural}": Response(
        200, _NO_HEADERS, b'{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1000"},"items":[]}'
    )
    for kind in HIDDEN
}
"""Collections that are empty in every run, answered at once: half of what a starting process asks for."""


class Kill(Protocol):
    def __call__(self, process: Process, why: str, /) -> None: ...


class Network:
    """`storm` is how much goes wrong, 0 to 1; 0 is a network where everything arrives in milliseconds."""

    def __init__(self, api: MemoryApi, chance: Random, kill: Kill) -> None:
        self.api = api
        self.storm = 0.0
        self.cut = False
        """Nobody gets through, for as long as it is."""
        self.requests = 0
        self.trace: list[str] | None = None
        self._chance, self._kill = chance, kill
        self._watches: dict[Kind, dict[int, Watch]] = {kind: {} for kind in KINDS}
        self._numbers = 0
        api.listeners.append(self._offer)

    def latency(self) -> float:
        if self.storm and self._chance.random() < self.storm * 0.3:
            return self._chance.choice((0.2, 1.0, 4.0))
        return 0.001 + 0.01 * self._chance.random()

    def lag(self) -> float:
        """How long a watch keeps an event to itself."""
        if self.storm and self._chance.random() < self.storm * 0.5:
            return self._chance.choice((0.3, 2.0, 8.0, 30.0))
        return 0.001 + 0.02 * self._chance.random()

    def fate(self) -> str:
        """What becomes of a request."""
        if not self.storm or self._chance.random() >= self.storm * 0.25:
            return ""
        return self._chance.choice(("refused", "lost", "hangs", "500", "503", "429"))

    def broken(self) -> str:
        """How a watch ends now, or empty."""
        if not self.storm or self._chance.random() >= self.storm * 0.15:
            return ""
        return self._chance.choice(("cut", "end", "gone", "torn"))

    def drop_watches(self) -> None:
        """The API server went away for a moment."""
        for watches in self._watches.values():
            for watch in list(watches.values()):
                watch.end("cut")

    def serve(self, process: Process, request: Request, answer: "asyncio.Future[Response]", fate: str) -> None:
        """The request is at the server."""
        self.requests += 1
        if fate in ("500", "503", "429"):
            _settle(answer, Response(int(fate), _NO_HEADERS, b"{}"))
            return
        if request.method not in _READS:
            if process.dead and self._chance.random() < 0.5:
                return
            process.writes += 1
            if process.crash_at == process.writes:
                if not process.crash_after:
                    self._kill(process, f"before write {process.writes}, {request.method} {request.path}")
                    return
                self._kill(process, f"after write {process.writes}, {request.method} {request.path}")
        headers = dict(request.headers)
        query = request.query if isinstance(request.query, dict) else dict(request.query)
        content, accept = headers.get("Content-Type", ""), headers.get("Accept", "")
        status, body = self.api.handle(process.name, request.method, request.path, query, content, accept, request.body)
        if self.trace is not None:
            self._note(process, request, status, fate)
        if fate == "lost":
            _fail(answer, Unreachable(SERVER, "the connection was cut before the answer came"))
        elif fate != "hangs":
            _settle(answer, Response(status, _NO_HEADERS, body))

    def _note(self, process: Process, request: Request, status: int, fate: str) -> None:
        assert self.trace is not None
        if request.method == "GET" or "/events" in request.path or "/leases" in request.path:
            return
        body = (request.body or b"").decode()
        if len(body) > 400:
            body = f"{body[:400]}..."
        now = asyncio.get_running_loop().time()
        self.trace.append(
            f"{now:9.3f} {process.name} {request.method} {request.path} -> {status} {fate} {body}".rstrip()
        )

    def _offer(self, change: Change) -> None:
        for watch in self._watches[change.kind].values():
            watch.offer(change)

    def open_watch(self, process: Process, request: Request) -> "Watch":
        place = place_of(request.path)
        if place is None:
            return Watch.refused(self, Refusal(404, "NotFound", "the server could not find the requested resource"))
        query = dict(request.query)
        watch = Watch(
            self,
            process,
            place.kind,
            place.namespace,
            query,
            "PartialObjectMetadata" in dict(request.headers).get("Accept", ""),
        )
        self._numbers += 1
        watch.number = self._numbers
        self._watches[place.kind][watch.number] = watch
        watch.catch_up(query.get("resourceVersion", ""))
        if self._chance.random() < 0.1:  # the others' time is longer than any run
            limit = float(query.get("timeoutSeconds", "290"))
            asyncio.get_running_loop().call_later(self._chance.uniform(min(20.0, limit), limit), watch.end, "end")
        return watch

    def close_watch(self, watch: "Watch") -> None:
        if watch.kind is not None:
            self._watches[watch.kind].pop(watch.number, None)


class Watch:
    """One watch on the server's side and the stream that the client reads."""

    def __init__(self, network: Network, process: Process | None, kind: Kind | None, namespace: str = "",
                 query: Mapping[str, str] = _NO_HEADERS, partial: bool = False) -> None:  # fmt: skip
        self.status, self.headers = 200, _NO_HEADERS
        self.kind, self.number = kind, 0
        self._network, self._process, self._namespace, self._partial = network, process, namespace, partial
        self._labels = labels_match(query.get("labelSelector", ""))
        self._fields = fields_match(query.get("fieldSelector", ""))
        self._pending: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._flushing = False
        self._ripe = False
        self._ended = ""
        self._refusal = b""

    @classmethod
    def refused(cls, network: Network, refusal: Refusal) -> "Watch":
        watch = cls(network, None, None)
        watch.status, watch._refusal = refusal.code, refusal.body
        return watch

    async def read(self, limit: int) -> bytes:
        return self._refusal

    def catch_up(self, version: str) -> None:
        assert self.kind is not None
        api = self._network.api
        if not version:
            for stored in api.objects[self.kind].values():
                if self._selects(stored):
                    self._add("ADDED", stored)
            return
        if int(version) < api.compacted[self.kind]:
            self._gone(version)
            return
        for change in api.history[self.kind]:
            if change.version > int(version):
                self.offer(change)

    def offer(self, change: Change) -> None:
        if self._ended:
            return
        new = change.type != "DELETED" and self._selects(change.new)
        old = change.old is not None and self._selects(change.old)
        if new:
            self._add("MODIFIED" if old else "ADDED", change.new)
        elif old:
            self._add("DELETED", change.new)

    def end(self, how: str) -> None:
        """The stream ends: in good order (end), between events (cut), inside one (torn), for an old version (gone)."""
        if self._ended:
            return
        self._ended = how
        if how == "gone":
            self._gone("?")
        elif how == "torn":
            self._pending.append(b'{"type":"MODI')
        self._wake()

    def _gone(self, version: str) -> None:
        status = Refusal(410, "Expired", f"too old resource version: {version}").body
        self._pending.append(b'{"type":"ERROR","object":' + status + b"}\n")
        self._ended = self._ended or "end"
        self._wake()

    def _selects(self, stored: Stored) -> bool:
        meta = stored.meta
        return (
            (not self._namespace or meta.get("namespace") == self._namespace)
            and (self._labels is None or self._labels(meta.get("labels") or {}))
            and (self._fields is None or self._fields(meta))
        )

    def _add(self, type: str, stored: Stored) -> None:
        raw = stored.meta_raw if self._partial else stored.raw
        self._pending.append(b'{"type":"%s","object":%s}\n' % (type.encode(), raw))
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_later(self._network.lag(), self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._process is not None and self._process.cut_until > asyncio.get_running_loop().time():
            self.end("cut")
        elif how := self._network.broken():
            if how != "cut":
                self._bookmark()
            self.end(how)
        else:
            self._bookmark()
            self._wake()

    def _bookmark(self) -> None:
        assert self.kind is not None
        if self._pending and self._network._chance.random() < 0.2:
            version = str(self._network.api.version)
            self._pending.append(
                b'{"type":"BOOKMARK","object":{"kind":"%s","apiVersion":"%s","metadata":{"resourceVersion":"%s"}}}\n'
                % (self.kind.kind.encode(), self.kind.api_version.encode(), version.encode())
            )

    def _wake(self) -> None:
        self._ripe = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while True:
            if not self._ripe:
                self._waiter = loop.create_future()
                await self._waiter
            self._ripe = False
            if self._ended == "cut":
                raise Unreachable(SERVER, "the watch was cut")
            if self._pending:
                chunk = b"".join(self._pending)
                self._pending.clear()
                yield chunk
            if self._ended:
                return


class SimulatedTransport:
    """In the place of `dovetail.kube.transport.Transport`."""

    networks: dict[str, Network]

    def __init__(self, config: Any, user_agent: str, observer: Any = None) -> None:
        self.network = self.networks[config.server]
        self.config, self.server = config, config.server
        self._process = PROCESS.get()
        self._closed = False

    async def close(self) -> None:
        self._closed = True

    async def send(self, request: Request, timeout: float, limit: int = 0) -> Response:
        loop, network, process = asyncio.get_running_loop(), self.network, self._process
        fate = self._fate(loop)
        if not fate and request.path in _EMPTY and request.method == "GET":
            network.requests += 1
            return _EMPTY[request.path]
        if fate == "refused":
            await asyncio.sleep(network.latency() if not network.cut or network.requests % 3 else timeout)
            raise Unreachable(SERVER, "connection refused")
        answer: asyncio.Future[Response] = loop.create_future()
        delay = max(network.latency(), process.frozen_until - loop.time())
        loop.call_later(delay, network.serve, process, request, answer, fate)
        if fate == "hangs":
            await asyncio.sleep(timeout)
            raise RequestTimeout(SERVER, timeout)
        response = await answer
        if network.storm:
            await asyncio.sleep(network.latency())
        return response

    @asynccontextmanager
    async def stream(self, request: Request, idle: float) -> AsyncGenerator[Any]:
        loop, network = asyncio.get_running_loop(), self.network
        if request.path not in _EMPTY:
            await asyncio.sleep(network.latency())
        if self._fate(loop):
            raise Unreachable(SERVER, "connection refused")
        watch = network.open_watch(self._process, request)
        try:
            yield watch
        finally:
            network.close_watch(watch)

    def _fate(self, loop: asyncio.AbstractEventLoop) -> str:
        host = self.server == SERVER
        if self._process.dead or self._closed or self.network.cut or (host and self._process.cut_until > loop.time()):
            return "refused"
        return self.network.fate()


def _settle(answer: "asyncio.Future[Response]", response: Response) -> None:
    if not answer.done():
        answer.set_result(response)


def _fail(answer: "asyncio.Future[Response]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # whoever asked may be gone
