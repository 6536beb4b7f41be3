"""Synchronising a Helm repository of many packages, from scratch and unchanged.

Real processes: the embedded Kubernetes API, the controllers, and a file server for the index. `sync_s` is from the
creation of the Repository until its status says that every version is there; `resync_s` is the processor time that the
controllers spend on a synchronisation that finds nothing new (`idle_s` in as long a time without one). `sync_work_s`
and `sync_kube_work_s` are the processor times of the controllers and of the API during the first one: what it would
take at least on one core, however busy the machine is.
"""

import asyncio
import contextlib
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processes import free_port, running

from dovetail.apis.crds import crds
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, REPOSITORIES
from dovetail.kube import Client, ClusterConfig, KubeError
from dovetail.kube.resources import CRDS
from dovetail.packaging.canonical import dump

DOVETAIL = [sys.executable, "-m", "dovetail.cli.dovetail"]
PATIENCE = 300.0
INTERVAL = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


def archive(name: str, version: str) -> bytes:
    """A small package."""
    extension = {
        "apiVersion": "v1", "name": name, "version": version, "displayName": {"en": name, "zh": name},
        "description": {"en": "One of a thousand."}, "category": "dev-tools", "keywords": ["bench"],
        "provider": {"en": {"name": "bench"}}, "icon": "https://icons.example.org/one.svg", "kubeVersion": ">=1.19.0-0",
    }  # fmt: skip
    texts = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        "extension.yaml": dump(extension),
        "templates/one.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path, text in texts.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return gzip.compress(packed.getvalue(), mtime=0)


def fill(directory: Path, packages: int, versions: int) -> int:
    """A repository of so many packages; the size of its index."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for number in range(packages):
        name = f"package-{number:04}"
        for minor in range(versions):
            version = f"1.{minor}.0"
            data = archive(name, version)
            (directory / f"{name}-{version}.tgz").write_bytes(data)
            entry = {
                "apiVersion": "v2", "name": name, "version": version, "description": "One of a thousand.",
                "created": "2026-01-01T00:00:00Z", "digest": hashlib.sha256(data).hexdigest(),
                "urls": [f"{name}-{version}.tgz"], "keywords": ["bench"], "home": "https://example.org",
            }  # fmt: skip
            entries.setdefault(name, []).append(entry)
    index = dump({"apiVersion": "v1", "entries": entries, "generated": "2026-01-01T00:00:00Z"}).encode()
    return (directory / "index.yaml").write_bytes(index)


def worked(pid: int) -> float:
    """Seconds of processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int) -> float:
    """MiB of memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[int]:
    """One of our processes, ready; its process id."""
    reading, writing = os.pipe()
    process = subprocess.Popen([*DOVETAIL, *arguments, "--ready-fd", str(writing)], pass_fds=(writing,))
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as ready:
            if not ready.readline():
                raise RuntimeError(f"{arguments[0]} did not start")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


async def status(client: Client) -> dict[str, Any]:
    return (await client.get(REPOSITORIES, "bench")).get("status") or {}


async def until(client: Client, field: str, before: Any) -> dict[str, Any]:
    """The status as soon as a field of it is another."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await status(client)
            if found.get(field) != before:
                return found
            await asyncio.sleep(0.1)


async def _synchronise(kubeconfig: Path, url: str, versions: int, kube: int) -> dict[str, float]:
    async with Client(ClusterConfig.load(kubeconfig)) as client:
        for crd in crds():
            await client.create(CRDS, crd)
        await _served(client)
        with started("controller-manager", "--kubeconfig", str(kubeconfig)) as pid:
            begun, work, kube_work = time.monotonic(), worked(pid), worked(kube)
            poll = {"registryPoll": {"interval": f"{INTERVAL:g}s"}, "timeout": "10m"}
            spec = {"url": url, "updateStrategy": poll}
            kind = {"apiVersion": REPOSITORIES.api_version, "kind": REPOSITORIES.kind, "metadata": {"name": "bench"}}
            await client.create(REPOSITORIES, {**kind, "spec": spec})
            found = await until(client, "lastSyncTime", None)
            sync, work, kube_work = time.monotonic() - begun, worked(pid) - work, worked(kube) - kube_work
            assert found["versions"] == versions, found
            there = await client.list(EXTENSIONVERSIONS)
            assert len(there.items) == versions
            await asyncio.sleep(INTERVAL)  # the Extensions' own statuses
            found = await until(client, "lastSyncTime", (await status(client))["lastSyncTime"])
            await asyncio.sleep(2)
            before = worked(pid)
            await until(client, "lastSyncTime", found["lastSyncTime"])
            await asyncio.sleep(0.5)
            after = worked(pid)
            await asyncio.sleep(INTERVAL / 2)
            idle = (worked(pid) - after) * 2
            figures = {"sync_s": sync, "sync_work_s": work, "sync_kube_work_s": kube_work}
            return {**figures, "resync_s": max(after - before - idle, 0.0), "idle_s": idle, "rss_mib": resident(pid)}


async def _served(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(KubeError):
                await client.list(REPOSITORIES)
                return
            await asyncio.sleep(0.1)


def measure(packages: int, versions: int) -> dict[str, float]:
    """See the module."""
    with tempfile.TemporaryDirectory(prefix="bench-lifecycle-") as folder:
        served, data = Path(folder, "repository"), Path(folder, "kube")
        served.mkdir()
        size = fill(served, packages, versions)
        print(f"{packages:,} packages x {versions} versions, index of {size / 1e6:.1f} MB", flush=True)
        port, server = free_port(), free_port()
        files = [sys.executable, "-m", "http.server", str(server), "--bind", "127.0.0.1"]
        files += ["--protocol", "HTTP/1.1", "--directory", str(served)]
        with running(files, server), started("kube", "--data-dir", str(data), "--port", str(port)) as kube:
            url = f"http://127.0.0.1:{server}"
            return asyncio.run(_synchronise(data / "kubeconfig", url, packages * versions, kube))
