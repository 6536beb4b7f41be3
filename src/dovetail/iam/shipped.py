"""Puts what the platform brings along into the cluster: categories, role templates, patterns of roles, ClusterRoles.

This happens in the controllers' process, beside everything else: nobody needs a template to log in, so the start does
not wait for a hundred objects. Each carries a hash of what was shipped. It is written when that hash is another one or
the object is not there; what an administrator changed in between stays until a new version says something else. What
an earlier version shipped and this one does not is deleted.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import BUILTINROLES, CATEGORIES, CLUSTERROLES, ROLETEMPLATES
from dovetail.apis.labels import CATALOGUE_HASH
from dovetail.apis.resource_name import ResourceName
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.builtin_roles import builtin_roles, cluster_roles
from dovetail.iam.role_catalogue import categories, templates
from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import NotFound
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, annotations_of, key_of, uid_of
from dovetail.kube.resources import Object
from dovetail.kube.runtime import ControllerRuntime

FIELD_MANAGER: Final = "dovetail"


def shipped() -> dict[ResourceName, list[Object]]:
    """Everything, by kind, with its hash. In this order it appears in a new cluster."""
    everything = {
        CATEGORIES: categories(), BUILTINROLES: builtin_roles(), CLUSTERROLES: cluster_roles(),
        ROLETEMPLATES: templates(),
    }  # fmt: skip
    return {kind: [_hashed(obj) for obj in objects] for kind, objects in everything.items()}


def _hashed(obj: Object) -> Object:
    digest = sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest()[:16]
    metadata: Mapping[str, Any] = obj["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    return {**obj, "metadata": {**metadata, "annotations": {**annotations, CATALOGUE_HASH: digest}}}


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """One controller a kind; add them to the runtime they were made for."""
    return [_controller(runtime, kind, objects) for kind, objects in shipped().items()]


def _controller(runtime: ControllerRuntime, kind: ResourceName, objects: list[Object]) -> Controller:
    informer = runtime.informer(kind, transform=with_shared_rules) if kind is CLUSTERROLES else runtime.informer(kind)
    reconciler = _Reconciler(runtime.client, kind, {key_of(obj): obj for obj in objects}, informer.lister)
    controller = Controller(f"shipped {kind.plural}", reconciler.reconcile)
    controller.watches(informer)
    for obj in objects:
        controller.enqueue(key_of(obj))
    return controller


class _Reconciler:
    """Brings one object to what was shipped."""

    def __init__(self, client: Client, kind: ResourceName, wanted: Mapping[Key, Object], present: Lister) -> None:
        self._client, self._kind, self._wanted, self._present = client, kind, wanted, present

    async def reconcile(self, key: Key) -> None:
        wanted, present = self._wanted.get(key), self._present.by_key(key)
        there = annotations_of(present).get(CATALOGUE_HASH) if present is not None else None
        if wanted is None:
            if present is not None and there:
                await self._delete(key, uid_of(present))
        elif there != annotations_of(wanted)[CATALOGUE_HASH]:
            await self._client.apply(self._kind, wanted, field_manager=FIELD_MANAGER, force=True)

    async def _delete(self, key: Key, uid: str) -> None:
        try:
            await self._client.delete(self._kind, key.name, uid=uid)
        except NotFound:
            return
