"""The runtime: shared informers, readiness, leadership, and the end."""

import asyncio
from typing import Any

import pytest

from dovetail.kube import (
    CONFIGMAPS,
    SECRETS,
    Client,
    ClusterConfig,
    Controller,
    ControllerRuntime,
    Key,
    LeaderElector,
    LeadershipLost,
    NotSynced,
)
from tests.kube.canned import Answer, Seen, canned, configmap, eventually, listing
from tests.kube.test_leases import FAST, LeaseServer


async def respond(seen: Seen, answer: Answer) -> None:
    if seen.is_watch:
        await answer.start()
        await answer.hang()
    else:
        await answer.json(listing(5, configmap("a", 1)))


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_informers_are_shared_synced_before_controllers_run_and_started_late() -> None:
    ready = asyncio.Event()
    reconciled: list[Key] = []
    async with canned(respond) as server, server.client() as client:
        runtime = ControllerRuntime(client)
        informer = runtime.informer(CONFIGMAPS)
        assert runtime.informer(CONFIGMAPS, indexers={"x": lambda obj: ["y"]}) is informer
        assert runtime.informer(CONFIGMAPS, namespace="n") is not informer

        async def reconcile(key: Key) -> None:
            assert ready.is_set()
            reconciled.append(key)

        controller = Controller("c", reconcile)
        controller.watches(informer)
        runtime.add(controller)
        task = asyncio.create_task(runtime.run(ready.set))
        await eventually(lambda: reconciled == [Key("default", "a")])
        assert len(informer.lister.by_index("x", "y")) == 1
        late = runtime.informer(SECRETS)
        await late.wait_synced(5)
        runtime.drop(late)
        assert runtime.informer(SECRETS) is not late
        await end(task)


async def test_not_ready_without_the_api() -> None:
    async with Client(ClusterConfig("http://127.0.0.1:1")) as client:
        runtime = ControllerRuntime(client, sync_timeout=0.3)
        runtime.informer(CONFIGMAPS)
        with pytest.raises(NotSynced, match="cannot be reached"):
            await runtime.run(lambda: pytest.fail("it is not ready"))


async def test_only_the_leader_works_but_a_standby_is_ready() -> None:
    leases = LeaseServer()
    working: list[str] = []

    async def serve(seen: Seen, answer: Answer) -> None:
        await (leases if "leases" in seen.path else respond)(seen, answer)

    async def replica(server: Any, name: str, ready: asyncio.Event) -> None:
        async def work() -> None:
            working.append(name)
            await asyncio.Event().wait()

        async with server.client() as client:
            elector = LeaderElector(client, "l", "n", identity=name, settings=FAST)
            runtime = ControllerRuntime(client, elector=elector)
            runtime.informer(CONFIGMAPS)
            runtime.add_task("work", work)
            await runtime.run(ready.set)

    async with canned(serve) as server:
        readies = [asyncio.Event(), asyncio.Event()]
        tasks = [asyncio.create_task(replica(server, str(at), ready)) for at, ready in enumerate(readies)]
        async with asyncio.timeout(10):
            await asyncio.gather(*(ready.wait() for ready in readies))
        await eventually(lambda: len(working) == 1)
        leader = int(working[0])
        leases.down = True
        with pytest.raises(LeadershipLost):
            async with asyncio.timeout(10):
                await tasks[leader]
        leases.down = False
        await eventually(lambda: len(working) == 2)
        await end(tasks[1 - leader])


async def test_a_task_that_fails_ends_the_runtime_with_its_error() -> None:
    async def work() -> None:
        raise ValueError("bug")

    async with canned(respond) as server, server.client() as client:
        runtime = ControllerRuntime(client)
        runtime.informer(CONFIGMAPS)
        runtime.add_task("work", work)
        with pytest.raises(ValueError, match="bug"):
            await runtime.run()
