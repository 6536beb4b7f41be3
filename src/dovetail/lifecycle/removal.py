"""Taking away what an uninstalled extension left: everything with its label, its account, its namespace.

Helm removes what is in the release's manifest. Left are hooks' objects, what a failed upgrade made, the account with
its roles, and the namespace. They are found by asking the cluster for every kind it serves, so no list of kinds can
be incomplete. The catalogue stays: Extension, ExtensionVersion, Category, Repository and the packages in ConfigMaps
are about the extension, not of it. A namespace goes only if the platform made it for this extension and no other plan
lives in it; once its deletion is accepted it is Kubernetes' business, and whoever's finalizer it waits for cannot hold
the plan for ever. CRDs from `crds/` are unlabelled and stay, and so do all custom resources of theirs. What is
annotated `helm.sh/resource-policy: keep` stays, and with it the namespace that it lies in.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis import labels
from dovetail.kube import (
    NAMESPACES,
    ApiError,
    Client,
    NotFound,
    Resource,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
    preferred_resources,
)
from dovetail.kube.discovery import ServedResource
from dovetail.lifecycle.access import is_protected
from dovetail.lifecycle.errors import UninstallFailed
from dovetail.lifecycle.manifests import KEEP
from dovetail.lifecycle.objects import spec_of

_CATALOGUE_GROUP: Final = "kubesphere.io"
_CATALOGUE: Final = frozenset(
    {"categories", "extensions", "extensionversions", "installplans", "repositories", "subscriptions"}
)
_API_SERVICES: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
_PARALLEL: Final = 8
_TOLD: Final = 5


@dataclass(frozen=True)
class Remains:
    """What is left: objects to delete, and how many are on their way out already."""

    objects: tuple[tuple[Resource, str, str], ...] = ()
    """(resource, namespace, name)"""
    vanishing: int = 0


NO_REMAINS: Final = Remains()


class Removal:
    """Finding and deleting what is left of one extension."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def look(self, extension: str, namespace: str, *, shared: bool) -> Remains:
        """Everything left. `shared`: another plan lives in the namespace, which therefore stays."""
        served = preferred_resources(await self._client.discover_all(), ("list", "delete"))
        resources = [entry.resource for entry in served if not is_catalogue(entry)]
        limit = asyncio.Semaphore(_PARALLEL)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._labelled(resource, extension, limit)) for resource in resources]
        found = [(resource, obj) for task in tasks for resource, obj in task.result()]
        stays = shared or any(key_of(obj).namespace == namespace and is_kept(obj) for _, obj in found)
        going = [(resource, obj) for resource, obj in found if _goes(resource, obj, extension, namespace, stays)]
        return Remains(
            tuple(
                (resource, key_of(obj).namespace, key_of(obj).name) for resource, obj in going if not is_deleting(obj)
            ),
            sum(is_deleting(obj) and not _is_namespace(resource) for resource, obj in going),
        )

    async def sweep(self, remains: Remains) -> None:
        """Delete them, the namespace last. Raises UninstallFailed naming what the API refused to delete."""
        refused: list[str] = []
        for resource, namespace, name in sorted(remains.objects, key=lambda entry: entry[0].kind == "Namespace"):
            try:
                await self._client.delete(resource, name, namespace or None, propagation="Background")
            except NotFound:
                continue
            except ApiError as error:
                refused.append(f"{resource.kind} {name}: {error}")
        if refused:
            more = f" and {len(refused) - _TOLD} more" if len(refused) > _TOLD else ""
            raise UninstallFailed(f"these objects could not be deleted: {'; '.join(refused[:_TOLD])}{more}")

    async def unlabel_namespace(self, extension: str, namespace: str, heir: str) -> None:
        """Give a namespace that others still use to one of them."""
        try:
            obj = await self._client.get(NAMESPACES, namespace, metadata_only=True)
            if labels_of(obj).get(labels.EXTENSION_REF) == extension:
                change = {"metadata": {"labels": {labels.EXTENSION_REF: heir}}}
                await self._client.patch(NAMESPACES, namespace, change)
        except NotFound:
            return

    async def _labelled(
        self, resource: Resource, extension: str, limit: asyncio.Semaphore
    ) -> list[tuple[Resource, dict[str, Any]]]:
        selector = f"{labels.EXTENSION_REF}={extension}"
        async with limit:
            return [(resource, obj) for obj in await listed(self._client, resource, None, selector)]


async def listed(client: Client, resource: Resource, namespace: str | None, selector: str) -> list[dict[str, Any]]:
    """Metadata of all that match; nothing where the kind is not served any more, or by a server that is down.

    An extension's own API server must not be able to hold its uninstall by being broken: what it serves is not stored
    in the cluster.
    """
    try:
        found = await client.list(resource, namespace, label_selector=selector, metadata_only=True)
    except ApiError as error:
        # 404, 405: a CRD that just went, or a kind that cannot be listed after all
        if error.code in (404, 405) or (error.code >= 500 and await _is_aggregated(client, resource)):
            return []
        raise
    return found.items


async def _is_aggregated(client: Client, resource: Resource) -> bool:
    """Whether another server than the cluster's serves it."""
    try:
        service = await client.get(_API_SERVICES, f"{resource.version}.{resource.group}")
    except ApiError:
        return False
    return bool(spec_of(service).get("service"))


def is_catalogue(entry: ServedResource) -> bool:
    """Whether the kind is of the catalogue, which an uninstall leaves alone."""
    resource = entry.resource
    events = resource.plural == "events"  # they tell what happened, and end by themselves
    return events or (resource.group == _CATALOGUE_GROUP and resource.plural in _CATALOGUE)


def _is_namespace(resource: Resource) -> bool:
    return resource.kind == "Namespace" and not resource.group


def is_kept(obj: Mapping[str, Any]) -> bool:
    """Whether its author wants it to outlive the release, as Helm reads the annotation."""
    return annotations_of(obj).get(KEEP, "").strip().lower() == "keep"


def _goes(resource: Resource, obj: Mapping[str, Any], extension: str, namespace: str, stays: bool) -> bool:
    """Whether the object goes with the extension; `stays`: the namespace does not."""
    key = key_of(obj)
    if is_kept(obj):
        return False
    if _is_namespace(resource):
        managed = labels_of(obj).get(labels.MANAGED) == "true"
        return key.name == namespace and managed and not stays and not is_protected(namespace)
    return not is_package(resource, obj, extension)


def is_package(resource: Resource, obj: Mapping[str, Any], extension: str) -> bool:
    """Whether it holds a package of the extension."""
    key = key_of(obj)
    if resource.kind != "ConfigMap" or key.namespace != labels.SYSTEM_NAMESPACE:
        return False
    return key.name.startswith(f"extension-{extension}-") and key.name.endswith("-chart")
