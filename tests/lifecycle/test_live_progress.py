"""Steps in a plan's status while its operation runs, on a real API."""

import asyncio

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.lifecycle.live_progress import LiveProgress
from dovetail.lifecycle.steps import Step
from tests.conftest import KubeApi
from tests.lifecycle.platform import plan, until


async def test_the_newest_step_is_written_and_the_next_write_is_no_conflict(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        obj = await plan(client, "moving", "1.0.0")
        live = LiveProgress(client, obj)
        async with live.running():
            for percent in range(20, 60, 10):
                live.report(Step(percent, "Installing", f"Job {percent}"))
            live.report(Step(15, "Installing", "late"))
            seen = await until(
                lambda: client.get(INSTALLPLANS, "moving"), lambda obj: "progress" in obj.get("status", {}), "a step"
            )
            assert seen["status"]["progress"] == {"percent": 50, "step": "Installing", "object": "late"}
            live.report(Step(100, "Done"))
        assert int(live.obj["metadata"]["resourceVersion"]) > int(obj["metadata"]["resourceVersion"])
        await client.update(INSTALLPLANS, {**live.obj, "status": {"state": "Installed"}}, subresource="status")
        await client.delete(INSTALLPLANS, "moving")


async def test_a_hundred_steps_are_two_writes_a_second(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        live = LiveProgress(client, await plan(client, "busy", "1.0.0"))
        versions: set[str] = set()
        async with live.running():
            for percent in range(100):
                live.report(Step(percent, "Installing"))
                versions.add(live.obj["metadata"]["resourceVersion"])
                await asyncio.sleep(0.011)
        assert len(versions) <= 4
        assert live.obj["status"]["progress"]["percent"] > 0
        await client.delete(INSTALLPLANS, "busy")


async def test_a_plan_that_is_gone_fails_nothing(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client:
        obj = await plan(client, "gone", "1.0.0")
        await client.delete(INSTALLPLANS, "gone")
        live = LiveProgress(client, obj)
        async with live.running():
            live.report(Step(50, "Installing"))
            await asyncio.sleep(0.7)
        assert live.obj == obj
