"""The platform's processes on the embedded cluster: what they may do from the first moment, and what not."""

import pytest

from dovetail.kube import CLUSTERROLES, CONFIGMAPS, PODS, SECRETS, Client, ClusterConfig
from dovetail.kube.errors import Forbidden
from dovetail.kube.resources import ResourceLike
from tests.conftest import KubeApi

ALLOWED: list[tuple[str, ResourceLike, str | None]] = [
    ("gateway", SECRETS, "kubesphere-system"),
    ("console", CONFIGMAPS, None),
    ("controllers", SECRETS, None),
    ("controllers", CLUSTERROLES, None),
]
REFUSED: list[tuple[str, ResourceLike, str | None]] = [
    ("gateway", SECRETS, None),
    ("gateway", PODS, None),
    ("gateway", CLUSTERROLES, None),
    ("console", SECRETS, None),
    ("console", CLUSTERROLES, None),
]


def client_of(api: KubeApi, part: str) -> Client:
    return Client(ClusterConfig.load(api.data_dir / "kubeconfigs" / f"{part}.yaml"))


@pytest.mark.parametrize(("part", "resource", "namespace"), ALLOWED)
async def test_what_a_process_needs(
    kube_api: KubeApi, part: str, resource: ResourceLike, namespace: str | None
) -> None:
    async with client_of(kube_api, part) as client:
        await client.list(resource, namespace)


@pytest.mark.parametrize(("part", "resource", "namespace"), REFUSED)
async def test_and_nothing_more(kube_api: KubeApi, part: str, resource: ResourceLike, namespace: str | None) -> None:
    async with client_of(kube_api, part) as client:
        with pytest.raises(Forbidden):
            await client.list(resource, namespace)
