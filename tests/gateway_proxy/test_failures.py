"""Clients and backends that fail, stall or disappear."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from dovetail.gateway.proxy.pool import Pool
from dovetail.routing.model import Address
from dovetail.routing.traffic import Traffic
from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend, Seen, always, answer
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import (
    STRANGER,
    bearer,
    gateway,
    gateway_process,
    limits,
    route,
    token,
    upstream,
)


@contextlib.contextmanager
def full_listener() -> Iterator[int]:
    """A port on which connections are neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


async def test_every_refusal_is_a_status() -> None:
    backend = await Backend().start()
    to, down = upstream(backend.port), upstream(free_port())
    small = limits(start_line=200, header_bytes=400, headers=10)
    with full_listener() as stuck:
        slow = upstream(stuck, connect_timeout=0.2)
        routes = [
            route("/open", to, max_body=10), route("/closed", to, access="authorized"),
            route("/any", to, access="authenticated"), route("/down", down), route("/slow", slow),
            route("/away", to, unavailable="3 health checks failed"), route("/unknown", upstream(1)),
        ]  # fmt: skip
        async with gateway(routes, [to, down, slow], limits=small) as running:
            cases: list[tuple[int, str, str, list[str], bytes | None]] = [
                (401, "GET", "/closed", [], None),
                (401, "GET", "/any", ["Authorization: Bearer nonsense"], None),
                (401, "GET", "/any", ["Authorization: Basic YTpi"], None),
                (404, "GET", "/nothing", [], None),
                (405, "TRACE", "/open", [], None),
                (405, "POST", "/healthz", [], b""),
                (413, "POST", "/open", [], b"x" * 11),
                (414, "GET", "/open/" + "a" * 300, [], None),
                (431, "GET", "/open", [f"X-{number}: y" for number in range(20)], None),
                (431, "GET", "/open", ["X: " + "y" * 700], None),
                (431, "GET", "/open", [f"X{number}: {'y' * 90}" for number in range(7)], None),
                (400, "GET", "/open/../x", [], None),
                (417, "GET", "/open", ["Expect: x"], None),
                (502, "GET", "/down", [], None),
                (504, "GET", "/slow", [], None),
                (503, "GET", "/away", [], None),
                (503, "GET", "/unknown", [], None),
            ]
            for code, method, path, lines, body in cases:
                got = await running.once(method, path, *lines, body=body)
                assert got.is_status(code), (code, path, got)
            got = await running.once("HEAD", "/down")
            assert (got.status, got.body) == (502, b"")
            async with await running.client() as client:
                client.send(b"POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n" + bytes(32))
                assert (await client.answer()).is_status(413), "a chunked body is counted"
    assert backend.seen == []


async def test_who_is_let_in() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes = [route("/kapis/x.dev/v1", to, access="authorized"), route("/any", to, access="authenticated")]
    async with gateway(routes, [to]) as running:
        assert (await running.once("GET", "/kapis/x.dev/v1/things", bearer())).status == 200
        refused = await running.once("GET", "/kapis/x.dev/v1/things", bearer(STRANGER))
        assert refused.is_status(403)
        assert "bob" in refused.json()["message"]
        assert (await running.once("GET", "/any", bearer(STRANGER))).status == 200
        expired = await running.once("GET", "/any", bearer(lasts=-10))
        assert expired.is_status(401)
        assert expired.get("www-authenticate")
        assert token() not in repr(refused.body + expired.body)
    assert len(backend.seen) == 2


async def test_heads_and_bodies_that_do_not_come() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    hasty = limits(head_timeout=0.2, body_timeout=0.2)
    async with gateway([route("/", to)], [to], limits=hasty) as running:
        async with await running.client() as client:
            client.send(b"GET / HT")
            assert (await client.answer()).is_status(408)
        async with await running.client() as client:
            client.request("PUT", "/", "Content-Length: 10")
            assert (await client.answer()).is_status(408)
            assert await client.rest() == b""
        async with await running.client() as client:
            assert await client.rest() == b"", "a connection that never says anything ends"
    assert backend.seen == []


async def test_a_backend_that_does_not_answer() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while seen.target == "/drip":  # a head that never ends is no answer either
            writer.write(b"HTTP/1.1 200 OK\r\n" if not writer.is_closing() else b"")
            await asyncio.sleep(0.05)
        await asyncio.sleep(PATIENCE)

    backend = await Backend(handler).start()
    to = upstream(backend.port, response_timeout=0.3)
    async with gateway([route("/", to)], [to]) as running:
        assert (await running.once("GET", "/")).is_status(504)
        assert (await running.once("POST", "/", body=b"x")).is_status(504)
    assert len(backend.seen) == 2, "nothing is sent twice"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "not HTTP"),
        (b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "status 99"),
        (b"HTTP/1.1 700 Odd\r\nContent-Length: 0\r\n\r\n", "status 700"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "transfer encoding"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000, "too large"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "without being asked"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100, "status 100"),
    ],
)  # fmt: skip
async def test_answers_that_are_none(raw: bytes, says: str) -> None:
    backend = await Backend(always(raw, close=True)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        got = await running.once("GET", "/")
        assert got.is_status(502)
        assert says in got.json()["message"]


@pytest.mark.parametrize("framing", ["length", "chunked", "http/1.0"])
async def test_a_backend_killed_in_the_middle_is_seen_by_the_client(framing: str) -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = b"Content-Length: 100" if framing == "length" else b"Transfer-Encoding: chunked"
        piece = b"half" if framing == "length" else b"4\r\nhalf\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (line, piece))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.transport.abort()

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.send(b"GET / HTTP/1.%d\r\nHost: gateway\r\n\r\n" % (framing != "http/1.0"))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.answer()
    assert len(backend.seen) == 1


async def test_bytes_behind_an_answer_are_nobodys() -> None:
    """A backend that answers twice cannot answer the next request, which may be another user's."""
    poison = answer(b"mine") + answer(b"poison")
    backend = await Backend(always(poison)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        async with await running.client() as client:
            client.send(b"GET /1 HTTP/1.1\r\nHost: gateway\r\n\r\n" * 3)
            assert [(await client.answer()).body for _ in range(3)] == [b"mine"] * 3
        for _ in range(3):
            assert (await running.once("GET", "/")).body == b"mine"
    assert backend.connections == 6


async def test_a_stale_connection_is_replaced_unless_the_request_might_happen_twice() -> None:
    served: dict[int, int] = {}

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        served[seen.connection] = served.get(seen.connection, 0) + 1
        if served[seen.connection] == 2:
            return True  # takes the second request and closes, as if the request had met a time-out
        writer.write(answer())
        return False

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to], limits=limits(fresh_for_unsafe=PATIENCE)) as running:
        assert (await running.once("GET", "/1")).status == 200
        assert (await running.once("GET", "/2")).status == 200
        assert [seen.target for seen in backend.seen] == ["/1", "/2", "/2"]
        backend.seen.clear()
        assert (await running.once("POST", "/3", body=b"x")).is_status(502)
        assert [seen.target for seen in backend.seen] == ["/3"]
    async with gateway([route("/", to)], [to], limits=limits(fresh_for_unsafe=-1)) as running:
        for _ in range(3):
            assert (await running.once("POST", "/4", body=b"x")).status == 200, "never on a kept connection"


async def test_the_next_address_is_tried() -> None:
    backend = await Backend().start()
    addresses = (Address("127.0.0.1", free_port()), Address("127.0.0.1", backend.port))
    to = upstream(0, addresses=addresses)
    async with gateway([route("/", to)], [to]) as running:
        for _ in range(3):
            assert (await running.once("GET", "/", "Connection: close")).status == 200


async def test_a_client_that_leaves_takes_its_backend_connection_with_it() -> None:
    gone = asyncio.Event()

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        with contextlib.suppress(OSError):
            assert await reader.read(1) == b""
        gone.set()
        return True

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        async with await running.client() as client:
            client.request("GET", "/")
            await client.head()
        async with asyncio.timeout(PATIENCE):
            await gone.wait()


async def test_a_slow_reader_costs_no_memory() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        for _ in range(1 << 10):
            writer.write(bytes(1 << 20))
            await writer.drain()

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway_process([route("/", to)], [to]) as running, contextlib.AsyncExitStack() as stack:
        before = running.rss()
        for _ in range(4):
            client = await stack.enter_async_context(await running.client())
            client.send(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n" * 20)
            await client.head()
        await asyncio.sleep(1)
        assert running.rss() - before < 24 << 20
        assert len(backend.seen) == 4, "no pipelined request is begun before the answers ahead of it are read"


async def test_unread_refusals_cost_no_memory() -> None:
    async with gateway_process([], []) as running, await running.client() as client:
        before = running.rss()
        block = b"GET /nothing HTTP/1.1\r\nHost: gateway\r\n\r\n" * 50
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(1.5):
                while True:
                    client.send(block)
                    await client.writer.drain()
        assert running.rss() - before < 24 << 20


async def test_a_slow_backend_costs_no_memory_and_gets_everything() -> None:
    total = 32 << 20

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        await reader.readexactly(total)
        writer.write(answer())

    backend = await Backend(handler, read_bodies=False).start()
    to = upstream(backend.port)
    async with gateway_process([route("/", to)], [to]) as running, await running.client() as client:
        before = running.rss()

        async def upload() -> None:
            client.request("PUT", "/", f"Content-Length: {total}")
            for _ in range(total >> 20):
                client.send(bytes(1 << 20))
                await client.writer.drain()

        task = asyncio.create_task(upload())
        await asyncio.sleep(0.6)
        assert not task.done()
        assert running.rss() - before < 16 << 20
        assert (await client.answer()).status == 200
        await task


async def test_a_backend_that_takes_no_body() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(PATIENCE)

    backend = await Backend(handler, read_bodies=False).start()
    to = upstream(backend.port)
    hasty = limits(body_timeout=0.3)
    async with gateway([route("/", to)], [to], limits=hasty) as running, await running.client() as client:
        client.request("PUT", "/", f"Content-Length: {64 << 20}")
        client.send(bytes(48 << 20))
        assert (await client.answer()).is_status(504), "it is not the client's fault"


async def test_too_many_connections() -> None:
    async with gateway([], [], limits=limits(connections_per_address=2)) as running:
        async with await running.client() as first, await running.client() as second:
            for client in (first, second):
                client.request("GET", "/healthz")
                assert (await client.answer()).body == b"ok"
            async with await running.client() as third:
                with contextlib.suppress(ConnectionError):
                    third.request("GET", "/healthz")
                    assert await third.rest() == b""
        async with asyncio.timeout(PATIENCE):
            while (await _status_or_none(running)) != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def _status_or_none(running: object) -> int | None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        return (await running.once("GET", "/healthz")).status  # type: ignore[attr-defined]
    return None


async def test_stopping_lets_requests_finish() -> None:
    go = asyncio.Event()

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer(bytes(4 << 20)))

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with (
        gateway([route("/", to)], [to]) as running,
        await running.client() as busy,
        await running.client() as idle,
    ):
        busy.request("GET", "/")
        idle.request("GET", "/healthz")
        assert (await idle.answer()).status == 200
        while not backend.seen:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(running.stop())
        assert await idle.rest() == b"", "an idle connection ends at once"
        go.set()
        got = await busy.answer()
        assert (len(got.body), got.get("connection")) == (4 << 20, "close")
        await stopping
        with pytest.raises(ConnectionError):
            await running.client()


async def test_a_fault_of_ours_is_told_and_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)

    async def faulty(pool: Pool) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Pool, "dial", faulty)
    for traffic in (None, Traffic(request_timeout=2 * PATIENCE)):
        async with gateway([route("/", to, traffic=traffic)], [to]) as running:
            assert (await running.once("GET", "/")).is_status(500)
