"""Putting a package into a cluster's catalogue, and taking it out again.

Publishing writes the invisible part first and the visible part last: the ConfigMaps with the package, the category if
it is missing, the version, the extension. Everything is tried as a dry run before the first write; if a write fails
after all, what this run created is removed again. Every write is a server-side apply by the field manager `ksbuilder`,
so that publishing again also removes what is no longer in the package. An older version never changes how the extension
presents itself, and a version that a repository brought is never overwritten.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import CATEGORIES, EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.cli.ksbuilder.errors import FromRepository, NoPlatform, NotPublished, PublishFailed, StillInstalled
from dovetail.kube import (
    CONFIGMAPS,
    NAMESPACES,
    AlreadyExists,
    ApiError,
    Client,
    KubeError,
    NotFound,
    Object,
    ResourceLike,
    labels_of,
)
from dovetail.packaging.errors import InvalidVersion
from dovetail.packaging.objects import CHART_KEY, CatalogueObjects, catalogue_objects
from dovetail.packaging.package import Package
from dovetail.packaging.parts import part_name
from dovetail.packaging.versions import Version

MANAGER: Final = "ksbuilder"
Action = Literal["created", "configured", "unchanged", "deleted"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object."""

    action: Action
    kind: str
    name: str


async def publish(client: Client, package: Package, data: bytes) -> list[Change]:
    """Publish a package. Raises TooLarge, NoPlatform, FromRepository, PublishFailed, KubeError."""
    objects = catalogue_objects(package, data)
    known = await _versions(client, package.name)
    _check_repository(known, objects.version)
    steps = _steps(objects, newest=_is_newest(package.version, known))
    await _ensure_namespace(client)
    for resource, obj in steps:
        await client.apply(resource, obj, field_manager=MANAGER, force=True, dry_run=True)
    if objects.category is not None:
        steps.insert(1 + len(objects.rest), (CATEGORIES, objects.category))
    changes = await write_all(client, f"{package.name} {package.version}", steps)
    return [*changes, *await _delete_parts(client, objects.chart["metadata"]["name"], 2 + len(objects.rest))]


async def renew(client: Client, package: Package, data: bytes, before: CatalogueObjects | None) -> CatalogueObjects:
    """Publish for somebody who does it again and again: what only has other bytes takes the shortest way.

    `before` is what was returned the last time. Raises what `publish` raises.
    """
    objects = catalogue_objects(package, data)
    if before is None or not _differ_in_bytes_only(objects, before):
        await publish(client, package, data)
        return objects
    for part in (*reversed(objects.rest), objects.chart):
        await client.apply(CONFIGMAPS, part, field_manager=MANAGER, force=True)
    await client.apply(EXTENSIONVERSIONS, objects.version, field_manager=MANAGER, force=True)
    return objects


def _differ_in_bytes_only(one: CatalogueObjects, other: CatalogueObjects) -> bool:
    """Whether nothing but the package's bytes and their digest is different."""

    def said(objects: CatalogueObjects) -> Object:
        return {**objects.version, "spec": {**objects.version["spec"], "digest": ""}}

    same = (one.category, one.extension, said(one)) == (other.category, other.extension, said(other))
    return same and len(one.rest) == len(other.rest)


def _steps(objects: CatalogueObjects, *, newest: bool) -> list[tuple[ResourceLike, Object]]:
    parts = ((CONFIGMAPS, part) for part in (*reversed(objects.rest), objects.chart))
    steps: list[tuple[ResourceLike, Object]] = [*parts, (EXTENSIONVERSIONS, objects.version)]
    return [*steps, (EXTENSIONS, objects.extension)] if newest else steps


async def _versions(client: Client, name: str) -> list[Object]:
    """The versions of an extension that the catalogue has; also the test whether there is a catalogue."""
    try:
        found = await client.list(EXTENSIONVERSIONS, label_selector=f"{labels.EXTENSION_REF}={name}")
    except NotFound as error:
        raise NoPlatform(client.config.server) from error
    return found.items


def _check_repository(known: list[Object], version: Object) -> None:
    for other in known:
        repository = labels_of(other).get(labels.REPOSITORY_REF, "")
        if repository and other["metadata"]["name"] == version["metadata"]["name"]:
            raise FromRepository(version["metadata"]["name"], repository)


def _is_newest(version: str, known: list[Object]) -> bool:
    others = (_parse(str(other.get("spec", {}).get("version", ""))) for other in known)
    return all(other is None or other <= Version.parse(version) for other in others)


def _parse(text: str) -> Version | None:
    try:
        return Version.parse(text)
    except InvalidVersion:
        return None


async def _ensure_namespace(client: Client) -> None:
    name = labels.SYSTEM_NAMESPACE
    try:
        await client.get(NAMESPACES, name)
    except NotFound:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await client.create(NAMESPACES, namespace, field_manager=MANAGER)
        except AlreadyExists:
            return


async def write_all(client: Client, what: str, steps: Sequence[tuple[ResourceLike, Object]]) -> list[Change]:
    """Apply objects in order; if one is refused, remove those that were created. Raises PublishFailed."""
    changes: list[Change] = []
    created: list[tuple[ResourceLike, Object]] = []
    try:
        for resource, obj in steps:
            change = await _put(client, resource, obj)
            changes.append(change)
            if change.action == "created":
                created.append((resource, obj))
    except KubeError as error:
        left = [str(name) async for name in _take_back(client, created)]
        raise PublishFailed(what, error.message if isinstance(error, ApiError) else str(error), left) from error
    return changes


async def _put(client: Client, resource: ResourceLike, obj: Object) -> Change:
    """Apply an object and tell what that changed. A category that is there belongs to the platform and stays."""
    name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
    try:
        before = await client.get(resource, name, namespace)
    except NotFound:
        before = None
    if before is not None and resource is CATEGORIES:
        return Change("unchanged", resource.kind, name)
    after = await client.apply(resource, obj, field_manager=MANAGER, force=True)
    shown = f"{namespace}/{name}" if namespace else name
    if before is None:
        return Change("created", resource.kind, shown)
    same = before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
    return Change("unchanged" if same else "configured", resource.kind, shown)


async def _take_back(client: Client, created: list[tuple[ResourceLike, Object]]) -> AsyncIterator[str]:
    """Delete what was created, the visible first; yields what could not be."""
    for resource, obj in reversed(created):
        try:
            await client.delete(resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))
        except NotFound:
            continue
        except KubeError:
            yield f"{resource.kind} {obj['metadata']['name']}"


async def unpublish(client: Client, name: str) -> list[Change]:
    """Take an extension out of the catalogue. Raises NotPublished, StillInstalled, NoPlatform, KubeError.

    What a repository brought stays: the repository would bring it again. Then the extension itself stays too.
    """
    known = await _versions(client, name)
    await _check_uninstalled(client, name)
    by_hand = [version for version in known if not labels_of(version).get(labels.REPOSITORY_REF)]
    changes: list[Change] = []
    if len(by_hand) == len(known):
        changes += await _delete(client, EXTENSIONS, name)
    if not changes and not by_hand:
        raise NotPublished(name)
    for version in by_hand:
        changes += await _delete(client, EXTENSIONVERSIONS, version["metadata"]["name"])
        changes += await _delete_chart(client, name, version)
    return changes


async def _check_uninstalled(client: Client, name: str) -> None:
    plans = await client.list(INSTALLPLANS)
    for plan in plans.items:
        spec: Mapping[str, Any] = plan.get("spec", {})
        if spec.get("extension", {}).get("name") == name:
            raise StillInstalled(name, plan["metadata"]["name"], str(plan.get("status", {}).get("state", "")))


async def _delete_chart(client: Client, name: str, version: Object) -> list[Change]:
    """Delete the ConfigMap of a version, if it is one that publishing made."""
    reference: Mapping[str, Any] = version.get("spec", {}).get("chartDataRef") or {}
    chart = str(reference.get("name", ""))
    ours = reference.get("namespace") == labels.SYSTEM_NAMESPACE and reference.get("key") == CHART_KEY
    if not ours or not chart.startswith(f"extension-{name}-"):
        return []
    return await _delete_parts(client, chart, 1)


async def _delete_parts(client: Client, chart: str, number: int) -> list[Change]:
    """Delete the ConfigMaps of a package from this part on."""
    changes: list[Change] = []
    while deleted := await _delete(client, CONFIGMAPS, part_name(chart, number), labels.SYSTEM_NAMESPACE):
        changes += deleted
        number += 1
    return changes


async def _delete(client: Client, resource: ResourceLike, name: str, namespace: str | None = None) -> list[Change]:
    try:
        await client.delete(resource, name, namespace)
    except NotFound:
        return []
    return [Change("deleted", resource.kind, f"{namespace}/{name}" if namespace else name)]
