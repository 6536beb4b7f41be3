"""What is applied is what was planned, in random worlds on the real API with the real Helm: or nothing is.

DOVETAIL_PREVIEW_STEPS and DOVETAIL_PREVIEW_SEED take it further than the suite does (`make preview-worlds`).
"""

import asyncio
import os
from typing import Any

import msgspec

from dovetail.apis.dialects import extension_version
from dovetail.apis.dialects.policies import AS_PUBLISHED
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.helm import HelmWorker
from dovetail.lifecycle.deployment import Deployer, Order
from dovetail.lifecycle.errors import PlanStale
from dovetail.lifecycle.facts import Desired
from dovetail.lifecycle.fetching import Fetcher
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.preview.document import Plan, ShownObject
from dovetail.lifecycle.preview.gathering import Asked
from dovetail.lifecycle.preview.previewing import Asker, Previewer
from dovetail.lifecycle.preview.words import named
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.sources import Sources
from tests.conftest import KubeApi
from tests.lifecycle.platform import package, publish
from tests.lifecycle.preview.worlds import World, changed_leaves, snapshot

Objects = dict[str, dict[str, Any]]
STEPS = int(os.environ.get("DOVETAIL_PREVIEW_STEPS", "5"))
SEED = int(os.environ.get("DOVETAIL_PREVIEW_SEED", "7"))


async def tried(deployer: Deployer, order: Order) -> PlanStale | None:
    async def begun() -> None:
        pass

    try:
        await deployer.deploy(order, begun, asyncio.Event())
    except PlanStale as refusal:
        return refusal
    return None


def judge(plan: Plan, before: Objects, after: Objects) -> list[str]:
    """Where what happened is not what was planned."""
    happened = {
        "added": after.keys() - before.keys(),
        "removed": before.keys() - after.keys(),
        "changed": {key for key in after.keys() & before.keys() if changed_leaves(before[key], after[key])},
    }
    wrong: list[str] = []
    for what, keys in happened.items():
        planned: dict[str, ShownObject] = {named(one): one for one in getattr(plan.objects, what)}
        wrong += [f"{key} was {what}, not planned" for key in keys - planned.keys()]
        wrong += [f"{key} was planned as {what}, and was not" for key in planned.keys() - keys]
        if what == "changed":
            for key in keys & planned.keys():
                wrong += [f"{key}: {one}" for one in _fields(planned[key], changed_leaves(before[key], after[key]))]
    return wrong


def _fields(planned: ShownObject, changed: set[str]) -> list[str]:
    paths = [field.path for field in planned.fields]

    def below(leaf: str, path: str) -> bool:
        return leaf == path or leaf.startswith((f"{path}.", f"{path}["))

    unplanned = [leaf for leaf in changed if not any(below(leaf, path) for path in paths)]
    idle = [path for path in paths if not any(below(leaf, path) for leaf in changed)]
    return [f"{leaf} changed, not planned" for leaf in unplanned] + [f"{path} did not change" for path in idle]


async def test_the_applied_change_is_the_planned_one_or_the_plan_is_stale(platform_crds: KubeApi) -> None:
    settings = LifecycleSettings(kubeconfig=platform_crds.kubeconfig)
    world, space = World(SEED), "extension-worlds"
    stale = applied = 0
    async with platform_crds.client() as client, HelmWorker() as helm, Fetcher() as fetcher:
        packages = PackageSource(client, Sources(client, fetcher), helm, lambda _: None)
        previewer = Previewer(client, client, helm, packages, settings, Asker("the tests"))
        deployer = Deployer(client, helm, packages, settings)
        for step in range(STEPS):
            version, target = f"1.{step}.0", f"target-{step}"
            await publish(client, "worlds", version, package("worlds", version, **world.files()))
            told = [await world.meddle(client, space) for _ in range(world.draw.randint(0, 2))]
            plan = (await previewer.preview(Asked("worlds", version))).plan
            assert not plan.blocked, plan.blocked
            moved = world.draw.random() < 0.4
            told += ["then", await world.meddle(client, space)] if moved else []
            where = f"seed {SEED}, step {step}, by hand: {told}"
            before = await snapshot(client, "worlds", space)
            desired = Desired("worlds", version, True, space, target)
            published = extension_version(await client.get(EXTENSIONVERSIONS, f"worlds-{version}"))
            policies = msgspec.structs.replace(AS_PUBLISHED, approval_required=True, approved_hash=plan.hash)
            order = Order(desired, published, "", step > 0, policies)
            refusal = await tried(deployer, order)
            after = await snapshot(client, "worlds", space)
            if refusal is None:
                applied += 1
                assert judge(plan, before, after) == [], where
            else:
                stale += 1
                assert moved, f"{where}: {refusal}"
                assert refusal.moved == ("the objects in the cluster",), where
                assert _same(before, after), where
    print(f"{applied} applied as planned, {stale} stale")
    assert applied


def _same(before: Objects, after: Objects) -> bool:
    return before.keys() == after.keys() and not any(changed_leaves(before[key], after[key]) for key in before)
