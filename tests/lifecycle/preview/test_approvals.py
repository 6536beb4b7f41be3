"""Approvals on the real API: what was begun may be carried on, anything else is stale."""

import asyncio

import msgspec
import pytest

from dovetail.apis.dialects import extension_version
from dovetail.apis.dialects.policies import AS_PUBLISHED
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.helm import HelmWorker
from dovetail.kube import CONFIGMAPS
from dovetail.lifecycle.deployment import Deployer, Order
from dovetail.lifecycle.errors import DeployFailed, PlanStale
from dovetail.lifecycle.facts import Desired
from dovetail.lifecycle.fetching import Fetcher
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.preview.approvals import Approvals
from dovetail.lifecycle.preview.gathering import Asked
from dovetail.lifecycle.preview.previewing import Asker, Previewer
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.sources import Sources
from tests.conftest import KubeApi
from tests.lifecycle.platform import package, publish

BROKEN = "apiVersion: v1\nkind: Service\nmetadata: {name: broken}\nspec: {ports: [{port: 99999}]}\n"


async def begun() -> None:
    """Nobody is told."""


async def test_what_was_begun_is_carried_on_and_nothing_else(platform_crds: KubeApi) -> None:
    settings = LifecycleSettings(kubeconfig=platform_crds.kubeconfig)
    async with platform_crds.client() as client, HelmWorker() as helm, Fetcher() as fetcher:
        packages = PackageSource(client, Sources(client, fetcher), helm, lambda _: None)
        await publish(client, "halfway", "1.0.0", package("halfway", "1.0.0", templates__broken_yaml=BROKEN))
        version = extension_version(await client.get(EXTENSIONVERSIONS, "halfway-1.0.0"))
        approvals = Approvals(client, helm, packages, settings)
        previewer = Previewer(client, client, helm, packages, settings, Asker("the tests"))
        approved = (await previewer.preview(Asked("halfway", "1.0.0"))).plan.hash
        fetched = await packages.load(version)
        first, other = (
            Desired("halfway", "1.0.0", True, "extension-halfway", target) for target in ("target-1", "target-2")
        )
        assert await approvals.check(first, "", "", fetched) is None
        policies = msgspec.structs.replace(AS_PUBLISHED, approved_hash=approved)
        deployer, order = Deployer(client, helm, packages, settings), Order(first, version, "", False, policies)
        with pytest.raises(DeployFailed):
            await deployer.deploy(order, begun, asyncio.Event())
        await client.get(CONFIGMAPS, "settings", "extension-halfway")
        assert await approvals.check(first, "", approved, fetched) is not None
        with pytest.raises(PlanStale, match="the objects in the cluster changed since"):
            await approvals.check(other, "", approved, fetched)
        with pytest.raises(PlanStale, match="the configuration"):
            await approvals.check(first, "color: blue", approved, fetched)
        with pytest.raises(PlanStale, match="the whole plan"):
            await approvals.check(first, "", "nonsense", fetched)
