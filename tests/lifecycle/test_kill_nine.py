"""The controllers' process killed with -9 at points drawn by lot, during installs, upgrades, changes and uninstalls.

`make lifecycle-crash ROUNDS=50` draws fifty; the suite a few. A point is "when the n-th change of the extension's
objects was seen", so the draw is spread over the operation however fast the machine is; a failure tells its draw.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, INSTALLPLANS
from dovetail.kube import (
    CLUSTERROLES,
    CONFIGMAPS,
    NAMESPACES,
    SECRETS,
    SERVICEACCOUNTS,
    Client,
    KubeError,
    NotFound,
    key_of,
    labels_of,
)
from tests.conftest import KubeApi, install_crds
from tests.lifecycle.everything import Everything, everything, until_equal
from tests.lifecycle.platform import package, plan, publish, until, until_gone, until_settled
from tests.lifecycle.test_faults import is_receipt
from tests.lifecycle.test_interruptions import ended, records, start_controller, worker_of

ROUNDS = int(os.environ.get("DOVETAIL_LIFECYCLE_CRASH_ROUNDS", "4"))
SEED = int(os.environ.get("DOVETAIL_LIFECYCLE_CRASH_SEED", "6"))
WATCHED = (INSTALLPLANS, NAMESPACES, SERVICEACCOUNTS, CLUSTERROLES, SECRETS, CONFIGMAPS, JSBUNDLES)
VERSIONS = ("1.0.0", "1.1.0")
REF = "kubesphere.io/extension-ref"
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: hook
  annotations: {helm.sh/hook: "pre-install,post-install,pre-upgrade,post-upgrade,pre-delete"}
data: {version: {{ .Chart.Version | quote }}}
"""


@dataclass(frozen=True)
class Draw:
    """What the user does, and after how many changes the process dies."""

    action: str
    extension: str
    version: str
    changes: int
    seconds: float


@dataclass
class User:
    """Draws what happens next, and knows what must be in force: extension -> (version, color)."""

    chance: random.Random
    wanted: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    def draw(self, number: int) -> Draw:
        there = sorted(self.wanted)
        action = (
            self.chance.choice(["install", "install", "upgrade", "upgrade", "upgrade", "uninstall"])
            if there
            else "install"
        )
        extension = f"struck-{number}" if action == "install" else self.chance.choice(there)
        version = VERSIONS[0] if action == "install" else self.chance.choice(VERSIONS)
        return Draw(action, extension, version, self.chance.randint(1, 24), self.chance.uniform(0, 0.02))

    async def act(self, client: Client, draw: Draw) -> None:
        if draw.action == "uninstall":
            del self.wanted[draw.extension]
            await client.delete(INSTALLPLANS, draw.extension)
            return
        color = f"color-{self.chance.randint(0, 999)}"
        self.wanted[draw.extension] = (draw.version, color)
        await plan(client, draw.extension, draw.version, config=f"color: {color}\n")


@pytest.mark.timeout(60 + 15 * ROUNDS)
async def test_killed_at_points_drawn_by_lot(own_kube_api: KubeApi) -> None:
    install_crds(own_kube_api)
    user = User(random.Random(SEED))
    async with own_kube_api.client() as client:
        process = await start_controller(own_kube_api.kubeconfig)
        try:
            before = await offer(client, ROUNDS)
            for number in range(ROUNDS):
                draw = user.draw(number)
                try:
                    process = await one_round(client, own_kube_api.kubeconfig, process, user, draw)
                except (AssertionError, TimeoutError, KubeError) as error:
                    raise AssertionError(f"round {number} of seed {SEED}, {draw}: {error}") from error
            for name in user.wanted:
                await client.delete(INSTALLPLANS, name)
            await asyncio.gather(*(until_gone(client, INSTALLPLANS, name) for name in user.wanted))
            await until_equal(client, before, is_receipt)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def one_round(client: Client, kubeconfig: Path, process: Any, user: User, draw: Draw) -> Any:
    """Kill the process in the middle, and let the next one finish."""
    async with changes(client, draw.extension) as seen:
        await user.act(client, draw)
        with contextlib.suppress(TimeoutError):  # fewer changes than drawn: it dies when all is done
            async with asyncio.timeout(3):
                await seen.reached(draw.changes)
        await asyncio.sleep(draw.seconds)
        print(draw, "at", await state_of(client, draw.extension), flush=True)
        workers = await asyncio.to_thread(helm_workers, process.pid)
        process.kill()
        await process.wait()
    for worker in workers:
        assert await asyncio.to_thread(ended, worker), "a helm worker outlived its controllers"
    process = await start_controller(kubeconfig)
    if draw.extension in user.wanted:
        await until_right(client, draw.extension, *user.wanted[draw.extension])
    else:
        await until_gone(client, INSTALLPLANS, draw.extension)
    return process


async def state_of(client: Client, name: str) -> str:
    """What the process was at when it died, for who reads along."""
    try:
        return (await client.get(INSTALLPLANS, name)).get("status", {}).get("state") or "nothing yet"
    except NotFound:
        return "gone"


def helm_workers(pid: int) -> list[int]:
    try:
        return [worker_of(pid)]
    except (AssertionError, FileNotFoundError):
        return []


async def until_right(client: Client, name: str, version: str, color: str) -> None:
    """Installed, and everything of this version and of no other is there."""
    await until_settled(client, name, version)
    namespace = f"extension-{name}"
    settings = (await client.get(CONFIGMAPS, "settings", namespace))["data"]
    assert (settings["version"], settings["color"]) == (version, color)
    assert (await client.get(CONFIGMAPS, f"only-in-{version}", namespace))["metadata"]["labels"][REF] == name
    (other,) = [one for one in VERSIONS if one != version]
    await until_gone(client, CONFIGMAPS, f"only-in-{other}", namespace)
    statuses = sorted((await records(client, name)).items())
    assert [status for _, status in statuses].count("deployed") == 1
    assert statuses[-1][1] == "deployed"
    assert not [status for _, status in statuses if status.startswith("pending")]
    await until(lambda: client.get(JSBUNDLES, name), is_available, f"the bundle of {name}")


def is_available(obj: dict[str, Any]) -> bool:
    return obj.get("status", {}).get("state") == "Available"


async def offer(client: Client, rounds: int) -> Everything:
    """Both versions of an extension for each round."""
    for number in range(rounds):
        for version in VERSIONS:
            name = f"struck-{number}"
            await publish(client, name, version, package(name, version, templates__hook_yaml=HOOK))
    for number in range(rounds):
        await until(
            lambda name=f"struck-{number}": client.get(EXTENSIONS, name),
            lambda obj: len(obj.get("status", {}).get("versions", ())) == len(VERSIONS),
            "the catalogue",
        )
    return await everything(client)


class Changes:
    """Counts what changes about one extension."""

    def __init__(self) -> None:
        self._count = 0
        self._more = asyncio.Condition()

    async def reached(self, count: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self._count >= count)

    async def follow(self, client: Client, resource: Any, extension: str, since: str) -> None:
        async with contextlib.aclosing(client.watch(resource, resource_version=since, metadata_only=True)) as events:
            async for event in events:
                obj = event.object
                if event.type == "BOOKMARK" or extension not in (key_of(obj).name, labels_of(obj).get(REF)):
                    continue
                async with self._more:
                    self._count += 1
                    self._more.notify_all()


@contextlib.asynccontextmanager
async def changes(client: Client, extension: str) -> AsyncIterator[Changes]:
    found = Changes()
    tasks: list[asyncio.Task[None]] = []
    for resource in WATCHED:
        since = (await client.list(resource, limit=1, metadata_only=True)).resource_version
        tasks.append(asyncio.create_task(found.follow(client, resource, extension, since)))
    try:
        yield found
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [end for end in ends if isinstance(end, Exception) and not isinstance(end, NotFound)], ends
