"""Retries: what is tried again, how often, where, and what never is."""

import asyncio
from typing import Any

import pytest

from dovetail.routing.model import Address, Upstream
from dovetail.routing.traffic import Breaker, Retries, Traffic
from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend, Handler, Seen, answer, read_body
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import gateway, route, upstream


def rules(**fields: Any) -> Traffic:
    more = {name: fields.pop(name) for name in ("breaker", "request_timeout", "reject_redirects") if name in fields}
    fields = {"attempts": 2, "back_off": 0.001, "max_back_off": 0.002, **fields}
    return Traffic(retries=Retries(**fields), **more)


def script(*steps: str) -> Handler:
    """One step a request: a status, `reset`, `garbage`, `hang`. The last one for all that follow."""
    left = list(steps)

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        step = left.pop(0) if len(left) > 1 else left[0]
        if step == "reset":
            writer.transport.abort()
            return True
        if step == "hang":
            await asyncio.sleep(PATIENCE)
        if step == "garbage":
            writer.write(b"SSH-2.0-x\r\n\r\n")
            return False
        body = b"%d bytes" % len(seen.body)
        if step == "half":
            writer.write(answer(body)[:-2])
            await writer.drain()
            writer.transport.abort()
            return True
        writer.write(answer(body, f"{step} Whatever", "X-Try: 1"))
        return False

    return handler


@pytest.mark.parametrize("failure", ["502", "503", "504", "reset", "garbage"])
async def test_a_failed_try_is_followed_by_another(failure: str) -> None:
    backend = await Backend(script(failure, failure, "200")).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules())], [to]) as running, await running.client() as client:
        client.request("GET", "/a?b")
        got = await client.answer()
        assert (got.status, got.body) == (200, b"0 bytes")
        client.request("HEAD", "/a?b")
        assert (await client.answer(head_only=True)).status == 200
    assert [seen.target for seen in backend.seen] == ["/a?b"] * 4
    assert len({str(seen.headers) for seen in backend.seen[:3]}) == 1, "each try is the same request"


@pytest.mark.parametrize(
    ("method", "failure", "fields", "tries"),
    [
        ("GET", "503", {"attempts": 4}, 5),
        ("GET", "500", {}, 1),
        ("GET", "404", {}, 1),
        ("GET", "503", {"on": ("Reset",)}, 1),
        ("GET", "reset", {"on": ("Reset",)}, 3),
        ("POST", "503", {}, 1),
        ("PATCH", "reset", {}, 1),
        ("DELETE", "503", {}, 3),
        ("OPTIONS", "503", {}, 3),
        ("PUT", "502", {}, 3),
        ("GET", "half", {}, 1),
    ],
)
async def test_how_often_a_request_is_sent(method: str, failure: str, fields: dict[str, Any], tries: int) -> None:
    backend = await Backend(script(failure)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules(**fields))], [to]) as running:
        body = b"x" * 100 if method in ("PUT", "PATCH", "POST") else None
        if failure == "half":
            with pytest.raises(asyncio.IncompleteReadError):
                await running.once(method, "/", body=body)
        else:
            got = await running.once(method, "/", body=body)
            assert got.status == (502 if failure == "reset" else int(failure))
            assert got.get("x-try") == (None if failure == "reset" else "1"), "the last answer is the client's"
    assert len(backend.seen) == tries


async def test_a_small_body_is_sent_again_and_a_large_one_is_not() -> None:
    backend = await Backend(script("503", "200")).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules(max_body=1000))], [to]) as running:
        got = await running.once("PUT", "/", body=b"x" * 1000)
        assert (got.status, got.body) == (200, b"1000 bytes")
        assert [len(seen.body) for seen in backend.seen] == [1000, 1000]
        backend.handler = script("503", "200")
        assert (await running.once("PUT", "/", body=b"x" * 1001)).status == 503
        backend.handler = script("503", "200")
        async with await running.client() as client:  # in pieces, some of them after the first answer
            client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await asyncio.sleep(0.02)
            client.send(b"4\r\ndefg\r\n")
            await asyncio.sleep(0.02)
            client.send(b"0\r\n\r\n")
            assert (await client.answer()).body == b"7 bytes"
        assert backend.seen[-1].body == b"abcdefg"


async def test_a_body_that_is_still_coming_when_the_try_fails() -> None:
    seen_bodies: list[bytes] = []

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if not seen_bodies:
            seen_bodies.append(b"")
            writer.write(answer(b"early", "503 No"))  # before the body is there
            return False
        seen_bodies.append(await read_body(reader, seen))
        writer.write(answer())
        return False

    backend = await Backend(handler, read_bodies=False).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules())], [to]) as running, await running.client() as client:
        client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.answer()).status == 100
        client.send(b"01234")
        while len(seen_bodies) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        client.send(b"56789")
        got = await client.answer()
        assert got.status == 200, "no second 100 in between"
    assert seen_bodies == [b"", b"0123456789"]


async def test_the_next_address_is_tried_first() -> None:
    bad, good = await Backend(script("503")).start(), await Backend(script("200")).start()
    addresses = (Address("127.0.0.1", bad.port), Address("127.0.0.1", good.port))
    to = upstream(0, addresses=addresses)
    async with gateway([route("/", to, traffic=rules(attempts=1))], [to]) as running:
        codes = [(await running.once("GET", "/")).status for _ in range(10)]
    assert codes == [200] * 10
    assert (len(bad.seen), len(good.seen)) == (5, 10)


async def test_a_connection_that_cannot_be_made_is_tried_again() -> None:
    port = free_port()
    to = upstream(port)
    patient = rules(attempts=10, back_off=0.3, max_back_off=0.3)
    async with gateway([route("/", to, traffic=patient)], [to]) as running:
        waiting = asyncio.create_task(running.once("GET", "/"))
        await asyncio.sleep(0.05)
        server = await asyncio.start_server(_ok, "127.0.0.1", port)
        async with server:
            assert (await waiting).status == 200


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer())
    writer.close()


async def test_a_try_has_a_time_of_its_own() -> None:
    backend = await Backend(script("hang", "200")).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules(per_try_timeout=0.2))], [to]) as running:
        assert (await running.once("GET", "/")).status == 200
        backend.handler = script("hang")
        got = await running.once("GET", "/")
        assert got.is_status(504)
        assert "0.2 s" in got.json()["message"]
        assert len(backend.seen) == 2 + 3
        assert (await running.once("POST", "/", body=b"x")).is_status(504), "no second try, but the time counts"


async def test_the_whole_request_has_a_time_too() -> None:
    backend = await Backend(script("503")).start()
    to = upstream(backend.port)
    slow = rules(attempts=10, back_off=3600.0, max_back_off=3600.0, request_timeout=0.3)
    async with gateway([route("/", to, traffic=slow)], [to]) as running:
        got = await running.once("GET", "/")
        assert got.is_status(504)
        assert "0.3 s" in got.json()["message"]
    assert len(backend.seen) == 1


async def test_retries_have_a_budget() -> None:
    """Ten requests fail at the same time: no more than three retries are under way then, whatever `attempts` says."""
    gate = asyncio.Event()

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if len(backend.seen) <= 10:
            await gate.wait()
        writer.write(answer(b"", "503 No"))
        return False

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    slow = rules(attempts=1, back_off=3600.0, max_back_off=3600.0, request_timeout=1.5, budget_percent=20)
    async with gateway([route("/", to, traffic=slow)], [to]) as running:
        asked = [asyncio.create_task(running.once("GET", "/")) for _ in range(10)]
        while len(backend.seen) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        gate.set()
        codes = sorted([(await task).status for task in asked])
    assert codes == [503] * 7 + [504] * 3, "three wait for their turn, which does not come in time"


async def test_the_breaker_may_set_the_budget() -> None:
    backend = await Backend(script("503")).start()
    to: Upstream = upstream(backend.port, breaker=Breaker(name="x", max_retries=0))
    async with gateway([route("/", to, traffic=rules(breaker=True))], [to]) as running:
        assert (await running.once("GET", "/")).status == 503
    assert len(backend.seen) == 1


async def test_an_open_circuit_is_not_tried_again_and_retries_open_it() -> None:
    backend = await Backend(script("503")).start()
    to = upstream(backend.port, breaker=Breaker(name="x", consecutive_failures=2, ejection_time=60.0))
    async with gateway([route("/", to, traffic=rules(attempts=9, breaker=True))], [to]) as running:
        got = await running.once("GET", "/")
        assert got.is_status(503)
        assert "circuit breaker (open)" in got.json()["message"]
    assert len(backend.seen) == 2


async def test_a_client_that_goes_away_ends_the_tries() -> None:
    backend = await Backend(script("503")).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules(attempts=10, back_off=0.2, max_back_off=0.2))], [to]) as running:
        async with await running.client() as client:
            client.request("GET", "/")
            while not backend.seen:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.3)
        before = len(backend.seen)
        await asyncio.sleep(0.5)
        assert len(backend.seen) == before


async def test_a_pooled_connection_that_has_died_costs_no_try() -> None:
    backend = await Backend(script("200", "reset", "200")).start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=rules(attempts=0, breaker=False))], [to]) as running:
        assert (await running.once("GET", "/")).status == 200
        assert (await running.once("GET", "/")).status == 200, "it was closed while it lay in the pool"
    assert len(backend.seen) == 3
