"""Installing on a whole platform (`dovetail up`): how soon an extension is there, and what many of them weigh.

`install_p50_s`: from the creation of the greeter's InstallPlan until the gateway serves its bundle, with the Helm
worker warm; `install_cold_s` is the first one, which starts the worker. Beside it the peer: `helm install` of the same
package by Helm's own command into the same cluster, process start included. It makes the same objects, and no account,
no rights, no label and no route; `helm_p50_s`, absent where no helm can be had.

`rss_mib_500` is the resident memory of all processes together with so many small extensions installed, at rest and the
Helm worker ended; `rss_mib_0` the same before the first. `installs_per_s`: how quickly they were installed, all plans
created at once.
"""

import asyncio
import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.demo.world import World, wait
from tests.e2e.running import BUNDLE, SAMPLES, Up
from tests.lifecycle.platform import package, plan, publish

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import Client, ClusterConfig

_QUIET = 25.0
"""The Helm worker ends after twenty idle seconds."""


def measure(rounds: int, many: int, helm: str | None) -> dict[str, float]:
    """See the module."""
    platform = Up()
    world = World(platform)
    try:
        platform.start(world.web)
        world.log_in("admin", platform.password)
        figures = _install(world, rounds, helm)
        time.sleep(_QUIET)
        before = platform.memory_mib()
        seconds = asyncio.run(_install_many(platform.kubeconfig, many))
        time.sleep(_QUIET)
        after = platform.memory_mib()
        for name, mib in after.items():
            print(f"  {name:<22}{before.get(name, 0.0):8.1f} -> {mib:.1f} MiB")
        figures |= {"rss_mib_0": sum(before.values()), f"rss_mib_{many}": sum(after.values())}
        return {**figures, "installs_per_s": many / seconds}
    finally:
        platform.finish()


def _install(world: World, rounds: int, helm: str | None) -> dict[str, float]:
    archive = world.package(SAMPLES / "greeter")
    world.ksbuilder("publish", archive)
    wait(lambda: "greeter-0.1.0" in world.kubectl("get", "extensionversions"), "the extension version")
    time.sleep(_QUIET)
    ours = [_timed(lambda: _come(world), lambda: _go(world)) for _ in range(rounds + 1)]
    figures = {"install_cold_s": ours[0], "install_p50_s": statistics.median(ours[1:])}
    if helm:
        theirs = [
            _timed(lambda: _helm_install(world, helm, archive), lambda: _helm_gone(world, helm)) for _ in ours[1:]
        ]
        figures["helm_p50_s"] = statistics.median(theirs)
    return figures


def _timed(deed: Callable[[], object], undo: Callable[[], object]) -> float:
    begun = time.perf_counter()
    deed()
    seconds = time.perf_counter() - begun
    undo()
    return seconds


def _come(world: World) -> None:
    world.plan("greeter", "0.1.0", "backend:\n  url: http://127.0.0.1:9\n")
    wait(lambda: world.get(BUNDLE).code == 200, "the bundle", every=0.005)


def _go(world: World) -> None:
    world.wait_installed("greeter", "0.1.0")
    world.kubectl("delete", "installplan", "greeter", "--wait=true")
    wait(lambda: "extension-greeter" not in world.kubectl("get", "namespaces"), "the namespace to go")


def _helm(world: World, helm: str, *arguments: str | Path) -> None:
    homes = {f"HELM_{what}_HOME": str(world.scratch / what) for what in ("CACHE", "CONFIG", "DATA")}
    command = [helm, *map(str, arguments), "--kubeconfig", str(world.platform.kubeconfig)]
    subprocess.run(command, check=True, capture_output=True, env={"HOME": str(world.scratch), **homes}, timeout=60)


def _helm_install(world: World, helm: str, archive: Path) -> None:
    _helm(world, helm, "install", "greeter", archive, "--namespace", "peer", "--create-namespace")


def _helm_gone(world: World, helm: str) -> None:
    _helm(world, helm, "uninstall", "greeter", "--namespace", "peer")


async def _install_many(kubeconfig: Path, many: int) -> float:
    """Publish and install so many; the seconds from the first plan until all are installed."""
    names = [f"one-of-many-{number:03}" for number in range(many)]
    async with Client(ClusterConfig.load(kubeconfig)) as client:
        for name in names:
            await publish(client, name, "1.0.0", package(name, "1.0.0"))
        begun = time.monotonic()
        for name in names:
            await plan(client, name, "1.0.0")
        async with asyncio.timeout(900):
            while (done := await _installed(client)) < many:
                if sys.stdout.isatty():
                    print(f"  {done} of {many} installed", end="\r", flush=True)
                await asyncio.sleep(1)
        return time.monotonic() - begun


async def _installed(client: Client) -> int:
    found = await client.list(INSTALLPLANS)
    with contextlib.suppress(StopIteration):
        failed = next(obj for obj in found.items if str(obj.get("status", {}).get("state")).endswith("Failed"))
        raise RuntimeError(f"{failed['metadata']['name']}: {failed['status']['conditions']}")
    return sum(obj.get("status", {}).get("state") == "Installed" for obj in found.items)
