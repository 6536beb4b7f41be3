"""Requests and answers of every shape arrive whole, and connections are used again."""

import asyncio
import hashlib
import os
import time

import pytest

from dovetail.routing.model import RewriteStep
from tests.gateway_proxy.backend import Backend, Seen, always, answer
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import gateway, limits, route, upstream

_SIZES = (0, 1, 1000, 300_000, 20_000_000)


async def _digest(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(hashlib.sha256(seen.body).hexdigest().encode()))


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("chunked", [False, True])
async def test_request_bodies(size: int, chunked: bool) -> None:
    backend = await Backend(_digest).start()
    body = os.urandom(size)
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        if chunked:
            client.request("POST", "/a?b=c%20d", "Transfer-Encoding: chunked")
            for start in range(0, size, 70_001):
                piece = body[start : start + 70_001]
                client.send(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece))
                await client.writer.drain()
            client.send(b"0\r\nX-Trailer: gone\r\n\r\n")
        else:
            client.request("POST", "/a?b=c%20d", body=body)
        got = await client.answer()
    assert got.body.decode() == hashlib.sha256(body).hexdigest()
    assert [(seen.method, seen.target) for seen in backend.seen] == [("POST", "/a?b=c%20d")]
    assert "x-trailer" not in backend.seen[0].names


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_answer_bodies(size: int, framing: str) -> None:
    body = os.urandom(size)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if framing == "length":
            writer.write(answer(body))
        elif framing == "close":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, size, 70_001):
                piece = body[start : start + 70_001]
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\nX-Trailer: gone\r\n\r\n")
        await writer.drain()
        return framing == "close"

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        for _ in range(2):
            client.request("GET", "/")
            got = await client.answer()
            assert got.body == body
            assert got.get("connection") is None
            assert got.get("transfer-encoding") == (None if framing == "length" else "chunked")
    assert backend.connections == (2 if framing == "close" else 1)


@pytest.mark.parametrize(
    ("method", "raw", "length", "body"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "5", b""),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", None, b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", None, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n", "5", b""),
        ("GET", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(), "2", b"ok"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", None, b""),
        ("GET", answer(b"ok", "200 OK", "Upgrade: h2,h2c", "Connection: Upgrade"), "2", b"ok"),
    ],
)  # fmt: skip
async def test_answers_without_or_before_a_body(method: str, raw: bytes, length: str | None, body: bytes) -> None:
    backend = await Backend(always(raw)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        for _ in range(3):
            client.request(method, "/")
            got = await client.answer(head_only=method == "HEAD")
            assert (got.body, got.get("content-length"), got.get("upgrade")) == (body, length, None)
    assert backend.connections == 1, "the connection is used again"


async def test_a_watch_is_not_buffered() -> None:
    go = asyncio.Semaphore(0)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            writer.write(b"2\r\n%d\n\r\n" % number)
            await writer.drain()
            await go.acquire()
        writer.write(b"0\r\n\r\n")

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/")
        await client.head()
        for number in range(5):
            async with asyncio.timeout(PATIENCE):
                assert await client.reader.readexactly(7) == b"2\r\n%d\n\r\n" % number
            go.release()
        assert await client.reader.readexactly(5) == b"0\r\n\r\n"


async def test_pipelined_requests_are_answered_in_order() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/x", to)], [to]) as running, await running.client() as client:
        paths = [f"/x/{number}" if number % 3 else "/healthz" for number in range(40)]
        client.send("".join(f"GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n" for path in paths).encode())
        for path in paths:
            got = await client.answer()
            assert got.status == 200
            assert (got.body == b"ok") if path == "/healthz" else (got.json()["target"] == path)
    assert backend.connections == 1


async def test_a_malformed_request_is_refused_after_the_answers_before_it() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        good = b"GET /a HTTP/1.1\r\nHost: gateway\r\n\r\n"
        client.send(good + good + b"GET /b HTTP/1.1\r\nHost : gateway\r\n\r\n" + good)
        assert [got.status for got in await client.answers()] == [200, 200, 400]
    assert len(backend.seen) == 2


async def test_two_hundred_at_once() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        answers = await asyncio.gather(*(running.once("GET", f"/{number}") for number in range(200)))
    assert [got.json()["target"] for got in answers] == [f"/{number}" for number in range(200)]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_the_last_answer_of_a_connection(version: str) -> None:
    backend = await Backend(
        always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    ).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.send(f"GET / HTTP/{version}\r\nHost: gateway\r\nConnection: close\r\n\r\n".encode())
        got = await client.answer()
        assert got.body == b"ok"
        assert got.get("connection") == "close"
        assert got.get("transfer-encoding") == ("chunked" if version == "1.1" else None)
        assert await client.rest() == b""


async def test_expect_100_continue() -> None:
    backend = await Backend(_digest).start()
    to = upstream(backend.port)
    async with gateway([route("/", to), route("/closed", to, access="authorized")], [to]) as running:
        async with await running.client() as client:
            client.request("PUT", "/", "Content-Length: 3", "Expect: 100-continue")
            assert (await client.answer()).status == 100
            client.send(b"abc")
            assert (await client.answer()).body.decode() == hashlib.sha256(b"abc").hexdigest()
        async with await running.client() as client:
            client.request("PUT", "/closed", "Content-Length: 3", "Expect: 100-continue")
            assert (await client.answer()).is_status(401), "the body is not asked for"
    assert "expect" not in backend.seen[0].names
    assert len(backend.seen) == 1


async def test_an_answer_before_the_end_of_the_request() -> None:
    """The rest of the upload is read and thrown away, so that the client gets to see the answer."""
    backend = await Backend(always(answer(b"no", "422 Unprocessable"), close=True), read_bodies=False).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("POST", "/", f"Content-Length: {64 << 20}")
        for _ in range(64):
            client.send(bytes(1 << 16))
        got = await client.answer()
        assert (got.status, got.body, got.get("connection")) == (422, b"no", "close")
        for _ in range(64):
            client.send(bytes(1 << 16))
        assert await client.rest() == b""
    assert len(backend.seen) == 1


async def test_a_large_last_answer_reaches_a_slow_reader() -> None:
    """`Connection: close` does not mean that what the client has not read yet is thrown away."""
    body = os.urandom(8 << 20)
    backend = await Backend(always(answer(body))).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/", "Connection: close")
        await asyncio.sleep(3.5)  # longer than the gateway waits for a client that has its answer
        assert (await client.answer()).body == body


async def test_an_unread_answer_is_cut_off_in_the_end() -> None:
    backend = await Backend(always(answer(bytes(64 << 20)))).start()
    to = upstream(backend.port)
    impatient = limits(write_timeout=0.3)
    async with gateway([route("/", to)], [to], limits=impatient) as running, await running.client() as client:
        client.request("GET", "/")
        await client.head()
        await asyncio.sleep(2.5)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.reader.readexactly(64 << 20)


async def test_through_a_unix_socket(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("u") / "backend.sock"
    await Backend().start(unix_path=path)
    to = upstream(0, addresses=(), unix_path=str(path))
    async with gateway([route("/", to)], [to]) as running:
        assert (await running.once("GET", "/a")).json()["target"] == "/a"


async def test_a_large_download_takes_no_time_and_no_memory() -> None:
    total = 256 << 20
    block = bytes(1 << 20)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        for _ in range(total // len(block)):
            writer.write(block)
            await writer.drain()

    from tests.gateway_proxy.rig import gateway_process

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway_process([route("/", to)], [to]) as running, await running.client() as client:
        before, got = running.rss(), 0
        began = time.monotonic()
        client.request("GET", "/")
        await client.head()
        while got < total:
            got += len(await client.reader.read(1 << 20))
        assert running.rss() - before < 32 << 20
        assert time.monotonic() - began < PATIENCE


async def test_a_rule_that_makes_a_head_of_a_get_and_back() -> None:
    """The client gets what it can read: its own method says whether there is a body, the backend's what comes."""
    backend = await Backend(always(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")).start()
    full = await Backend(always(answer(b"hello"))).start()
    to, other = upstream(backend.port), upstream(full.port)
    routes = [
        route("/head", to, rewrite=(RewriteStep(op="method", argument="HEAD"),)),
        route("/get", other, rewrite=(RewriteStep(op="method", argument="GET"),)),
    ]
    async with gateway(routes, [to, other]) as running, await running.client() as client:
        for _ in range(2):
            client.request("GET", "/head")
            assert ((await client.answer()).body, backend.seen[-1].method) == (b"", "HEAD")
            client.request("HEAD", "/get")
            got = await client.answer(head_only=True)
            assert (got.get("content-length"), full.seen[-1].method) == ("5", "GET")
    assert (backend.connections, full.connections) == (1, 1)
