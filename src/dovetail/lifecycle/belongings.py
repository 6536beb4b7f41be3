"""Everything that goes, or could go, with an extension: one look at the cluster before anything is taken away.

The objects of every stored revision's manifest and hooks, what carries the extension's label, what controllers made
for these (owner references, all the way down), the custom resources of definitions that go, the claims of its
StatefulSets, and, when the namespace goes, all that lies in it. Only metadata is read.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail.apis import labels
from dovetail.helm.errors import HelmProtocolError
from dovetail.helm.storage import Contents, contents_of
from dovetail.kube import (
    CRDS,
    NAMESPACES,
    SECRETS,
    ApiError,
    Client,
    NotFound,
    Resource,
    annotations_of,
    key_of,
    labels_of,
    metadata,
    owners_of,
    preferred_resources,
    uid_of,
)
from dovetail.kube.discovery import split_api_version
from dovetail.lifecycle.access import is_protected
from dovetail.lifecycle.crd_upgrades import OWNER
from dovetail.lifecycle.manifests import KEEP, Object, objects_of
from dovetail.lifecycle.receipt import Entry, Origin
from dovetail.lifecycle.releases import Records
from dovetail.lifecycle.removal import is_catalogue, is_kept, is_package, listed

PARALLEL: Final = 8
MAX_INSTANCES: Final = 5000
_OWN: Final = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
"""What every namespace has."""
_Place = tuple[str, str, str, str]
"""(group, kind, namespace, name)"""

_FOR_PERSONS: Final = frozenset({"dovetail-platform", "dovetail-user", "dovetail-extension"})
"""Managers of ours that write what a person asked for."""

KEPT_BY_POLICY: Final = f"its annotation {KEEP}: keep says so"
KEPT_DEFINITION: Final = "definitions of crds/ stay, and with them every resource of theirs, as with Helm"
KEPT_CLAIM: Final = "Kubernetes keeps the claims of a StatefulSet, for they hold its data"
NAMESPACE_SHARED: Final = "other extensions are installed in this namespace"
NAMESPACE_FOREIGN: Final = "the platform did not make this namespace for the extension"
NAMESPACE_HOLDS: Final = f"objects in it are to be kept ({KEEP}: keep)"


@dataclass
class _Found:
    """What the lists showed: objects by place, and by owner's uid."""

    resources: dict[tuple[str, str], Resource] = field(default_factory=dict[tuple[str, str], Resource])
    objects: dict[_Place, Object] = field(default_factory=dict[_Place, Object])

    def add(self, resource: Resource, objects: Iterable[Object]) -> None:
        for obj in objects:
            key = key_of(obj)
            self.objects[(resource.group, resource.kind, key.namespace, key.name)] = obj

    def defined(self, name: str) -> Resource | None:
        """What the definition of this name defines, if it is served."""
        return next((one for one in self.resources.values() if f"{one.plural}.{one.group}" == name), None)


@dataclass(frozen=True)
class Target:
    """Whose belongings."""

    extension: str
    namespace: str
    release: str
    shared: bool


class Belongings:
    """`gather` is the look. Of each definition's resources the first `most` are named; 0: all."""

    def __init__(self, client: Client, most: int = MAX_INSTANCES) -> None:
        self._client = client
        self._most = most

    async def gather(self, target: Target, records: Records) -> tuple[list[Entry], list[str]]:
        """The entries, and notes on what could not be read. Raises KubeError."""
        contents, notes = await self._contents(records)
        found = _Found()
        for served in preferred_resources(await self._client.discover_all(), ("list", "delete")):
            if not is_catalogue(served):
                found.resources[(served.resource.group, served.resource.kind)] = served.resource
        named = await asyncio.to_thread(_named, contents, found.resources, target.namespace)
        await self._list(target, named, found)
        await self._get_named(named, found)
        entries = _entries(target, named, found)
        instances, told = await self._instances(entries, found)
        return [*entries, *instances], [*notes, *told]

    async def _contents(self, records: Records) -> tuple[list[Contents], list[str]]:
        contents: list[Contents] = []
        notes: list[str] = []
        for record in records.revisions:
            try:
                secret = await self._client.get(SECRETS, record.secret, record.namespace)
                contents.append(await asyncio.to_thread(contents_of, secret))
            except NotFound:
                continue
            except HelmProtocolError as error:
                notes.append(f"revision {record.revision} could not be read, its objects are found by label: {error}")
        return contents, notes

    async def _list(self, target: Target, named: Mapping[_Place, "Named"], found: _Found) -> None:
        limit = asyncio.Semaphore(PARALLEL)
        places = {target.namespace, *(place[2] for place in named if place[2])}

        async def one(resource: Resource, namespace: str | None, selector: str) -> None:
            async with limit:
                objects = await listed(self._client, resource, namespace, selector)
                found.add(resource, (obj for obj in objects if not is_package(resource, obj, target.extension)))

        async with asyncio.TaskGroup() as group:
            for resource in found.resources.values():
                group.create_task(one(resource, None, f"{labels.EXTENSION_REF}={target.extension}"))
                for place in places if resource.namespaced else ():
                    group.create_task(one(resource, place, ""))
            group.create_task(one(NAMESPACES, None, f"kubernetes.io/metadata.name={target.namespace}"))
            group.create_task(one(CRDS, None, ""))

    async def _get_named(self, named: Mapping[_Place, "Named"], found: _Found) -> None:
        limit = asyncio.Semaphore(PARALLEL)

        async def one(place: _Place, resource: Resource) -> None:
            async with limit:
                try:
                    obj = await self._client.get(resource, place[3], place[2] or None, metadata_only=True)
                except ApiError as error:
                    if error.code not in (404, 405):
                        raise
                else:
                    found.objects[place] = obj

        async with asyncio.TaskGroup() as group:
            for place, one_named in named.items():
                if place not in found.objects and one_named.resource is not None:
                    group.create_task(one(place, one_named.resource))

    async def _instances(self, known: Sequence[Entry], found: _Found) -> tuple[list[Entry], list[str]]:
        """Custom resources of the definitions among the known, which share their fate."""
        entries: list[Entry] = []
        notes: list[str] = []
        names = {(entry.kind, entry.namespace, entry.name) for entry in known}
        for definition in known:
            resource = found.defined(definition.name) if definition.kind == CRDS.kind else None
            if resource is None or definition.foreign or not definition.uid:
                continue
            objects = await listed(self._client, resource, None, "")
            fresh = [obj for obj in objects if (resource.kind, *key_of(obj)) not in names]
            reason = definition.reason
            entries += [_entry(obj, resource, "Instance", reason=reason) for obj in fresh[: self._most or None]]
            if 0 < self._most < len(fresh):
                notes.append(f"of {len(fresh)} {resource.plural} the first {self._most} are named here")
        return entries, notes


@dataclass(frozen=True)
class Named:
    """An object that a revision names."""

    origin: Origin
    api_version: str
    resource: Resource | None
    keep: bool
    claims: tuple[str, ...] = ()
    """Names of a StatefulSet's claim templates."""


def _named(
    contents: Sequence[Contents], resources: Mapping[tuple[str, str], Resource], namespace: str
) -> dict[_Place, Named]:
    named: dict[_Place, Named] = {}
    for content in contents:
        texts: list[tuple[Origin, str]] = [("Chart", content.manifest)]
        texts.extend(("Hook", text) for text in content.hooks)
        texts.extend(("Definition", text) for text in content.crds)
        for origin, text in texts:
            for obj in objects_of(text):
                place, resource = _place(obj, resources, namespace)
                told = Named(origin, str(obj.get("apiVersion") or ""), resource, is_kept(obj), _claims(obj))
                named.setdefault(place, told)
    return named


def _place(
    obj: Object, resources: Mapping[tuple[str, str], Resource], namespace: str
) -> tuple[_Place, Resource | None]:
    group, _ = split_api_version(str(obj.get("apiVersion") or ""))
    kind, key = str(obj.get("kind") or ""), key_of(obj)
    resource = resources.get((group, kind))
    namespaced = resource is None or resource.namespaced
    return (group, kind, (key.namespace or namespace) if namespaced else "", key.name), resource


def _claims(obj: Object) -> tuple[str, ...]:
    if obj.get("kind") != "StatefulSet":
        return ()
    spec: Any = obj.get("spec") or {}
    return tuple(key_of(template).name for template in spec.get("volumeClaimTemplates") or ())


def _entries(target: Target, named: Mapping[_Place, Named], found: _Found) -> list[Entry]:
    reason = namespace_stays(target, found.objects)
    chosen: dict[_Place, Entry] = {}
    for place, one in named.items():
        chosen[place] = _named_entry(place, one, found.objects.get(place), target)
    for place, obj in found.objects.items():
        if place not in chosen and labels_of(obj).get(labels.EXTENSION_REF) == target.extension:
            why = _why_kept(place, obj, reason, target)
            chosen[place] = _entry(obj, found.resources.get(place[:2]), "Platform", reason=why)
    for place, obj in found.objects.items():  # also of versions whose records are gone, and of their sub-charts
        if place not in chosen and annotations_of(obj).get(OWNER) == target.extension and place[1] == CRDS.kind:
            chosen[place] = _entry(obj, CRDS, "Definition", reason=KEPT_DEFINITION)
    _add_dependents(chosen, found)
    _add_claims(chosen, named, found, staying=bool(reason), namespace=target.namespace)
    if not reason:
        _add_contents(chosen, found, target.namespace)
    place = ("", "Namespace", "", target.namespace)
    if place not in chosen and place in found.objects:
        chosen[place] = _entry(found.objects[place], NAMESPACES, "Platform", reason=reason)
    return list(chosen.values())


def namespace_stays(target: Target, objects: Mapping[_Place, Object]) -> str:
    """Why the extension's namespace is kept; empty when it goes."""
    obj = objects.get(("", "Namespace", "", target.namespace))
    marks = labels_of(obj or {})
    if target.shared:
        return NAMESPACE_SHARED
    if is_protected(target.namespace) or marks.get(labels.MANAGED) != "true":
        return NAMESPACE_FOREIGN
    if marks.get(labels.EXTENSION_REF) != target.extension:
        return NAMESPACE_FOREIGN
    holds = any(place[2] == target.namespace and is_kept(one) for place, one in objects.items())
    return NAMESPACE_HOLDS if holds else ""


def _why_kept(place: _Place, obj: Object, namespace_reason: str, target: Target) -> str:
    if place[:2] == ("", "Namespace"):
        return namespace_reason if place[3] == target.namespace else NAMESPACE_FOREIGN
    return KEPT_BY_POLICY if is_kept(obj) else ""


def _named_entry(place: _Place, one: Named, live: Object | None, target: Target) -> Entry:
    reason = KEPT_DEFINITION if one.origin == "Definition" else KEPT_BY_POLICY if one.keep else ""
    foreign = whose(live, target) if live is not None and one.origin != "Definition" else ""
    return Entry(
        api_version=one.api_version, kind=place[1], namespace=place[2], name=place[3], uid=uid_of(live or {}),
        origin=one.origin, reason=reason, foreign=foreign,
    )  # fmt: skip


def whose(live: Mapping[str, Any], target: Target) -> str:
    """Whose a live object is that the release names; empty when it is the extension's."""
    owner = labels_of(live).get(labels.EXTENSION_REF)
    if owner == target.extension:
        return ""
    notes = annotations_of(live)
    release = notes.get(labels.HELM_RELEASE_NAME), notes.get(labels.HELM_RELEASE_NAMESPACE)
    if release == (target.release, target.namespace):
        return ""
    if owner:
        return f"it belongs to the extension {owner}"
    if release[0]:
        return f"it belongs to the Helm release {release[1]}/{release[0]}"
    return "somebody else made it: it carries neither the extension's label nor Helm's annotations"


def _entry(obj: Object, resource: Resource | None, origin: Origin, *, reason: str = "") -> Entry:
    key = key_of(obj)
    return Entry(
        api_version=resource.api_version if resource else str(obj.get("apiVersion") or ""),
        kind=resource.kind if resource else str(obj.get("kind") or ""),
        namespace=key.namespace, name=key.name, uid=uid_of(obj), origin=origin, reason=reason,
    )  # fmt: skip


def _add_dependents(chosen: dict[_Place, Entry], found: _Found) -> None:
    """What controllers made for the chosen, all the way down."""
    owners = {entry.uid: entry for entry in chosen.values() if entry.uid and not entry.foreign}
    waiting = [(place, obj) for place, obj in found.objects.items() if place not in chosen and owners_of(obj)]
    while True:
        fresh: list[_Place] = []
        for place, obj in waiting:
            owner = next((owners[uid] for o in owners_of(obj) if (uid := str(o.get("uid") or "")) in owners), None)
            if owner is not None:
                reason = f"its owner {owner.kind} {owner.name} stays" if owner.reason else ""
                entry = _entry(obj, found.resources.get(place[:2]), "Dependent", reason=reason)
                chosen[place] = owners[entry.uid] = entry
                fresh.append(place)
        if not fresh:
            return
        waiting = [(place, obj) for place, obj in waiting if place not in chosen]


def _add_claims(
    chosen: dict[_Place, Entry], named: Mapping[_Place, Named], found: _Found, *, staying: bool, namespace: str
) -> None:
    for place, one in named.items():
        for claim in one.claims:
            pattern = re.compile(rf"{re.escape(claim)}-{re.escape(place[3])}-[0-9]+")
            for at, obj in found.objects.items():
                if at[:3] == ("", "PersistentVolumeClaim", place[2]) and pattern.fullmatch(at[3]):
                    if at in chosen and chosen[at].origin == "Dependent":
                        continue  # its StatefulSet owns it: the retention policy is to delete it
                    stays = staying or place[2] != namespace
                    resource = found.resources.get(at[:2])
                    chosen[at] = _entry(obj, resource, "Claim", reason=KEPT_CLAIM if stays else "")


def _add_contents(chosen: dict[_Place, Entry], found: _Found, namespace: str) -> None:
    for place, obj in found.objects.items():
        if place[2] == namespace and place not in chosen and (place[1], place[3]) not in _OWN:
            origin: Origin = "Platform" if is_platforms(obj) else "Content"
            chosen[place] = _entry(obj, found.resources.get(place[:2]), origin)


def is_platforms(obj: Mapping[str, Any]) -> bool:
    """Whether nobody but the platform's own controllers has ever written it, such as a project's roles."""
    writers = {str(entry.get("manager") or "") for entry in metadata(obj).get("managedFields") or ()}
    return bool(writers) and all(name.startswith("dovetail") and name not in _FOR_PERSONS for name in writers)
