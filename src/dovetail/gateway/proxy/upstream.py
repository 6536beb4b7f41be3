"""A connection to a backend: sends one request at a time and parses what comes back.

It tells its exchange of the answer's head, body and end; it knows nothing of clients. Between two exchanges it lies in
its pool, and bytes that come then are nobody's: the connection is dropped.
"""

import asyncio
from typing import TYPE_CHECKING, cast

import httptools

from dovetail.gateway.proxy.answer_headers import AnswerHead
from dovetail.gateway.proxy.request_headers import Headers

if TYPE_CHECKING:
    from dovetail.gateway.proxy.exchange import Exchange
    from dovetail.gateway.proxy.pool import Pool

_BODILESS = (204, 304)


class UpstreamConnection(asyncio.Protocol):
    """See the module. `used` counts exchanges; `idle_since` is the loop's time of the last one's end."""

    __slots__ = (
        "_complete", "_exchange", "_head_bytes", "_head_only", "_headers", "_informational", "_length", "_parser",
        "_poisoned", "_tunnel", "_until_close", "idle_since", "pool", "transport", "used",
    )  # fmt: skip

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)
        self.used = 0
        self.idle_since = 0.0
        self._exchange: Exchange | None = None
        self._tunnel = False
        self._poisoned = False

    @property
    def closing(self) -> bool:
        return self.transport.is_closing()

    # what an exchange does with it

    def attach(self, exchange: "Exchange", *, head_only: bool) -> None:
        """Serve this exchange; the answer that comes next is its."""
        self._exchange = exchange
        self._head_only = head_only
        self._parser = httptools.HttpResponseParser(self)
        self._reset()
        self.used += 1

    def detach(self, *, keep: bool) -> None:
        """The exchange is over; the connection goes back to the pool or away."""
        self._exchange = None
        self.transport.resume_reading()
        if keep and not self._poisoned and not self._tunnel and not self.transport.is_closing():
            self.pool.put(self)
        else:
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection without telling anybody."""
        self._exchange = None
        self.transport.abort()

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
        exchange.touch()
        try:
            self._head_bytes += len(data)
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(exchange, data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._poisoned = True
            if not self._complete:
                exchange.backend_failed("the backend's answer is not HTTP")
        else:
            if self._head_bytes > self.pool.limits.response_head and not exchange.answered and self._exchange:
                exchange.backend_failed("the head of the backend's answer is too large")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.forget(self)
        exchange = self._exchange
        if exchange is None:
            return
        if self._tunnel:
            exchange.tunnel_lost()
        elif exc is None and self._until_close and exchange.answered:
            exchange.answer_end(keep=False)
        else:
            exchange.backend_lost()

    def pause_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_full()

    def resume_writing(self) -> None:
        if self._exchange is not None:
            self._exchange.backend_drained()

    # httptools

    def _reset(self) -> None:
        self._headers: Headers = []
        self._head_bytes = 0
        self._length: int | None = None
        self._informational = self._complete = self._until_close = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-length":
            self._length = int(value)
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        exchange = self._exchange
        if exchange is None or self._complete:
            return
        if status < 200 and status != 101:
            self._informational = True
            return
        chunked = any(n.lower() == b"transfer-encoding" for n, _ in self._headers)
        length = None if chunked else 0 if status == 204 else self._length
        self._until_close = not chunked and length is None and status not in _BODILESS and not self._head_only
        head = AnswerHead(status, self._headers, length)
        if status == 101:
            self._headers = head.headers
            return
        exchange.answer_head(head)
        if self._head_only and self._exchange is exchange:
            # llhttp does not know that it was a HEAD and would wait for the body.
            self._complete = True
            exchange.answer_end(keep=not self._until_close and self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        if self._complete:
            self._poisoned = True
        elif self._exchange is not None:
            self._exchange.answer_body(data)

    def on_message_complete(self) -> None:
        if self._informational:
            self._reset()
            return
        if self._complete or self._exchange is None or self._parser.get_status_code() == 101:
            return
        self._complete = True
        # Asked here: llhttp forgets the framing flags once the message is over.
        self._exchange.answer_end(keep=self._parser.should_keep_alive())

    def _switch(self, exchange: "Exchange", rest: bytes) -> None:
        if self._parser.get_status_code() != 101 or not exchange.wants_tunnel:
            self._poisoned = True
            if not self._complete:
                exchange.backend_failed("the backend changed the protocol without being asked")
            return
        self._tunnel = True
        exchange.tunnel_open(AnswerHead(101, self._headers, None), rest)
