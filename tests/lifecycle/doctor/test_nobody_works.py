"""What is found when nobody works on it: controllers that do not run, releases that were left behind, and mending.

Every case begins with real controllers and ends their work at a chosen point; what `--fix` does is followed by real
controllers again.
"""

from typing import Any

import pytest

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, REPOSITORIES
from dovetail.kube import CONFIGMAPS, DEPLOYMENTS, JOBS, LEASES, PODS, SECRETS, Client, now
from dovetail.lifecycle.doctor import mending
from dovetail.lifecycle.doctor.diagnosing import examine, examine_platform
from tests.conftest import KubeApi
from tests.finished_jobs import finished_status
from tests.lifecycle.doctor.lifecycle_faults import HOOK, container_waits, fail_job, hook_job, make_pod, until_account
from tests.lifecycle.doctor.rig import AT_ONCE, PATIENCE, Rig, first, platform, shown
from tests.lifecycle.museum import Museum
from tests.lifecycle.platform import ensure_namespace, make, package, until


async def code(client: Client, name: str) -> str:
    diagnosis = await examine(client, name, AT_ONCE)
    ours = [root for root in diagnosis.roots if root.finding.subject.kind != "Process"
            or root.finding.subject.name == "controllers"]  # fmt: skip
    return ours[0].finding.cause.code if ours else shown(diagnosis)


async def lock(client: Client, name: str) -> None:
    """Helm's newest record as a crash in the middle of an upgrade leaves it."""
    secret = f"sh.helm.release.v1.{name}.v1"
    await client.patch(SECRETS, secret, {"metadata": {"labels": {"status": "pending-upgrade"}}}, f"extension-{name}")


async def unused(client: Client, name: str) -> None:
    """The release's records are gone."""
    await client.delete(SECRETS, f"sh.helm.release.v1.{name}.v1", f"extension-{name}")


async def switched_off(client: Client, name: str) -> None:
    await client.patch(JSBUNDLES, name, {"status": {"state": "Disabled"}}, subresource="status")


async def changed(client: Client, name: str) -> None:
    await client.patch(INSTALLPLANS, name, {"spec": {"config": "color: green\n"}})


async def drifted(client: Client, name: str) -> None:
    """As the drift controller tells it."""
    entry = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": f"extension-{name}", "name": "settings"}
    status = {"drift": [{**entry, "what": "Missing", "paths": []}]}
    await client.patch(INSTALLPLANS, name, {"status": status}, subresource="status")


LEFT = {
    "left-locked": ("ReleaseLocked", lock),
    "left-lost": ("ReleaseLost", unused),
    "left-off": ("SwitchedOff", switched_off),
    "left-behind": ("ControllersNotRunning", changed),
    "left-drifted": ("ObjectDeleted", drifted),
}


@pytest.mark.timeout(120)
async def test_what_was_left_behind_is_named_and_mended(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        async with platform(platform_crds) as rig:
            for name in LEFT:
                await rig.publish(name)
                await rig.plan(name)
            for name in LEFT:
                await rig.until_state(name, "Installed")
        for name, (expected, fault) in LEFT.items():
            await fault(client, name)
            assert await code(client, name) == expected, name
        await a_dead_holder(client)
        found = {name: await examine(client, name, AT_ONCE) for name in LEFT}
        todo = mending.actions(found.values())
        assert {action.of.name for action in todo} == {"left-locked", "left-lost", "left-off"}
        await mending.mend(client, todo, now())
        async with platform(platform_crds) as rig:
            for name in ("left-locked", "left-lost", "left-off", "left-behind"):

                async def well(name: str = name) -> Any:
                    return await rig.diagnosis(name)

                await until(well, lambda diagnosis: not diagnosis.roots, f"{name} to be well")


async def a_dead_holder(client: Client) -> None:
    """A lease whose holder died; and one that nobody holds."""
    await ensure_namespace(client, "kubesphere-system")
    spec = {"holderIdentity": "gone_1_abc", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    await make(client, LEASES, "dovetail-lifecycle", "kubesphere-system", spec=spec)
    try:
        platform_itself, *_ = await examine_platform(client, AT_ONCE)
        assert first(platform_itself) == "ControllersNotRunning", shown(platform_itself)
        assert "Lease dovetail-lifecycle" in shown(platform_itself).replace("kubesphere-system/", "")
    finally:
        await client.delete(LEASES, "dovetail-lifecycle", "kubesphere-system")


async def test_a_hook_that_failed_for_good_is_tried_again_once_it_is_gone(platform_crds: KubeApi) -> None:
    """Nothing is tried again while the failed hook is there to be read; afterwards --fix does, and it heals."""
    name = "given-up"
    async with platform(platform_crds) as rig:
        await rig.publish(name, **{"templates/hook.yaml": HOOK})
        await rig.plan(name, retry={"limit": 1})
        await fail_job(rig, await hook_job(rig, name))
        await rig.until_state(name, "InstallFailed")
        diagnosis = await rig.diagnosis(name)
        assert (first(diagnosis), mending.actions([diagnosis])) == ("HookFailed", [])
        data = {"job.migrate.migrate-1.main": "connecting ...\nno route to the database"}
        await make(rig.client, CONFIGMAPS, f"hook-logs-{name}", "kubesphere-system", data=data)
        assert "no route to the database" in shown(await rig.diagnosis(name))
        await rig.client.delete(JOBS, "migrate", f"extension-{name}", propagation="Background")
        diagnosis = await rig.diagnosis(name)
        assert first(diagnosis) == "AttemptsExhausted", shown(diagnosis)
        await mending.mend(rig.client, mending.actions([diagnosis]), now())
        job = await hook_job(rig, name)
        await rig.client.patch(
            JOBS, "migrate", {"status": finished_status(job)}, f"extension-{name}", subresource="status"
        )
        await rig.until_state(name, "Installed")
        diagnosis = await rig.diagnosis(name)
        assert not diagnosis.roots, shown(diagnosis)


async def test_repositories_are_named_with_their_cause_and_mended(platform_crds: KubeApi, museum: Museum) -> None:
    client_url = museum.url
    museum.add("from-museum", "1.0.0", package("from-museum", "1.0.0"))
    museum.password = "right"
    wanted = {
        "r-login": ("RepositoryRefusesLogin", {"url": client_url}),
        "r-down": ("RepositoryUnreachable", {"url": "http://127.0.0.1:9"}),
        "r-secret": ("RepositorySecret", {"url": client_url, "basicAuth": {"secretRef": {"name": "absent"}}}),
        "r-scheme": ("RepositoryInvalid", {"url": "ftp://example.org"}),
        "r-directory": ("RepositoryUnreachable", {"url": "file:///srv/none"}),
    }
    async with platform(platform_crds) as rig:
        for name, (_, spec) in wanted.items():
            await make(rig.client, REPOSITORIES, name, spec=spec)
        for name in wanted:
            await rig.until_condition(REPOSITORIES, name, "Synced", "False")
        platform_itself, *_ = await examine_platform(rig.client, PATIENCE)
        told = {root.finding.subject.name: root.finding.cause.code for root in platform_itself.roots}
        assert {name: told.get(name) for name in wanted} == {name: expected for name, (expected, _) in wanted.items()}
        await of_an_extension(rig, museum)
        for name in wanted:
            await rig.client.delete(REPOSITORIES, name)


async def test_the_pod_of_a_repository_that_is_an_image(platform_crds: KubeApi) -> None:
    space, image = "kubesphere-system", "images.test/shelf:1"
    async with platform(platform_crds) as rig:
        await ensure_namespace(rig.client, space)
        await until_account(rig, space)
        await make(rig.client, REPOSITORIES, "r-image", spec={"image": image, "updateStrategy": {"timeout": "1s"}})
        await rig.until_condition(REPOSITORIES, "r-image", "Synced", "False")
        deployment = await rig.client.get(DEPLOYMENTS, "repository-r-image", space)
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"],
                 "uid": deployment["metadata"]["uid"], "controller": True}  # fmt: skip
        pod = await make_pod(rig, space, "repository-r-image-x", owner, image, nodeName="doctors-node")
        await container_waits(rig, pod, {"reason": "ErrImagePull", "message": "dial tcp: i/o timeout"}, image=image)
        try:
            platform_itself, *_ = await examine_platform(rig.client, PATIENCE)
            root = next(one for one in platform_itself.roots if one.finding.subject.name == pod["metadata"]["name"])
            assert root.finding.cause.code == "ImageUnreachable"
            assert [one.cause.code for one in root.symptoms] == ["RepositoryPodNotReady"], shown(platform_itself)
        finally:
            await rig.client.delete(REPOSITORIES, "r-image")
            await rig.client.delete(PODS, pod["metadata"]["name"], space, grace_period=0)


async def of_an_extension(rig: Rig, museum: Museum) -> None:
    """A plan for what only an unreadable repository has: the repository is the cause, and reading it again the fix."""
    await rig.plan("from-museum")
    await rig.until_told("from-museum", "VersionNotFound")
    diagnosis = await rig.diagnosis("from-museum")
    roots = {root.finding.subject.name: root for root in diagnosis.roots}
    assert "r-login" in roots, shown(diagnosis)
    assert [one.cause.code for one in roots["r-login"].symptoms] == ["VersionNotFound"], shown(diagnosis)
    assert "VersionNotFound" not in {root.finding.cause.code for root in diagnosis.roots}
    museum.password = ""
    todo = [action for action in mending.actions([diagnosis]) if action.of.name == "r-login"]
    await mending.mend(rig.client, todo, now())
    await rig.until_state("from-museum", "Installed")
    diagnosis = await rig.diagnosis("from-museum")
    assert not diagnosis.problems or {r.finding.cause.code for r in diagnosis.roots} <= {"BackendRefuses"}
