"""Volumes and claims that are deleted while in use wait: their finalizer goes when nothing uses them any more.

A claim is in use while a pod that has a node names it, and a volume while it is bound. The finalizers come from the
API server at creation; objects without (older ones, or of an API server without that plugin) get them here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from dovetail.kube import (
    PERSISTENTVOLUMECLAIMS,
    PODS,
    Controller,
    ControllerRuntime,
    Key,
    NotFound,
    Object,
    Resource,
    ResourceLike,
    finalizers_of,
    is_deleting,
    key_of,
    metadata,
    owners_of,
    resource_version_of,
    uid_of,
)

PERSISTENTVOLUMES = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
_BY_CLAIM = "claim"


def claim_protection(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are claims."""
    claims = runtime.informer(PERSISTENTVOLUMECLAIMS)
    pods = runtime.informer(PODS, indexers={_BY_CLAIM: _claim_index})

    async def is_used(claim: Object) -> bool:
        key = key_of(claim)
        if any(uses(pod, claim) for pod in pods.lister.by_index(_BY_CLAIM, str(key))):
            return True
        # The cache may not know yet of a pod that has just been put on a node.
        live = await runtime.client.list(PODS, key.namespace)
        return any(uses(pod, claim) for pod in live.items)

    async def reconcile(key: Key) -> None:
        claim = claims.lister.by_key(key)
        if claim is None:
            return
        if not is_deleting(claim):
            await _protect(runtime, PERSISTENTVOLUMECLAIMS, claim, CLAIM_FINALIZER)
        elif CLAIM_FINALIZER in finalizers_of(claim) and not await is_used(claim):
            await _release(runtime, PERSISTENTVOLUMECLAIMS, claim, CLAIM_FINALIZER)

    controller = Controller("pvc-protection", reconcile, workers=2)
    controller.watches(claims)
    controller.watches(pods, _claims_of)
    return controller


def volume_protection(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are volumes."""
    volumes = runtime.informer(PERSISTENTVOLUMES)

    async def reconcile(key: Key) -> None:
        volume = volumes.lister.by_key(key)
        if volume is None:
            return
        status: Object = volume.get("status") or {}
        if not is_deleting(volume):
            await _protect(runtime, PERSISTENTVOLUMES, volume, VOLUME_FINALIZER)
        elif VOLUME_FINALIZER in finalizers_of(volume) and status.get("phase") != "Bound":
            await _release(runtime, PERSISTENTVOLUMES, volume, VOLUME_FINALIZER)

    controller = Controller("pv-protection", reconcile)
    controller.watches(volumes)
    return controller


def claim_names(pod: Mapping[str, Any]) -> Iterator[str]:
    """The claims that a pod's volumes name; those of ephemeral volumes are called after pod and volume."""
    yield from _stated(pod)
    yield from _ephemeral(pod)


def uses(pod: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether the pod holds the claim. A pod without a node does not: no node starts it with a claim being deleted."""
    spec: Object = pod.get("spec") or {}
    key = key_of(claim)
    if not spec.get("nodeName") or key_of(pod).namespace != key.namespace:
        return False
    is_own = any(owner.get("uid") == uid_of(pod) for owner in owners_of(claim))
    return key.name in _stated(pod) or (is_own and key.name in _ephemeral(pod))


def _volumes(pod: Mapping[str, Any]) -> list[Object]:
    spec: Object = pod.get("spec") or {}
    return spec.get("volumes") or []


def _stated(pod: Mapping[str, Any]) -> Iterator[str]:
    for volume in _volumes(pod):
        claim: Object = volume.get("persistentVolumeClaim") or {}
        if claim.get("claimName"):
            yield str(claim["claimName"])


def _ephemeral(pod: Mapping[str, Any]) -> Iterator[str]:
    return (f"{metadata(pod).get('name')}-{v.get('name')}" for v in _volumes(pod) if "ephemeral" in v)


def _claims_of(pod: Object) -> Iterable[Key]:
    namespace = key_of(pod).namespace
    return [Key(namespace, name) for name in claim_names(pod)]


def _claim_index(pod: Object) -> Iterable[str]:
    return [str(key) for key in _claims_of(pod)]


async def _protect(runtime: ControllerRuntime, resource: ResourceLike, obj: Object, finalizer: str) -> None:
    if finalizer not in finalizers_of(obj):
        await _set_finalizers(runtime, resource, obj, lambda present: [*present, finalizer])


async def _release(runtime: ControllerRuntime, resource: ResourceLike, obj: Object, finalizer: str) -> None:
    await _set_finalizers(runtime, resource, obj, lambda present: [name for name in present if name != finalizer])


async def _set_finalizers(
    runtime: ControllerRuntime, resource: ResourceLike, obj: Object, change: Callable[[list[str]], list[str]]
) -> None:
    key = key_of(obj)
    meta = {"finalizers": change(list(finalizers_of(obj))), "resourceVersion": resource_version_of(obj)}
    try:
        await runtime.client.patch(resource, key.name, {"metadata": meta}, key.namespace or None)
    except NotFound:
        return
