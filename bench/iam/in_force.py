"""From the event of a binding that comes or goes to the first answer of a worker that shows it, among all the others.

Control runs in this process over a cluster in memory, the worker, the one that asks and the backend are processes of
their own. The clock is the machine's monotonic one, which they share.
"""

import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

from gateway import snapshots
from gateway.cluster import Cluster, reverse_proxy
from gateway.processes import free_port
from gateway.propagation import Times, ask, control_over, times_of, worker_on

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.extensions_v1alpha1 import REVERSEPROXIES
from dovetail.kube import ResourceLike
from dovetail.kube.resources import NAMESPACES
from iam.scene import Scene, bound

USER = "user-7"
_REST = 0.05
_RESOURCES: dict[str, ResourceLike] = {
    resource.kind: resource
    for resource in (
        iam.USERS, iam.GLOBALROLES, iam.GLOBALROLEBINDINGS, iam.WORKSPACEROLES, iam.WORKSPACEROLEBINDINGS,
        iam.CLUSTERROLES, iam.CLUSTERROLEBINDINGS, iam.ROLES, iam.ROLEBINDINGS, NAMESPACES,
    )
}  # fmt: skip


class _Ok(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


def _serve(port: int) -> None:
    ThreadingHTTPServer(("127.0.0.1", port), _Ok).serve_forever()


@contextmanager
def _process(target: Any, *args: Any) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=target, args=args, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


async def measure(scene: Scene, directory: Path, changes: int) -> tuple[Times, int]:
    """The times of changes, and what control holds in KiB with all objects and the policy."""
    cluster, port, backend = Cluster(), free_port(), free_port()
    for kind, obj in scene.objects():
        cluster.put(_RESOURCES[kind], obj)
    role = {"metadata": {"name": "prober"}, "rules": [{"verbs": ["*"], "nonResourceURLs": ["/probe/*"]}]}
    cluster.put(iam.CLUSTERROLES, role)
    cluster.put(REVERSEPROXIES, reverse_proxy("probe", "/probe/*", backend))
    pipe, theirs = multiprocessing.Pipe()
    socket = directory / "iam.sock"
    async with control_over(cluster, socket), worker_on(port, socket):
        with _process(_serve, backend), _process(ask, theirs, port, snapshots.token(USER)):
            gc.collect()
            gc.freeze()  # as control does
            try:
                held = _resident()
                return times_of([await _change(cluster, pipe, n) for n in range(changes + 4)][4:]), held
            finally:
                gc.unfreeze()


async def _change(cluster: Cluster, pipe: Connection, number: int) -> float:
    """One change; the first of a pair gives the right, the second takes it away."""
    await asyncio.to_thread(pipe.send, ("/probe/x", 403 if number % 2 else 200))
    await asyncio.sleep(_REST)
    begun = time.monotonic()
    if number % 2:
        cluster.remove(iam.CLUSTERROLEBINDINGS, "probing")
    else:
        cluster.put(iam.CLUSTERROLEBINDINGS, bound("ClusterRole", "probing", "prober", USER))
    while not pipe.poll():  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    return cast("float", pipe.recv()) - begun


def _resident() -> int:
    return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * 4
