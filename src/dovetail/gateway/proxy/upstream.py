"""A connection to a backend: sends one request at a time and parses what comes back.

It tells its exchange of the answer's head, body and end; it knows nothing of clients. An answer is over only when
everything that came in the same read has been parsed: bytes behind the end of an answer are nobody's, and a connection
on which such bytes came is not used again. Between two exchanges it lies in its pool.
"""

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from dovetail.gateway.proxy.answer_headers import AnswerHead, read_answer
from dovetail.gateway.proxy.trailers import TrailerFields, declared

if TYPE_CHECKING:
    from dovetail.gateway.proxy.exchange import Exchange
    from dovetail.gateway.proxy.pool import Pool

_BODILESS = (204, 304)
_VERSIONS = (b"HTTP/1.1 ", b"HTTP/1.0 ")
_MOST_INFORMATIONAL = 64
_FRAMING_PER_BYTE = 8
"""Chunks of a single byte cost five bytes of framing each; a backend that sends more than this sends rubbish."""
_FLUSH_SECONDS = 5.0
"""How long the last bytes of a tunnel may take to leave."""


class _WithTrailers:
    """What a parser tells when somebody wants to know of trailers; without, it need not look at single fields."""

    def __init__(self, connection: "UpstreamConnection") -> None:
        self.on_message_begin = connection.on_message_begin
        self.on_header = connection.trailer
        self.on_headers_complete = connection.on_headers_complete
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete


class UpstreamConnection(asyncio.Protocol):
    """See the module. `used` counts exchanges; `idle_since` is the loop's time of the last one's end."""

    __slots__ = (
        "_at", "_body_bytes", "_complete", "_exchange", "_failure", "_fed", "_head_only", "_headed", "_http10",
        "_informational", "_keep", "_parser", "_paused", "_poisoned", "_raw", "_trailers", "_tunnel", "_until_close",
        "idle_since", "pool", "probe", "transport", "used",
    )  # fmt: skip

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.used = 0
        self.probe = False
        """The exchange tries an address that has failed (`traffic.circuit`)."""
        self.idle_since = 0.0
        self._exchange: Exchange | None = None
        self._tunnel = self._poisoned = self._paused = self._head_only = False
        self._trailers: TrailerFields | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reset()

    @property
    def closing(self) -> bool:
        return self.transport.is_closing()

    # what an exchange does with it

    def attach(self, exchange: "Exchange", *, head_only: bool) -> None:
        """Serve this exchange; the answer that comes next is its."""
        self._exchange = exchange
        if self._head_only or self._trailers is not None:
            # The old one still waits for the body of an answer to HEAD, or looks at every header.
            self._parser = httptools.HttpResponseParser(self)
            self._trailers = None
        self._head_only = head_only
        if exchange.head.takes_trailers and exchange.takes_trailers:
            self._trailers = TrailerFields(frozenset())
            self._parser = httptools.HttpResponseParser(_WithTrailers(self))
        self._reset()
        self.used += 1

    def detach(self, now: float, *, keep: bool) -> None:
        """The exchange is over; the connection goes back to the pool or away. `now` in the loop's seconds."""
        self._exchange = None
        if not keep or self._poisoned or self._tunnel or self.transport.is_closing():
            self.end()
            return
        self.resume()
        self.pool.put(self, now)

    def end(self) -> None:
        """Close; what the backend has not taken by now it will not miss, except at the end of a tunnel."""
        self._exchange = None
        self.resume()
        if not self.transport.get_write_buffer_size():
            self.transport.close()
        elif self._tunnel:
            self.transport.close()
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.transport.abort)
        else:
            self.transport.abort()

    def abort(self) -> None:
        """Cut the connection without telling anybody."""
        self._exchange = None
        self.transport.abort()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self.transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self.pool.limits.buffer)

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self.transport.abort()
            return
        if self._tunnel:
            exchange.tunnel_down(data)
            return
        self._fed += len(data)
        if not self._headed:
            self._raw = data if not self._raw else bytearray(self._raw) + data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(exchange, data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._poisoned = True
            self._failure = self._failure or "the backend's answer is not HTTP"
        if self._exchange is not exchange:
            return  # it wants another answer (`traffic.attempts`)
        if self._complete:
            exchange.answer_end(keep=self._keep, trailers=self._trailers.rendered if self._trailers else b"")
        else:
            self._progressed(exchange)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.forget(self)
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        if self._tunnel:
            exchange.tunnel_lost()
        elif exc is None and self._until_close and self._headed:
            exchange.answer_end(keep=False)
        else:
            exchange.backend_lost(self)

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_full()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_drained()

    # httptools

    def _reset(self) -> None:
        self._raw: bytes | bytearray = b""
        self._at = self._fed = self._body_bytes = self._informational = 0
        self._failure = ""
        self._headed = self._complete = self._until_close = self._keep = self._http10 = False

    def on_message_begin(self) -> None:
        if self._complete:
            self._poisoned = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        exchange = self._exchange
        if exchange is None or self._complete or self._failure or status == 101:
            return
        if status < 200 or status > 599:
            self._read_head(status)
            self._informational += 1
            if not 100 <= status < 200 or self._informational > _MOST_INFORMATIONAL:
                self._failure = f"the backend answered with status {status}"
            return
        head = self._read_head(status)
        if self._failure:
            return
        if head.transfer and (head.transfer != b"chunked," or self._http10):
            self._failure = "the backend used a transfer encoding other than chunked"
            return
        self._headed = True
        if head.transfer:
            head.length = None
            if self._trailers is not None:
                head.trailers = declared(head.trailer)
                self._trailers = TrailerFields(head.trailers)
        elif status == 204:
            head.length = 0
        ends = head.transfer or head.length is not None or status in _BODILESS or self._head_only
        self._until_close = not ends
        if self._head_only and exchange.head.method != "HEAD":
            # A rule made a HEAD of it; the client waits for a body.
            head.length, head.transfer, head.plain = 0, b"", b""
        exchange.answer_head(head)
        if self._head_only:
            # llhttp does not know that it was a HEAD and would wait for the body.
            self._complete = True
            self._keep = self._parser.should_keep_alive()

    def _read_head(self, status: int) -> AnswerHead:
        """The head that the parser has just let pass."""
        end = self._raw.find(b"\r\n\r\n", self._at)
        raw = bytes(self._raw[self._at : end + 2])
        self._at = end + 4
        if not raw.startswith(_VERSIONS):
            self._failure = "the backend's answer is not HTTP/1.1, or begins with empty lines"
        self._http10 = raw.startswith(b"HTTP/1.0")
        return read_answer(status, raw)

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self._poisoned = True
        elif self._headed and self._exchange is not None:
            self._body_bytes += len(data)
            self._exchange.answer_body(data)

    def on_message_complete(self) -> None:
        if self._headed and not self._complete and not self._failure:
            self._complete = True
            # Asked here: llhttp forgets the framing flags once the message is over.
            self._keep = self._parser.should_keep_alive()

    def trailer(self, name: bytes, value: bytes) -> None:
        """A field behind the answer's body, or a header, which is read elsewhere."""
        limits, trailers = self.pool.limits, self._trailers
        if trailers is None or self._complete or not self._headed:
            return
        if not trailers.add(name, value, limits.trailers, limits.trailer_bytes):
            self._failure = "the trailers of the backend's answer are too large, or too many"

    def _progressed(self, exchange: "Exchange") -> None:
        limit = self.pool.limits.response_head
        if not self._failure and self._fed - self._body_bytes > limit + _FRAMING_PER_BYTE * self._body_bytes:
            self._failure = "the head of the backend's answer is too large"
        if self._failure:
            exchange.backend_failed(self._failure)
        else:
            exchange.answer_flush()

    def _switch(self, exchange: "Exchange", rest: bytes) -> None:
        if self._parser.get_status_code() != 101 or not exchange.wants_tunnel or self._headed:
            self._poisoned = True
            exchange.backend_failed("the backend changed the protocol without being asked")
            return
        self._tunnel = True
        exchange.tunnel_open(self._read_head(101), rest)
