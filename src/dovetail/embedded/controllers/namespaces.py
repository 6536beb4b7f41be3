"""Deleting a namespace: everything in it goes first, pods before the rest, then the finalizer `kubernetes`, then it.

Deleting a namespace only marks it (phase Terminating; the API then refuses new objects in it). This controller finds
every namespaced resource by discovery, deletes what is there, and waits for what has finalizers of its own. What it
waits for is told in the namespace's conditions, under the names that Kubernetes gives them. The state is the
cluster's alone: a restart in the middle loses nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dovetail.embedded.controllers.remainder import Remainder, deletion_conditions
from dovetail.kube import (
    NAMESPACES,
    Client,
    Controller,
    ControllerRuntime,
    Key,
    KubeError,
    NotFound,
    Object,
    RequeueAfter,
    ServedResource,
    finalizers_of,
    is_deleting,
    key_of,
    metadata,
    now,
    parse_rfc3339,
    preferred_resources,
)

FINALIZER = "kubernetes"
AT_ONCE = 8


class NamespaceNotEmptied(KubeError):
    """Some of a namespace's content could not be listed or deleted; it is tried again."""

    def __init__(self, namespace: str, errors: Sequence[Exception]) -> None:
        self.namespace, self.errors = namespace, errors
        super().__init__(f"namespace {namespace} cannot be emptied yet: {errors[0]} ({len(errors)} such errors)")


def namespace_deletion(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are names of namespaces."""
    namespaces = runtime.informer(NAMESPACES)

    async def reconcile(key: Key) -> RequeueAfter | None:
        namespace = namespaces.lister.get(key.name)
        if namespace is None or not is_waiting(namespace):
            return None
        return await _delete(runtime.client, namespace)

    controller = Controller("namespace-deletion", reconcile, workers=4)
    controller.watches(namespaces)
    return controller


def is_waiting(namespace: Mapping[str, Any]) -> bool:
    """Whether the namespace is being deleted and waits for us."""
    return is_deleting(namespace) and FINALIZER in _finalizers(namespace)


def patience(namespace: Mapping[str, Any], moment: datetime) -> float:
    """Seconds until the next look: a quarter of how long the deletion already lasts, 0.1 to 5."""
    since = metadata(namespace).get("deletionTimestamp")
    age = (moment - parse_rfc3339(str(since))).total_seconds() if since else 0.0
    return min(5.0, max(0.1, age / 4))


async def _delete(client: Client, namespace: Mapping[str, Any]) -> RequeueAfter | None:
    name = key_of(namespace).name
    try:
        served = await client.discover_all()
    except KubeError as error:
        await _report(client, namespace, [], [], error)
        raise
    left, errors = await _empty_in_order(client, preferred_resources(served, ("list", "delete")), name)
    if not left and not errors:
        await _finalize(client, namespace)
        return None
    await _report(client, namespace, left, errors)
    if errors:
        raise NamespaceNotEmptied(name, errors)
    return RequeueAfter(patience(namespace, now()))


async def _empty_in_order(
    client: Client, resources: Sequence[ServedResource], namespace: str
) -> tuple[list[Remainder], list[Exception]]:
    """Pods go before all else, so that none loses its configuration, its network policy or its rights while it runs."""
    namespaced = [served for served in resources if served.resource.namespaced]
    pods = [served for served in namespaced if (served.resource.group, served.resource.plural) == ("", "pods")]
    left, errors = await _empty(client, pods, namespace)
    if left or errors:
        return left, errors
    return await _empty(client, [served for served in namespaced if served not in pods], namespace)


async def _empty(
    client: Client, resources: Sequence[ServedResource], namespace: str
) -> tuple[list[Remainder], list[Exception]]:
    """Delete the content; what is still there afterwards, and what went wrong."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(served: ServedResource) -> Remainder | Exception | None:
        async with slots:
            try:
                return await _empty_one(client, served, namespace)
            except NotFound:  # the resource itself went away
                return None
            except KubeError as error:
                return error

    found = await asyncio.gather(*(one(served) for served in resources))
    left = [f for f in found if isinstance(f, Remainder)]
    return sorted(left, key=lambda r: r.resource), [f for f in found if isinstance(f, Exception)]


async def _empty_one(client: Client, served: ServedResource, namespace: str) -> Remainder | None:
    resource = served.resource
    items = (await client.list(resource, namespace, metadata_only=True)).items
    if items:
        if "deletecollection" in served.verbs:
            await client.delete_collection(resource, namespace, propagation="Background")
        else:
            for item in items:
                await _delete_item(client, served, item)
        items = (await client.list(resource, namespace, metadata_only=True)).items
    if not items:
        return None
    held: dict[str, int] = {}
    for item in items:
        for finalizer in finalizers_of(item):
            held[finalizer] = held.get(finalizer, 0) + 1
    suffix = f".{resource.group}" if resource.group else "."
    return Remainder(resource.plural + suffix, len(items), held)


async def _delete_item(client: Client, served: ServedResource, item: Mapping[str, Any]) -> None:
    key = key_of(item)
    try:
        await client.delete(served.resource, key.name, key.namespace, propagation="Background")
    except NotFound:
        return


async def _finalize(client: Client, namespace: Mapping[str, Any]) -> None:
    kept = [finalizer for finalizer in _finalizers(namespace) if finalizer != FINALIZER]
    spec: Object = {**(namespace.get("spec") or {}), "finalizers": kept}
    try:
        await client.update(NAMESPACES, {**namespace, "spec": spec}, subresource="finalize")
    except NotFound:
        return


async def _report(
    client: Client,
    namespace: Mapping[str, Any],
    left: Sequence[Remainder],
    errors: Sequence[Exception],
    undiscovered: Exception | None = None,
) -> None:
    status: Object = namespace.get("status") or {}
    present: list[Mapping[str, Any]] = status.get("conditions") or []
    conditions = deletion_conditions(present, left, errors, now(), undiscovered)
    if conditions != present:
        patch = {"status": {"conditions": conditions}}
        await client.patch(NAMESPACES, key_of(namespace).name, patch, subresource="status")


def _finalizers(namespace: Mapping[str, Any]) -> list[str]:
    spec: Object = namespace.get("spec") or {}
    return spec.get("finalizers") or []
