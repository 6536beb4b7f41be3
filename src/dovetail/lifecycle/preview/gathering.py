"""Reading everything that a preview is made from. Nothing is written, in the cluster or elsewhere.

Two clients: `platform` reads what the platform itself works with (catalogue, packages, Helm's records), `reader` is
whoever asks, and reads the objects whose fields are shown. What the reader may not see is left out and named.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import orjson

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion, InstallPlan, extension_version, install_plan
from dovetail.apis.extensions_v1alpha1 import APISERVICES, EXTENSIONENTRIES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import (
    EXTENSIONVERSIONS,
    INSTALLPLANS,
    SEED_APISERVICES,
    SEED_REVERSEPROXIES,
)
from dovetail.helm import storage
from dovetail.kube import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CRDS,
    NAMESPACES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    Client,
    Forbidden,
    NotFound,
    Resource,
    annotations_of,
    is_deleting,
    path_of,
)
from dovetail.kube.resources import Object
from dovetail.lifecycle.data_loss import Loss, losses_of_definitions
from dovetail.lifecycle.dependencies.standing import Standing, standing
from dovetail.lifecycle.facts import Namespace
from dovetail.lifecycle.objects import mapping, spec_of, status_of
from dovetail.lifecycle.observing import release_name, target_namespace
from dovetail.lifecycle.preview.objects_delta import platform_keys
from dovetail.lifecycle.preview.world import Definition, InForce, Kinds, ObjectKey, Served, World, keyed
from dovetail.lifecycle.releases import TARGET_LABEL, Records, Releases
from dovetail.packaging.manifests import ManifestReader, RenderedObject, items
from dovetail.packaging.manifests import mapping as part

_AT_ONCE: Final = 8
_MADE: Final = (NAMESPACES, SERVICEACCOUNTS, ROLES, CLUSTERROLES, ROLEBINDINGS, CLUSTERROLEBINDINGS)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Asked:
    """What is to be previewed; None or "" leaves it to the InstallPlan that is there, or to the defaults."""

    extension: str
    version: str
    config: str | None = None
    namespace: str = ""


@dataclass(frozen=True)
class Subject:
    """The plan as it would be, with the version that it names."""

    plan: InstallPlan
    version: ExtensionVersion
    namespace: str
    status: Mapping[str, Any]
    annotations: Mapping[str, str]
    exists: bool
    leaving: bool = False
    """The InstallPlan is being deleted."""


class NoSuchVersion(Exception):
    """The catalogue has no such version of the extension."""

    def __init__(self, extension: str, version: str, known: Sequence[str]) -> None:
        self.known = tuple(known)
        there_is = f"there is {', '.join(known)}" if known else "no version of it is known; publish one"
        super().__init__(f"ExtensionVersion {extension}-{version} does not exist; {there_is}")


class Gatherer:
    """Reads the parts of a World."""

    def __init__(self, platform: Client, reader: Client) -> None:
        self._platform = platform
        self._reader = reader
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self.unreadable: list[str] = []

    async def subject(self, asked: Asked) -> Subject:
        """Raises NoSuchVersion, InvalidObject."""
        there = await _or_none(self._platform.get(INSTALLPLANS, asked.extension))
        spec: dict[str, Any] = {
            **spec_of(there or {}),
            "extension": {"name": asked.extension, "version": asked.version},
        }
        spec |= {} if asked.config is None else {"config": asked.config}
        spec |= {"targetNamespace": asked.namespace} if asked.namespace else {}
        kind = {"apiVersion": INSTALLPLANS.api_version, "kind": INSTALLPLANS.kind}
        about = mapping((there or {}).get("metadata")) or {"name": asked.extension}
        obj: dict[str, Any] = {**kind, "metadata": dict(about), "spec": spec, "status": dict(status_of(there or {}))}
        plan = install_plan(obj)
        version = await self._version(asked)
        return Subject(
            plan,
            version,
            target_namespace(obj, plan, version),
            status_of(obj),
            annotations_of(obj),
            there is not None,
            is_deleting(obj),
        )

    async def _version(self, asked: Asked) -> ExtensionVersion:
        found = await _or_none(self._platform.get(EXTENSIONVERSIONS, f"{asked.extension}-{asked.version}"))
        if found is None:
            raise NoSuchVersion(asked.extension, asked.version, await self.published(asked.extension))
        return extension_version(found)

    async def published(self, extension: str) -> tuple[str, ...]:
        """The versions of an extension that the catalogue has."""
        selector = f"{labels.EXTENSION_REF}={extension}"
        try:
            found = await self._platform.list(EXTENSIONVERSIONS, label_selector=selector)
        except NotFound:  # the platform's kinds are not installed on this cluster
            return ()
        return tuple(sorted(str(spec_of(obj).get("version") or "") for obj in found.items))

    async def in_force(self, subject: Subject) -> InForce:
        """The release as Helm would take it up: the deployed revision, else the newest."""
        name = release_name({"metadata": {"name": subject.plan.extension}, "status": subject.status})
        records = await Releases(self._platform).records(subject.namespace, name)
        return await self._read_release(records, str(subject.status.get("version") or ""))

    async def _read_release(self, records: Records, version: str) -> InForce:
        latest, deployed = records.latest, storage.deployed(records.revisions)
        base = deployed or latest
        if latest is None or base is None:
            return InForce()
        contents = await Releases(self._platform).contents(base)
        reader = ManifestReader({}, "")
        objects, _ = await asyncio.to_thread(reader.objects, {"release": contents.manifest})
        hooks, _ = await asyncio.to_thread(reader.objects, {str(at): text for at, text in enumerate(contents.hooks)})
        crds, _ = await asyncio.to_thread(reader.objects, {str(at): text for at, text in enumerate(contents.crds)})
        return InForce(
            deployed.revision if deployed is not None else 0,
            latest.revision,
            version if deployed is not None else "",
            latest.labels.get(TARGET_LABEL, ""),
            tuple(objects),
            tuple(hooks),
            frozenset(obj.name for obj in crds),
        )

    async def kinds(self) -> Kinds:
        """Every kind that the cluster serves."""
        served = await self._platform.discover_all()
        return {
            (one.resource.api_version, one.resource.kind): Served(one.resource.plural, one.resource.namespaced)
            for one in served
        }

    async def namespace_state(self, namespace: str) -> str:
        obj = await _or_none(self._platform.get(NAMESPACES, namespace, metadata_only=True))
        if obj is None:
            return Namespace.ABSENT.value
        return (Namespace.TERMINATING if is_deleting(obj) else Namespace.ACTIVE).value

    async def standing(self) -> Standing:
        """What is installed and planned of all extensions, with what it needs."""
        plans = (await self._platform.list(INSTALLPLANS)).items
        names = {name for plan in plans for name in _versions_named(plan)}
        found = await self._each(names, lambda name: _or_none(self._platform.get(EXTENSIONVERSIONS, name)))
        return standing(plans, found.get)

    async def complete(self, world: World) -> World:
        """The world with everything that depends on what the package renders to."""
        if world.rendering is None:
            return world
        kinds = {**world.kinds, **_brought(world)}
        world = replace(world, kinds=kinds)
        live = await self._live(world)
        definitions = await self._definitions(world)
        plugged = [obj for found in await asyncio.gather(*map(self._plugged, _PLUGGED)) for obj in found]
        return replace(
            world,
            live=live,
            definitions=definitions,
            lost=await self._lost(world),
            plugged=plugged,
            roles={key.kind: rules for key, rules in _rules_of(live, world).items()},
            unreadable=tuple(sorted({*world.unreadable, *self.unreadable})),
        )

    async def _live(self, world: World) -> dict[ObjectKey, Object | None]:
        assert world.rendering is not None
        rendered = (*world.in_force.objects, *world.rendering.hooks, *world.rendering.objects)
        wanted = {
            key: _resource(obj, world.kinds) for key, obj in keyed(rendered, world.kinds, world.namespace).items()
        }
        made = {(one.group, one.kind): one for one in _MADE}
        for key in platform_keys(world.extension, world.namespace, world.package.permissions):
            wanted[key] = made[key.group, key.kind]

        async def look(key: ObjectKey) -> tuple[bool, Object | None]:
            try:
                return True, await _or_none(self._reader.get(wanted[key], key.name, key.namespace or None))
            except Forbidden:
                self.unreadable.append(str(key))
                return False, None

        found = await self._each(wanted, look)
        return {key: obj for key, (readable, obj) in found.items() if readable}

    async def _definitions(self, world: World) -> dict[str, Definition | None]:
        assert world.rendering is not None
        objects = (*world.rendering.crds, *world.rendering.objects, *world.in_force.objects)
        names = {obj.name for obj in objects if obj.kind == CRDS.kind and obj.group == CRDS.group}

        async def look(name: str) -> Definition | None:
            found = await _or_none(self._platform.get(CRDS, name))
            return None if found is None else Definition(found, await self._count(found))

        return await self._each(names, look)

    async def _lost(self, world: World) -> Sequence[Loss] | None:
        """What is stored of definitions in templates that the new version drops; None when that may not be read."""
        assert world.rendering is not None
        kept = {obj.name for obj in world.rendering.objects if obj.kind == CRDS.kind}
        dropped = [obj.name for obj in world.in_force.objects if obj.kind == CRDS.kind and obj.name not in kept]
        try:
            return await losses_of_definitions(self._reader, dropped) if dropped else ()
        except Forbidden:
            return None

    async def _count(self, definition: Object) -> int | None:
        """How many objects there are of it; None when the reader may not know, or the API does not say."""
        spec = spec_of(definition)
        stored = next((str(one.get("name")) for one in map(part, items(spec.get("versions"))) if one.get("served")), "")
        group, plural = str(spec.get("group")), str(part(spec.get("names")).get("plural"))
        resource = Resource(group, stored, plural, "", spec.get("scope") == "Namespaced")
        answer = await self._reader.request("GET", path_of(resource), query={"limit": "1"})
        if answer.status != 200:
            return 0 if answer.status == 404 else None
        listed = orjson.loads(answer.body)
        left = listed["metadata"].get("remainingItemCount")
        if left is None and listed["metadata"].get("continue"):
            return None
        return len(listed["items"]) + int(left or 0)

    async def _plugged(self, resource: Any) -> list[Object]:
        try:
            return (await self._reader.list(resource)).items
        except NotFound:  # the seed's dialect may not be installed on this cluster
            return []
        except Forbidden:
            self.unreadable.append(f"all {resource.plural}.{resource.group}")
            return []

    async def _each(self, keys: Iterable[Any], look: Callable[[Any], Awaitable[_T]]) -> dict[Any, _T]:
        async def one(key: Any) -> tuple[Any, _T]:
            async with self._limit:
                return key, await look(key)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(key)) for key in keys]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return dict(task.result() for task in tasks)


_PLUGGED: Final = (APISERVICES, REVERSEPROXIES, EXTENSIONENTRIES, SEED_APISERVICES, SEED_REVERSEPROXIES)


async def _or_none(reading: Awaitable[Object]) -> Object | None:
    try:
        return await reading
    except NotFound:
        return None


def _versions_named(plan: Object) -> Iterable[str]:
    name = str(mapping(plan.get("metadata")).get("name"))
    wanted = mapping(spec_of(plan).get("extension")).get("version")
    return (f"{name}-{version}" for version in (wanted, status_of(plan).get("version")) if version)


def _brought(world: World) -> Kinds:
    """The kinds of the package's own definitions that are there before Helm looks."""
    assert world.rendering is not None
    if world.policies.crds == "Skip":
        return {}
    found: dict[tuple[str, str], Served] = {}
    for obj in world.rendering.crds:
        spec = part(obj.value.get("spec"))
        names = part(spec.get("names"))
        served = Served(str(names.get("plural")), spec.get("scope") == "Namespaced")
        for version in map(part, items(spec.get("versions"))):
            found[f"{spec.get('group')}/{version.get('name')}", str(names.get("kind"))] = served
    return found


def _resource(obj: RenderedObject, kinds: Kinds) -> Resource:
    served = kinds[obj.api_version, obj.kind]
    version = obj.api_version.rpartition("/")[2]
    return Resource(obj.group, version, served.plural, obj.kind, served.namespaced)


def _rules_of(live: Mapping[ObjectKey, Object | None], world: World) -> dict[ObjectKey, Sequence[Object]]:
    own = platform_keys(world.extension, world.namespace, world.package.permissions)
    return {
        key: (live.get(key) or {}).get("rules") or ()
        for key in own
        if key.kind in ("Role", "ClusterRole") and key in live
    }
