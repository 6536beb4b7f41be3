"""A client's connection: serves its requests one after the other.

`request_reader` tells of requests as they come; a plain one that comes in one piece takes a short way past it.
Pipelined requests wait in a short queue while reading is paused, and none is begun while the client leaves answers
unread. What time a client may take is `deadlines` to judge; the worker has every connection look at it (`check`).

Once something is wrong with what a client sends, nothing that follows can be trusted: the requests before it are
answered, then the refusal is sent and the connection ends (`refuse`, `deaf`).
"""

import asyncio
import logging
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

from dovetail.gateway.proxy.deadlines import BodyPace, Verdict, judge
from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.outgoing import Client
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_reader import RequestReader

if TYPE_CHECKING:
    from dovetail.gateway.proxy.worker import Worker

_RESET = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


class Downstream(asyncio.Protocol):
    """See the module. Times are the loop's, in seconds."""

    __slots__ = (
        "_active", "_advancing", "_held", "_left", "_pace", "_paused", "_queue", "_reader", "_refused", "_upgrading",
        "answered_at", "closing_at", "deaf", "full_since", "last", "opened_at", "peer", "served", "transport", "worker",
    )  # fmt: skip

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self._active: Exchange | None = None
        self._upgrading: Exchange | None = None
        self._reader: RequestReader | None = None
        self._queue: deque[Exchange] = deque()
        self._paused: set[str] = set()
        self._held = b""
        self._left = worker.limits.requests
        self._pace: BodyPace | None = None
        self._refused: Refusal | None = None
        self.full_since: float | None = None
        self.closing_at: float | None = None
        self.last = self.opened_at = self.answered_at = worker.now()
        self.served = self.deaf = self._advancing = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self.worker.limits.buffer)
        peer = self.transport.get_extra_info("peername")
        address = str(peer[0]) if peer else "unknown"
        secure = self.transport.get_extra_info("ssl_object") is not None
        self.peer = Client(address.encode(), secure, address in self.worker.trusted)
        self.worker.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.left(self)
        active, self._active = self._active, None
        if active is not None:
            active.client_lost()
        self._queue.clear()
        if self._reader is not None:
            self._reader.close()
        self.deaf = True

    def data_received(self, data: bytes) -> None:
        self.last = self.worker.now()
        if self.deaf:
            return
        upgrading = self._upgrading
        if upgrading is None:
            self._feed(data)
        elif upgrading.tunnel:
            upgrading.tunnel_up(data)
        else:
            # Bytes behind a request for an upgrade: the tunnel's, or the next request's if the backend declines.
            self._held += data
            if len(self._held) > self.worker.limits.buffer:
                self.pause("held")

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self.full_since = self.worker.now()
        if self._active is not None:
            self._active.client_full()

    def resume_writing(self) -> None:
        self.full_since = None
        if self._active is not None:
            self._active.client_drained()
        else:
            self._advance()

    # requests come

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        if self._active is None and (reader is None or reader.between) and self._served_whole(data):
            return
        if reader is None:
            reader = self._reader = RequestReader(self)
        reader.feed(data, self.last)
        if self._refused is not None:
            self._settle()

    def _served_whole(self, data: bytes) -> bool:
        """Take the short way for a plain request that came in one piece, when nothing else is under way."""
        if self._queue or self.full_since is not None:
            return False
        head = self.worker.heads.read(data)
        if head is None:
            return False
        exchange = Exchange(self)
        exchange.head = head
        exchange.body_done = self.served = True
        self._begin(exchange, self.last)
        return True

    def head_read(self, exchange: Exchange) -> None:
        """A request's head is complete."""
        self.served = True
        if exchange.head.upgrade and exchange.head.refusal is None:
            self._upgrading = exchange
        if self._active is None and self.full_since is None:
            self._begin(exchange, self.last)
        else:
            self._queue.append(exchange)
            self.pause("queue")

    def request_read(self, exchange: Exchange) -> None:
        """A request is complete, its body too."""
        if not exchange.keep_alive and exchange is not self._upgrading:
            self.deaf = True  # the client has said that this is its last request

    def refuse(self, refusal: Refusal) -> None:
        """Take nothing more from this client; `_settle` tells it so once everything before is answered."""
        if not self.deaf:
            self.deaf = True
            self._refused = refusal

    @property
    def waiting(self) -> int:
        """Requests that wait behind the one being served."""
        return len(self._queue)

    # serving

    def _begin(self, exchange: Exchange, now: float) -> None:
        self._active = exchange
        self._left -= 1
        if self._left <= 0:
            exchange.keep_alive = False
        try:
            exchange.begin(now, self.worker.wall())
        except Exception:
            _log.exception("serving a request failed", extra={"fields": {"method": exchange.head.method}})
            exchange.failed()

    def exchange_over(self, exchange: Exchange) -> None:
        """An exchange is complete: serve the next one, or end the connection."""
        self.worker.finished(exchange)
        self.last = self.answered_at = exchange.last
        if self._active is not exchange:
            return
        self._active = None
        if self._paused:
            self.resume("backend")
            self.resume("body")
        if exchange is self._upgrading:
            self._upgrading = None
        if not exchange.keep_alive or exchange.tunnel:
            self._linger(unread=not exchange.body_done)
        elif self._queue or self._held or self._refused is not None:
            self._advance()

    def _advance(self) -> None:
        """Begin what waits, in order. A loop: requests that are refused are over before `_begin` returns."""
        if self._advancing or self.closing_at is not None:
            return
        self._advancing = True
        while self._active is None and self._queue and self.full_since is None and self.closing_at is None:
            following = self._queue.popleft()
            if not self._queue:
                self.resume("queue")
            self._begin(following, self.worker.now())
        self._advancing = False
        if self._refused is not None:
            self._settle()
        elif self._held and self._active is None and self.closing_at is None:
            held, self._held = self._held, b""
            self.resume("held")
            self._feed(held)

    def _settle(self) -> None:
        """Send the refusal of what cannot be read, when its turn has come."""
        refusal, parsing = self._refused, self._reader.parsing if self._reader else None
        if refusal is None or self.closing_at is not None:
            return
        if parsing is not None and parsing is self._active:
            self._refused = None
            parsing.refuse(refusal)  # its own body is what cannot be read
            return
        if parsing is not None and parsing in self._queue:
            self._queue.remove(parsing)
        if self._active is None and not self._queue:
            self._refused = None
            self.worker.metrics.answered(refusal.code, "")
            self.worker.recorder.unreadable(self.peer.address, refusal)
            self.transport.write(refusal.render(keep_alive=False))
            self._linger(unread=True)

    # what exchanges do with it

    @property
    def full(self) -> bool:
        """The client leaves unread what it was sent."""
        return self.full_since is not None

    @property
    def held_back(self) -> bool:
        """The client may have more to send, but it is not read."""
        return bool(self._paused)

    def pause(self, reason: str) -> None:
        """Stop reading from the client, until every reason is gone."""
        if not self._paused:
            self.transport.pause_reading()
        self._paused.add(reason)

    def resume(self, reason: str) -> None:
        if reason in self._paused:
            self._paused.discard(reason)
            if not self._paused:
                self.transport.resume_reading()

    def tunnel_opened(self) -> None:
        """Hand over what came before the backend agreed."""
        held, self._held = self._held, b""
        self.resume("held")
        if held and self._active is not None:
            self._active.tunnel_up(held)

    def abort(self, *, reset: bool = False) -> None:
        """Cut the connection at once, so that what was sent is seen to be incomplete."""
        active, self._active = self._active, None
        self.deaf = True
        if active is not None:
            active.client_lost()
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _linger(self, *, unread: bool) -> None:
        """Close, but let the client read the answer: a reset, by what we have not read, would take it away."""
        self.deaf = True
        self._queue.clear()
        self._held = b""
        self.closing_at = self.last = self.worker.now()
        if self._paused:
            self._paused.clear()
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        elif not unread:
            self.transport.close()

    # watched over by the worker

    @property
    def head_since(self) -> float | None:
        """When the request began whose head is not complete."""
        return self._reader.head_since if self._reader is not None else None

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not taken."""
        return self.transport.get_write_buffer_size()

    @property
    def serving(self) -> bool:
        """A request is being served."""
        return self._active is not None

    @property
    def tunnel_rest(self) -> float | None:
        """How long the tunnel that this connection has become may rest."""
        active = self._active
        return active.longest_silence if active is not None and active.tunnel else None

    @property
    def active(self) -> Exchange | None:
        """The request that is being served."""
        return self._active

    @property
    def busy(self) -> bool:
        """A request is being served, or its answer is on the way out."""
        return self._active is not None or bool(self._queue) or self.unsent > 0

    def close_if_idle(self) -> None:
        """The worker is stopping: an idle connection ends now, a busy one after its answer."""
        if self._active is not None:
            self._active.keep_alive = False
        elif self.closing_at is None:
            self.transport.close()

    def check(self, now: float) -> None:
        """Enforce the limits on time."""
        limits = self.worker.limits
        if now - self.opened_at > limits.connection_age:
            self._left = 0
        verdict = judge(self, now, limits)
        if verdict is Verdict.EXCHANGE:
            self._check_exchange(now)
        elif verdict is Verdict.CUT:
            # Without a reset the kernel would go on holding what a slow reader has not taken.
            self.abort(reset=self.unsent > 0)
        elif verdict is Verdict.CLOSED:
            self.transport.close()
        elif verdict is Verdict.HEAD_LATE:
            self.refuse(Refusal(408, f"the head did not come within {limits.head_timeout:g} s", close=True))
            self._settle()

    def _check_exchange(self, now: float) -> None:
        active = self._active
        assert active is not None
        refusal = active.overdue(now) or (self._slow_body(active, now) if not active.body_done else None)
        if refusal is not None:
            active.refuse(refusal)

    def _slow_body(self, active: Exchange, now: float) -> Refusal | None:
        if active.answered or active.tunnel:
            return None
        if self._pace is None or self._pace.of is not active:
            self._pace = BodyPace(active, now)
        if not self._pace.too_slow(active.received, now, self.worker.limits, held_back=self.held_back):
            return None
        return Refusal(408, f"the body comes at less than {self.worker.limits.body_rate:g} bytes a second", close=True)
