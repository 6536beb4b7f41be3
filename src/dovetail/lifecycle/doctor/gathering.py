"""One look at the cluster: everything that a diagnosis of one extension, or of the platform, is made from.

Read-only, as whoever the client is, a bounded number of bounded requests side by side. Nothing is decided here; what
is suspicious because nobody seems to work on it is looked at twice (`patience`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.extensions_v1alpha1 import APISERVICES, JSBUNDLES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import (
    EXTENSIONS,
    EXTENSIONVERSIONS,
    INSTALLPLANS,
    REPOSITORIES,
    SEED_APISERVICES,
    SEED_JSBUNDLES,
    SEED_REVERSEPROXIES,
    SUBSCRIPTIONS,
)
from dovetail.helm import storage
from dovetail.helm.errors import HelmProtocolError
from dovetail.kube import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CONFIGMAPS,
    CRDS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTSLICES,
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    REPLICASETS,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    Client,
    Object,
    Resource,
    ResourceLike,
    finalizers_of,
    key_of,
    labels_of,
    uid_of,
)
from dovetail.lifecycle import access
from dovetail.lifecycle.doctor.causes import namespaces, processes, repositories
from dovetail.lifecycle.doctor.picture import Picture, condition_of, is_ours
from dovetail.lifecycle.doctor.reading import Reader
from dovetail.lifecycle.hook_logs import config_map_name
from dovetail.lifecycle.image_repositories import name_of
from dovetail.lifecycle.objects import mapping, spec_of, status_of

EVENTS_LIMIT: Final = 1000
_ELSEWHERE: Final = 5
_ADMISSION: Final = "admissionregistration.k8s.io"
_WEBHOOKS: Final = (
    Resource(_ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False),
    Resource(_ADMISSION, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False),
)
_APIS: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", False)
_STORAGE: Final = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)
_QUOTAS: Final = Resource("", "v1", "resourcequotas", "ResourceQuota")
_RANGES: Final = Resource("", "v1", "limitranges", "LimitRange")
_ROUTED: Final = (APISERVICES, REVERSEPROXIES, JSBUNDLES, SEED_APISERVICES, SEED_REVERSEPROXIES, SEED_JSBUNDLES)
_WORKLOADS: Final = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS)
_INSIDE: Final = (
    *_WORKLOADS, REPLICASETS, JOBS, PODS, PERSISTENTVOLUMECLAIMS, SERVICES, ENDPOINTSLICES, _QUOTAS, _RANGES,
    SERVICEACCOUNTS,
)  # fmt: skip
Kinds = dict[str, Sequence[Object]]


def plural_of(resource: ResourceLike) -> str:
    """How a picture calls a kind: ours and the ambiguous ones with their group."""
    ours = resource.group.endswith("kubesphere.io") or resource.plural == "apiservices"
    return f"{resource.plural}.{resource.group}" if ours else resource.plural


async def look_at_platform(client: Client) -> Picture:
    """The platform's own parts, all plans, all repositories, and the routes that belong to no extension."""
    reader = Reader(client)
    kinds: Kinds = {}
    await reader.tell_time()
    served = await reader.served()
    wanted = [(resource, "") for resource in (*_WEBHOOKS, _APIS, NODES, INSTALLPLANS, REPOSITORIES, SUBSCRIPTIONS)]
    wanted += [(resource, f"!{labels.EXTENSION_REF}") for resource in _ROUTED]
    await _fill(reader, kinds, wanted)
    lease = await reader.one(LEASES, processes.LEASE, labels.SYSTEM_NAMESPACE)
    kinds["leases"] = [lease] if lease else []
    await _image_repositories(reader, kinds)
    return _picture("", "", kinds, reader, served)


async def look_at_extension(client: Client, extension: str) -> Picture:
    """Everything about one extension."""
    reader = Reader(client)
    kinds: Kinds = {}
    await reader.tell_time()
    served = await reader.served()
    mark = f"{labels.EXTENSION_REF}={extension}"
    everywhere = [*_WEBHOOKS, _APIS, NODES, _STORAGE, INSTALLPLANS, REPOSITORIES, SUBSCRIPTIONS]
    labelled = [EXTENSIONVERSIONS, *_ROUTED, CLUSTERROLES, CLUSTERROLEBINDINGS, CRDS, *_WORKLOADS, JOBS]
    wanted = [(resource, "") for resource in everywhere] + [(resource, mark) for resource in labelled]
    await _fill(reader, kinds, wanted)
    await _catalogue(reader, kinds, extension)
    namespace = namespace_of(kinds, extension)
    await _inside(reader, kinds, extension, namespace)
    await _image_repositories(reader, kinds)
    picture = _picture(extension, namespace, kinds, reader, served)
    relevant = [obj for obj in picture.all("repositories.kubesphere.io") if repositories.relevant(picture, obj)]
    picture = replace(picture, kinds={**picture.kinds, "repositories.kubesphere.io": relevant})
    text = await _release_text(reader, picture)
    return replace(picture, release_text=text, unread=tuple(reader.unread))


def namespace_of(kinds: Mapping[str, Sequence[Object]], extension: str) -> str:
    """Where the release is or is to be: the status', the plan's, the version's, or the name that follows."""
    plan = _named(kinds, "installplans.kubesphere.io", extension) or {}
    wanted = f"{extension}-{mapping(spec_of(plan).get('extension')).get('version')}"
    version = _named(kinds, "extensionversions.kubesphere.io", wanted) or {}
    for value in (status_of(plan).get("targetNamespace"), spec_of(plan).get("targetNamespace"),
                  spec_of(version).get("namespace")):  # fmt: skip
        if value:
            return str(value)
    return f"{labels.EXTENSION_NAMESPACE_PREFIX}{extension}"


def _named(kinds: Mapping[str, Sequence[Object]], plural: str, name: str) -> Object | None:
    return next((obj for obj in kinds.get(plural, ()) if key_of(obj).name == name), None)


async def _fill(reader: Reader, kinds: Kinds, wanted: Iterable[tuple[ResourceLike, str]]) -> None:
    listed = list(wanted)
    pages = await asyncio.gather(*(reader.page(resource, selector=selector) for resource, selector in listed))
    for (resource, _), found in zip(listed, pages, strict=True):
        if found is not None:
            kinds[plural_of(resource)] = found


async def _catalogue(reader: Reader, kinds: Kinds, extension: str) -> None:
    shown = await reader.page(EXTENSIONS, fields=f"metadata.name={extension}", limit=1)
    if shown is not None:
        kinds["extensions.kubesphere.io"] = shown
    plan = _named(kinds, "installplans.kubesphere.io", extension) or {}
    wanted = f"{extension}-{mapping(spec_of(plan).get('extension')).get('version')}"
    versions = list(kinds.get("extensionversions.kubesphere.io", ()))
    version = _named(kinds, "extensionversions.kubesphere.io", wanted)
    if plan and version is None:
        version = await reader.one(EXTENSIONVERSIONS, wanted)
        kinds["extensionversions.kubesphere.io"] = versions = [*versions, *([version] if version else [])]
    logs = f"metadata.name={config_map_name(extension)}"
    kinds["hooklogs"] = await reader.page(CONFIGMAPS, labels.SYSTEM_NAMESPACE, fields=logs, limit=1) or []
    reference = mapping(spec_of(version or {}).get("chartDataRef"))
    if reference.get("name"):
        place = str(reference.get("namespace") or labels.SYSTEM_NAMESPACE)
        only = f"metadata.name={reference['name']}"
        found = await reader.page(CONFIGMAPS, place, fields=only, limit=1, metadata_only=True)
        if found is not None:
            kinds["packages"] = found


async def _inside(reader: Reader, kinds: Kinds, extension: str, namespace: str) -> None:
    """What is in the extension's namespace, and where else its workloads are."""
    spaces = await reader.page(NAMESPACES, fields=f"metadata.name={namespace}", limit=1)
    if spaces is not None:
        kinds["namespaces"] = spaces
    space, absent = next(iter(spaces or ()), None), spaces == []
    marked = [obj for resource in (*_WORKLOADS, JOBS) for obj in kinds.get(resource.plural, ())]
    others = sorted({key_of(obj).namespace for obj in marked} - {namespace})[:_ELSEWHERE]
    found: dict[str, list[Object]] = {}
    readable: set[str] = set()
    for place in ([] if absent else [namespace]) + others:
        alone = place == namespace and labels_of(space or {}).get(labels.EXTENSION_REF) == extension
        inside = await _namespace(reader, extension, place)
        readable |= inside.keys()
        for plural, objects in (inside if alone else _only_ours(inside, extension)).items():
            found.setdefault(plural, []).extend(objects)
    for plural in readable or ([resource.plural for resource in _INSIDE] if absent else []):
        known = {uid_of(obj) for obj in found.get(plural, [])}
        kinds[plural] = found.get(plural, []) + [obj for obj in kinds.get(plural, ()) if uid_of(obj) not in known]
    await _held(reader, kinds, space)


async def _namespace(reader: Reader, extension: str, place: str) -> dict[str, list[Object]]:
    release = f"{storage.SELECTOR},name={extension}"
    role = f"metadata.name={access.role_name(extension)}"
    *inside, secrets, roles, bindings, events = await asyncio.gather(
        *(reader.page(resource, place) for resource in _INSIDE),
        reader.page(SECRETS, place, selector=release, metadata_only=True),
        reader.page(ROLES, place, fields=role),
        reader.page(ROLEBINDINGS, place, fields=role),
        reader.page(EVENTS, place, limit=EVENTS_LIMIT),
    )
    pages = {resource.plural: page for resource, page in zip(_INSIDE, inside, strict=True)}
    pages |= {"secrets": secrets, "roles": roles, "rolebindings": bindings, "events": events}
    return {plural: page for plural, page in pages.items() if page is not None}


def _only_ours(inside: Mapping[str, list[Object]], extension: str) -> dict[str, list[Object]]:
    """Of a namespace that others use, too: what is labelled with the extension, and what that owns."""
    apart = {"deployments", "statefulsets", "daemonsets", "jobs", "replicasets", "pods"}
    ours: set[str] = set()
    result = {plural: objects for plural, objects in inside.items() if plural not in apart}
    for plural in ("deployments", "statefulsets", "daemonsets", "jobs", "replicasets", "pods"):
        kept = [obj for obj in inside.get(plural, ()) if is_ours(obj, extension) or _owners(obj) & ours]
        ours |= {uid_of(obj) for obj in kept}
        if plural in inside:
            result[plural] = kept
    return result


def _owners(obj: Object) -> set[str]:
    return {str(owner.get("uid")) for owner in (obj["metadata"].get("ownerReferences") or ())}


async def _image_repositories(reader: Reader, kinds: Kinds) -> None:
    """The pods of repositories that are images, where one waits for its pod."""
    waiting = [
        name_of(key_of(obj).name)
        for obj in kinds.get("repositories.kubesphere.io", ())
        if condition_of(obj, "Synced").get("reason") == "WaitingForPod"
    ]
    if not waiting:
        return
    resources = (DEPLOYMENTS, REPLICASETS, PODS, EVENTS)
    pages = await asyncio.gather(*(reader.page(resource, labels.SYSTEM_NAMESPACE) for resource in resources))
    for resource, page in zip(resources, pages, strict=True):
        told = [obj for obj in page or () if _about(obj).startswith(tuple(waiting))]
        kinds[resource.plural] = [*kinds.get(resource.plural, ()), *told]


def _about(obj: Object) -> str:
    """The object's name, or that of what an event is about."""
    return str(mapping(obj.get("involvedObject")).get("name") or key_of(obj).name)


async def _held(reader: Reader, kinds: Kinds, namespace: Object | None) -> None:
    """The objects whose finalizers keep a namespace from going."""
    held: list[Object] = []
    for name in namespaces.held_kinds(namespace or {})[:_ELSEWHERE]:
        plural, _, group = name.partition(".")
        for served in await reader.served() or ():
            resource: Resource = served.resource
            if (resource.plural, resource.group) == (plural, group) and served.preferred:
                found = await reader.page(resource, key_of(namespace or {}).name, limit=20, metadata_only=True) or []
                held += [obj for obj in found if finalizers_of(obj)]
    kinds["heldobjects"] = held[:_ELSEWHERE]


async def _release_text(reader: Reader, picture: Picture) -> str:
    latest = storage.latest(picture.records)
    if latest is None or latest.status != storage.FAILED:
        return ""
    secret = await reader.one(SECRETS, latest.secret, latest.namespace)
    try:
        return storage.description_of(secret) if secret else ""
    except HelmProtocolError:  # a record that somebody wrote by hand is no reason to fail
        return ""


def _picture(extension: str, namespace: str, kinds: Kinds, reader: Reader, served: Sequence[Any] | None) -> Picture:
    known = None if served is None else frozenset((s.resource.api_version, s.resource.kind) for s in served)
    return Picture(extension, namespace, kinds, "", known, tuple(reader.unread), now=reader.now)
