"""WebSocket and SPDY/3.1: bytes pass both ways as they are, from the first one on."""

import asyncio
import contextlib
import os

import aiohttp
import pytest
from aiohttp import web

from dovetail.routing.model import HeaderEdit
from tests.gateway_proxy.backend import Backend, Seen, answer, echo
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import bearer, gateway, limits, route, upstream

_PROTOCOLS = ("websocket", "SPDY/3.1")


async def _switching(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    protocol = seen.get("upgrade")
    assert protocol is not None
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nX-Kept: 1\r\n\r\n"
    writer.write(head.encode() + b"hello:")
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    return True


@pytest.mark.parametrize("protocol", _PROTOCOLS)
@pytest.mark.parametrize("eager", [False, True])
async def test_echo(protocol: str, eager: bool) -> None:
    """`eager`: the client does not wait for the answer to the upgrade before it speaks the new protocol."""
    backend = await Backend(_switching).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, access="authenticated")], [to]) as running, await running.client() as client:
        client.request("GET", "/x?stdin=true", "Connection: keep-alive, Upgrade", f"Upgrade: {protocol}", bearer())
        early = b"GET /not-a-request HTTP/1.1\r\n\r\n" * eager
        client.send(early)
        head = await client.head()
        assert (head.status, head.get("upgrade"), head.get("x-kept")) == (101, protocol, "1")
        data = os.urandom(3_000_000)
        client.send(data)
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.readexactly(6 + len(early) + len(data)) == b"hello:" + early + data
    assert len(backend.seen) == 1
    assert backend.seen[0].get("connection") == "Upgrade"


async def test_a_real_websocket() -> None:
    async def endpoint(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io",))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo:{message.data}")
        return socket

    application = web.Application()
    application.router.add_get("/ws", endpoint)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 0.3)  # transports are closed some turns of the loop later
        runner = web.AppRunner(application)
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        to = upstream(runner.addresses[0][1])
        running = await stack.enter_async_context(gateway([route("/", to)], [to]))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        address = f"ws://127.0.0.1:{running.port}/ws"
        async with session.ws_connect(address, protocols=("v5.channel.k8s.io",)) as client:
            assert client.protocol == "v5.channel.k8s.io"
            for text in ("hi", "x" * 100_000):
                await client.send_str(text)
                assert (await client.receive(timeout=PATIENCE)).data == f"echo:{text}"


@pytest.mark.parametrize("protocol", _PROTOCOLS)
async def test_declined(protocol: str) -> None:
    """What came behind the request was for the new protocol, or it is the next request: as the backend says."""
    backend = await Backend(echo).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/1", "Connection: Upgrade", f"Upgrade: {protocol}")
        client.request("GET", "/2")
        assert [(await client.answer()).json()["target"] for _ in range(2)] == ["/1", "/2"]
        client.request("GET", "/3")
        assert (await client.answer()).json()["target"] == "/3"


async def test_behind_another_request() -> None:
    backend = Backend(_switching)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if "upgrade" in seen.names:
            return await _switching(seen, reader, writer)
        writer.write(answer())
        return False

    backend.handler = handler
    await backend.start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/1")
        client.request("GET", "/2", "Connection: Upgrade", "Upgrade: websocket")
        client.send(b"GET is no request here\r\n\r\n")
        assert (await client.answer()).body == b"ok"
        assert (await client.head()).status == 101
        async with asyncio.timeout(PATIENCE):
            assert await client.reader.readexactly(30) == b"hello:GET is no request here\r\n\r\n"[:30]


async def test_the_last_bytes_of_a_tunnel_arrive() -> None:
    received = bytearray()
    done = asyncio.Event()

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await asyncio.sleep(0.3)
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                received.extend(data)
        done.set()
        return True

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/", "Connection: Upgrade", "Upgrade: websocket")
        await client.head()
        client.send(bytes(500_000))
        await client.writer.drain()
        client.writer.close()
        async with asyncio.timeout(PATIENCE):
            await done.wait()
    assert len(received) == 500_000


async def test_a_tunnel_may_rest_but_not_for_ever() -> None:
    backend = await Backend(_switching).start()
    patient, hasty = upstream(backend.port), upstream(backend.port, idle_timeout=0.3)
    short = limits(body_timeout=0.2, head_timeout=0.2, keep_alive=0.2, write_timeout=0.2)
    async with gateway([route("/a", patient), route("/b", hasty)], [patient, hasty], limits=short) as running:  # noqa: SIM117
        async with await running.client() as resting, await running.client() as ended:
            for client, path in ((resting, "/a"), (ended, "/b")):
                client.request("GET", path, "Connection: Upgrade", "Upgrade: websocket")
                await client.head()
            assert await ended.rest() == b"hello:"
            resting.send(b"still here")
            async with asyncio.timeout(PATIENCE):
                assert await resting.reader.readexactly(16) == b"hello:still here"


async def test_a_rule_edits_the_answer_to_an_upgrade_but_not_the_handshake() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"X-Kept: 1\r\nX-Gone: 1\r\nSec-WebSocket-Accept: abc\r\nSet-Cookie: dovetail-token=evil\r\n\r\n"
        )
        return True

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    edits = (
        HeaderEdit(op="delete", name="X-Gone"), HeaderEdit(op="set", name="X-New", value="1"),
        HeaderEdit(op="delete", name="Sec-WebSocket-*"), HeaderEdit(op="set", name="Upgrade", value="h2c"),
    )  # fmt: skip
    async with gateway([route("/", to, header_down=edits)], [to]) as running, await running.client() as client:
        client.request("GET", "/", "Connection: Upgrade", "Upgrade: websocket")
        head = await client.head()
    assert sorted((name.lower(), value) for name, value in head.headers) == [
        ("connection", "Upgrade"), ("sec-websocket-accept", "abc"), ("upgrade", "websocket"), ("x-kept", "1"),
        ("x-new", "1"),
    ]  # fmt: skip
