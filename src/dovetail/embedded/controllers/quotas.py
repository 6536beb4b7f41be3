"""A ResourceQuota comes into force: what its spec limits becomes what its status limits.

The API server counts: it fills what a status leaves out of `used`, and from then on keeps `used` with every write, in
the write's transaction. So this controller never counts. It copies `hard` when the spec has changed, and asks for a
fresh count from time to time, which repairs what a foreign writer of the status broke and takes in kinds that came
after the quota.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from dovetail.kube import Client, Controller, ControllerRuntime, Key, KubeError, NotFound, Object, Resource, key_of

RESOURCEQUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
RECOUNT_SECONDS = 300.0


def quota_status(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are quotas."""
    quotas = runtime.informer(RESOURCEQUOTAS)

    async def reconcile(key: Key) -> None:
        quota = quotas.lister.by_key(key)
        if quota is not None and _hard(quota, "spec") != _hard(quota, "status"):
            await _count(runtime.client, quota)

    async def recount() -> None:
        while True:
            await asyncio.sleep(RECOUNT_SECONDS)
            for quota in quotas.lister:
                try:
                    await _count(runtime.client, quota)
                except KubeError:  # the next round comes
                    continue

    runtime.add_task("quota recount", recount)
    controller = Controller("resource-quota", reconcile, workers=2)
    controller.watches(quotas)
    return controller


def counting_patch(quota: Mapping[str, Any]) -> Object:
    """A merge patch that puts the quota into force: `used` is left to the API server."""
    wanted = _hard(quota, "spec")
    gone = {name: None for name in _hard(quota, "status") if name not in wanted}
    return {"status": {"hard": {**gone, **wanted}, "used": None}}


async def _count(client: Client, quota: Mapping[str, Any]) -> None:
    key = key_of(quota)
    try:
        await client.patch(RESOURCEQUOTAS, key.name, counting_patch(quota), key.namespace, subresource="status")
    except NotFound:
        return


def _hard(quota: Mapping[str, Any], part: str) -> Mapping[str, str]:
    section: Object = quota.get(part) or {}
    return section.get("hard") or {}
