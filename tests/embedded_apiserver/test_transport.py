"""HTTP as bytes: keep-alive, pipelining, bodies in chunks, Expect, HEAD, limits, nonsense, clients that go away or do
not read, WebSockets, a clean stop; and the headers and texts that kube-apiserver has.
"""

import asyncio
import base64
import json
import os
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.requests import Query, timeout_seconds
from dovetail.embedded.apiserver.transport.outlets import bearer, frame, parse_frame

from .conftest import Http, Server, config_map, connected

CORE = "/api/v1/namespaces/default/configmaps"


class Raw:
    """A TLS connection on which bytes are written as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *lines: str, body: bytes = b"") -> None:
        self.writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body)

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(20):
            first, *rest = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        return int(first.split()[1]), {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        code, headers = await self.head()
        return code, headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def closed(self) -> bool:
        async with asyncio.timeout(20):
            with suppress(ConnectionError, ssl.SSLError):
                return await self.reader.read() == b""
        return True


@asynccontextmanager
async def raw(server: Server, client: str = "admin") -> AsyncIterator[Raw]:
    port = int(server.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=server.tls(client), limit=1 << 22)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        await asyncio.sleep(0.02)


async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    async with raw(server) as connection:
        for number in range(40):
            connection.send(f"GET {CORE}/none-{number} HTTP/1.1", "Host: x")
        for number in range(40):
            code, _, body = await connection.answer()
            assert (code, json.loads(body)["details"]["name"]) == (404, f"none-{number}")


async def test_a_slow_write_holds_back_what_follows_it(server: Server) -> None:
    async with raw(server) as connection:
        body = json.dumps(config_map("piped")).encode()
        connection.send(f"POST {CORE} HTTP/1.1", "Host: x", "Content-Type: application/json",
                        f"Content-Length: {len(body)}", body=body)  # fmt: skip
        connection.send(f"GET {CORE}/piped HTTP/1.1", "Host: x")
        connection.send(f"DELETE {CORE}/piped HTTP/1.1", "Host: x")
        assert [(await connection.answer())[0] for _ in range(3)] == [201, 200, 200]


async def test_chunked_bodies_and_expect(server: Server) -> None:
    body = json.dumps(config_map("chunked")).encode()
    async with raw(server) as connection:
        head = (f"POST {CORE}?dryRun=All HTTP/1.1", "Host: x", "Content-Type: application/json")
        connection.send(*head, "Transfer-Encoding: chunked", "Expect: 100-continue")
        assert (await connection.head())[0] == 100
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            connection.writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await asyncio.sleep(0)
        connection.writer.write(b"0\r\n\r\n")
        assert (await connection.answer())[0] == 201
        connection.send(*head, f"Content-Length: {len(body)}", "Connection: close", body=body)
        code, headers, _ = await connection.answer()
        assert (code, headers["connection"]) == (201, "close")
        assert await connection.closed()


async def test_head_has_the_headers_and_no_body(server: Server) -> None:
    async with raw(server) as connection:
        connection.send(f"HEAD {CORE} HTTP/1.1", "Host: x")
        connection.send("GET /readyz HTTP/1.1", "Host: x")
        code, headers = await connection.head()
        assert (code, headers["content-type"]) == (200, "application/json")
        assert int(headers["content-length"]) > 50
        assert (await connection.answer())[2] == b"ok"


async def test_http_1_0_is_closed_after_the_answer(server: Server) -> None:
    async with raw(server) as connection:
        connection.send("GET /readyz HTTP/1.0")
        assert (await connection.answer())[2] == b"ok"
        assert await connection.closed()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"\x16\x03\x01nonsense\r\n\r\n", 400),
        (b"GET /a b c HTTP/1.1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /x HTTP/1.1\r\n" + b"a: " + b"x" * 300_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 900_000, 431),
        (b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused_and_the_connection_ends(server: Server, text: bytes, code: int) -> None:
    async with raw(server) as connection:
        connection.writer.write(text)
        found, headers = await connection.head()
        assert (found, headers["connection"], headers["content-type"]) == (code, "close", "text/plain; charset=utf-8")


async def test_random_bytes_never_hurt(server: Server) -> None:
    for _ in range(30):
        async with raw(server) as connection:
            connection.writer.write(os.urandom(300) + b"\r\n\r\n")
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                assert (await connection.head())[0] >= 400
    async with raw(server) as connection:
        connection.send("GET /readyz HTTP/1.1", "Host: x")
        assert (await connection.answer())[2] == b"ok"


async def test_a_body_that_is_too_large_is_told_as_a_status(server: Server) -> None:
    async with raw(server) as connection:
        connection.send(f"POST {CORE} HTTP/1.1", "Host: x", "Content-Length: 4000000", body=b" " * 4_000_000)
        code, _, body = await connection.answer()
        assert (code, json.loads(body)["reason"]) == (413, "RequestEntityTooLarge")


async def test_headers_are_those_of_kube_apiserver(server: Server) -> None:
    async with raw(server) as connection:
        connection.send(f"GET {CORE} HTTP/1.1", "Host: x", "Audit-ID: my-own")
        _, headers, _ = await connection.answer()
        assert set(headers) == {"audit-id", "cache-control", "content-type", "date", "content-length"}
        assert (headers["audit-id"], headers["cache-control"]) == ("my-own", "no-cache, private")
        connection.send(f"GET {CORE} HTTP/1.1", "Host: x")
        _, headers, _ = await connection.answer()
        assert len(headers["audit-id"]) == 36
        connection.send("GET /nothing/here HTTP/1.1", "Host: x")
        code, headers, body = await connection.answer()
        assert (code, headers["content-type"], body) == (404, "text/plain; charset=utf-8", b"404 page not found\n")
        assert headers["x-content-type-options"] == "nosniff"
        connection.send("GET /api/v1/nothing HTTP/1.1", "Host: x")
        code, _, body = await connection.answer()
        assert (code, json.loads(body)["message"]) == (404, "the server could not find the requested resource")
        connection.send(f"GET {CORE}/?limit=1 HTTP/1.1", "Host: x")
        assert (await connection.answer())[0] == 200


async def test_pretty_for_people(server: Server) -> None:
    async with raw(server) as connection:
        for agent, query, pretty in (
            ("curl/8", "", True), ("kubectl/1", "", False), ("kubectl/1", "?pretty=true", True),
            ("curl/8", "?pretty=false", False), ("x", "?pretty=1", True),
        ):  # fmt: skip
            connection.send(f"GET {CORE}/none{query} HTTP/1.1", "Host: x", f"User-Agent: {agent}")
            body = (await connection.answer())[2]
            assert (b'\n  "kind": "Status"' in body) == pretty, (agent, query)


async def test_timeouts_are_go_durations(http: Http) -> None:
    code, body = await http("POST", f"{CORE}?timeout=5", {})
    assert code == 400
    assert 'invalid duration "5"' in body["message"]
    for text, seconds in (("1m30s", 60.0), ("1500ms", 1.5), ("2s", 2.0), ("", 60.0), ("0s", 60.0)):
        assert timeout_seconds(Query(f"timeout={text}".encode())) == seconds


async def test_clients_that_go_away_leave_nothing_behind(http: Http, server: Server) -> None:
    for _ in range(20):
        async with raw(server) as connection:
            connection.send(f"GET {CORE}?watch=1 HTTP/1.1", "Host: x")
            await connection.head()
        async with raw(server) as connection:
            connection.send(f"POST {CORE} HTTP/1.1", "Host: x", "Content-Length: 100", body=b"{")
    assert (await http("GET", CORE))[0] == 200


async def test_a_watcher_that_does_not_read_costs_only_itself(own_server: Server) -> None:
    assert own_server.process is not None
    async with connected(own_server) as http, raw(own_server) as slow, raw(own_server) as quick:
        for connection in (slow, quick):
            connection.send(f"GET {CORE}?watch=1 HTTP/1.1", "Host: x")
            await connection.head()
        await http("POST", CORE, config_map("big"))
        before = _resident(own_server.process.pid)
        seen, count = 0, 300
        for number in range(count):
            change = {"data": {"n": f"{number}-" + "x" * 100_000}}
            assert (await http("PATCH", f"{CORE}/big", change, content_type="application/merge-patch+json"))[0] == 200
            while f'"n":"{number}-'.encode() not in await quick.reader.read(1 << 20):
                pass
            seen += 1
        assert seen == count
        grown = _resident(own_server.process.pid) - before
        assert grown < 150, f"{grown} MiB"  # 30 MB were written; rings keep 1024 changes


def _resident(pid: int) -> float:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


async def test_many_idle_watchers_are_cheap(own_server: Server) -> None:
    assert own_server.process is not None
    before, count = _resident(own_server.process.pid), 300
    connector = aiohttp.TCPConnector(ssl=own_server.tls(), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"{own_server.url}{CORE}?watch=1&allowWatchBookmarks=1"
        answers = await asyncio.gather(*(session.get(url) for _ in range(count)))
        each = (_resident(own_server.process.pid) - before) / count
        assert each < 0.2, f"{each * 1024:.0f} KiB a watcher"
        async with connected(own_server) as http:
            assert (await http("POST", CORE, config_map("a")))[0] == 201
        for answer in answers:
            while b'"name":"a"' not in await answer.content.readline():
                pass
            answer.close()
    await asyncio.sleep(0.05)


async def test_a_watch_over_a_websocket(server: Server, http: Http) -> None:
    url = f"{server.url}{CORE}?watch=1&resourceVersion={(await http('GET', CORE))[1]['metadata']['resourceVersion']}"
    async with http.session.ws_connect(url) as socket:
        await http("POST", CORE, config_map("ws", n="x" * 70_000))
        event = json.loads(await socket.receive_str(timeout=10))
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "ws")
        await socket.ping(b"hi")
        await http("DELETE", f"{CORE}/ws")
        assert json.loads(await socket.receive_str(timeout=10))["type"] == "DELETED"
    async with http.session.ws_connect(f"{url}&timeoutSeconds=1") as socket:
        message = await socket.receive(timeout=10)
        while message.type is aiohttp.WSMsgType.TEXT:
            message = await socket.receive(timeout=10)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1000)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.session.ws_connect(f"{server.url}/api/v1/nothing?watch=1")
    assert refused.value.status == 404


async def test_a_browser_hands_its_token_over_as_a_subprotocol(server: Server, http: Http, nobody: Http) -> None:
    accounts = "/api/v1/namespaces/kube-system/serviceaccounts"
    await http("POST", accounts, {"metadata": {"name": "browser"}})
    token = (await http("POST", f"{accounts}/browser/token", {"spec": {}}))[1]["status"]["token"]
    quoted = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    protocol = f"base64url.bearer.authorization.k8s.io.{quoted}"
    assert bearer(f"a, {protocol}".encode()) == token
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await nobody.session.ws_connect(f"{server.url}{CORE}?watch=1", protocols=(protocol, "x"))
    assert refused.value.status == 403  # known, but not allowed


@given(st.binary(max_size=70_000), st.integers(0, 5))
def test_frames_read_back(payload: bytes, cut: int) -> None:
    whole = frame(1, payload)
    assert parse_frame(whole + b"rest") == (1, payload, b"rest")
    assert parse_frame(whole[: len(whole) - 1 - cut] if len(whole) > cut + 1 else b"") is None


async def test_a_stop_ends_watches_properly_and_finishes_requests(own_server: Server) -> None:
    async with connected(own_server) as http:
        async with http.session.get(f"{own_server.url}{CORE}?watch=1") as answer:
            writes = [asyncio.create_task(_write(http, number)) for number in range(20)]
            await asyncio.sleep(0.05)
            assert own_server.process is not None
            own_server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await answer.content.read()  # up to the last chunk: no ClientPayloadError
            done: list[Any] = await asyncio.gather(*writes, return_exceptions=True)
        assert all(code == 201 or isinstance(code, aiohttp.ClientError) for code in done), done
    assert await asyncio.to_thread(own_server.process.wait, 20) == 0
    await asyncio.to_thread(own_server.end)
    names = [f"s{number}" for number, code in enumerate(done) if code == 201]
    await asyncio.to_thread(own_server.start)
    async with connected(own_server) as http:
        found = {item["metadata"]["name"] for item in (await http("GET", CORE))[1]["items"]}
        assert found >= set(names)


async def _write(http: Http, number: int) -> int:
    code, _ = await http("POST", CORE, config_map(f"s{number}"))
    return code
