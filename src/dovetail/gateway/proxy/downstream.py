"""A client's connection: parses its requests and serves them one after the other.

Pipelined requests wait in a short queue while reading is paused. Everything that is counted against a client is counted
here: the size of a head, the number of headers, the time until a head is complete, between requests, and while an
answer lies unread.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.outgoing import Client
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Headers, read_head

if TYPE_CHECKING:
    from dovetail.gateway.proxy.worker import Worker

_LINGER = 2.0
"""How long what a refused client still sends is read and thrown away, so that it gets to see the answer."""


class _TooMuch(Exception):
    """A head is beyond its limits."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


class Downstream(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_active", "_closing_at", "_full_since", "_head_bytes", "_head_since", "_headers", "_held", "_last", "_parser",
        "_parsing", "_paused", "_queue", "_served", "_url", "peer", "transport", "worker",
    )  # fmt: skip

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self._active: Exchange | None = None
        self._parsing: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._paused: set[str] = set()
        self._held = b""
        self._full_since: float | None = None
        self._closing_at: float | None = None
        self._head_bytes = 0
        self._head_since = 0.0
        self._served = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self.worker.limits.buffer)
        peer = self.transport.get_extra_info("peername")
        address = str(peer[0]) if peer else "unknown"
        self.peer = Client(address.encode(), self.transport.get_extra_info("ssl_object") is not None)
        self._parser = httptools.HttpRequestParser(self)
        self._last = self.worker.now()
        self.worker.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.left(self)
        for exchange in (self._active, *self._queue):
            if exchange is not None:
                exchange.client_lost()
        self._active = None
        self._queue.clear()

    def data_received(self, data: bytes) -> None:
        self._last = self.worker.now()
        if self._closing_at is not None:
            return
        active = self._active
        if active is not None and active.tunnel:
            active.tunnel_up(data)
        elif active is not None and active.wants_tunnel and active.body_done:
            # Bytes behind a request for an upgrade: the tunnel's, or the next request's if the backend declines.
            self._held += data
            if len(self._held) > self.worker.limits.buffer:
                self.pause("held")
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._full_since = self.worker.now()
        if self._active is not None:
            self._active.client_full()

    def resume_writing(self) -> None:
        self._full_since = None
        if self._active is not None:
            self._active.client_drained()

    # parsing

    def _feed(self, data: bytes) -> None:
        try:
            if not self._head_bytes:
                self._head_since = self._last
            self._head_bytes += len(data)
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parser = httptools.HttpRequestParser(self)
            rest = data[upgrade.args[0] :]
            if rest:
                self.data_received(rest)
            return
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            if not isinstance(cause, _TooMuch):
                raise
            self._malformed(cause.refusal)
            return
        except httptools.HttpParserError as error:
            self._malformed(Refusal(400, f"this is not HTTP: {error}", close=True))
            return
        limits = self.worker.limits
        if self._parsing is None and self._head_bytes > limits.header_bytes + limits.start_line:
            self._malformed(Refusal(431, "the head of the request is too large", close=True))

    def on_message_begin(self) -> None:
        if len(self._queue) >= self.worker.limits.queued_requests:
            raise _TooMuch(Refusal(429, "too many requests are waiting on this connection", close=True))
        self._url = b""
        self._headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self.worker.limits.start_line:
            raise _TooMuch(Refusal(414, "the request's target is too long", close=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parsing is not None:
            return  # a trailer
        self._headers.append((name, value))
        if len(self._headers) > self.worker.limits.headers:
            raise _TooMuch(Refusal(431, f"more than {self.worker.limits.headers} headers", close=True))
        if (
            self._head_bytes > self.worker.limits.header_bytes
            and _size(self._headers) > self.worker.limits.header_bytes
        ):
            raise _TooMuch(Refusal(431, "the headers are too large", close=True))

    def on_headers_complete(self) -> None:
        parser = self._parser
        exchange = self._parsing = Exchange(self)
        method = parser.get_method().decode("latin-1")
        head = exchange.head = read_head(method, self._url, parser.get_http_version(), self._headers)
        if parser.should_upgrade() and (head.length or head.chunked) and head.refusal is None:
            # llhttp takes what follows for the new protocol, so this body would never be seen.
            head.refusal = Refusal(400, "a request that asks for an upgrade cannot have a body", close=True)
        # Asked here: llhttp forgets the framing flags once the message is over.
        exchange.keep_alive = parser.should_keep_alive() and not exchange.head.http10
        self._head_bytes = 0
        self._served = True
        if not exchange.head.chunked and not exchange.head.length:
            exchange.body_done = True
        if self._active is None:
            self._begin(exchange)
        else:
            self._queue.append(exchange)
            self.pause("queue")

    def on_body(self, data: bytes) -> None:
        if self._parsing is not None:
            self._parsing.body(data)

    def on_message_complete(self) -> None:
        exchange, self._parsing = self._parsing, None
        self._head_bytes = 0
        if exchange is not None and not exchange.body_done:
            exchange.body_end()

    def _begin(self, exchange: Exchange) -> None:
        self._active = exchange
        exchange.begin(self.worker.now(), self.worker.wall())

    def _malformed(self, refusal: Refusal) -> None:
        """Nothing that follows on this connection can be trusted."""
        if self._active is None:
            self.worker.metrics.answered(refusal.code, "")
            self.transport.write(refusal.render(keep_alive=False))
            self._linger()
        elif self._active is self._parsing:
            self._active.refuse(refusal)
        else:
            self._active.keep_alive = False  # the request before it is answered, then the connection ends
            self._closing_at = self.worker.now() + self.worker.limits.write_timeout

    # what exchanges do with it

    def pause(self, reason: str) -> None:
        """Stop reading from the client, until every reason is gone."""
        if not self._paused:
            self.transport.pause_reading()
        self._paused.add(reason)

    def resume(self, reason: str) -> None:
        if reason in self._paused:
            self._paused.discard(reason)
            if not self._paused and not self.transport.is_closing():
                self.transport.resume_reading()

    def tunnel_opened(self) -> None:
        """Hand over what came before the backend agreed."""
        held, self._held = self._held, b""
        self.resume("held")
        if held and self._active is not None:
            self._active.tunnel_up(held)

    def exchange_over(self, exchange: Exchange) -> None:
        """An exchange is complete: serve the next one, or end the connection."""
        self.worker.finished(exchange)
        self._last = self.worker.now()
        if self._active is not exchange:
            return
        self._active = None
        self.resume("backend")
        self.resume("body")
        if not exchange.keep_alive or exchange.tunnel or self._closing_at is not None:
            self._linger()
            return
        if self._queue:
            following = self._queue.popleft()
            if not self._queue:
                self.resume("queue")
            self._begin(following)
            return
        held, self._held = self._held, b""
        self.resume("held")
        if held:
            self._feed(held)

    def abort(self) -> None:
        """Cut the connection at once, so that what was sent is seen to be incomplete."""
        active, self._active = self._active, None
        if active is not None:
            self.worker.finished(active)
        self.transport.abort()

    def _linger(self) -> None:
        """Close, but let the client read the answer: a reset would take it away."""
        self._closing_at = self.worker.now() + _LINGER
        self._paused.clear()
        if not self.transport.is_closing():
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # watched over by the worker

    @property
    def busy(self) -> bool:
        """A request is being served."""
        return self._active is not None

    def close_if_idle(self) -> None:
        """The worker is stopping: an idle connection ends now, a busy one after its answer."""
        if self._active is None:
            self.transport.close()
        else:
            self._active.keep_alive = False

    def check(self, now: float) -> None:
        """Enforce the limits on time."""
        limits = self.worker.limits
        if self._full_since is not None and now - self._full_since > limits.write_timeout:
            self.abort()
        elif self._active is not None:
            refusal = self._active.overdue(now)
            if refusal is not None:
                self._active.refuse(refusal)
        elif self._closing_at is not None:
            if now > self._closing_at:
                self.transport.abort()
        elif self._head_bytes:
            if now - self._head_since > limits.head_timeout:
                self._malformed(Refusal(408, f"the head did not come within {limits.head_timeout:g} s", close=True))
        elif now - self._last > (limits.keep_alive if self._served else limits.head_timeout):
            self.transport.close()


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)
