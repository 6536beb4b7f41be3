"""Snapshots: swapped between two requests, kept when control is gone, refused when they cannot be served."""

import asyncio
import contextlib
import struct

from dovetail.routing.model import Match, Route
from tests.gateway_proxy.backend import Backend, always, answer
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import bearer, gateway, gateway_process, route, snapshot, upstream


async def test_a_swap_loses_no_request() -> None:
    old, new = await Backend(always(answer(b"old"))).start(), await Backend(always(answer(b"new"))).start()
    first, second = upstream(old.port), upstream(new.port)
    async with gateway_process([route("/", first)], [first]) as running:
        done = asyncio.Event()
        counts = {b"old": 0, b"new": 0}

        async def load(number: int) -> None:
            async with await running.client() as client:
                while not done.is_set():
                    if number % 2:
                        client.request("GET", "/")
                    else:
                        client.request("POST", "/", body=b"x" * 10_000)
                    got = await client.answer()
                    assert got.status == 200
                    counts[got.body] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(load(number))
            for turn in range(20):
                to = second if turn % 2 else first
                await running.serve([route("/", to), *_many(50, to, turn)], [to])
                await asyncio.sleep(0.03)
            done.set()
        assert counts[b"old"] > 20
        assert counts[b"new"] > 20
        assert (await running.once("GET", "/")).body == b"new", "in force once it is acknowledged"


def _many(count: int, to: object, turn: int) -> list[Route]:
    return [route(f"/turn-{turn}/{number}", to) for number in range(count)]  # type: ignore[arg-type]


async def test_a_request_in_flight_is_not_disturbed() -> None:
    go = asyncio.Event()

    async def handler(*_: object) -> None:
        await go.wait()
        _[2].write(answer(b"late"))  # type: ignore[attr-defined]

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("GET", "/")
        while not backend.seen:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await running.serve([], [])
        go.set()
        assert (await client.answer()).body == b"late"
        client.request("GET", "/")
        assert (await client.answer()).is_status(404), "the same connection follows the new table"


async def test_revoked_disabled_and_unknown_from_the_swap_on() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    routes = [route("/kapis/x.dev/v1/a", to, access="authorized")]
    async with gateway(routes, [to]) as running, await running.client() as client:
        mine, other = bearer(session="s-1"), bearer(session="s-2")

        async def status(line: str) -> int:
            client.request("GET", "/kapis/x.dev/v1/a", line)
            return (await client.answer()).status

        assert (await status(mine), await status(other)) == (200, 200)
        await running.serve(routes, [to], revoked_sessions=("s-1",))
        assert (await status(mine), await status(other)) == (401, 200)
        policy = running.control.last.policy if running.control.last else None
        assert policy is not None
        from msgspec.structs import replace

        await running.serve(routes, [to], policy=replace(policy, user_roles={}))
        assert await status(other) == 403
        await running.serve(routes, [to], policy=replace(policy, accounts={}))
        assert await status(other) == 401


async def test_the_last_snapshot_outlives_control() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/a", to)], [to]) as running:
        await running.control.stop()
        assert (await running.once("GET", "/a")).status == 200
        assert (await running.once("GET", "/livez")).status == 200
        running.control.last = snapshot(7, [route("/b", to)], [to])
        await running.control.start()
        async with asyncio.timeout(PATIENCE):
            while (await running.once("GET", "/b")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert (await running.once("GET", "/a")).is_status(404)


async def test_what_is_no_snapshot_changes_nothing() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/a", to)], [to]) as running:
        await running.control.stop()
        connected = asyncio.Event()

        async def liar(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(struct.pack(">I", 7) + b"rubbish")
            with contextlib.suppress(OSError):
                await writer.drain()
                await reader.read()
            writer.close()
            connected.set()

        with contextlib.suppress(FileNotFoundError):
            running.control.socket.unlink()
        async with await asyncio.start_unix_server(liar, running.control.socket):
            async with asyncio.timeout(PATIENCE):
                await connected.wait()
        assert (await running.once("GET", "/a")).status == 200


async def test_an_unservable_snapshot_leaves_the_last_one_in_force() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    bad = Route(id="bad", match=Match("glob", "no-slash*"), upstream=to.key, access="public")
    async with gateway([route("/a", to)], [to]) as running:
        last = running.control.last
        assert last is not None
        await running.control.publish(snapshot(2, [bad, route("/b", to)], [to]), wait=False)
        await asyncio.sleep(0.2)
        statuses = {(await running.once("GET", path)).status for path in ("/a", "/b")}
        assert statuses == {200, 404}, "one table or the other, whole"
