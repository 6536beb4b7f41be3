"""The short way of reading a head and the long way find the same in it, whatever came before."""

import httptools
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dovetail.gateway.proxy.answer_headers import read_answer, render_answer
from dovetail.gateway.proxy.heads import HeadReader
from dovetail.gateway.proxy.recent import Recent
from dovetail.gateway.proxy.request_headers import Head, Headers, read_head
from dovetail.gateway.proxy.settings import Limits
from dovetail.routing.model import HeaderEdit, Match, Route
from dovetail.routing.traffic import Traffic

_LINES = [
    b"GET / HTTP/1.1", b"POST /a%20b?c=d&e HTTP/1.1", b"DELETE /x HTTP/1.1", b"GET / HTTP/1.0", b"GET * HTTP/1.1",
    b"GET http://gateway/ HTTP/1.1", b"GET /\xff HTTP/1.1", b"GET /a b HTTP/1.1", b"get / HTTP/1.1",
    b"GET /#x HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1", b"TRACE / HTTP/1.1", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b" GET / HTTP/1.1", b"",
]  # fmt: skip
_FIELDS = [
    b"Host: gateway", b"Host: other", b"Authorization: Bearer abc", b"Cookie: a=b", b"Accept: */*",
    b"X-Remote-User: eve",
    b"Content-Length: 0", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close",
    b"Connection: keep-alive", b"Connection: accept", b"Connection: upgrade", b"Upgrade: websocket",
    b"Upgrade: h2c", b"Expect: 100-continue", b"A : b", b" folded: x", b"A: b\0c", b"A: b\nB: c", b"A: b\rB: c", b": x",
    b"nocolon", b"Origin: http://gateway", b"Sec-Fetch-Site: same-origin", b"X_Y: z",
]  # fmt: skip
_ENDS = [b"\r\n\r\n", b"\r\n\r\n", b"\r\n\r\nGET /next HTTP/1.1\r\nHost: gateway\r\n\r\n", b"\r\n", b"\n\n", b""]
_heads = st.builds(
    lambda line, fields, end: b"\r\n".join((line, *fields)) + end,
    st.sampled_from(_LINES), st.lists(st.sampled_from(_FIELDS), max_size=6),
    st.sampled_from(_ENDS),
)  # fmt: skip


class _LongWay:
    """What the parser says of bytes when it is given all of them: the first head, and whether anything else came."""

    def __init__(self, data: bytes) -> None:
        self.heads: list[Head] = []
        self.keep = self.upgrade = False
        self.over = 0
        self._headers: Headers = []
        self._url = b""
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
            self.wrong = False
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.wrong = True

    def on_message_begin(self) -> None:
        self._headers, self._url = [], b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        method = self._parser.get_method().decode()
        self.heads.append(read_head(method, self._url, self._parser.get_http_version(), self._headers))

    def on_message_complete(self) -> None:
        self.over += 1
        self.keep = self._parser.should_keep_alive()


@given(heads=st.lists(_heads, max_size=8), whole=st.lists(st.sampled_from(_LINES), max_size=4))
def test_both_ways_agree(heads: list[bytes], whole: list[bytes]) -> None:
    reader = HeadReader(Limits())
    fine = b"\r\nHost: gateway\r\nAccept: */*\r\n\r\n"
    for data in (*heads, *heads, *(line + fine for line in (_LINES[0], *whole))):
        head = reader.read(data)
        if head is None:
            continue  # it says nothing, and the long way is taken
        long = _LongWay(data)
        assert not long.wrong, data
        assert (len(long.heads), long.over, long.keep) == (1, 1, True)
        head.rendered = None
        assert head == long.heads[0]
        assert head.plain


def test_a_plain_request_is_read_and_its_block_known_again() -> None:
    reader = HeadReader(Limits())
    for line in (b"GET /a HTTP/1.1", b"PUT /b?c HTTP/1.1"):
        head = reader.read(line + b"\r\nHost: gateway\r\nX: y\r\n\r\n")
        assert head is not None
        assert head.target == line.split()[1]
        assert head.wire() == b"X: y\r\n"


def test_limits_hold_on_the_short_way() -> None:
    reader = HeadReader(Limits(headers=2, header_bytes=100, start_line=20))
    assert reader.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n") is not None
    assert reader.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nZ: z\r\n\r\n") is None
    assert reader.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"y" * 100)) is None
    assert reader.read(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"y" * 20)) is None


def test_the_store_is_bounded() -> None:
    reader = HeadReader(Limits())
    for number in range(5000):
        assert reader.read(b"GET / HTTP/1.1\r\nHost: a\r\nX: %d%b\r\n\r\n" % (number, b"x" * 2000)) is not None
    assert reader.weight <= 9 << 20


def test_what_an_answer_names_in_connection_goes_nowhere() -> None:
    head = read_answer(200, b"HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: t\r\nX: y\r\n")
    assert head.lines == [b"X: y"]


def test_an_answer_keeps_its_lines_as_they_came() -> None:
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nContent-Length:  7 \r\nX:y:z\r\n"
    head = read_answer(200, raw)
    assert head.lines == [b"Set-Cookie: a=b", b"set-cookie: c=d", b"X:y:z"]
    assert (head.length, head.transfer, head.sets_own_cookie) == (7, b"", False)


def test_recent_keeps_the_latest() -> None:
    recent: Recent[int, int] = Recent(4)
    for number in range(100):
        recent.put(number, number)
        assert recent.get(0) == 0  # what is asked for again and again stays
    assert [recent.get(number) for number in (97, 98, 99)] == [97, 98, 99]
    assert recent.get(50) is None


def test_an_answer_that_comes_again_is_read_the_same_and_is_nobody_elses() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 7\r\nX-Again: 1\r\n"
    there = Route(id="r", match=Match("prefix", "/"), upstream="u")
    first = read_answer(200, raw)
    rendered = render_answer(first, there, "length", close=False)
    first.lines.append(b"X-Mine: 1")
    again = read_answer(200, raw)
    assert again.lines == [b"Content-Type: a/b", b"X-Again: 1"]
    assert render_answer(again, there, "length", close=False) == rendered
    assert rendered == b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Again: 1\r\nContent-Length: 7\r\n\r\n"
    assert render_answer(again, there, "length", close=True).endswith(b"\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 7" in render_answer(again, there, "none", close=False), "as the answer to a HEAD"
    edits = (HeaderEdit(op="delete", name="X-Again"),)
    assert b"X-Again" not in render_answer(again, replace(there, header_down=edits), "length", close=False)
    again.lines.append(b"X-Limit: 1")
    assert b"X-Limit" in render_answer(again, replace(there, traffic=Traffic()), "length", close=False)
