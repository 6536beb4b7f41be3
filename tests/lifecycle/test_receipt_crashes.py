"""An uninstall whose controllers die at any of their writes: the next ones end it, with one receipt that is true."""

import asyncio
import os
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, Client, NotFound, RequestTimeout, uid_of
from dovetail.lifecycle.receipt import Receipt, unpacked
from dovetail.lifecycle.receipts import stored
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

# More of them for a long run: DOVETAIL_CRASH_POINTS=1,2,3,... pytest --timeout 900
POINTS = [int(text) for text in os.environ.get("DOVETAIL_CRASH_POINTS", "2,5").split(",")]
_FEWEST = 5
"""Writes that every uninstall takes."""
_LIMIT = 3.0
"""As long as whoever waits for the dead's requests at the end of their process does so."""
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: made-by-hook
  annotations: {helm.sh/hook: post-install}
"""
KEPT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: treasure
  namespace: default
  annotations: {helm.sh/resource-policy: keep}
"""
PERMISSIONS = """\
kind: ClusterRole
rules:
- {verbs: ["*"], apiGroups: [extensions.kubesphere.io], resources: ["*"]}
- {verbs: ["*"], apiGroups: [""], resources: [configmaps]}
"""


class Death:
    """From its `at`-th write on, no request of the controllers is answered; every second time that write arrives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, survivor: Client, at: int) -> None:
        self.happened = asyncio.Event()
        self._at = at
        self._writes = 0
        send = Client._send

        async def mortal(client: Client, request: Any, timeout: float) -> Any:
            if client._transport is survivor._transport:
                return await send(client, request, timeout)
            if request.method != "GET" and not self.happened.is_set():
                self._writes += 1
                if self._writes == self._at:
                    if at % 2:
                        await send(client, request, timeout)
                    self.happened.set()
            if self.happened.is_set():
                await asyncio.sleep(_LIMIT)
                raise RequestTimeout("dead", _LIMIT)
            return await send(client, request, timeout)

        monkeypatch.setattr(Client, "_send", mortal)


async def receipts_of(client: Client, name: str) -> list[Receipt]:
    return [unpacked(obj) for obj in await stored(client, name)]


async def is_there(client: Client, resource: Any, name: str, namespace: str | None) -> str:
    try:
        return uid_of(await client.get(resource, name, namespace))
    except NotFound:
        return ""


async def test_killed_at_any_write_it_ends_with_one_true_receipt(
    platform_crds: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"dying-{at}": at for at in POINTS}
    async with platform_crds.client() as client:
        async with controllers(platform_crds.kubeconfig):
            for name in names:
                kept = KEPT.replace("treasure", f"treasure-of-{name}")
                files = {"templates/hook.yaml": HOOK, "templates/kept.yaml": kept, "permissions.yaml": PERMISSIONS}
                await publish(client, name, "1.0.0", package(name, "1.0.0", **files))
                await plan(client, name, "1.0.0")
            await asyncio.gather(*(until_settled(client, name, "1.0.0") for name in names))
        for name, at in names.items():
            with monkeypatch.context() as patches:
                async with controllers(platform_crds.kubeconfig):
                    death = Death(patches, client, at)
                    await client.delete(INSTALLPLANS, name)
                    await asyncio.wait(
                        [
                            asyncio.ensure_future(death.happened.wait()),
                            gone := asyncio.ensure_future(until_gone(client, INSTALLPLANS, name)),
                        ],
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    gone.cancel()
                    assert death.happened.is_set() or at > _FEWEST, "it ended with fewer writes than it needs"
        async with controllers(platform_crds.kubeconfig):
            for name in names:
                await until_gone(client, INSTALLPLANS, name)
                (receipt,) = await until(
                    lambda name=name: receipts_of(client, name),
                    lambda found: len(found) == 1 and found[0].complete,
                    f"one complete receipt of {name}",
                )
                told = {(one.kind, one.name): one.outcome for one in receipt.objects}
                assert told[("ConfigMap", "settings")] == "Removed"
                assert told[("ConfigMap", "made-by-hook")] == "Removed"
                assert told[("ConfigMap", f"treasure-of-{name}")] == "Kept"
                assert told[("Namespace", f"extension-{name}")] == "Removed"
                assert told[("ServiceAccount", f"helm-executor.{name}")] == "Removed"
                for one in receipt.objects:
                    resource = await client.discover(one.api_version, one.kind)
                    there = await is_there(client, resource, one.name, one.namespace or None)
                    assert bool(there and there == one.uid) == (one.outcome == "Kept"), (name, one)
                await client.delete(CONFIGMAPS, f"treasure-of-{name}", "default")
