"""A platform for the doctor's tests: a real API with the real controllers, the gateway's verdicts and the console's.

What a node and the workload controllers of a cluster would write is written here in their forms: the embedded cluster
runs no pods.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.console.bundles.keeper import BundleKeeper
from dovetail.console.bundles.store import BundleStore
from dovetail.kube import EVENTS, NODES, Client, ControllerRuntime, Object, ResourceLike, now, rfc3339
from dovetail.lifecycle.doctor import report
from dovetail.lifecycle.doctor.diagnosing import examine
from dovetail.lifecycle.doctor.ranking import Diagnosis
from dovetail.lifecycle.doctor.waiting import Patience
from tests.conftest import KubeApi, free_port
from tests.gateway_control.test_availability import control, server
from tests.lifecycle.platform import API_OBJECTS, controllers, package, plan, publish, until

PATIENCE = Patience(still=0.6, settle=3600.0)
"""Nothing of a test is old, and its controllers are quick."""
AT_ONCE = Patience(still=0.4, settle=-1.0)
"""For what is looked at while nobody works."""


PORT = free_port()
"""Of the backend, for the whole run: what is installed stays well when another platform takes over."""


@dataclass
class Rig:
    """A running platform. `url` is a backend that answers."""

    client: Client
    kubeconfig: Path
    url: str = ""

    async def publish(self, name: str, version: str = "1.0.0", spec: Any = None, **files: str) -> None:
        """A package whose backend answers, with further files (path to text)."""
        files = {"templates/api.yaml": API_OBJECTS.replace("http://127.0.0.1:9", self.url), **files}
        await publish(self.client, name, version, package(name, version, **files), **(spec or {}))

    async def plan(self, name: str, version: str = "1.0.0", **spec: Any) -> Object:
        return await plan(self.client, name, version, **spec)

    async def until_state(self, name: str, *states: str) -> Object:
        def there(obj: Object) -> bool:
            return (obj.get("status") or {}).get("state") in states

        return await until(lambda: self.client.get(INSTALLPLANS, name), there, f"{name} in {states}")

    async def until_told(self, name: str, reason: str) -> Object:
        """A condition of the plan with this reason."""

        def there(obj: Object) -> bool:
            conditions = (obj.get("status") or {}).get("conditions") or []
            return any(each.get("reason") == reason for each in conditions)

        return await until(lambda: self.client.get(INSTALLPLANS, name), there, f"{name} with {reason}")

    async def until_condition(self, resource: ResourceLike, name: str, type: str, status: str) -> Object:
        def there(obj: Object) -> bool:
            conditions = (obj.get("status") or {}).get("conditions") or []
            return any((each.get("type"), each.get("status")) == (type, status) for each in conditions)

        return await until(lambda: self.client.get(resource, name), there, f"{name}: {type} {status}")

    async def status(self, resource: ResourceLike, obj: Object, **status: Any) -> None:
        """Write a status as its controller would."""
        meta = obj["metadata"]
        await self.client.patch(resource, meta["name"], {"status": status}, meta.get("namespace"), subresource="status")

    async def event(self, about: Object, reason: str, message: str) -> None:
        meta = about["metadata"]
        reference = {
            "apiVersion": about["apiVersion"], "kind": about["kind"], "name": meta["name"], "uid": meta["uid"],
            "namespace": meta["namespace"],
        }  # fmt: skip
        event = {
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"generateName": "doctor-", "namespace": meta["namespace"]},
            "involvedObject": reference, "reason": reason, "message": message, "type": "Warning",
            "lastTimestamp": rfc3339(now()), "count": 3,
        }  # fmt: skip
        await self.client.create(EVENTS, event, meta["namespace"])

    async def add_node(self, name: str, ready: str = "True") -> Object:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        made = await self.client.create(NODES, node)
        told = {
            "type": "Ready",
            "status": ready,
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
        await self.status(NODES, made, conditions=[told])
        return made

    async def diagnosis(self, name: str, patience: Patience = PATIENCE) -> Diagnosis:
        return await examine(self.client, name, patience)


@contextlib.asynccontextmanager
async def platform(api: KubeApi, *, node: bool = True, **settings: Any) -> AsyncIterator[Rig]:
    """Everything that runs on a platform, in this process, next to a backend that answers."""
    async with (
        api.client() as client,
        server(port=PORT) as port,
        control(client),
        console(client),
        controllers(api.kubeconfig, **settings),
    ):
        rig = Rig(client, api.kubeconfig, f"http://127.0.0.1:{port}")
        if node:
            await rig.add_node("doctors-node")
        try:
            yield rig
        finally:
            if node:
                await client.delete(NODES, "doctors-node")


@contextlib.asynccontextmanager
async def console(client: Client) -> AsyncIterator[None]:
    """The part of the console's process that keeps the bundles' statuses."""
    runtime = ControllerRuntime(client)
    BundleKeeper(runtime, BundleStore())
    ready = asyncio.Event()
    task = asyncio.create_task(runtime.run(ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 20)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


Inject = Callable[[Rig, str], Awaitable[Any]]


@dataclass(frozen=True)
class Fault:
    """What is done to an extension called `name`, and the root cause that must be told first."""

    name: str
    cause: str
    inject: Inject


def first(diagnosis: Diagnosis) -> str:
    """The code of the first root cause."""
    return diagnosis.roots[0].finding.cause.code if diagnosis.roots else "(none)"


def shown(diagnosis: Diagnosis) -> str:
    return report.as_text([diagnosis], "en")


def unsafe_words(diagnosis: Diagnosis) -> list[str]:
    """Commands that could take something away, and actions that are not another attempt."""
    findings = [one for root in diagnosis.roots for one in (root.finding, *root.symptoms)]
    risky = ("delete", "--force", "force-delete", "finalizers", "drain", "replace", "scale", "ignore-", "allow-")
    said = [command for one in findings for command in one.commands if any(word in command for word in risky)]
    kinds = {one.action.of.kind for one in findings if one.action is not None}
    return said + sorted(kinds - {"InstallPlan", "Repository"})


async def all_at_once(rig: Rig, faults: list[Fault], at_once: int = 6) -> dict[str, tuple[str, Diagnosis | str]]:
    """Every fault injected and diagnosed: name -> (expected cause, diagnosis or what went wrong)."""
    limit = asyncio.Semaphore(at_once)

    async def one(fault: Fault) -> tuple[str, tuple[str, Diagnosis | str]]:
        async with limit:
            try:
                await fault.inject(rig, fault.name)
                return fault.name, (fault.cause, await rig.diagnosis(fault.name))
            except Exception as error:
                return fault.name, (fault.cause, f"{type(error).__name__}: {error}")

    return dict(await asyncio.gather(*map(one, faults)))


def wrong(found: dict[str, tuple[str, Diagnosis | str]]) -> str:
    """What was not diagnosed right, to read."""
    lines: list[str] = []
    for name, (expected, diagnosis) in found.items():
        if isinstance(diagnosis, str):
            lines.append(f"{name}: expected {expected}, but the fault could not be made: {diagnosis}")
        elif first(diagnosis) != expected:
            lines.append(f"{name}: expected {expected}, got {first(diagnosis)}\n{shown(diagnosis)}")
        elif unsafe := unsafe_words(diagnosis):
            lines.append(f"{name}: {unsafe}")
        elif diagnosis.unread:
            lines.append(f"{name}: {diagnosis.unread}")
    return "\n".join(lines)
