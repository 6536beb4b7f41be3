"""Limits of a route: times for a connection, the first byte, silence, the whole exchange; and the size of a body."""

import asyncio
import time

import pytest

from dovetail.routing.traffic import Traffic
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import gateway, route, upstream
from tests.gateway_proxy.test_failures import full_listener


async def slowly(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """`/hang`: nothing. `/stall`: half an answer. `/drip`: one byte at a time, for ever."""
    what = seen.target.rpartition("/")[2]
    if what == "ok":
        writer.write(answer())
        return False
    if what != "hang":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
    while what == "drip" and not writer.is_closing():
        writer.write(b".")
        await asyncio.sleep(0.02)
    await asyncio.sleep(PATIENCE)
    return True


async def test_each_time_has_its_limit_and_others_have_theirs() -> None:
    backend = await Backend(slowly).start()
    with full_listener() as stuck:
        connect = upstream(stuck, connect_timeout=0.4)
        first = upstream(backend.port, response_timeout=0.4)
        idle = upstream(backend.port, idle_timeout=0.4)
        patient = upstream(backend.port)
        whole = Traffic(request_timeout=1.2)
        routes = [
            route("/connect", connect), route("/first", first), route("/idle", idle), route("/free", patient),
            route("/whole", patient, traffic=whole), route("/both", connect, traffic=whole),
        ]  # fmt: skip
        async with gateway(routes, [connect, first, idle, patient]) as running:
            for target in ("/connect/ok", "/first/hang", "/whole/hang", "/both/ok"):
                got = await running.once("GET", target)
                assert got.is_status(504), target
                assert ("1.2 s" if target == "/whole/hang" else "0.4 s") in got.json()["message"]
            for target in ("/idle/stall", "/whole/stall", "/whole/drip"):
                with pytest.raises(asyncio.IncompleteReadError):  # never half an answer for a whole one
                    await running.once("GET", target)
            for target in ("/first/ok", "/idle/ok", "/whole/ok", "/free/ok"):
                assert (await running.once("GET", target)).status == 200
            async with await running.client() as client:
                client.request("GET", "/free/drip")
                assert (await client.head()).status == 200
                assert len(await client.reader.readexactly(60)) == 60, "without limits an answer may take its time"


async def test_the_whole_exchange_includes_the_requests_body() -> None:
    backend = await Backend(slowly).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=Traffic(request_timeout=1.5))], [to]) as running:
        begun = time.monotonic()
        async with await running.client() as client:
            client.request("PUT", "/ok", "Content-Length: 1000")
            client.send(b"some")
            got = await client.answer()
            assert got.is_status(504)
            assert got.get("connection") == "close"
            assert await client.rest() == b""
        assert time.monotonic() - begun >= 1.5
        async with await running.client() as client:
            for _ in range(3):  # a limit ends with its request
                client.request("GET", "/ok")
                assert (await client.answer()).status == 200
                await asyncio.sleep(0.8)


async def test_each_route_has_its_own_largest_body() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(request_timeout=PATIENCE)
    routes = [route("/small", to, max_body=10), route("/ruled", to, max_body=10, traffic=rules), route("/large", to)]
    async with gateway(routes, [to]) as running:
        for path, size, status in (("/small", 10, 200), ("/small", 11, 413), ("/large", 100_000, 200),
                                   ("/ruled", 10, 200), ("/ruled", 11, 413)):  # fmt: skip
            assert (await running.once("PUT", path, body=b"x" * size)).status == status, (path, size)
        for path, status in (("/small", 413), ("/ruled", 413), ("/large", 200)):
            async with await running.client() as client:
                client.send(f"PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                client.send(b"8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n")
                assert (await client.answer()).status == status
