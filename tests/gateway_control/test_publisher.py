"""The publisher and the workers' side of it: the latest snapshot reaches everybody, and nobody holds up anybody."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dovetail.gateway.delta import Delta, decode_frame, delta_between, encode_delta
from dovetail.gateway.private_socket import listening
from dovetail.gateway.proxy.following import follow
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import ACK, LENGTH, Snapshot, encode
from dovetail.routing.model import Match, Route, RouteTable


async def until(holds, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def adopting(seen: list[int]) -> Callable[[Snapshot], int]:
    """A worker that only remembers which generations it was given."""

    def adopt(snapshot: Snapshot) -> int:
        seen.append(snapshot.generation)
        return snapshot.generation

    return adopt


async def test_every_worker_gets_the_latest(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    adopted: list[list[int]] = [[], []]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publisher.run())]
        await until((tmp_path / "s").exists)
        tasks += [group.create_task(follow(tmp_path / "s", adopting(adopted[n]))) for n in range(2)]
        for generation in (1, 2, 3):
            await publisher.publish(Snapshot(generation=generation))
        await until(lambda: publisher.serving == (3, 3))
        for task in tasks:
            task.cancel()

    assert [seen[-1] for seen in adopted] == [3, 3]
    assert all(seen == sorted(seen) for seen in adopted)


async def test_a_worker_that_comes_late_gets_what_is_in_force(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    adopted: list[int] = []
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(publisher.run())
        await until((tmp_path / "s").exists)
        await publisher.publish(Snapshot(generation=7))
        following = group.create_task(follow(tmp_path / "s", adopting(adopted)))
        await until(lambda: adopted == [7])
        serving.cancel()
        following.cancel()


async def test_the_last_snapshot_stays_and_a_new_control_is_found(tmp_path: Path) -> None:
    adopted: list[int] = []
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow(tmp_path / "s", adopting(adopted)))
        for generation in (1, 2):
            publisher = Publisher(tmp_path / "s")
            serving = group.create_task(publisher.run())
            await publisher.publish(Snapshot(generation=generation))
            await until(lambda wanted=generation: adopted[-1:] == [wanted])
            serving.cancel()
            await asyncio.wait({serving}, timeout=10)
        following.cancel()

    assert adopted == [1, 2]


async def test_a_worker_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    adopted: list[int] = []
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(publisher.run())
        await until((tmp_path / "s").exists)
        _, mute = await asyncio.open_unix_connection(tmp_path / "s")
        following = group.create_task(follow(tmp_path / "s", adopting(adopted)))
        try:
            for generation in range(1, 20):
                await publisher.publish(Snapshot(generation=generation))
            await until(lambda: adopted[-1:] == [19])
        finally:
            mute.close()
            await mute.wait_closed()
        serving.cancel()
        following.cancel()


async def test_the_socket_is_private(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    serving = asyncio.create_task(publisher.run())
    try:
        await until((tmp_path / "s").exists)
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    finally:
        serving.cancel()
        await asyncio.wait({serving}, timeout=10)


async def test_the_end_leaves_no_connection_and_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        try:
            writer.write(bytes(1 << 24))  # more than anybody reads
            await writer.drain()
        finally:
            ended.set()

    async with asyncio.timeout(10), contextlib.AsyncExitStack() as stack:
        async with listening(tmp_path / "s", serve):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
            stack.callback(writer.close)
            await begun.wait()
        assert ended.is_set()
        with contextlib.suppress(ConnectionError):
            await reader.read()
    await asyncio.sleep(0)
    assert not caplog.records


async def test_changes_travel_as_deltas_and_a_worker_that_lost_its_place_gets_the_whole(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    routes = tuple(Route(id=str(n), match=Match("prefix", f"/{n}"), upstream="u") for n in range(200))
    held: list[Snapshot] = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(publisher.run())]
        await until((tmp_path / "s").exists)
        tasks.append(group.create_task(follow(tmp_path / "s", keeping(held))))
        for generation in range(1, 20):
            table = RouteTable(routes=routes[generation:])
            await publisher.publish(Snapshot(generation=generation, table=table))
            await until(lambda: publisher.in_step)
            assert held[-1].table == table
        assert (publisher.sent_whole, publisher.sent_deltas) == (1, 18)
        assert held[-1].table.routes[0] is held[-2].table.routes[1], "the worker holds the same objects"

        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        try:
            assert isinstance(await frame(reader), Snapshot)
            writer.write(ACK.pack(19))
            await until(lambda: publisher.serving == (19, 19))
            await publisher.publish(Snapshot(generation=20, table=table))
            assert isinstance(await frame(reader), Delta)
            writer.write(ACK.pack(0))
            assert isinstance(await frame(reader), Snapshot)
            writer.write(ACK.pack(20))
            await until(lambda: publisher.serving == (20, 20))
        finally:
            writer.close()
        await until(lambda: publisher.serving == (20,))
        for task in tasks:
            task.cancel()


async def test_a_worker_asks_for_the_whole_when_a_delta_does_not_fit(tmp_path: Path) -> None:
    held: list[Snapshot] = []
    asked: list[int] = []
    first = Snapshot(generation=1, table=RouteTable(routes=(Route(id="a", match=Match("prefix", "/a"), upstream="u"),)))
    second = Snapshot(generation=2, issuer="new", table=first.table)
    strange = delta_between(Snapshot(generation=7), second)

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            changed = encode_delta(delta_between(first, second))
            for sent in (encode(first), encode_delta(strange), changed, encode(second)):
                writer.write(sent)
                asked.extend(ACK.unpack(await reader.readexactly(ACK.size)))

    server = await asyncio.start_unix_server(control, tmp_path / "s")
    async with server, asyncio.TaskGroup() as group:
        following = group.create_task(follow(tmp_path / "s", keeping(held)))
        await until(lambda: len(asked) >= 4)
        following.cancel()
    assert asked[:4] == [1, 0, 0, 2]
    assert held[:2] == [first, second]


def keeping(held: list[Snapshot]) -> Callable[[Snapshot], int]:
    """A worker that remembers what it was given."""

    def adopt(snapshot: Snapshot) -> int:
        held.append(snapshot)
        return snapshot.generation

    return adopt


async def frame(reader: asyncio.StreamReader) -> Snapshot | Delta:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return decode_frame(await reader.readexactly(length))
