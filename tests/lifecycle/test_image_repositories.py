"""Repositories that are images: what runs for them, and reading from what it serves. The test plays the node."""

import contextlib
import functools
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.apis.dialects import repository
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS, REPOSITORIES
from dovetail.kube import DEPLOYMENTS, ENDPOINTSLICES, NODES, SERVICES, Client, NotFound
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.image_repositories import PULLED, ImageRepositories, deployment, is_rolled_out, name_of, service
from tests.conftest import KubeApi
from tests.lifecycle.museum import until_synced
from tests.lifecycle.platform import (
    controllers,
    ensure_namespace,
    make,
    package,
    plan,
    until,
    until_gone,
    until_settled,
)
from tests.own_address import own_address

SYSTEM = "kubesphere-system"
IMAGE = "docker.io/kubespheredev/builtin:latest"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def pod(folder: Path) -> Iterator[tuple[str, int]]:
    """What the image would serve, at an address that a pod could have."""
    server = ThreadingHTTPServer((own_address(), 0), functools.partial(Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield str(server.server_address[0]), server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fill(folder: Path, *packages: tuple[str, str]) -> None:
    entries: dict[str, list[dict[str, Any]]] = {}
    for name, version in packages:
        data = package(name, version)
        (folder / f"{name}-{version}.tgz").write_bytes(data)
        entry = {"name": name, "version": version, "urls": [f"{name}-{version}.tgz"]}
        entries.setdefault(name, []).append({**entry, "digest": hashlib.sha256(data).hexdigest()})
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))


async def run_pod(client: Client, name: str, address: str, port: int) -> None:
    """What the Deployment's controller, a kubelet and the endpoints' controller would write."""
    found = await client.get(DEPLOYMENTS, f"repository-{name}", SYSTEM)
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    status = {"observedGeneration": found["metadata"]["generation"], **counts}
    await client.patch(DEPLOYMENTS, f"repository-{name}", {"status": status}, SYSTEM, subresource="status")
    slice_ = {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": f"repository-{name}"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
    await client.apply(ENDPOINTSLICES, {**slice_, "metadata": {**slice_["metadata"], "namespace": SYSTEM}},
                       field_manager="test", force=True)  # fmt: skip


async def test_an_image_is_run_and_read_and_pulled_again(platform_crds: KubeApi, tmp_path: Path) -> None:
    fill(tmp_path, ("boxed", "1.0.0"))
    async with platform_crds.client() as client:
        await ensure_namespace(client, SYSTEM)
        node = await make(client, NODES, "one")
        try:
            async with controllers(platform_crds.kubeconfig):
                with pod(tmp_path) as (address, port):
                    poll = {"registryPoll": {"interval": "10s"}, "timeout": "30s"}
                    await make(client, REPOSITORIES, "builtin", spec={"image": IMAGE, "updateStrategy": poll})
                    found = await until(
                        lambda: client.get(DEPLOYMENTS, "repository-builtin", SYSTEM), bool, "the Deployment"
                    )
                    pulled = found["spec"]["template"]["metadata"]["annotations"][PULLED]
                    await run_pod(client, "builtin", address, port)
                    await until_synced(client, "builtin")
                    version = await client.get(EXTENSIONVERSIONS, "boxed-1.0.0")
                    assert version["spec"]["chartURL"].startswith(
                        "http://repository-builtin.kubesphere-system.svc:8080/"
                    )
                    await plan(client, "boxed", "1.0.0")
                    await until_settled(client, "boxed", "1.0.0")
                    fill(tmp_path, ("boxed", "1.0.0"), ("boxed", "1.1.0"))
                    await until(
                        lambda: client.get(DEPLOYMENTS, "repository-builtin", SYSTEM),
                        lambda obj: obj["spec"]["template"]["metadata"]["annotations"][PULLED] != pulled,
                        "another pull",
                    )
                    await run_pod(client, "builtin", address, port)
                    await until(lambda: client.get(EXTENSIONVERSIONS, "boxed-1.1.0"), bool, "the new version")
                await client.delete(INSTALLPLANS, "boxed")
                await until_gone(client, INSTALLPLANS, "boxed")
                await client.delete(REPOSITORIES, "builtin")
                await until_gone(client, DEPLOYMENTS, "repository-builtin", SYSTEM)
                await until_gone(client, SERVICES, "repository-builtin", SYSTEM)
        finally:
            await client.delete(NODES, node["metadata"]["name"])


async def test_a_cluster_without_nodes_and_somebody_elses_objects(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        await ensure_namespace(client, SYSTEM)
        images = ImageRepositories(client)
        owner = await make(client, REPOSITORIES, "lonely", spec={"image": IMAGE})
        model = repository(owner)
        with pytest.raises(SyncFailed, match="has no node") as refused:
            await images.served(model, owner, pull=False)
        assert refused.value.reason == "NoNodes"
        await client.get(DEPLOYMENTS, "repository-lonely", SYSTEM)
        await images.withdraw(owner)
        with pytest.raises(NotFound):
            await client.get(SERVICES, "repository-lonely", SYSTEM)
        foreign = {**service(owner), "metadata": {"name": "repository-lonely", "namespace": SYSTEM}}
        await client.create(SERVICES, foreign)
        with pytest.raises(SyncFailed, match="somebody else") as taken:
            await images.served(model, owner, pull=True)
        assert taken.value.reason == "NameTaken"
        await images.withdraw(owner)
        await client.get(SERVICES, "repository-lonely", SYSTEM)
        await client.delete(SERVICES, "repository-lonely", SYSTEM)
        await client.delete(REPOSITORIES, "lonely")


def test_the_pod_has_no_rights_and_a_pinned_image_is_pulled_once() -> None:
    owner = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "Repository", "metadata": {"name": "a", "uid": "1"}}
    spec = deployment(owner, f"{IMAGE}@sha256:{'0' * 64}", "")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert deployment(owner, IMAGE, "")["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"


@pytest.mark.parametrize("name", ["plain", "with.dots", "l" * 200, "a.b", "a-b", "l" * 52, "l" * 53])
def test_any_repository_has_a_name_for_its_service(name: str) -> None:
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name_of(name))
    assert len(name_of(name)) <= 63
    assert name_of("a.b") != name_of("a-b")


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}, False),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, False),
        ({}, False),
    ],
)
def test_only_the_newest_pod_counts(status: dict[str, Any], done: bool) -> None:
    assert is_rolled_out({"metadata": {"generation": 2}, "status": status}) is done
