"""Agents on member clusters: two real clusters, one that is a black hole, one that nobody knows."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, NAMESPACES, SECRETS, Client, ClusterConfig
from dovetail.lifecycle.clusters import ClusterUnknown, ClusterUnreachable, Member
from tests.conftest import KubeApi, free_port, install_crds, run_kube_api
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled


class TestClusters:
    """Members by name. `cut` ones cannot be reached."""

    __test__ = False

    def __init__(self, members: Mapping[str, Member]) -> None:
        self.members = members
        self.cut: set[str] = set()
        self.wake: Callable[[str], None] = print

    def known(self) -> Mapping[str, Mapping[str, str]]:
        return {name: {"place": name} for name in self.members}

    async def reach(self, name: str) -> Member:
        if name in self.cut:
            raise ClusterUnreachable(name, "the cable is cut")
        if name not in self.members:
            raise ClusterUnknown(name)
        return self.members[name]

    def on_change(self, wake: Callable[[str], None]) -> None:
        self.wake = wake


@pytest.fixture(scope="module")
def edge_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    for api in run_kube_api(tmp_path_factory.mktemp("edge")):
        install_crds(api)
        yield api


def closed_kubeconfig(kubeconfig: Path, folder: Path) -> Path:
    """The same cluster behind a port where nobody listens."""
    content = yaml.safe_load(kubeconfig.read_text())
    content["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    path = folder / "dark.kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


@contextlib.asynccontextmanager
async def members(edge_api: KubeApi, folder: Path) -> AsyncIterator[TestClusters]:
    dark = closed_kubeconfig(edge_api.kubeconfig, folder)
    async with edge_api.client() as edge, Client(ClusterConfig.load(dark)) as nobody:
        yield TestClusters({"edge": Member("edge", edge, edge_api.kubeconfig), "dark": Member("dark", nobody, dark)})


def part(obj: dict[str, Any], cluster: str) -> dict[str, Any]:
    return obj.get("status", {}).get("clusterSchedulingStatuses", {}).get(cluster, {})


async def until_part(client: Client, name: str, cluster: str, **wanted: str) -> dict[str, Any]:
    return await until(
        lambda: client.get(INSTALLPLANS, name),
        lambda obj: all(part(obj, cluster).get(field) == value for field, value in wanted.items()),
        f"{cluster}: {wanted}",
    )


async def test_every_cluster_goes_its_own_way(platform_crds: KubeApi, edge_api: KubeApi, tmp_path: Path) -> None:
    async with (
        platform_crds.client() as client,
        members(edge_api, tmp_path) as clusters,
        controllers(platform_crds.kubeconfig, clusters=clusters),
    ):
        edge = clusters.members["edge"].client
        for version in ("1.0.0", "2.0.0"):
            await publish(client, "spread", version, package("spread", version), installationMode="Multicluster")
        placement = {"placement": {"clusters": ["dark", "edge", "ghost"]}, "overrides": {"edge": "color: green"}}
        await plan(client, "spread", "1.0.0", config="color: blue", clusterScheduling=placement)
        await until_settled(client, "spread", "1.0.0")
        obj = await until_part(client, "spread", "edge", state="Installed", version="1.0.0")
        assert part(obj, "edge")["releaseName"] == "spread-agent"
        here = (await client.get(CONFIGMAPS, "settings", "extension-spread"))["data"]
        there = (await edge.get(CONFIGMAPS, "settings", "extension-spread"))["data"]
        assert (here["color"], here["cluster"]) == ("blue", "host")
        assert (there["color"], there["cluster"]) == ("green", "edge")
        secrets = (await edge.list(SECRETS, "extension-spread", label_selector="owner=helm")).items
        assert [secret["metadata"]["name"] for secret in secrets] == ["sh.helm.release.v1.spread-agent.v1"]
        await until_part(client, "spread", "dark", reason="ClusterUnreachable")
        await until_part(client, "spread", "ghost", reason="ClusterUnknown")

        await plan(client, "spread", "2.0.0")
        await until_settled(client, "spread", "2.0.0")
        await until_part(client, "spread", "edge", state="Installed", version="2.0.0")

        await plan(
            client, "spread", "2.0.0", clusterScheduling={"placement": {"clusters": ["dark"]}, "overrides": None}
        )
        await until(
            lambda: client.get(INSTALLPLANS, "spread"), lambda obj: not part(obj, "edge"), "the end of edge's part"
        )
        await until_gone(edge, NAMESPACES, "extension-spread")
        assert (await until_settled(client, "spread", "2.0.0"))["status"]["state"] == "Installed"

        await client.delete(INSTALLPLANS, "spread")
        await until_gone(client, INSTALLPLANS, "spread")


async def test_a_member_that_is_gone_does_not_hold_the_deletion_and_is_in_the_receipt(
    platform_crds: KubeApi, edge_api: KubeApi, tmp_path: Path
) -> None:
    async with (
        platform_crds.client() as client,
        members(edge_api, tmp_path) as clusters,
        controllers(platform_crds.kubeconfig, clusters=clusters),
    ):
        await publish(client, "lost", "1.0.0", package("lost", "1.0.0"), installationMode="Multicluster")
        selector = {"placement": {"clusterSelector": {"matchLabels": {"place": "edge"}}}}
        await plan(client, "lost", "1.0.0", clusterScheduling=selector)
        await until_part(client, "lost", "edge", state="Installed", version="1.0.0")
        clusters.cut.add("edge")
        await client.delete(INSTALLPLANS, "lost")
        await until_gone(client, INSTALLPLANS, "lost")
        receipts = (
            await client.list(CONFIGMAPS, "kubesphere-system", label_selector="dovetail.dev/receipt-of=lost")
        ).items
        assert len(receipts) == 1
        told = str(receipts[0].get("data"))
        assert "edge" in told
        await until_gone(client, NAMESPACES, "extension-lost")
        await clusters.members["edge"].client.get(CONFIGMAPS, "settings", "extension-lost")


async def test_what_runs_on_the_host_only_is_not_sent_to_members(
    platform_crds: KubeApi, edge_api: KubeApi, tmp_path: Path
) -> None:
    async with (
        platform_crds.client() as client,
        members(edge_api, tmp_path) as clusters,
        controllers(platform_crds.kubeconfig, clusters=clusters),
    ):
        await publish(client, "homely", "1.0.0", package("homely", "1.0.0"))
        await plan(client, "homely", "1.0.0", clusterScheduling={"placement": {"clusters": ["edge"]}})
        await until_part(client, "homely", "edge", reason="HostOnly")
        assert (await until_settled(client, "homely", "1.0.0"))["status"]["state"] == "Installed"
        await client.delete(INSTALLPLANS, "homely")
        await until_gone(client, INSTALLPLANS, "homely")
