"""The guards against the embedded API, where nobody answers: what is refused is refused, everything else goes on."""

from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from dovetail.apis.labels import WORKSPACE
from dovetail.iam.process_roles import RBAC
from dovetail.iam.tenancy.guards import (
    CONFIGURATIONS,
    NAME,
    PROJECTS_PATH,
    SHARES_PATH,
    answered,
    configuration,
    verdict,
)
from dovetail.iam.tenancy.projects import ADMIN_TO_BE
from dovetail.iam.tenancy.quotas import SHARE_OF, SHARES
from dovetail.kube.client import Client
from dovetail.kube.errors import ApiError
from dovetail.kube.resources import CLUSTERROLEBINDINGS, CLUSTERROLES, NAMESPACES, PODS, ROLEBINDINGS
from dovetail.platform.guard_server import self_signed
from tests.conftest import KubeApi, free_port, run_kube_api
from tests.iam.role_rig import fresh

SERVICE = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """One for these tests alone: the guards would reach into others."""
    yield from run_kube_api(tmp_path_factory.mktemp("guarded"))


@pytest.fixture
async def guarded(own_cluster: KubeApi) -> AsyncIterator[Client]:
    """A cluster with the guards, and nobody behind them."""
    from datetime import UTC, datetime

    certificate, _ = self_signed("127.0.0.1", datetime.now(UTC))
    wanted = configuration(f"https://127.0.0.1:{free_port()}", b64encode(certificate).decode(), ["w"])
    async with own_cluster.client() as client:
        await client.apply(CONFIGURATIONS, wanted, field_manager="test", force=True)
        assert len((await client.get(CONFIGURATIONS, NAME))["webhooks"]) == 3
        yield client


async def administrator_of(client: Client, namespace: str, *, everywhere: bool = False) -> Client:
    """A user who holds everything in a namespace, or (but for adopting) all over the cluster."""
    user, rules = fresh("u"), [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    if everywhere:
        rules = [{"verbs": ["*"], "apiGroups": ["", "rbac.authorization.k8s.io"], "resources": ["*"]}]
    await client.create(CLUSTERROLES, {"metadata": {"name": user}, "rules": rules})
    bound = {
        "metadata": {"name": user},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": user},
    }
    if everywhere:
        await client.create(CLUSTERROLEBINDINGS, bound)
    else:
        await client.create(ROLEBINDINGS, bound, namespace)
    return client.impersonate(user, ["system:authenticated"])


async def refused(call: Any) -> str:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value.message


async def test_nobody_moves_a_project_without_the_right_though_nobody_answers(guarded: Client) -> None:
    await guarded.create(NAMESPACES, {"metadata": {"name": "na", "labels": {WORKSPACE: "w"}}})
    for user in (await administrator_of(guarded, "na"), await administrator_of(guarded, "na", everywhere=True)):
        for change in (
            {"labels": {WORKSPACE: "v"}}, {"labels": {WORKSPACE: None}}, {"labels": None},
            {"annotations": {ADMIN_TO_BE: "me"}},
        ):  # fmt: skip
            message = await refused(user.patch(NAMESPACES, "na", {"metadata": change}))
            assert "workspace-of-a-project.tenant.kubesphere.io" in message
        await user.patch(NAMESPACES, "na", {"metadata": {"labels": {"tier": "gold"}, "annotations": {"a": "b"}}})
    cluster_wide = await administrator_of(guarded, "na", everywhere=True)
    await cluster_wide.create(NAMESPACES, {"metadata": {"name": "free"}})
    message = await refused(cluster_wide.create(NAMESPACES, {"metadata": {"name": "x", "labels": {WORKSPACE: "w"}}}))
    assert "workspace-of-a-project" in message
    await guarded.patch(NAMESPACES, "free", {"metadata": {"labels": {WORKSPACE: "w"}}})
    assert (await guarded.get(NAMESPACES, "na"))["metadata"]["labels"][WORKSPACE] == "w"


async def test_nobody_changes_a_share_without_the_right_though_nobody_answers(guarded: Client) -> None:
    await guarded.create(NAMESPACES, {"metadata": {"name": "nb"}})
    share = {"metadata": {"name": "s", "labels": {SHARE_OF: "x"}}, "spec": {"hard": {"pods": "1"}}}
    await guarded.create(SHARES, share, "nb")
    user = await administrator_of(guarded, "nb")
    for call in (
        user.patch(SHARES, "s", {"spec": {"hard": {"pods": "9"}}}, "nb"),
        user.patch(SHARES, "s", {"metadata": {"labels": {SHARE_OF: None}}}, "nb"),
        user.patch(SHARES, "s", {"status": {"hard": {"pods": "9"}}}, "nb", subresource="status"),
        user.delete(SHARES, "s", "nb"),
        user.delete_collection(SHARES, "nb"),
        user.create(SHARES, {**share, "metadata": {**share["metadata"], "name": "forged"}}, "nb"),
    ):
        assert "share-of-a-quota.quota.kubesphere.io" in await refused(call)
    await user.create(SHARES, {"metadata": {"name": "own"}, "spec": {"hard": {"pods": "5"}}}, "nb")
    await user.delete(SHARES, "own", "nb")
    await guarded.patch(SHARES, "s", {"spec": {"hard": {"pods": "2"}}}, "nb")


async def test_a_platform_that_is_away_stops_nobody_in_a_limited_workspace(guarded: Client) -> None:
    await guarded.create(NAMESPACES, {"metadata": {"name": "nc", "labels": {WORKSPACE: "w"}}})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "example.org/none:1"}]}}
    user = await administrator_of(guarded, "nc")
    assert (await user.create(PODS, pod, "nc"))["metadata"]["name"] == "p"


def test_what_the_webhooks_answer() -> None:
    review = {"request": {"uid": "7", "name": "shop", "namespace": "shop", "userInfo": {"username": "wade"}}}
    said = verdict(PROJECTS_PATH, review)["response"]
    assert (said["uid"], said["allowed"], said["status"]["code"]) == ("7", False, 403)
    assert '"wade" may not change it' in said["status"]["message"]
    assert "share of the quota" in verdict(SHARES_PATH, review)["response"]["status"]["message"]
    assert answered(review, "")["response"] == {"uid": "7", "allowed": True}
    assert verdict(PROJECTS_PATH, {})["response"]["allowed"] is False


def test_without_quotas_nothing_is_counted() -> None:
    names = [one["name"] for one in configuration("https://x", "")["webhooks"]]
    assert not any("quota-of-a-workspace" in name for name in names)
