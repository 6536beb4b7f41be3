"""Reads requests from the bytes of one client's connection, piece by piece, with llhttp without leniency.

What it finds goes to the connection (`downstream`): an exchange when a head is complete, then the pieces of its body
and its end. Everything about the size of a request is counted here: the start line, the number and the size of the
headers and trailers, and what lies around the chunks of a body.

Once something is wrong with what a client sends, nothing that follows can be trusted: the connection is told (`refuse`)
and gets nothing more.
"""

import logging
from typing import TYPE_CHECKING

import httptools

from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Headers, read_head, size_of
from dovetail.gateway.proxy.trailers import TrailerFields, declared

if TYPE_CHECKING:
    from dovetail.gateway.proxy.downstream import Downstream

_FRAMING_PER_BYTE = 8
"""Chunks of a single byte cost five bytes of framing each; whoever sends more than this sends rubbish."""

_NO_PARSER = httptools.HttpRequestParser(object())

_log = logging.getLogger(__name__)


class RequestReader:
    """See the module. `parsing` is the exchange whose body is being read."""

    __slots__ = (
        "_client", "_fed", "_framing_before", "_head_bytes", "_headers", "_limits", "_parser", "_received_before",
        "_resumed", "_since", "_trailers", "_url", "parsing",
    )  # fmt: skip

    def __init__(self, client: "Downstream") -> None:
        self._client = client
        self._limits = client.worker.limits
        self._parser = httptools.HttpRequestParser(self)
        self.parsing: Exchange | None = None
        self._resumed: Exchange | None = None
        self._trailers: TrailerFields | None = None
        self._head_bytes = self._fed = self._framing_before = self._received_before = 0
        self._since = 0.0

    @property
    def between(self) -> bool:
        """The last request is complete, and nothing of the next one has come."""
        return not self._head_bytes and self.parsing is None

    @property
    def head_since(self) -> float | None:
        """When the head that is being read began."""
        return self._since if self._head_bytes else None

    def close(self) -> None:
        """The connection is gone: let go of the parser, which holds on to this reader."""
        self.parsing = self._resumed = None
        self._parser = _NO_PARSER

    def feed(self, data: bytes, now: float) -> None:
        """Read on."""
        if not self._head_bytes:
            self._since = now
        self._head_bytes += len(data)
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._protocol_changes(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            _log.error("serving a request failed", exc_info=error.__context__)
            self._client.refuse(Refusal(500, "the gateway could not serve this request", close=True))
        except httptools.HttpParserError as error:
            self._client.refuse(Refusal(400, f"this is not HTTP: {error}", close=True))
        else:
            self._check_sizes()

    def _check_sizes(self) -> None:
        limits, parsing = self._limits, self.parsing
        if parsing is None:
            if self._head_bytes > limits.header_bytes + limits.start_line:
                self._client.refuse(Refusal(431, "the head of the request is too large", close=True))
            return
        framing = self._fed - parsing.received
        if parsing.received != self._received_before:
            self._received_before, self._framing_before = parsing.received, framing
        most = limits.header_bytes + limits.trailer_bytes
        in_a_row = framing - self._framing_before
        if in_a_row > most or framing > most + _FRAMING_PER_BYTE * parsing.received:
            self._client.refuse(Refusal(400, "there is too much around the chunks of the body", close=True))

    def _protocol_changes(self, rest: bytes) -> None:
        """llhttp has seen an upgrade and takes what follows for another protocol, even if it is the request's body."""
        self._parser = httptools.HttpRequestParser(self)
        resumed = self._resumed
        if resumed is not None and not self._client.deaf:
            framing = b"Transfer-Encoding: chunked" if resumed.head.chunked else b"Content-Length: %d" % (
                resumed.head.length or 0
            )  # fmt: skip
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        if rest:
            self._client.data_received(rest)

    # llhttp

    def on_message_begin(self) -> None:
        if not self._head_bytes:  # behind the end of another request
            self._head_bytes, self._since = 1, self._client.last
        if self._resumed is None and self._client.waiting >= self._limits.queued_requests:
            self._client.refuse(Refusal(429, "too many requests are waiting on this connection", close=True))
        self._url = b""
        self._headers: Headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self._limits.start_line:
            self._client.refuse(Refusal(414, "the request's target is too long", close=True))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._client.deaf:
            return
        if self.parsing is not None:
            self._trailer(name, value)
            return
        self._headers.append((name, value))
        limits = self._limits
        if len(self._headers) > limits.headers:
            self._client.refuse(Refusal(431, f"more than {limits.headers} headers", close=True))
        elif self._head_bytes > limits.header_bytes and size_of(self._headers) > limits.header_bytes:
            self._client.refuse(Refusal(431, "the headers are too large", close=True))

    def _trailer(self, name: bytes, value: bytes) -> None:
        assert self.parsing is not None
        if self._trailers is None:
            self._trailers = TrailerFields(declared(self.parsing.head.trailer))
        if not self._trailers.add(name, value, self._limits.trailers, self._limits.trailer_bytes):
            self._client.refuse(Refusal(431, "the trailers are too large, or too many", close=True))

    def on_headers_complete(self) -> None:
        if self._client.deaf:
            return
        if self._resumed is not None:
            self.parsing, self._resumed = self._resumed, None
            return
        parser = self._parser
        exchange = self.parsing = Exchange(self._client)
        method = parser.get_method().decode("latin-1")
        head = exchange.head = read_head(method, self._url, parser.get_http_version(), self._headers)
        # Asked here: llhttp forgets the framing flags once the message is over.
        exchange.keep_alive = parser.should_keep_alive() and not head.http10
        self._head_bytes = self._fed = self._framing_before = self._received_before = 0
        if not head.chunked and not head.length:
            exchange.body_done = True
        elif parser.should_upgrade():
            self._resumed = exchange
        self._client.head_read(exchange)

    def on_body(self, data: bytes) -> None:
        if self.parsing is not None:
            self.parsing.body(data)

    def on_message_complete(self) -> None:
        if self._resumed is not None:
            self.parsing = None
            return
        if self._client.deaf and self.parsing is not None:
            return  # it is this request that is refused: its end does not count
        exchange, self.parsing = self.parsing, None
        self._head_bytes = 0
        if exchange is None:
            return
        if self._trailers is not None:
            exchange.trailers = self._trailers.rendered
        self._trailers = None
        if not exchange.body_done:
            exchange.body_end()
        self._client.request_read(exchange)
