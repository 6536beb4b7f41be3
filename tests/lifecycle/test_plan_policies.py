"""How a plan is carried out, on a real API with the real Helm: pause, retries, roll-back, dependencies, history."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, EVENTS, Client
from dovetail.kube.conditions import find_condition
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

NEVER_READY = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: never
  annotations: {helm.sh/hook: "post-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-failed"}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: wait, image: images.test/wait}]}}
"""


def condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    return dict(find_condition(obj.get("status", {}).get("conditions", []), kind) or {})


async def until_condition(client: Client, name: str, kind: str, status: str) -> dict[str, Any]:
    return await until(
        lambda: client.get(INSTALLPLANS, name), lambda obj: condition(obj, kind).get("status") == status, kind
    )


def outcomes(obj: dict[str, Any]) -> list[tuple[str, str]]:
    return [(record["action"], record["outcome"]) for record in obj["status"].get("history", [])]


@contextlib.asynccontextmanager
async def recorded(client: Client) -> AsyncIterator[list[dict[str, Any]]]:
    """Every status of the only plan while inside."""
    seen: list[dict[str, Any]] = []

    start = (await client.list(INSTALLPLANS)).resource_version

    async def watch() -> None:
        async with contextlib.aclosing(client.watch(INSTALLPLANS, resource_version=start)) as events:
            async for event in events:
                seen.append(event.object.get("status", {}))  # noqa: PERF401 - it is read while it grows

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_paused_plan_waits_and_its_history_tells_who_asked(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "still", "1.0.0", package("still", "1.0.0"))
        await plan(client, "still", "1.0.0", paused=True)
        obj = await until_condition(client, "still", "Paused", "True")
        assert "state" not in obj["status"]
        assert "finalizers" not in obj["metadata"]
        who = {"metadata": {"annotations": {"dovetail.dev/requested-by": "ada"}}}
        await client.patch(INSTALLPLANS, "still", who)
        await plan(client, "still", "1.0.0", paused=False)
        obj = await until_settled(client, "still", "1.0.0")
        assert condition(obj, "Paused")["status"] == "False"
        (record,) = obj["status"]["history"]
        assert (record["action"], record["version"], record["requestedBy"]) == ("Install", "1.0.0", "ada")
        assert (record["outcome"], record["attempts"], record["revision"]) == ("Succeeded", 1, 1)
        assert record["startedAt"] <= record["finishedAt"]
        events = (await client.list(EVENTS, "default")).items
        told = [event["message"] for event in events if event["involvedObject"]["name"] == "still"]
        assert any("(operation 1 by ada)" in message for message in told)

        await plan(client, "still", "1.0.0", enabled=False)
        await plan(client, "still", "1.0.0", paused=True)
        await client.delete(INSTALLPLANS, "still")
        await until_gone(client, INSTALLPLANS, "still")


async def test_a_failed_upgrade_is_rolled_back_and_the_history_tells_it(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "wobbly", "1.0.0", package("wobbly", "1.0.0"))
        await publish(client, "wobbly", "2.0.0", package("wobbly", "2.0.0", templates__hook_yaml=NEVER_READY))
        policies = {"hookTimeout": "1s", "retry": {"limit": 1}, "onUpgradeFailure": "Rollback"}
        await plan(client, "wobbly", "1.0.0", **policies)
        await until_settled(client, "wobbly", "1.0.0")
        async with recorded(client) as seen:
            await plan(client, "wobbly", "2.0.0")
            obj = await until_condition(client, "wobbly", "RolledBack", "True")
        assert obj["status"]["state"] == "UpgradeFailed"
        assert obj["status"]["version"] == "1.0.0"
        assert outcomes(obj) == [("Install", "Succeeded"), ("Upgrade", "Failed"), ("Rollback", "Succeeded")]
        failed = obj["status"]["history"][1]
        assert (failed["version"], failed["fromVersion"], failed["reason"]) == ("2.0.0", "1.0.0", "HelmFailed")
        assert obj["status"]["history"][2]["revision"] == 3
        await client.get(CONFIGMAPS, "only-in-1.0.0", "extension-wobbly")
        await until_gone(client, CONFIGMAPS, "only-in-2.0.0", "extension-wobbly")
        percents = [
            status["progress"]["percent"]
            for status in seen
            if status.get("state") in ("Preparing", "Upgrading") and "progress" in status
        ]
        assert percents
        assert percents == sorted(percents)
        assert "progress" not in obj["status"]
        await plan(client, "wobbly", "1.0.0")
        obj = await until_settled(client, "wobbly", "1.0.0")
        assert condition(obj, "RolledBack") == {}
        await client.delete(INSTALLPLANS, "wobbly")
        await until_gone(client, INSTALLPLANS, "wobbly")


async def test_an_extension_waits_for_what_it_needs_and_what_is_needed_stays(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        needs = [{"name": "ground", "version": ">=1.0.0", "required": True}]
        await publish(client, "tower", "1.0.0", package("tower", "1.0.0"), externalDependencies=needs)
        await publish(client, "ground", "1.0.0", package("ground", "1.0.0"))
        await plan(client, "tower", "1.0.0")
        obj = await until_condition(client, "tower", "Dependencies", "False")
        assert condition(obj, "Dependencies")["reason"] == "DependencyMissing"
        assert "ground" in condition(obj, "Dependencies")["message"]
        await plan(client, "ground", "1.0.0")
        obj = await until_settled(client, "tower", "1.0.0")
        assert condition(obj, "Dependencies")["status"] == "True"

        await client.delete(INSTALLPLANS, "ground")
        obj = await until_condition(client, "ground", "Dependencies", "False")
        assert obj["status"]["state"] == "Installed"
        assert "tower" in condition(obj, "Dependencies")["message"]
        await client.delete(INSTALLPLANS, "tower")
        await until_gone(client, INSTALLPLANS, "tower")
        await until_gone(client, INSTALLPLANS, "ground")


async def test_what_is_needed_goes_when_the_user_insists_and_the_other_is_told(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        needs = [{"name": "cellar", "version": "*", "required": True}]
        await publish(client, "house", "1.0.0", package("house", "1.0.0"), externalDependencies=needs)
        await publish(client, "cellar", "1.0.0", package("cellar", "1.0.0"))
        for name in ("cellar", "house"):
            await plan(client, name, "1.0.0")
        await until_settled(client, "house", "1.0.0")
        await client.patch(
            INSTALLPLANS, "cellar", {"metadata": {"annotations": {"dovetail.dev/ignore-dependents": ""}}}
        )
        await client.delete(INSTALLPLANS, "cellar")
        await until_gone(client, INSTALLPLANS, "cellar")
        obj = await until_condition(client, "house", "Dependencies", "False")
        assert obj["status"]["state"] == "Installed"
        await client.delete(INSTALLPLANS, "house")
        await until_gone(client, INSTALLPLANS, "house")


async def test_nothing_is_installed_without_the_approval_that_is_required(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):
        await publish(client, "shy", "1.0.0", package("shy", "1.0.0"))
        await plan(client, "shy", "1.0.0", approval={"required": True})
        obj = await until_settled(client, "shy", "", state="InstallFailed")
        told = condition(obj, "Installed")
        assert told["reason"] == "ApprovalRequired"
        assert "dovetail extension plan shy --version 1.0.0 --approve" in told["message"]
        await plan(client, "shy", "1.0.0", approval={"required": False})
        await until_settled(client, "shy", "1.0.0")
        await client.delete(INSTALLPLANS, "shy")
        await until_gone(client, INSTALLPLANS, "shy")
