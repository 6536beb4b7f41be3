"""A client's connection: parses its requests and serves them one after the other.

Pipelined requests wait in a short queue while reading is paused, and none is begun while the client leaves answers
unread. Everything that is counted against a client is counted here: the size of a head, the number of headers, the
framing around a body, the time until a head is complete, between requests, and while an answer lies unread.

Once something is wrong with what a client sends, nothing that follows can be trusted: the requests before it are
answered, then the refusal is sent and the connection ends (`_refused`, `_deaf`).
"""

import asyncio
import logging
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.outgoing import Client
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Headers, read_head, size_of

if TYPE_CHECKING:
    from dovetail.gateway.proxy.worker import Worker

_FRAMING_PER_BYTE = 8
"""Chunks of a single byte cost five bytes of framing each; whoever sends more than this sends rubbish."""
_RESET = struct.pack("ii", 1, 0)

_log = logging.getLogger(__name__)


class Downstream(asyncio.Protocol):
    """See the module."""

    __slots__ = (
        "_active", "_advancing", "_closing_at", "_deaf", "_fed", "_full_since", "_head_bytes", "_head_since",
        "_headers", "_held", "_last", "_parser", "_parsing", "_paused", "_queue", "_refused", "_resumed", "_served",
        "_upgrading", "_url", "peer", "transport", "worker",
    )  # fmt: skip

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self._active: Exchange | None = None
        self._parsing: Exchange | None = None
        self._resumed: Exchange | None = None
        self._upgrading: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._paused: set[str] = set()
        self._held = b""
        self._full_since: float | None = None
        self._closing_at: float | None = None
        self._refused: Refusal | None = None
        self._head_bytes = self._fed = 0
        self._head_since = 0.0
        self._served = self._deaf = self._advancing = False

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
        active, self._active = self._active, None
        if active is not None:
            active.client_lost()
        self._queue.clear()
        self._deaf = True

    def data_received(self, data: bytes) -> None:
        self._last = self.worker.now()
        if self._deaf:
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
        self._full_since = self.worker.now()
        if self._active is not None:
            self._active.client_full()

    def resume_writing(self) -> None:
        self._full_since = None
        if self._active is not None:
            self._active.client_drained()
        else:
            self._advance()

    # parsing

    def _feed(self, data: bytes) -> None:
        if not self._head_bytes:
            if self._active is None and self._parsing is None and self._served_whole(data):
                return
            self._head_since = self._last
        self._head_bytes += len(data)
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._protocol_changes(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            _log.error("serving a request failed", exc_info=error.__context__)
            self._refuse(Refusal(500, "the gateway could not serve this request", close=True))
        except httptools.HttpParserError as error:
            self._refuse(Refusal(400, f"this is not HTTP: {error}", close=True))
        else:
            self._check_sizes()
        if self._refused is not None:
            self._settle()

    def _served_whole(self, data: bytes) -> bool:
        """Take the short way for a plain request that came in one piece, when nothing else is under way."""
        if self._queue or self._full_since is not None:
            return False
        head = self.worker.heads.read(data)
        if head is None:
            return False
        exchange = Exchange(self)
        exchange.head = head
        exchange.body_done = self._served = True
        self._begin(exchange, self._last)
        return True

    def _check_sizes(self) -> None:
        limits, parsing = self.worker.limits, self._parsing
        if parsing is None:
            if self._head_bytes > limits.header_bytes + limits.start_line:
                self._refuse(Refusal(431, "the head of the request is too large", close=True))
        elif self._fed - parsing.received > limits.header_bytes + _FRAMING_PER_BYTE * parsing.received:
            self._refuse(Refusal(400, "there is too much around the chunks of the body", close=True))

    def _protocol_changes(self, rest: bytes) -> None:
        """llhttp has seen an upgrade and takes what follows for another protocol, even if it is the request's body."""
        self._parser = httptools.HttpRequestParser(self)
        resumed = self._resumed
        if resumed is not None and not self._deaf:
            framing = b"Transfer-Encoding: chunked" if resumed.head.chunked else b"Content-Length: %d" % (
                resumed.head.length or 0
            )  # fmt: skip
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        if rest:
            self.data_received(rest)

    def _refuse(self, refusal: Refusal) -> None:
        """Take nothing more from this client; `_settle` tells it so once everything before is answered."""
        if not self._deaf:
            self._deaf = True
            self._refused = refusal

    def on_message_begin(self) -> None:
        if not self._head_bytes:  # behind the end of another request
            self._head_bytes, self._head_since = 1, self._last
        if len(self._queue) >= self.worker.limits.queued_requests:
            self._refuse(Refusal(429, "too many requests are waiting on this connection", close=True))
        self._url = b""
        self._headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self.worker.limits.start_line:
            self._refuse(Refusal(414, "the request's target is too long", close=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parsing is not None or self._deaf:
            return  # a trailer
        self._headers.append((name, value))
        limits = self.worker.limits
        if len(self._headers) > limits.headers:
            self._refuse(Refusal(431, f"more than {limits.headers} headers", close=True))
        elif self._head_bytes > limits.header_bytes and size_of(self._headers) > limits.header_bytes:
            self._refuse(Refusal(431, "the headers are too large", close=True))

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        if self._resumed is not None:
            self._parsing, self._resumed = self._resumed, None
            return
        parser = self._parser
        exchange = self._parsing = Exchange(self)
        method = parser.get_method().decode("latin-1")
        head = exchange.head = read_head(method, self._url, parser.get_http_version(), self._headers)
        # Asked here: llhttp forgets the framing flags once the message is over.
        exchange.keep_alive = parser.should_keep_alive() and not head.http10
        self._head_bytes = self._fed = 0
        self._served = True
        if not head.chunked and not head.length:
            exchange.body_done = True
        elif parser.should_upgrade():
            self._resumed = exchange
        if head.upgrade and head.refusal is None:
            self._upgrading = exchange
        if self._active is None and self._full_since is None:
            self._begin(exchange, self._last)
        else:
            self._queue.append(exchange)
            self.pause("queue")

    def on_body(self, data: bytes) -> None:
        if self._parsing is not None:
            self._parsing.body(data)

    def on_message_complete(self) -> None:
        if self._resumed is not None:
            self._parsing = None
            return
        exchange, self._parsing = self._parsing, None
        self._head_bytes = 0
        if exchange is not None:
            if not exchange.body_done:
                exchange.body_end()
            if not exchange.keep_alive and exchange is not self._upgrading:
                self._deaf = True  # the client has said that this is its last request

    # serving

    def _begin(self, exchange: Exchange, now: float) -> None:
        self._active = exchange
        try:
            exchange.begin(now, self.worker.wall())
        except Exception:
            _log.exception("serving a request failed", extra={"fields": {"method": exchange.head.method}})
            exchange.refuse(Refusal(500, "the gateway could not serve this request", close=True))

    def exchange_over(self, exchange: Exchange) -> None:
        """An exchange is complete: serve the next one, or end the connection."""
        self.worker.finished(exchange)
        self._last = exchange.last
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
        if self._advancing or self._closing_at is not None:
            return
        self._advancing = True
        while self._active is None and self._queue and self._full_since is None and self._closing_at is None:
            following = self._queue.popleft()
            if not self._queue:
                self.resume("queue")
            self._begin(following, self.worker.now())
        self._advancing = False
        if self._refused is not None:
            self._settle()
        elif self._held and self._active is None and self._closing_at is None:
            held, self._held = self._held, b""
            self.resume("held")
            self._feed(held)

    def _settle(self) -> None:
        """Send the refusal of what cannot be read, when its turn has come."""
        parsing, refusal = self._parsing, self._refused
        if refusal is None or self._closing_at is not None:
            return
        if parsing is not None and parsing is self._active:
            self._refused = None
            parsing.refuse(refusal)  # its own body is what cannot be read
            return
        if parsing is not None and parsing in self._queue:
            self._queue.remove(parsing)
            self._parsing = None
        if self._active is None and not self._queue:
            self._refused = None
            self.worker.metrics.answered(refusal.code, "")
            self.transport.write(refusal.render(keep_alive=False))
            self._linger(unread=True)

    # what exchanges do with it

    @property
    def full(self) -> bool:
        """The client leaves unread what it was sent."""
        return self._full_since is not None

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
        self._deaf = True
        if active is not None:
            active.client_lost()
        if reset:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _linger(self, *, unread: bool) -> None:
        """Close, but let the client read the answer: a reset, by what we have not read, would take it away."""
        self._deaf = True
        self._queue.clear()
        self._held = b""
        self._closing_at = self._last = self.worker.now()
        if self._paused:
            self._paused.clear()
            self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        elif not unread:
            self.transport.close()

    # watched over by the worker

    @property
    def busy(self) -> bool:
        """A request is being served, or its answer is on the way out."""
        return self._active is not None or bool(self._queue) or self.transport.get_write_buffer_size() > 0

    def close_if_idle(self) -> None:
        """The worker is stopping: an idle connection ends now, a busy one after its answer."""
        if self._active is not None:
            self._active.keep_alive = False
        elif self._closing_at is None:
            self.transport.close()

    def check(self, now: float) -> None:
        """Enforce the limits on time."""
        limits, active = self.worker.limits, self._active
        if self._full_since is not None:
            tunnel = active is not None and active.tunnel
            if now - self._full_since > (active.longest_silence if active and tunnel else limits.write_timeout):
                self.abort()
        elif self._closing_at is not None:
            self._check_closing(now)
        elif active is not None:
            refusal = active.overdue(now)
            if refusal is not None:
                active.refuse(refusal)
        elif self.transport.get_write_buffer_size():
            if now - self._last > limits.write_timeout:
                self.abort()
        elif self._head_bytes:
            if now - self._head_since > limits.head_timeout:
                self._refuse(Refusal(408, f"the head did not come within {limits.head_timeout:g} s", close=True))
                self._settle()
        elif now - self._last > (limits.keep_alive if self._served else limits.head_timeout):
            self.transport.close()

    def _check_closing(self, now: float) -> None:
        limits, since = self.worker.limits, now - (self._closing_at or now)
        if self.transport.get_write_buffer_size():
            over = since > limits.write_timeout
        else:
            over = now - self._last > limits.linger or since > limits.longest_linger
        if over:
            self.transport.abort()
