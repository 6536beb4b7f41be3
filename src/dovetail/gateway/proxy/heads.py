"""Request heads that come whole, read with the work of earlier ones.

A client repeats its header block with every request, and only the request line changes. So a block is parsed once, by
the same strict parser and the same rules as any other, and its meaning is kept; after that a request costs a comparison
of bytes. Only plain blocks are kept (no body, no upgrade, nothing to refuse, the connection stays), so what this reader
does not know, or does not want to know, is `None` and goes the long way: `Downstream` parses it piece by piece.

What a block means depends on its bytes alone, so one store serves all connections of a worker. A block holds its
client's credential as it came (a digest of every block would cost a request 1.3 us, 2 % of what it costs in all); so
nothing is kept for longer than a minute (`forget`).
"""

import re

import httptools

from dovetail.gateway.proxy.request_headers import Head, Headers, read_head
from dovetail.gateway.proxy.settings import Limits

_LINE = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*) HTTP/1\.1")
"""The request lines whose reading needs no parser."""
_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_END = b"\r\n\r\n"
_LONGEST_LINE = 4096
_LONGEST_BLOCK = 8192
_MOST_BYTES = 8 << 20
_WEIGHT = 5
"""A known block takes about this many times its length."""


class HeadReader:
    """Reads heads that come in one piece; the store of known blocks is bounded in bytes, and emptied when full."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._longest_line = min(_LONGEST_LINE, limits.start_line)
        self._known: dict[bytes, Head] = {}
        self._bytes = 0

    def read(self, data: bytes) -> Head | None:
        """The head of `data` when that is one plain request and nothing else; None says nothing about it."""
        at = data.find(b"\r\n")
        if at > self._longest_line:
            return None
        line = _LINE.fullmatch(data, 0, max(at, 0))
        if line is None:
            return None
        block = data[at:]
        known = self._known.get(block)
        if known is None:
            known = self._learn(data, block)
            if known is None:
                return None
        return known.of(_METHODS[line[1]], line[2])

    def forget(self) -> None:
        """Let go of all blocks, and with them of the credentials in them; a client that goes on is read anew."""
        self._known.clear()
        self._bytes = 0

    @property
    def weight(self) -> int:
        """About how many bytes the known blocks take."""
        return self._bytes

    def _learn(self, data: bytes, block: bytes) -> Head | None:
        if len(block) > min(_LONGEST_BLOCK, self._limits.header_bytes) or block.find(_END) != len(block) - len(_END):
            return None
        head = _Parsing(self._limits.headers).run(data)
        if head is not None:
            if self._bytes > _MOST_BYTES:
                self._known.clear()
                self._bytes = 0
            self._known[block] = head
            self._bytes += _WEIGHT * len(block)
        return head


class _Parsing:
    """One run of the strict parser over a whole head."""

    def __init__(self, most_headers: int) -> None:
        self._most = most_headers
        self._headers: Headers = []
        self._head: Head | None = None
        self._parser = httptools.HttpRequestParser(self)

    def run(self, data: bytes) -> Head | None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        return self._head

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_message_complete(self) -> None:
        head = read_head("GET", b"/", self._parser.get_http_version(), self._headers)
        if head.plain and self._parser.should_keep_alive() and len(self._headers) <= self._most:
            self._head = head
