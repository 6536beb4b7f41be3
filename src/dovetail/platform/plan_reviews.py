"""Deletions of InstallPlans and Subscriptions: the answer to the API server's question whether others need it.

It is asked rarely, so nothing is watched for it: the plans are listed, and the versions in force are read one by one.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.apis.labels import REQUESTED_BY
from dovetail.iam.tenancy.guards import answered
from dovetail.kube.client import Client
from dovetail.kube.errors import NotFound
from dovetail.kube.resources import Object
from dovetail.lifecycle import plan_admission

_AT_ONCE: Final = 16


class PlanReviews:
    """Answers with what the cluster says now."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def review(self, review: Mapping[str, Any]) -> Object:
        """Let it go and write down who lets it go, or say who needs it."""
        extension = plan_admission.extension_of(review)
        needy = [] if plan_admission.is_overridden(review) else await self._dependents(extension)
        user = plan_admission.uninstaller(review)
        if not needy and user:
            signed = {"metadata": {"annotations": {REQUESTED_BY: user}}}
            with contextlib.suppress(NotFound):
                await self._client.patch(INSTALLPLANS, extension, signed)
        return answered(review, plan_admission.refusal(review, needy))

    async def _dependents(self, extension: str) -> list[str]:
        # Imported when first asked: what reads versions is heavy, and most platforms never delete a plan.
        from dovetail.lifecycle.dependencies import gate
        from dovetail.lifecycle.dependencies.standing import standing, version_names

        plans = (await self._client.list(INSTALLPLANS)).items
        now = standing(plans, (await self._versions(version_names(plans))).get)
        names = [name for name in gate.dependents(extension, now) if name not in now.leaving]
        return [f"{name} {now.installed[name].version}" for name in names]

    async def _versions(self, names: Iterable[str]) -> dict[str, Object]:
        """Those that there are, by name."""
        found: dict[str, Object] = {}
        room = asyncio.Semaphore(_AT_ONCE)

        async def read(name: str) -> None:
            async with room:
                try:
                    found[name] = await self._client.get(EXTENSIONVERSIONS, name)
                except NotFound:
                    return

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(read(name), name=f"version {name}")
        return found
