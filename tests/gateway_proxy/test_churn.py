"""Routes that change all the time, workers that are killed and workers that are stopped: nobody loses a request, and
nobody is sent where he did not ask to go."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from dovetail.routing.model import HeaderEdit, Route, Upstream
from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.client import PATIENCE, Client
from tests.gateway_proxy.rig import Control, gateway_process, limits, route, snapshot, upstream, worker_process


async def echo(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tells by which route it was reached."""
    await asyncio.sleep(0.002)
    writer.write(answer(b"by " + (seen.get("x-route") or "none").encode()))


def labelled(number: int, to: Upstream) -> Route:
    label = HeaderEdit(op="set", name="X-Route", value=str(number))
    return route(f"/r{number}", to, header_up=(label,))


class Load:
    """Clients who ask without a pause, each for its own routes, and remember what went wrong."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.done = asyncio.Event()
        self.answered: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.told_to_go = 0

    async def keep_alive(self, number: int, may: tuple[int, ...] = (200,)) -> None:
        """Stays on its connection until it is told to go."""
        while not self.done.is_set():
            try:
                async with await Client.connect(self.port) as client:
                    while not self.done.is_set() and await self._ask(client, number, may):
                        pass
            except OSError as error:
                self.wrong.append(f"connecting: {error!r}")

    async def one_shot(self, number: int) -> None:
        """A connection for each request."""
        while not self.done.is_set():
            try:
                async with await Client.connect(self.port) as client:
                    await self._ask(client, number, (200,))
            except OSError as error:
                self.wrong.append(f"connecting: {error!r}")
            await asyncio.sleep(0.002)

    async def _ask(self, client: Client, number: int, may: tuple[int, ...]) -> bool:
        """One request. False when the connection is at its end."""
        try:
            client.request("GET", f"/r{number}/x")
            got = await client.answer()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.wrong.append(f"/r{number}: {error!r}")
            return False
        self.answered[got.status] += 1
        if got.status not in may or (got.status == 200 and got.body != b"by %d" % number):
            self.wrong.append(f"/r{number}: {got.status} {got.body[:40]!r}")
        closing = got.get("connection") == "close"
        self.told_to_go += closing
        return not closing


async def test_a_thousand_changes_a_minute_lose_and_misroute_nothing() -> None:
    one, two = await Backend(echo).start(), await Backend(echo).start()
    here, there = upstream(one.port), upstream(two.port)
    fixed = {number: (labelled(number, here), labelled(number, there)) for number in range(100)}
    moving = {number: labelled(number, here) for number in range(100, 200)}
    changes = 150
    async with gateway_process([each[0] for each in fixed.values()], [here, there]) as running:
        load = Load(running.port)
        async with asyncio.TaskGroup() as group:
            for number in range(0, 100, 20):
                group.create_task(load.keep_alive(number))
            for number in range(100, 200, 20):
                group.create_task(load.keep_alive(number, (200, 404)))
            for turn in range(2, changes + 2):
                routes = [each[(turn + number) % 2] for number, each in fixed.items()]
                routes += [moving[number] for number in moving if (number + turn) % 3]
                await running.control.publish(snapshot(turn, routes, [here, there]), wait=turn % 5 == 0)
                await asyncio.sleep(0.03)  # twice as often as a thousand a minute
            load.done.set()
        assert load.wrong == []
        assert load.answered[200] > 200
        assert load.answered[404] > 20
        assert one.seen
        assert two.seen
        publisher = running.control.publisher
        assert publisher is not None
        assert publisher.sent_whole == 1, "everything after the first snapshot came as a change"
        assert publisher.sent_deltas > changes // 5


@contextlib.asynccontextmanager
async def workers(control: Control, port: int) -> AsyncIterator[Callable[[], Awaitable[asyncio.subprocess.Process]]]:
    """Yields what starts one more worker on the same port."""
    async with contextlib.AsyncExitStack() as stack:
        yield lambda: stack.enter_async_context(worker_process(port, control))


@contextlib.asynccontextmanager
async def several() -> AsyncIterator[tuple[Control, int, Callable[[], Awaitable[asyncio.subprocess.Process]]]]:
    backend = await Backend(echo).start()
    to = upstream(backend.port)
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        control, port = Control(Path(directory) / "snapshot.sock", snapshot(1, [labelled(1, to)], [to])), free_port()
        await control.start()
        async with workers(control, port) as start:
            yield control, port, start
        await control.stop()


async def stopped(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        return await process.wait()


async def test_workers_that_are_replaced_one_after_the_other_lose_no_request() -> None:
    async with several() as (_, port, start):
        old = [await start(), await start()]
        load = Load(port)
        async with asyncio.TaskGroup() as group:
            for _unused in range(4):
                group.create_task(load.keep_alive(1))
                group.create_task(load.one_shot(1))
            for process in old:
                await start()
                before = sum(load.answered.values())
                assert await stopped(process) == 0
                await until(lambda before=before: sum(load.answered.values()) > before + 50)
            load.done.set()
        assert load.wrong == []
        assert load.told_to_go >= 2, "connections were told to go, not cut"


async def test_a_killed_worker_costs_its_own_connections_only_and_returns() -> None:
    async with several() as (control, port, start):
        killed, _ = await start(), await start()
        load = Load(port)
        async with asyncio.TaskGroup() as group:
            for _unused in range(6):
                group.create_task(load.keep_alive(1))
            await until(lambda: sum(load.answered.values()) > 100)
            assert load.wrong == []
            killed.kill()
            await killed.wait()
            await until(lambda: control.publisher is not None and len(control.publisher.serving) == 1)
            before = sum(load.answered.values())
            await until(lambda: sum(load.answered.values()) > before + 100)
            assert len(load.wrong) <= 6, "at most the request in flight on each connection"
            assert (await start()).returncode is None
            await until(lambda: control.publisher is not None and control.publisher.in_step)
            assert control.publisher is not None
            assert len(control.publisher.serving) == 2
            load.done.set()


async def test_a_request_that_arrives_while_the_worker_stops_has_its_answer() -> None:
    backend = await Backend(echo).start()
    to = upstream(backend.port)
    patient = limits(drain=30.0, drain_idle=PATIENCE)
    async with (
        gateway_process([labelled(1, to)], [to], limits=patient) as running,
        await running.client() as client,
        await running.client() as other,
    ):
        for each in (client, other):
            each.request("GET", "/r1/a")
            assert (await each.answer()).get("connection") is None
        os.kill(running.pid, signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            while True:  # the signal takes its time
                client.request("GET", "/r1/b")
                got = await client.answer()
                assert got.status == 200
                if got.get("connection") == "close":
                    break
        other.request("GET", "/r1/c")
        got = await other.answer()
        assert (got.status, got.get("connection")) == (200, "close"), "one that was idle, too"


async def until(said: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not said():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
