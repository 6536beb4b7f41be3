"""Requests that two servers could read differently: each is refused, or read in the one way that everybody agrees on.

Every case is sent on one connection, followed by `GET /sentinel`. The expected statuses tell whether the gateway read
on (the sentinel's 200 is among them), the expected targets what the backend saw, whole and in order: never a request
that was hidden in another one's body.
"""

import asyncio

import pytest

from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import gateway, route, upstream

_SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
_HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: gateway\r\n\r\n"
_S = "/sentinel"


def _post(lines: bytes, body: bytes = b"") -> bytes:
    return b"POST /a HTTP/1.1\r\nHost: gateway\r\n" + lines + b"\r\n" + body


def _chunked(body: bytes) -> bytes:
    return _post(b"Transfer-Encoding: chunked\r\n", body)


_REFUSED = ([400], [])
_CASES: dict[str, tuple[bytes, tuple[list[int], list[str]]]] = {
    # two framings
    "CL.TE": (_post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"), _REFUSED),
    "TE.CL": (_post(b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"5c\r\n" + _HIDDEN), _REFUSED),
    "TE.TE twice": (_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE.TE obscured": (_post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE unknown": (_post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + _HIDDEN), ([501], [])),
    "TE gzip, chunked": (_post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n" + _HIDDEN), ([501], [])),
    "TE chunked, gzip": (_post(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE vertical tab": (_post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE empty": (_post(b"Transfer-Encoding:\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE space before colon": (_post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE folded": (_post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"), _REFUSED),
    "TE hidden by Connection": (
        _post(b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", b"1\r\na\r\n0\r\n\r\n"),
        ([200, 200], ["/a", _S]),
    ),
    "TE with an underscore": (_post(b"Transfer_Encoding: chunked\r\n"), ([200, 200], ["/a", _S])),
    "TE in HTTP/1.0": (
        b"POST /a HTTP/1.0\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _HIDDEN, ([400], [])
    ),
    # lengths
    "CL twice": (_post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), _REFUSED),
    "CL twice, different": (_post(b"Content-Length: 3\r\nContent-Length: 0\r\n", b"abc"), _REFUSED),
    "CL list": (_post(b"Content-Length: 3, 3\r\n", b"abc"), _REFUSED),
    "CL plus": (_post(b"Content-Length: +3\r\n", b"abc"), _REFUSED),
    "CL minus": (_post(b"Content-Length: -3\r\n", b"abc"), _REFUSED),
    "CL hex": (_post(b"Content-Length: 0x3\r\n", b"abc"), _REFUSED),
    "CL empty": (_post(b"Content-Length:\r\n"), _REFUSED),
    "CL with a space": (_post(b"Content-Length: 3 3\r\n", b"abc"), _REFUSED),
    "CL overflow": (_post(b"Content-Length: 18446744073709551619\r\n", b"abc"), _REFUSED),
    "CL leading zero": (_post(b"Content-Length: 03\r\n", b"abc"), ([200, 200], ["/a", _S])),
    "CL.0: what follows is the next request": (_post(b"", _HIDDEN), ([200, 200, 200], ["/a", "/hidden", _S])),
    "CL of GET counts": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: %d\r\n\r\n" % len(_HIDDEN) + _HIDDEN,
        ([200, 200], ["/a", _S]),
    ),
    "TE of GET counts": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(_HIDDEN), _HIDDEN),
        ([200, 200], ["/a", _S]),
    ),
    # lines
    "bare LF": (b"GET /a HTTP/1.1\nHost: gateway\n\n", _REFUSED),
    "bare LF in a header": (b"GET /a HTTP/1.1\r\nHost: gateway\nX: y\r\n\r\n", _REFUSED),
    "bare CR in a header": (b"GET /a HTTP/1.1\r\nHost: gateway\rX: y\r\n\r\n", _REFUSED),
    "folded header": (_post(b"X: a\r\n b\r\n"), _REFUSED),
    "space before colon": (_post(b"X : a\r\n"), _REFUSED),
    "space before the first header": (b"GET /a HTTP/1.1\r\n X: y\r\nHost: gateway\r\n\r\n", _REFUSED),
    "header without a name": (_post(b": a\r\n"), _REFUSED),
    "NUL in a value": (_post(b"X: a\0b\r\n"), _REFUSED),
    "NUL in a name": (_post(b"X\0: a\r\n"), _REFUSED),
    "control character": (_post(b"X: a\x01b\r\n"), _REFUSED),
    # chunks
    "chunk size hex prefix": (_chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size negative": (_chunked(b"-3\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size space": (_chunked(b"3 \r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size empty": (_chunked(b"\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size overflow": (_chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk size bare LF": (_chunked(b"3\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk data bare LF": (_chunked(b"3\r\nabc\n0\r\n\r\n"), _REFUSED),
    "chunk data too long": (_chunked(b"3\r\nabcd\r\n0\r\n\r\n"), _REFUSED),
    "chunk extension": (_chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"), ([200, 200], ["/a", _S])),
    "chunk extension bare LF": (_chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n"), _REFUSED),
    "chunk extensions without end": (_chunked(b"3;" + b"a" * 600_000), _REFUSED),
    "trailer": (_chunked(b"0\r\nX-Remote-User: root\r\n\r\n"), ([200, 200], ["/a", _S])),
    "trailer with framing": (_chunked(b"0\r\nContent-Length: 5\r\n\r\n"), _REFUSED),
    "trailers without end": (_chunked(b"0\r\nX: " + b"a" * 600_000), _REFUSED),
    # start lines
    "absolute form": (b"GET http://gateway/a?b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a?b", _S])),
    "absolute form, other host": (b"GET http://evil/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "absolute form, user": (b"GET http://x@gateway/a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "two Hosts": (b"GET /a HTTP/1.1\r\nHost: gateway\r\nHost: gateway\r\n\r\n", _REFUSED),
    "no Host": (b"GET /a HTTP/1.1\r\n\r\n", _REFUSED),
    "a Host that is none": (b"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", _REFUSED),
    "HTTP/2.0": (b"GET /a HTTP/2.0\r\nHost: gateway\r\n\r\n", ([505], [])),
    "HTTP/0.9": (b"GET /a\r\n\r\n", ([505], [])),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", _REFUSED),
    "RTSP": (b"PLAY /a RTSP/1.0\r\nHost: gateway\r\n\r\n", ([405], [])),
    "CONNECT": (b"CONNECT gateway:80 HTTP/1.1\r\nHost: gateway\r\n\r\n" + _HIDDEN, ([405], [])),
    "TRACE": (b"TRACE /a HTTP/1.1\r\nHost: gateway\r\n\r\n", ([405], [])),
    "lower-case method": (b"get /a HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\nHost: gateway\r\n\r\n", _REFUSED),
    "empty lines before a request": (b"\r\n\r\nGET /a HTTP/1.1\r\nHost: gateway\r\n\r\n", ([200, 200], ["/a", _S])),
    "requests after Connection: close": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n" + _HIDDEN, ([200], ["/a"])
    ),
    # paths
    "dot segments": (b"GET /a/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    "encoded dot segments": (b"GET /a/%2e%2E/b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    "encoded slash": (b"GET /a%2fb HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    "encoded line break": (
        b"GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])
    ),
    "double slash": (b"GET //a HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    "backslash": (b"GET /a\\..\\b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    "path parameter": (b"GET /a;/../b HTTP/1.1\r\nHost: gateway\r\n\r\n", ([400, 200], [_S])),
    # upgrades
    "h2c": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", ([200, 200], ["/a", _S])
    ),
    "h2c with a body": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n" % len(_HIDDEN), _HIDDEN),
        ([200, 200], ["/a", _S]),
    ),
    "h2c with chunks": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n",
              b"%x\r\n%b\r\n0\r\n\r\n" % (len(_HIDDEN), _HIDDEN)), ([200, 200], ["/a", _S])
    ),
    "h2c with bad chunks": (
        _post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n", b"0x1\r\na\r\n0\r\n\r\n"),
        _REFUSED,
    ),
    "websocket with a body": (
        _post(b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: %d\r\n" % len(_HIDDEN), _HIDDEN), _REFUSED
    ),
    "websocket that the backend declines": (
        b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + _HIDDEN,
        ([200, 200, 200], ["/a", "/hidden", _S]),
    ),
    "expectation": (_post(b"Expect: the-unexpected\r\n"), ([417, 200], [_S])),
}  # fmt: skip


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
async def test_corpus(pace: str) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    wrong: dict[str, object] = {}
    async with gateway([route("/", to)], [to]) as running:
        for name, (raw, (statuses, targets)) in _CASES.items():
            if pace == "byte by byte" and len(raw) > 1000:
                continue
            backend.seen.clear()
            async with await running.client() as client:
                if pace == "at once":
                    client.send(raw + _SENTINEL)
                else:
                    for at in range(len(raw)):
                        client.send(raw[at : at + 1])
                        await asyncio.sleep(0)
                    client.send(_SENTINEL)
                answers = await client.answers()
            got = ([answer.status for answer in answers], [seen.target for seen in backend.seen])
            if got != (statuses, targets):
                wrong[name] = got
            refused = [answer for answer in answers if answer.status >= 400]
            assert all(answer.is_status(answer.status) for answer in refused), name
            assert answers, name
            assert answers[-1].get("connection") == "close", name
    assert wrong == {}
    assert not backend.errors


async def test_the_body_behind_an_ignored_upgrade_arrives() -> None:
    """Java's HTTP client offers h2c with every request that it sends in the clear."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        for framing in (b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"):
            async with await running.client() as client:
                head = b"PUT /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                client.send(head + framing)
                assert (await client.answer()).status == 200
    assert [seen.body for seen in backend.seen] == [b"abc", b"abc"]
    assert all("upgrade" not in seen.names for seen in backend.seen)


async def test_a_head_that_comes_in_two_parts_is_one_head() -> None:
    """The second part looks like a request of its own; the first one came together with the request before it."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: gateway\r\n\r\nGET /b HTTP/1.1\r\nX-Part: ")
        assert (await client.answer()).status == 200
        client.send(b"GET /hidden HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await client.answer()).status == 200
    assert [seen.target for seen in backend.seen] == ["/a", "/b"]
    assert backend.seen[1].get("x-part") == "GET /hidden HTTP/1.1"
