"""What surrounds the controllers fails: repositories, the API server, the disk. It ends right and says why."""

import asyncio
import contextlib
import os
import resource
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, INSTALLPLANS, REPOSITORIES
from dovetail.kube import CONFIGMAPS, Client, KubeError
from dovetail.lifecycle import states
from tests.conftest import KubeApi, install_crds
from tests.lifecycle.everything import everything, until_equal
from tests.lifecycle.museum import Museum, repository, resync, until_synced, versions
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled
from tests.lifecycle.test_interruptions import CONTROLLER, HANGING_HOOK, node, records, until_hanging, worker_of

Change = Callable[[Museum, str], None]


def _cut(museum: Museum, file: str) -> None:
    museum.cut.add(file)


def _another(museum: Museum, file: str) -> None:
    museum.files[file] = package("somebody-else", "1.0.0")


def _page(museum: Museum, file: str) -> None:
    museum.files[file] = b"<!DOCTYPE html><html><body>Please log in</body></html>"


def _broken(museum: Museum, file: str) -> None:
    museum.broken.add(file)


def _missing(museum: Museum, file: str) -> None:
    del museum.files[file]


def _slow(museum: Museum, file: str) -> None:
    museum.slow.add(file)


FAULTS: dict[str, tuple[Change, str, str]] = {
    "down": (_broken, "PackageUnavailable", "500"),
    "missing": (_missing, "PackageUnavailable", "404"),
    "cut": (_cut, "PackageUnavailable", ""),
    "another": (_another, "DigestMismatch", "sha256"),
    "page": (_page, "DigestMismatch", "sha256"),
    "slow": (_slow, "", ""),
}
"""Name of the extension -> what happens to its package, the reason in the condition, a word of the message."""


async def test_packages_that_do_not_come_are_told_and_come_later(platform_crds: KubeApi, museum: Museum) -> None:
    good = {f"{name}-fault": package(f"{name}-fault", "1.0.0") for name in FAULTS}
    for name, data in good.items():
        museum.add(name, "1.0.0", data)
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await repository(client, "faulty", museum.url)
        await until_synced(client, "faulty")
        for name, (change, _, _) in FAULTS.items():
            change(museum, f"{name}-fault-1.0.0.tgz")
            await plan(client, f"{name}-fault", "1.0.0")
        for name, (_, reason, word) in FAULTS.items():
            if not reason:
                continue
            obj = await until_settled(client, f"{name}-fault", "", state="InstallFailed")
            condition = obj["status"]["conditions"][-1]
            assert condition["reason"] == reason
            assert f"{name}-fault-1.0.0.tgz" in condition["message"]
            assert word in condition["message"]
        await until_settled(client, "slow-fault", "1.0.0")
        museum.broken.clear()
        museum.cut.clear()
        museum.files |= {f"{name}-1.0.0.tgz": data for name, data in good.items()}
        # By itself: nobody touches the plans.
        await asyncio.gather(*(until_settled(client, name, "1.0.0") for name in good))
        for name in good:
            await client.delete(INSTALLPLANS, name)
        await asyncio.gather(*(until_gone(client, INSTALLPLANS, name) for name in good))
        await client.delete(REPOSITORIES, "faulty")


INDEXES: dict[str, bytes] = {
    "a page": b"<!DOCTYPE html><html><body>Please log in</body></html>",
    "nothing": b"",
    "half of it": b'entries:\n  standing:\n  - {name: standing, version: "1.0.0", urls: [standing-1.0',
    "a list": b"- entries\n",
}


async def test_an_index_that_is_none_removes_nothing_and_stops_no_plan(platform_crds: KubeApi, museum: Museum) -> None:
    museum.add("standing", "1.0.0", package("standing", "1.0.0"))
    museum.add("standing", "1.1.0", package("standing", "1.1.0"))
    index = museum.files["index.yaml"]
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await repository(client, "indexed", museum.url)
        await until_synced(client, "indexed")
        await plan(client, "standing", "1.0.0")
        await until_settled(client, "standing", "1.0.0")
        for what, data in INDEXES.items():
            museum.files["index.yaml"] = data
            await resync(client, "indexed")
            obj = await client.get(REPOSITORIES, "indexed")
            (condition,) = [one for one in obj["status"]["conditions"] if one["type"] == "Synced"]
            assert condition["status"] == "False", what
            assert "index" in condition["message"], what
            assert await versions(client, "standing") == {"1.0.0", "1.1.0"}, what
        await plan(client, "standing", "1.1.0")
        await until_settled(client, "standing", "1.1.0")
        museum.files["index.yaml"] = index
        await resync(client, "indexed")
        await until_synced(client, "indexed")
        await client.delete(INSTALLPLANS, "standing")
        await until_gone(client, INSTALLPLANS, "standing")
        await client.delete(REPOSITORIES, "indexed")


async def test_the_api_server_killed_in_the_middle_of_an_install_and_of_an_upgrade(own_kube_api: KubeApi) -> None:
    install_crds(own_kube_api)
    async with own_kube_api.client() as client, controllers(own_kube_api.kubeconfig):
        for version in ("1.0.0", "1.1.0"):
            await publish(client, "thrown", version, package("thrown", version, templates__hook_yaml=HANGING_HOOK))
        await until_offered(client, "thrown", 2)
        before = await everything(client)
        for version in ("1.0.0", "1.1.0"):
            await plan(client, "thrown", version)
            await until(
                lambda: records(client, "thrown"),
                lambda found: "pending" in next(iter(sorted(found.items(), reverse=True)), (0, ""))[1],
                f"Helm at work on {version}",
            )
            await until_hanging(client, "thrown")
            await asyncio.to_thread(own_kube_api.restart)
            async with node(client, "thrown"):
                await until_settled(client, "thrown", version)
            settings = await client.get(CONFIGMAPS, "settings", "extension-thrown")
            assert settings["data"]["version"] == version
            found = await records(client, "thrown")
            assert [status for status in found.values() if status == "deployed"] == ["deployed"]
            assert not [status for status in found.values() if status.startswith("pending")]
        await client.delete(INSTALLPLANS, "thrown")
        await until_gone(client, INSTALLPLANS, "thrown")
        await until_equal(client, before, is_receipt)


async def until_offered(client: Client, name: str, count: int) -> None:
    """Until the catalogue has caught up with what was published."""
    await until(
        lambda: client.get(EXTENSIONS, name),
        lambda obj: len(obj.get("status", {}).get("versions", ())) == count,
        f"{count} versions of {name}",
    )


def is_receipt(line: str) -> bool:
    return line.startswith("left: ConfigMap kubesphere-system/uninstall-receipt-")


@contextlib.contextmanager
def full_disk(pid: int, *, data: Path) -> Iterator[None]:
    """No file of the process may become larger than the largest of `data` is."""
    largest = max(file.stat().st_size for file in data.rglob("*") if file.is_file())
    former = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, former[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"], ids=["an install", "an upgrade"])
async def test_the_apis_disk_full_while_a_worker_dies(
    own_kube_api: KubeApi, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can be written, so nothing can go on; with room again it does, without anybody's help."""
    install_crds(own_kube_api)
    process = own_kube_api.process
    assert process is not None
    async with own_kube_api.client() as client, controllers(own_kube_api.kubeconfig):
        await publish(client, "crowded", "1.0.0", package("crowded", "1.0.0"))
        if version == "1.1.0":
            await plan(client, "crowded", "1.0.0")
            await until_settled(client, "crowded", "1.0.0")
        hanging = package("crowded", version, templates__hook_yaml=HANGING_HOOK)
        await publish(client, "crowded", version, hanging)
        await plan(client, "crowded", version, config="color: blue\n")
        await until_hanging(client, "crowded")
        with full_disk(process.pid, data=own_kube_api.data_dir):
            refusal = await until_refused(client)
            assert "disk" in refusal
            os.kill(await asyncio.to_thread(worker_of, os.getpid()), signal.SIGKILL)
            await until_logged(caplog, "installplans crowded", "disk")
            assert (await client.get(INSTALLPLANS, "crowded"))["status"]["state"] in states.WORKING
        async with node(client, "crowded"):
            await until_settled(client, "crowded", version)
        settings = await client.get(CONFIGMAPS, "settings", "extension-crowded")
        assert (settings["data"]["version"], settings["data"]["color"]) == (version, "blue")
        await client.delete(INSTALLPLANS, "crowded")
        await until_gone(client, INSTALLPLANS, "crowded")


async def until_logged(caplog: pytest.LogCaptureFixture, *words: str) -> None:
    async def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records]

    await until(lines, lambda found: any(all(word in line for word in words) for line in found), f"a line of {words}")


async def until_refused(client: Client) -> str:
    """Write until the API says why it cannot; its words. What it answered before is there afterwards."""
    for number in range(200):
        try:
            await client.create(
                CONFIGMAPS,
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"filler-{number}"},
                 "data": {"filling": "x" * 500_000}},
                "default",
            )  # fmt: skip
        except KubeError as error:
            return str(error)
    raise AssertionError("the disk is never full")


@contextlib.asynccontextmanager
async def controller_process(kubeconfig: Path, **limits: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROLLER, str(kubeconfig), stdout=asyncio.subprocess.PIPE, **limits
    )
    try:
        assert process.stdout
        async with asyncio.timeout(40):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def test_the_workers_scratch_is_full(platform_crds: KubeApi) -> None:
    """The helm worker inherits the limit: it can make no file that holds a byte."""
    async with platform_crds.client() as client:
        await publish(client, "scratched", "1.0.0", package("scratched", "1.0.0"))
        async with controller_process(platform_crds.kubeconfig) as process:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            await plan(client, "scratched", "1.0.0")
            await until_settled(client, "scratched", "1.0.0")
            await client.delete(INSTALLPLANS, "scratched")
            await until_gone(client, INSTALLPLANS, "scratched")


async def test_a_plan_whose_package_never_comes_can_be_deleted(platform_crds: KubeApi, museum: Museum) -> None:
    museum.add("held", "1.0.0", package("held", "1.0.0"))
    museum.add("others", "1.0.0", package("others", "1.0.0"))
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await repository(client, "holding", museum.url)
        await until_synced(client, "holding")
        asked = museum.asked["held-1.0.0.tgz"]
        museum.held["held-1.0.0.tgz"] = threading.Event()
        await plan(client, "held", "1.0.0")

        async def begun() -> int:
            return museum.asked["held-1.0.0.tgz"]

        await until(begun, lambda count: count > asked, "the download")
        await plan(client, "others", "1.0.0")
        await until_settled(client, "others", "1.0.0")
        await client.delete(INSTALLPLANS, "held")
        await until_gone(client, INSTALLPLANS, "held")
        await client.delete(INSTALLPLANS, "others")
        await until_gone(client, INSTALLPLANS, "others")
        await client.delete(REPOSITORIES, "holding")
