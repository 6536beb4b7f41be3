"""Propagation: from the event of a changed object in control to the first answer of a worker that shows it.

Control runs in this process over a cluster in memory, the worker and whoever asks it are processes of their own. The
clock is the machine's monotonic one, which they share.
"""

import asyncio
import gc
import http.client
import multiprocessing
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from dovetail.apis.extensions_v1alpha1 import REVERSEPROXIES
from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.gateway.control import Control
from dovetail.gateway.objects import RoutingObjects
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam.tokens import Lifetimes
from dovetail.kube import ControllerRuntime
from gateway import dovetail, snapshots
from gateway.cluster import USER, Cluster, people, reverse_proxy
from gateway.processes import PROXY_CORE, free_port

_REST = 0.03
"""Seconds between two changes: a change is alone, as most are."""


@dataclass(frozen=True)
class Times:
    """In milliseconds."""

    p50: float
    p95: float
    most: float


def ask(pipe: Connection, port: int, token: str) -> None:
    """The target of a process of its own: asks for a path until the status is the one wanted, and says when."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while True:
        path, wanted = pipe.recv()
        status = 0
        while status != wanted:
            connection.request("POST", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        pipe.send(time.monotonic())


async def measure(directory: Path, backend: int, routes: int, changes: int) -> Times:
    """Add, change and remove routes among `routes` others."""
    cluster, port = Cluster(), free_port()
    for resource, obj in zip((USERS, GLOBALROLES, GLOBALROLEBINDINGS), people(), strict=True):
        cluster.put(resource, obj)
    for number in range(routes):
        cluster.put(REVERSEPROXIES, reverse_proxy(f"other-{number}", f"/other-{number}/*", 9))
    async with control_over(cluster, directory / f"p{routes}.sock"), worker_on(port, directory / f"p{routes}.sock"):
        pipe, theirs = multiprocessing.Pipe()
        token = snapshots.token(USER)
        asker = multiprocessing.get_context("spawn").Process(target=ask, args=(theirs, port, token), daemon=True)
        asker.start()
        gc.collect()
        gc.freeze()  # as control does
        try:
            return times_of([await _change(cluster, pipe, backend, n) for n in range(changes + 3)][3:])
        finally:
            gc.unfreeze()
            asker.kill()
            asker.join()


async def _change(cluster: Cluster, pipe: Connection, backend: int, number: int) -> float:
    """One change; the first of a pair adds a route, the second takes it away."""
    name, path, adds = f"probe-{number // 2}", f"/probe-{number // 2}/x", number % 2 == 0
    await asyncio.to_thread(pipe.send, (path, 200 if adds else 404))
    await asyncio.sleep(_REST)
    begun = time.monotonic()
    if adds:
        cluster.put(REVERSEPROXIES, reverse_proxy(name, f"/{name}/*", backend))
    else:
        cluster.remove(REVERSEPROXIES, name)
    while not pipe.poll():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return cast("float", pipe.recv()) - begun


def times_of(seconds: list[float]) -> Times:
    ordered = sorted(each * 1000 for each in seconds)
    return Times(ordered[len(ordered) // 2], ordered[min(len(ordered) * 95 // 100, len(ordered) - 1)], ordered[-1])


@asynccontextmanager
async def control_over(cluster: Cluster, socket: Path) -> AsyncGenerator[None]:
    built_in = BuiltIn(internal("/none/control"), internal("/none/console"), internal("/none/cluster"))
    runtime = cast("ControllerRuntime", cluster)
    publisher = Publisher(socket)
    keys = tuple(VerificationKey(key.kid, key.jwk) for key in (snapshots.KEY.public(),))
    start = Snapshot(generation=0, issuer=snapshots.ISSUER, keys=keys)
    control = Control(runtime, publisher, RoutingObjects(runtime, built_in), start, Lifetimes())
    tasks = [asyncio.create_task(publisher.run()), asyncio.create_task(control.run())]
    control.start()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def worker_on(port: int, socket: Path) -> AsyncGenerator[None]:
    command = ["taskset", "-c", str(PROXY_CORE), *dovetail.command(port, socket)]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()
