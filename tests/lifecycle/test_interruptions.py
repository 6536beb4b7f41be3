"""Whatever is killed, and whatever changes its mind, mid-way: the plan still ends where it should."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import CONFIGMAPS, JOBS, SECRETS, Client, NotFound
from tests.conftest import KubeApi
from tests.finished_jobs import finished_status
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

HANGING_HOOK = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: hanging
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: wait, image: images.test/wait}]}}
"""


async def records(client: Client, name: str) -> dict[int, str]:
    found = await client.list(SECRETS, f"extension-{name}", label_selector=f"owner=helm,name={name}")
    read = [record for secret in found.items if (record := storage.record_of(secret))]
    return {record.revision: record.status for record in read}


async def until_hanging(client: Client, name: str) -> None:
    async def look() -> Any:
        try:
            return await client.get(JOBS, "hanging", f"extension-{name}")
        except NotFound:
            return None

    await until(look, lambda job: job is not None, "the hook")


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def worker_of(pid: int) -> int:
    """The helm worker among a process's children."""
    for child in children(pid):
        if b"dovetail.helm.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise AssertionError("no helm worker runs")


async def test_a_plan_that_changes_does_not_wait_for_a_hanging_hook(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "moody", "1.0.0", package("moody", "1.0.0", templates__hook_yaml=HANGING_HOOK))
        await publish(client, "moody", "1.1.0", package("moody", "1.1.0"))
        await plan(client, "moody", "1.0.0")
        await until_hanging(client, "moody")
        await plan(client, "moody", "1.1.0")
        await until_settled(client, "moody", "1.1.0")
        await plan(client, "moody", "1.0.0")
        await until(lambda: records(client, "moody"), lambda found: "pending-upgrade" in found.values(), "the upgrade")
        await client.delete(INSTALLPLANS, "moody")
        await until_gone(client, INSTALLPLANS, "moody")
        await until_gone(client, JOBS, "hanging", "extension-moody")


async def test_the_worker_killed_in_the_middle_of_an_install(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "struck", "1.0.0", package("struck", "1.0.0", templates__hook_yaml=HANGING_HOOK))
        await plan(client, "struck", "1.0.0")
        await until_hanging(client, "struck")
        os.kill(await asyncio.to_thread(worker_of, os.getpid()), signal.SIGKILL)
        await until(lambda: records(client, "struck"), lambda found: found.get(1) == "failed", "the unlocked revision")
        await until(lambda: records(client, "struck"), lambda found: 2 in found, "the next revision")
        obj = await client.get(INSTALLPLANS, "struck")
        assert obj["status"]["state"] == "Installing"
        # The Job "runs" to its end now, as a node would report it.
        async with node(client, "struck"):
            await until_settled(client, "struck", "1.0.0")
        await client.get(CONFIGMAPS, "settings", "extension-struck")
        await client.delete(INSTALLPLANS, "struck")
        await until_gone(client, INSTALLPLANS, "struck")


@contextlib.asynccontextmanager
async def node(client: Client, name: str) -> AsyncIterator[None]:
    """Somebody who lets the hook's Job end, whichever of them it is by now."""

    async def finish() -> None:
        while True:
            with contextlib.suppress(NotFound):
                job = await client.get(JOBS, "hanging", f"extension-{name}")
                status = {"status": finished_status(job)}
                await client.patch(JOBS, "hanging", status, f"extension-{name}", subresource="status")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(finish())
    try:
        yield
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])


CONTROLLER = """\
import asyncio, sys
from pathlib import Path
from dovetail.lifecycle.assembly import serve
from dovetail.lifecycle.settings import LifecycleSettings
asyncio.run(serve(LifecycleSettings(kubeconfig=Path(sys.argv[1])), lambda: print("ready", flush=True)))
"""


async def start_controller(kubeconfig: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(kubeconfig), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    assert await asyncio.wait_for(process.stdout.readline(), 40) == b"ready\n"
    return process


async def test_the_controller_killed_in_the_middle_of_an_install_and_of_an_upgrade(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        await publish(client, "orphan", "1.0.0", package("orphan", "1.0.0", templates__hook_yaml=HANGING_HOOK))
        await publish(client, "orphan", "1.1.0", package("orphan", "1.1.0", templates__hook_yaml=HANGING_HOOK))
        for version in ("1.0.0", "1.1.0"):
            process = await start_controller(platform_crds.kubeconfig)
            await plan(client, "orphan", version)
            await until(
                lambda: records(client, "orphan"), lambda found: bool(storage.PENDING & {*found.values()}), "the hook"
            )
            worker = await asyncio.to_thread(worker_of, process.pid)
            process.kill()
            await process.wait()
            assert await asyncio.to_thread(ended, worker)
            process = await start_controller(platform_crds.kubeconfig)
            try:
                await until(
                    lambda: records(client, "orphan"), lambda found: "failed" in found.values(), "the unlocked revision"
                )
                await until(
                    lambda: records(client, "orphan"),
                    lambda found: bool(storage.PENDING & {*found.values()}),
                    "the next attempt",
                )
                async with node(client, "orphan"):
                    await until_settled(client, "orphan", version)
            finally:
                process.terminate()
                await asyncio.wait_for(process.wait(), 20)
        async with controllers(platform_crds.kubeconfig):
            await client.delete(INSTALLPLANS, "orphan")
            await until_gone(client, INSTALLPLANS, "orphan")


def ended(pid: int) -> bool:
    """Whether a process that is nobody's child of ours ends within 10 s."""
    import time

    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


async def test_a_deleted_plan_is_resumed_by_the_next_controller(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        await publish(client, "leaving", "1.0.0", package("leaving", "1.0.0"))
        async with controllers(platform_crds.kubeconfig):
            await plan(client, "leaving", "1.0.0")
            await until_settled(client, "leaving", "1.0.0")
        await client.delete(INSTALLPLANS, "leaving")
        async with controllers(platform_crds.kubeconfig):
            await until_gone(client, INSTALLPLANS, "leaving")


async def test_a_release_that_somebody_deletes_is_made_again(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "healed", "1.0.0", package("healed", "1.0.0"))
        await plan(client, "healed", "1.0.0")
        await until_settled(client, "healed", "1.0.0")
        await client.delete(SECRETS, "sh.helm.release.v1.healed.v1", "extension-healed")
        await until(lambda: records(client, "healed"), lambda found: found == {1: "deployed"}, "the release")
        await until_settled(client, "healed", "1.0.0")
        await client.patch(INSTALLPLANS, "healed", {"metadata": {"annotations": {"kubesphere.io/force-delete": ""}}})
        await client.delete(INSTALLPLANS, "healed")
        await until_gone(client, INSTALLPLANS, "healed")
        await client.get(CONFIGMAPS, "settings", "extension-healed")
