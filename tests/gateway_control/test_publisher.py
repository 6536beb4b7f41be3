"""The publisher and the workers' side of it: the latest snapshot reaches everybody, and nobody holds up anybody."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from dovetail.gateway.proxy.following import follow
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot


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
            await asyncio.wait({serving})
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
        for generation in range(1, 20):
            await publisher.publish(Snapshot(generation=generation))
        await until(lambda: adopted[-1:] == [19])
        mute.close()
        await mute.wait_closed()
        serving.cancel()
        following.cancel()


async def test_the_socket_is_private(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path / "s")
    serving = asyncio.create_task(publisher.run())
    await until((tmp_path / "s").exists)
    await until(lambda: (tmp_path / "s").stat().st_mode & 0o777 == 0o600)
    serving.cancel()
    await asyncio.wait({serving})
