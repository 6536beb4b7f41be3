"""The client against a real Kubernetes-compatible API in another process, which is killed and comes back."""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dovetail.kube import (
    CONFIGMAPS,
    EVENTS,
    LEASES,
    NAMESPACES,
    AlreadyExists,
    Client,
    Conflict,
    EventRecorder,
    Informer,
    Invalid,
    NotFound,
    UnknownKind,
    key_of,
)
from tests.conftest import KubeApi
from tests.kube.canned import eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[Client]:
    async with kube_api.client() as opened:
        yield opened


@pytest.fixture
async def namespace(client: Client) -> str:
    name = f"kube-{uuid.uuid4().hex[:8]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


@asynccontextmanager
async def following(informer: Informer) -> AsyncIterator[None]:
    task = asyncio.create_task(informer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def configmap(namespace: str, name: str, **data: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


async def test_the_life_of_an_object(client: Client, namespace: str) -> None:
    created = await client.create(CONFIGMAPS, configmap(namespace, "a", x="1"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, configmap(namespace, "a"))
    updated = await client.update(CONFIGMAPS, {**created, "data": {"x": "2"}})
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, {**created, "data": {"x": "3"}})
    patched = await client.patch(CONFIGMAPS, "a", {"data": {"y": "4"}}, namespace)
    assert (updated["data"], patched["data"]) == ({"x": "2"}, {"x": "2", "y": "4"})
    operations = [{"op": "remove", "path": "/data/x"}]
    assert (await client.patch(CONFIGMAPS, "a", operations, namespace, content="json"))["data"] == {"y": "4"}
    applied = await client.apply(CONFIGMAPS, configmap(namespace, "a", z="5"), field_manager="t", force=True)
    assert applied["data"] == {"y": "4", "z": "5"}
    with pytest.raises(Invalid):
        await client.create(CONFIGMAPS, configmap(namespace, "Not A Name"))
    with pytest.raises(Conflict):
        await client.delete(CONFIGMAPS, "a", namespace, uid="another")
    await client.delete(CONFIGMAPS, "a", namespace, uid=created["metadata"]["uid"])
    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "a", namespace)


async def test_lists_pages_selectors_and_collections(client: Client, namespace: str) -> None:
    for at in range(7):
        obj = configmap(namespace, f"c{at}")
        obj["metadata"]["labels"] = {"even": str(at % 2 == 0).lower(), "dovetail": "test"}
        await client.create(CONFIGMAPS, obj)
    paged = await client.list(CONFIGMAPS, namespace, limit=2, label_selector="dovetail=test")
    assert sorted(key_of(obj).name for obj in paged.items) == [f"c{at}" for at in range(7)]
    even = await client.list(CONFIGMAPS, namespace, label_selector="even=true", metadata_only=True)
    assert len(even.items) == 4
    assert {tuple(sorted(obj)) for obj in even.items} == {("apiVersion", "kind", "metadata")}
    one = await client.list(CONFIGMAPS, namespace, field_selector="metadata.name=c3")
    assert [key_of(obj).name for obj in one.items] == ["c3"]
    await client.delete_collection(CONFIGMAPS, namespace, label_selector="even=true")
    left = await client.list(CONFIGMAPS, namespace, label_selector="dovetail=test")
    assert sorted(key_of(obj).name for obj in left.items) == ["c1", "c3", "c5"]


async def test_a_watch_tells_every_change_in_order(client: Client, namespace: str) -> None:
    start = (await client.list(CONFIGMAPS, namespace)).resource_version
    await client.create(CONFIGMAPS, configmap(namespace, "w", x="1"))
    await client.patch(CONFIGMAPS, "w", {"data": {"x": "2"}}, namespace)
    await client.delete(CONFIGMAPS, "w", namespace)
    told: list[tuple[str, str]] = []
    watch = client.watch(CONFIGMAPS, namespace, resource_version=start, timeout=5)
    async with asyncio.timeout(10), contextlib.aclosing(watch) as events:
        async for event in events:
            if key_of(event.object).name == "w":
                told.append((event.type, event.object["data"]["x"]))
            if event.type == "DELETED":
                break
    assert told == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


async def test_discovery(client: Client) -> None:
    assert await client.discover("v1", "ConfigMap") == CONFIGMAPS
    assert LEASES in {served.resource for served in await client.discover_all()}
    with pytest.raises(UnknownKind):
        await client.discover("nowhere.example/v1", "Nothing")


async def test_events_are_counted(client: Client, namespace: str) -> None:
    obj = await client.create(CONFIGMAPS, configmap(namespace, "e"))
    recorder = EventRecorder(client, "tests")
    for _ in range(3):
        await recorder.record(obj, "Warning", "Broken", "it is")
    found = (await client.list(EVENTS, namespace)).items
    assert [(event["count"], event["involvedObject"]["name"]) for event in found] == [(3, "e")]


async def test_an_informer_survives_a_killed_server(own_kube_api: KubeApi) -> None:
    """SIGKILL in the middle of a watch; changes right after the restart; nothing is lost, nothing told twice."""
    async with own_kube_api.client() as client:
        informer = Informer(client, CONFIGMAPS, namespace="default", label_selector="t=1")
        told: list[tuple[str, str]] = []
        informer.add_handler(lambda type_, old, new: told.append((type_, key_of(new).name)))

        async def put(name: str) -> None:
            obj = configmap("default", name)
            obj["metadata"]["labels"] = {"t": "1"}
            await client.create(CONFIGMAPS, obj)

        async with following(informer):
            await informer.wait_synced(20)
            await put("before")
            await eventually(lambda: len(told) == 1, 10)
            for round_ in range(2):
                await asyncio.to_thread(own_kube_api.restart)
                await put(f"after{round_}")
                await client.delete(CONFIGMAPS, "before" if round_ == 0 else "after0", "default")
                await eventually(lambda count=3 + 2 * round_: len(told) >= count, 20)
            assert told == [
                ("ADDED", "before"), ("ADDED", "after0"), ("DELETED", "before"),
                ("ADDED", "after1"), ("DELETED", "after0"),
            ]  # fmt: skip
            assert [key_of(obj).name for obj in informer.lister] == ["after1"]
            assert informer.problem is None


REPLICA = """
import asyncio, sys
from pathlib import Path
from dovetail.kube import Client, ClusterConfig, LeaderElector, LeaseSettings

async def main(kubeconfig, namespace, name):
    async def lead():
        print("leading", flush=True)
        await asyncio.Event().wait()
    settings = LeaseSettings(duration=2.0, renew_deadline=1.5, retry=0.1)
    async with Client(ClusterConfig.load(Path(kubeconfig))) as client:
        await LeaderElector(client, "election", namespace, identity=name, settings=settings).run(lead)

asyncio.run(main(*sys.argv[1:]))
"""


async def replica(kubeconfig: Path, namespace: str, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", REPLICA, str(kubeconfig), namespace, name, stdout=asyncio.subprocess.PIPE
    )


async def test_of_two_processes_one_leads_and_the_other_takes_over(
    kube_api: KubeApi, client: Client, namespace: str
) -> None:
    first = await replica(kube_api.kubeconfig, namespace, "first")
    second = None
    try:
        async with asyncio.timeout(40):
            assert first.stdout is not None
            assert await first.stdout.readline() == b"leading\n"
            second = await replica(kube_api.kubeconfig, namespace, "second")
            assert second.stdout is not None
            waiting = asyncio.create_task(second.stdout.readline())
            await asyncio.sleep(3.5)  # longer than the lease: it is being renewed
            assert not waiting.done()
            os.kill(first.pid, signal.SIGKILL)
            assert await waiting == b"leading\n"
        spec = (await client.get(LEASES, "election", namespace))["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)
    finally:
        for process in (first, second):
            if process is not None:
                if process.returncode is None:
                    process.kill()
                await process.communicate()
