"""Who asked is written and not forged, and what others need is not uninstalled: the real server of the webhooks, asked
by the real API server."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS, SUBSCRIPTIONS
from dovetail.iam.process_roles import GATEWAY, namespaces, process_roles
from dovetail.kube import CLUSTERROLEBINDINGS, CLUSTERROLES, Client, ControllerRuntime
from dovetail.kube.errors import ApiError
from dovetail.kube.objects import annotations_of
from dovetail.lifecycle import plan_admission
from dovetail.platform.guard_server import GuardServer
from dovetail.platform.quota_reviews import QuotaReviews
from tests.conftest import KubeApi, install_crds, run_kube_api
from tests.lifecycle.platform import make, until

REQUESTED_BY = labels.REQUESTED_BY


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """One for these tests alone: the webhooks would reach into others."""
    for api in run_kube_api(tmp_path_factory.mktemp("admission")):
        install_crds(api)
        yield api


@pytest.fixture
async def guarded(own_cluster: KubeApi, tmp_path: Path) -> AsyncIterator[Client]:
    """A cluster whose webhooks answer; their server has the rights of the gateway's process and no others."""
    async with own_cluster.client() as client:
        for obj in [*namespaces(), *process_roles()]:
            resource = await client.discover(obj["apiVersion"], obj["kind"])
            await client.apply(resource, obj, field_manager="test", force=True)
        gateway = client.impersonate(GATEWAY, ["system:authenticated"])
        runtime = ControllerRuntime(gateway)
        server = GuardServer(gateway, tmp_path, QuotaReviews(runtime, time.monotonic))
        serving = asyncio.create_task(server.run())
        running = asyncio.create_task(runtime.run())
        await _in_place(client)
        try:
            yield client
        finally:
            for task in (serving, running):
                task.cancel()
            await asyncio.gather(serving, running, return_exceptions=True)


async def _in_place(client: Client) -> None:
    """The webhooks of this server, not of one before it: they write who asks."""

    async def signed() -> Any:
        if await _there(client, "probe"):
            await client.delete(INSTALLPLANS, "probe")
        return await make(client, INSTALLPLANS, "probe", spec=_spec("probe"))

    await until(signed, lambda obj: REQUESTED_BY in annotations_of(obj), "the webhook of authors")
    await client.delete(INSTALLPLANS, "probe")


async def _there(client: Client, name: str) -> bool:
    return any(obj["metadata"]["name"] == name for obj in (await client.list(INSTALLPLANS)).items)


def _spec(name: str, version: str = "1.0.0") -> dict[str, Any]:
    return {"extension": {"name": name, "version": version}, "enabled": True}


async def somebody(client: Client, user: str) -> Client:
    rules = [{"verbs": ["*"], "apiGroups": ["kubesphere.io"], "resources": ["*"]}]
    await client.apply(CLUSTERROLES, {"metadata": {"name": user}, "rules": rules}, field_manager="test")
    bound = {
        "metadata": {"name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
    }
    await client.apply(CLUSTERROLEBINDINGS, bound, field_manager="test")
    return client.impersonate(user, ["system:authenticated"])


async def author(client: Client, name: str) -> str:
    return annotations_of(await client.get(INSTALLPLANS, name)).get(REQUESTED_BY, "")


async def test_the_user_who_changed_a_plan_is_written_and_nobody_else(guarded: Client) -> None:
    ann, bob = await somebody(guarded, "ann"), await somebody(guarded, "bob")
    await make(ann, INSTALLPLANS, "signed", spec=_spec("signed"))
    assert await author(guarded, "signed") == "ann"
    await bob.patch(INSTALLPLANS, "signed", {"metadata": {"labels": {"x": "y"}}})
    await bob.patch(INSTALLPLANS, "signed", {"status": {"state": "Installing"}}, subresource="status")
    assert await author(guarded, "signed") == "ann", "what is no wish changes no author"
    for forged in ("root", None, ""):
        await bob.patch(INSTALLPLANS, "signed", {"metadata": {"annotations": {REQUESTED_BY: forged}}})
        assert await author(guarded, "signed") == "ann"
    await bob.patch(
        INSTALLPLANS, "signed", {"metadata": {"annotations": {REQUESTED_BY: "root"}}, "spec": {"config": "a: 1"}}
    )
    assert await author(guarded, "signed") == "bob"
    await ann.patch(INSTALLPLANS, "signed", {"metadata": {"annotations": {labels.RETRY: "again"}}})
    assert await author(guarded, "signed") == "ann"
    ours = await somebody(guarded, plan_admission.CONTROLLERS)
    await ours.patch(
        INSTALLPLANS, "signed", {"metadata": {"annotations": {REQUESTED_BY: "bob"}}, "spec": {"config": "a: 2"}}
    )
    assert await author(guarded, "signed") == "bob", "the controllers say on whose behalf"
    await ours.patch(INSTALLPLANS, "signed", {"spec": {"config": "a: 3"}})
    assert await author(guarded, "signed") == plan_admission.CONTROLLERS
    await guarded.delete(INSTALLPLANS, "signed")


async def test_nobody_forges_an_author_while_the_platform_is_away(own_cluster: KubeApi, tmp_path: Path) -> None:
    async with own_cluster.client() as client:
        for resource, one in plan_admission.configurations("https://127.0.0.1:9", _authority(), {}):
            await client.apply(resource, one, field_manager="test", force=True)
        bob = await somebody(client, "bob")
        await make(bob, INSTALLPLANS, "away", spec=_spec("away"))
        with pytest.raises(ApiError) as caught:
            await bob.patch(INSTALLPLANS, "away", {"metadata": {"annotations": {REQUESTED_BY: "root"}}})
        assert "forgery.lifecycle.dovetail.dev" in caught.value.message
        await bob.patch(INSTALLPLANS, "away", {"spec": {"config": "a: 1"}})
        assert await author(client, "away") == ""
        await bob.delete(INSTALLPLANS, "away")
        for resource, one in plan_admission.configurations("https://127.0.0.1:9", _authority(), {}):
            await client.delete(resource, one["metadata"]["name"])


def _authority() -> str:
    from datetime import UTC, datetime

    from dovetail.platform.guard_server import self_signed

    return base64.b64encode(self_signed("127.0.0.1", datetime.now(UTC))[0]).decode()


async def test_what_others_need_is_not_uninstalled(guarded: Client) -> None:
    needs = [{"name": "base", "version": ">=1.0.0", "required": True}]
    for name, dependencies in (("base", []), ("shop", needs), ("apart", [{**needs[0], "required": False}])):
        await guarded.apply(
            EXTENSIONVERSIONS,
            {
                "metadata": {"name": f"{name}-1.0.0", "labels": {"kubesphere.io/extension-ref": name}},
                "spec": {"version": "1.0.0", "externalDependencies": dependencies},
            },
            field_manager="test",
        )
        await make(guarded, INSTALLPLANS, name, spec=_spec(name))
        await guarded.patch(
            INSTALLPLANS, name, {"status": {"state": "Installed", "version": "1.0.0"}}, subresource="status"
        )
    await make(guarded, SUBSCRIPTIONS, "base-wanted", spec=_spec("base"))
    ann = await somebody(guarded, "ann")
    for resource, name in ((INSTALLPLANS, "base"), (SUBSCRIPTIONS, "base-wanted")):
        with pytest.raises(ApiError) as caught:
            await ann.delete(resource, name)
        assert caught.value.code == 403
        assert "base is required by what is installed: shop 1.0.0. Uninstall those first" in caught.value.message
    with pytest.raises(ApiError):
        await ann.delete_collection(INSTALLPLANS, label_selector="")
    for name in ("shop", "base", "apart"):
        if await _there(guarded, name):
            await ann.delete(INSTALLPLANS, name)
    await ann.delete(SUBSCRIPTIONS, "base-wanted")


async def test_who_uninstalls_is_written_while_the_uninstall_goes_on(guarded: Client) -> None:
    ann = await somebody(guarded, "ann")
    for resource in (INSTALLPLANS, SUBSCRIPTIONS):
        await make(guarded, INSTALLPLANS, "going", spec=_spec("going"))
        await guarded.patch(INSTALLPLANS, "going", {"metadata": {"finalizers": ["tests.example.org/wait"]}})
        if resource is SUBSCRIPTIONS:
            await make(guarded, SUBSCRIPTIONS, "going", spec=_spec("going"))
        await ann.delete(resource, "going")
        assert await author(guarded, "going") == "ann"
        await guarded.patch(INSTALLPLANS, "going", {"metadata": {"finalizers": []}})
        if resource is SUBSCRIPTIONS:
            await guarded.delete(INSTALLPLANS, "going")
    asked = {"dryRun": True, "userInfo": {"username": "ann"}}
    assert plan_admission.uninstaller({"request": asked}) == "", "nothing is written for a dry run"


async def test_the_user_may_take_it_on_himself(guarded: Client) -> None:
    await make(guarded, INSTALLPLANS, "base", spec=_spec("base"))
    await make(guarded, INSTALLPLANS, "shop", spec=_spec("shop"))
    for name in ("base", "shop"):
        await guarded.patch(
            INSTALLPLANS, name, {"status": {"state": "Installed", "version": "1.0.0"}}, subresource="status"
        )
    ann = await somebody(guarded, "ann")
    with pytest.raises(ApiError):
        await ann.delete(INSTALLPLANS, "base")
    await ann.patch(INSTALLPLANS, "base", {"metadata": {"annotations": {labels.IGNORE_DEPENDENTS: "true"}}})
    await ann.delete(INSTALLPLANS, "base")
    await ann.delete(INSTALLPLANS, "shop")


def test_an_annotation_is_made_where_there_is_none() -> None:
    review = {
        "request": {"uid": "7", "userInfo": {"username": "ann"}, "object": {"metadata": {"name": "a"}, "spec": {}}}
    }
    response = plan_admission.authored(review)["response"]
    patch = orjson.loads(base64.b64decode(response["patch"]))
    assert patch == [{"op": "add", "path": "/metadata/annotations", "value": {REQUESTED_BY: "ann"}}]


async def test_who_only_finds_the_port_forges_nothing(guarded: Client) -> None:
    await make(guarded, INSTALLPLANS, "quiet", spec=_spec("quiet"))
    found = await guarded.get(plan_admission.VALIDATING, plan_admission.NAME)
    url = found["webhooks"][-1]["clientConfig"]["url"]
    port, _, path = url.removeprefix("https://").partition("/")
    assert len(path.partition("/")[0]) >= 32
    review = {"request": {"uid": "u", "name": "quiet", "userInfo": {"username": "somebody-else"}, "oldObject": {}}}
    async with aiohttp.ClientSession() as http:
        for tried in ("uninstalls", "requested-by", f"{'x' * 32}/uninstalls"):
            async with http.post(f"https://{port}/{tried}", json=review, ssl=False) as answer:
                assert answer.status == 404, tried
    plan = await guarded.get(INSTALLPLANS, "quiet")
    assert annotations_of(plan).get(REQUESTED_BY) != "somebody-else"
