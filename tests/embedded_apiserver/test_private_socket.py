"""The private Unix socket: its clients are the administrator; a left one is no hindrance; long paths mean TLS."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dovetail.cli import embedded_cluster
from dovetail.embedded import apiserver
from dovetail.kube import CONFIGMAPS, Client, ClusterConfig


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, unlike pytest's: a socket's path has about a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="dvt-") as made:
        yield Path(made)


@contextlib.asynccontextmanager
async def serving(folder: Path, path: Path) -> AsyncIterator[ClusterConfig]:
    listening = asyncio.Event()
    settings = apiserver.ApiServerSettings(data_dir=folder, port=0, private_socket=path)
    task = asyncio.create_task(apiserver.serve(settings, listening.set))
    try:
        async with asyncio.timeout(20):
            await listening.wait()
        yield ClusterConfig(server="http://localhost", socket=path)
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def test_its_clients_are_the_administrator(folder: Path) -> None:
    path = folder / "kube" / "private" / "api.sock"
    async with serving(folder, path) as config, Client(config) as client:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
        await client.create(CONFIGMAPS, made)
        listed = await client.list(CONFIGMAPS, namespace="default")
        assert "a" in [one["metadata"]["name"] for one in listed.items]
    assert not path.exists()


async def test_a_socket_that_was_left_and_a_folder_that_is_open_are_mended(folder: Path) -> None:
    path = folder / "kube" / "private" / "api.sock"
    path.parent.mkdir(parents=True, mode=0o755)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with serving(folder, path) as config, Client(config) as client:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        await client.list(CONFIGMAPS, namespace="default")


def test_a_path_that_is_too_long_for_a_socket_means_tls() -> None:
    assert embedded_cluster.private_socket(Path("/var/lib/dovetail")) is not None
    assert embedded_cluster.private_socket(Path("/var") / ("x" * 100)) is None
