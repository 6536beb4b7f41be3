"""Faults that concern the whole platform, and what is said when not everything may be read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CLUSTERROLEBINDINGS, CLUSTERROLES, NAMESPACES, Resource
from dovetail.lifecycle.doctor import report
from dovetail.lifecycle.doctor.diagnosing import examine, examine_platform
from tests.conftest import KubeApi
from tests.e2e.certificates import make_certificate
from tests.lifecycle.doctor.lifecycle_faults import WEBHOOKS, hook_configuration
from tests.lifecycle.doctor.rig import AT_ONCE, PATIENCE, Rig, first, platform, shown
from tests.lifecycle.platform import make, until

APIS = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", False)
DEAD = "v1.dead.example.org"


@asynccontextmanager
async def policy(directory: Path) -> AsyncIterator[dict[str, Any]]:
    """An admission webhook that says no; its client configuration."""
    certificate = make_certificate(directory)

    async def answer(request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        response = {"uid": asked["uid"], "allowed": False, "status": {"message": "no ConfigMaps on Sundays"}}
        kind = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        return web.json_response(kind | {"response": response})

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_context())
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield {"url": f"https://127.0.0.1:{port}/", "caBundle": certificate.base64}
    finally:
        await runner.cleanup()


async def test_a_policy_that_refuses_and_its_end(platform_crds: KubeApi, tmp_path: Path) -> None:
    """Denied: the webhook is named. Its configuration gone: the attempt may be made again, and heals."""
    name = "denied"
    async with platform(platform_crds) as rig, policy(tmp_path) as client_config:
        await rig.client.create(WEBHOOKS, hook_configuration(name, client_config))
        await rig.publish(name)
        await rig.plan(name, retry={"limit": 1})
        await rig.until_state(name, "InstallFailed")
        diagnosis = await rig.diagnosis(name)
        assert first(diagnosis) == "WebhookDenied", shown(diagnosis)
        assert "no ConfigMaps on Sundays" in shown(diagnosis)
        await rig.client.delete(WEBHOOKS, f"policy-{name}")
        diagnosis = await rig.diagnosis(name)
        assert first(diagnosis) == "AttemptsExhausted", shown(diagnosis)
        assert diagnosis.roots[0].finding.action is not None


async def test_a_dead_api_stops_deletions(platform_crds: KubeApi) -> None:
    name = "outlived"
    async with platform(platform_crds) as rig:
        await rig.publish(name)
        await rig.plan(name)
        await rig.until_state(name, "Installed")
        await dead_api(rig)
        try:
            await rig.until_condition(APIS, DEAD, "Available", "False")
            platform_itself, *_ = await examine_platform(rig.client, PATIENCE)
            assert first(platform_itself) == "AggregatedApiUnavailable", shown(platform_itself)
            assert (await rig.diagnosis(name)).roots == (), "it is no matter of this extension yet"
            await held_by_discovery(rig, name)
            diagnosis = await rig.diagnosis(name)
            assert first(diagnosis) == "AggregatedApiUnavailable", shown(diagnosis)
            assert "NamespaceDiscovery" in {one.cause.code for one in diagnosis.roots[0].symptoms}
        finally:
            await rig.client.delete(APIS, DEAD)
            await rig.client.patch(NAMESPACES, f"extension-{name}", {"metadata": {"finalizers": None}})


async def dead_api(rig: Rig) -> None:
    service = {"namespace": "default", "name": "absent", "port": 443}
    spec = {"group": "dead.example.org", "version": "v1", "service": service, "groupPriorityMinimum": 10,
            "versionPriority": 10, "insecureSkipTLSVerify": True}  # fmt: skip
    await make(rig.client, APIS, DEAD, spec=spec)


async def held_by_discovery(rig: Rig, name: str) -> None:
    """A deletion of the extension's namespace, as Kubernetes' controller tells what it waits for."""
    body = {"metadata": {"finalizers": ["example.org/stay"]}}
    await rig.client.patch(NAMESPACES, f"extension-{name}", body)
    await rig.client.delete(NAMESPACES, f"extension-{name}")
    why = (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "dead.example.org/v1: stale GroupVersion discovery: dead.example.org/v1"
    )
    told = {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "reason": "DiscoveryFailed", "message": why}
    await until(
        lambda: rig.client.get(NAMESPACES, f"extension-{name}"),
        lambda obj: not obj["spec"],
        "the end of the cluster's own work on it",
    )
    status = {"status": {"conditions": [told]}}
    await rig.client.patch(NAMESPACES, f"extension-{name}", status, subresource="status")


async def test_what_may_not_be_read_is_said(platform_crds: KubeApi) -> None:
    """Whoever sees only plans is told what he could not see, and never that all is well."""
    async with platform_crds.client() as client:
        rules = [{"verbs": ["get", "list"], "apiGroups": ["kubesphere.io"], "resources": ["*"]}]
        await make(client, CLUSTERROLES, "only-plans", rules=rules)
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "only-plans"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "shortsighted"}
        await make(client, CLUSTERROLEBINDINGS, "only-plans", roleRef=role, subjects=[subject])
        spec = {"extension": {"name": "unseen", "version": "1.0.0"}}
        await make(client, INSTALLPLANS, "unseen", spec=spec)
        view = client.impersonate("shortsighted")
        diagnosis = await examine(view, "unseen", AT_ONCE)
        assert first(diagnosis) == "ControllersNotRunning", shown(diagnosis)
        assert {"nodes", "namespaces", "pods in extension-unseen"} <= {each.what for each in diagnosis.unread}
        await client.delete(INSTALLPLANS, "unseen")
        overview = await examine_platform(view, AT_ONCE)
        assert report.exit_code(overview) in (1, 2)
        assert "could not be looked at: nodes" in report.as_text(overview, "en")


async def test_a_cluster_that_was_never_prepared(own_kube_api: KubeApi) -> None:
    async with own_kube_api.client() as client:
        platform_itself, *others = await examine_platform(client, AT_ONCE)
        assert (first(platform_itself), others) == ("PlatformNotPrepared", []), shown(platform_itself)
        assert platform_itself.roots[0].finding.commands == ("dovetail init",)
        assert first(await examine(client, "greeter", AT_ONCE)) == "PlatformNotPrepared"
