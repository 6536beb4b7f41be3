"""Answers that two clients could read differently, from a backend that means harm: none of it reaches another request.

Each case is answered to one request on a connection that then asks for `/sentinel`, whole and byte by byte. A client
gets the answer in our own words, or 502, or a connection that breaks; the sentinel gets its own answer or none.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

import pytest

from tests.gateway_proxy.backend import Backend, Seen
from tests.gateway_proxy.client import Answer, Client
from tests.gateway_proxy.rig import gateway, limits, route, upstream

_SENTINEL = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Sentinel: 1\r\n\r\nsentinel"
_POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Poison: 1\r\n\r\npoison"


def _ok(lines: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _ok(b"Transfer-Encoding: chunked\r\n", body)


_502 = (502, None)
_CUT = (200, None)
"""The answer begins and breaks off."""
CASES: dict[str, tuple[bytes, tuple[int, bytes | None]]] = {
    # two framings
    "CL and TE": (_ok(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _502),
    "TE and CL": (_ok(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", b"0\r\n\r\n"), _502),
    "CL twice": (_ok(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), _502),
    "CL twice, different": (_ok(b"Content-Length: 0\r\nContent-Length: 3\r\n", b"abc"), _502),
    "CL list": (_ok(b"Content-Length: 3, 3\r\n", b"abc"), _502),
    "CL plus": (_ok(b"Content-Length: +3\r\n", b"abc"), _502),
    "CL minus": (_ok(b"Content-Length: -3\r\n", b"abc"), _502),
    "CL hex": (_ok(b"Content-Length: 0x3\r\n", b"abc"), _502),
    "CL empty": (_ok(b"Content-Length:\r\n", b"abc"), _502),
    "CL overflow": (_ok(b"Content-Length: 18446744073709551619\r\n", b"abc"), _502),
    "CL underscore": (_ok(b"Content-Length: 1_0\r\n", b"abc"), _502),
    "CL with tabs": (_ok(b"Content-Length:\t3\t\r\n", b"abc"), (200, b"abc")),
    "CL folded": (_ok(b"Content-Length:\r\n 3\r\n", b"abc"), _502),
    "CL space before colon": (_ok(b"Content-Length : 3\r\n", b"abc"), _502),
    "CL behind bare LF": (_ok(b"X: y\nContent-Length: 3\r\n", b"abc"), _502),
    "CL behind bare CR": (_ok(b"X: y\rContent-Length: 3\r\n", b"abc"), _502),
    "CL hidden by Connection": (_ok(b"Connection: content-length\r\nContent-Length: 3\r\n", b"abc"), (200, b"abc")),
    "CL of 204": (b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", (204, b"")),
    "TE of 204": (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", (204, b"")),
    "body of 304": (b"HTTP/1.1 304 Not Modified\r\n\r\n" + _POISON, (304, b"")),
    "CL and body of 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison", (304, b"")),
    "TE twice": (_ok(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _502),
    "TE unknown": (_ok(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"), _502),
    "TE gzip, chunked": (_ok(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"), _502),
    "TE chunked, gzip": (_ok(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), _502),
    "TE identity": (_ok(b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", b"abc"), _502),
    "TE empty": (_ok(b"Transfer-Encoding:\r\n", b"abc"), _502),
    "TE folded": (_ok(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), _502),
    "TE space before colon": (_ok(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), _502),
    "TE obscured": (_ok(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), _502),
    "TE in HTTP/1.0": (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", _502),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
    # chunks
    "chunks": (_chunked(b"3\r\nabc\r\n0\r\n\r\n"), (200, b"abc")),
    "chunk extension": (_chunked(b'3;a="b"\r\nabc\r\n0;x\r\n\r\n'), (200, b"abc")),
    "chunk size plus": (_chunked(b"+3\r\nabc\r\n0\r\n\r\n"), _CUT),
    "chunk size 0x": (_chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), _CUT),
    "chunk size space": (_chunked(b"3 \r\nabc\r\n0\r\n\r\n"), _CUT),
    "chunk size overflow": (_chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), _CUT),
    "chunk size bare LF": (_chunked(b"3\nabc\r\n0\r\n\r\n"), _CUT),
    "chunk data bare LF": (_chunked(b"3\r\nabc\n0\r\n\r\n"), _CUT),
    "chunk data too long": (_chunked(b"3\r\nabcd\r\n0\r\n\r\n"), _CUT),
    "chunk extension bare LF": (_chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), _CUT),
    "last chunk bare LF": (_chunked(b"3\r\nabc\r\n0\n\n"), _CUT),
    "trailers": (_chunked(b"3\r\nabc\r\n0\r\nSet-Cookie: x=y\r\nX-Poison: 1\r\n\r\n"), (200, b"abc")),
    "trailer with a length": (_chunked(b"3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"), _CUT),
    "trailer folded": (_chunked(b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"), _CUT),
    # lines
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", _502),
    "bare LF in a header": (_ok(b"X: y\nX-Poison: 1\r\nContent-Length: 3\r\n", b"abc"), _502),
    "bare CR in a header": (_ok(b"X: y\rX-Poison: 1\r\nContent-Length: 3\r\n", b"abc"), _502),
    "bare CR in the reason": (b"HTTP/1.1 200 O\rX-Poison: 1\r\nContent-Length: 3\r\n\r\nabc", _502),
    "NUL in a header": (_ok(b"X: a\0b\r\nContent-Length: 3\r\n", b"abc"), _502),
    "control character": (_ok(b"X: a\x01b\r\nContent-Length: 3\r\n", b"abc"), _502),
    "folded": (_ok(b"X: a\r\n X-Poison: 1\r\nContent-Length: 3\r\n", b"abc"), _502),
    "folded with a tab": (_ok(b"X: a\r\n\tb\r\nContent-Length: 3\r\n", b"abc"), _502),
    "space before colon": (_ok(b"X : a\r\nContent-Length: 3\r\n", b"abc"), _502),
    "header without a name": (_ok(b": a\r\nContent-Length: 3\r\n", b"abc"), _502),
    "header without a colon": (_ok(b"nonsense\r\nContent-Length: 3\r\n", b"abc"), _502),
    "name with obs-text": (_ok(b"X\xff: a\r\nContent-Length: 3\r\n", b"abc"), _502),
    "obs-text": (_ok(b"X: \xff\r\nContent-Length: 3\r\n", b"abc"), (200, b"abc")),
    # start lines
    "nothing": (b"", _502),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", _502),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "HTTP/0.9": (b"HTTP/0.9 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "HTTP/1.2": (b"HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "ICY": (b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "RTSP": (b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "two spaces": (b"HTTP/1.1  200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "a status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "a status that is none": (b"HTTP/1.1 2x0 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "status 000": (b"HTTP/1.1 000 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "status 600": (b"HTTP/1.1 600 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "status 999": (b"HTTP/1.1 999 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
    "an empty reason": (b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
    "markup for a reason": (b"HTTP/1.1 200 <script>\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
    "a status that nobody knows": (b"HTTP/1.1 299 Poison\r\nContent-Length: 3\r\n\r\nabc", (299, b"abc")),
    "empty lines before": (b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", _502),
    "a request": (b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", _502),
    # informational
    "100 first": (b"HTTP/1.1 100 Continue\r\n\r\n" + _ok(b"Content-Length: 3\r\n", b"abc"), (200, b"abc")),
    "103 first": (
        b"HTTP/1.1 103 Early Hints\r\nX-Poison: 1\r\n\r\n" + _ok(b"Content-Length: 3\r\n", b"abc"), (200, b"abc")
    ),
    "102 with a length": (
        b"HTTP/1.1 102 Processing\r\nContent-Length: 62\r\n\r\n" + _ok(b"Content-Length: 3\r\n", b"abc"), (200, b"abc")
    ),
    "100 with chunks": (
        b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n" + _ok(b"Content-Length: 3\r\n", b"abc"),
        (200, b"abc"),
    ),
    "only 100": (b"HTTP/1.1 100 Continue\r\n\r\n", _502),
    "100 without end": (b"HTTP/1.1 100 Continue\r\n\r\n" * 70, _502),
    "199": (b"HTTP/1.1 199 Odd\r\n\r\n" + _ok(b"Content-Length: 3\r\n", b"abc"), (200, b"abc")),
    "101 that nobody asked for": (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + _POISON, _502
    ),
    "101 to h2c": (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", _502),
    "101 behind 100": (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        _502,
    ),
    # more than was asked for
    "two answers": (_ok(b"Content-Length: 3\r\n", b"abc") + _POISON, (200, b"abc")),
    "an answer and rubbish": (_ok(b"Content-Length: 3\r\n", b"abc") + b"\x00\x01\x02", (200, b"abc")),
    "two chunked answers": (_chunked(b"3\r\nabc\r\n0\r\n\r\n") + _POISON, (200, b"abc")),
    "an answer and a head": (_ok(b"Content-Length: 3\r\n", b"abc") + b"HTTP/1.1 200 OK\r\n", (200, b"abc")),
    "204 and an answer": (b"HTTP/1.1 204 No Content\r\n\r\n" + _POISON, (204, b"")),
    "an answer until the end": (_ok(b"", b"abc"), (200, b"abc")),
    "an answer until the end, with another one": (_ok(b"", _POISON), (200, _POISON)),
    "less than its length": (_ok(b"Content-Length: 9\r\n", b"abc"), _CUT),
    "chunks without an end": (_chunked(b"3\r\nabc\r\n"), _CUT),
    "a chunk cut short": (_chunked(b"9\r\nabc"), _CUT),
    # what it must not say
    "our own cookie": (_ok(b"Set-Cookie: dovetail-token=evil\r\nContent-Length: 3\r\n", b"abc"), (200, b"abc")),
    "named by Connection": (
        _ok(b"Connection: X-Poison, keep-alive\r\nX-Poison: 1\r\nContent-Length: 3\r\n", b"abc"), (200, b"abc")
    ),
    "hop by hop": (
        _ok(b"Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTE: trailers\r\n"
            b"Content-Length: 3\r\n", b"abc"), (200, b"abc")
    ),
}  # fmt: skip
_BREAKS_OFF = {"less than its length", "chunks without an end", "a chunk cut short", "an answer until the end",
               "an answer until the end, with another one", "only 100", "nothing", "no HTTP", "a request"}  # fmt: skip
"""Cases that are over only when the backend closes."""


@dataclass
class Evil:
    """Answers the sentinel as it should and everything else with `raw`."""

    raw: bytes = b""
    pieces: bool = False
    close: bool = False
    backend: Backend = field(default_factory=Backend)

    async def handler(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if seen.target == "/sentinel":
            writer.write(_SENTINEL)
            return False
        for piece in [self.raw[at : at + 1] for at in range(len(self.raw))] if self.pieces else [self.raw]:
            writer.write(piece)
            await asyncio.sleep(0)
        return self.close


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
@pytest.mark.parametrize("upgrade", [False, True])
async def test_corpus(pace: str, upgrade: bool) -> None:
    """`upgrade`: the client had asked for WebSocket, so a 101 would be welcome."""
    evil = Evil(pieces=pace != "at once")
    evil.backend.handler = evil.handler
    await evil.backend.start()
    to = upstream(evil.backend.port, response_timeout=5.0)
    wrong: dict[str, object] = {}
    lines = ["Connection: Upgrade", "Upgrade: websocket"] if upgrade else []
    async with gateway([route("/", to)], [to], limits=limits(linger=0.1)) as running:
        for name, (raw, expected) in CASES.items():
            if upgrade and "101" in name:
                continue
            evil.raw, evil.close = raw, name in _BREAKS_OFF
            evil.backend.seen.clear()
            async with await running.client() as client:
                client.request("GET" if upgrade else "POST", "/a", *lines)
                got, answer = await _answer(client)
                if got != expected:
                    wrong[name] = got
                if answer is not None:
                    assert not {"x-poison", "keep-alive", "proxy-authenticate", "upgrade", "te", "set-cookie"} & {
                        key.lower() for key, _ in answer.headers
                    }, name
                if got[1] is not None and answer is not None and answer.get("connection") != "close":
                    client.request("GET", "/sentinel")
                    assert (await client.answer()).body == b"sentinel", name
            assert (await running.once("GET", "/sentinel")).body == b"sentinel", name
            assert [seen.target for seen in evil.backend.seen].count("/a") == 1, f"{name}: asked once"
    assert wrong == {}


async def _answer(client: Client) -> tuple[tuple[int, bytes | None], Answer | None]:
    status = 0
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        answer = await client.head()
        status = answer.status
        if status == 502:
            return (502, None), answer
        answer.body = await client.body(answer)
        return (status, answer.body), answer
    return (status, None), None
