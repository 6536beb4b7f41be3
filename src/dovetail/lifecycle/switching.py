"""Enabling and disabling: `status.state` of the API objects that an extension brought.

APIServices, JSBundles, ReverseProxies and ExtensionEntries of both groups that carry the extension's label are
Disabled when the plan says so, and else Available. Health checks turn Available into Unavailable and back; that is
not undone here.

Packages also ship a `status` in their manifests (a JSBundle's link); the status subresource drops it when the object is
made, so it is put back once after each deployment.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import yaml

from dovetail.apis import labels
from dovetail.apis.extensions_v1alpha1 import APISERVICES, EXTENSIONENTRIES, JSBUNDLES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import SEED_APISERVICES, SEED_JSBUNDLES, SEED_REVERSEPROXIES
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.yaml_depth import TooDeep, refuse_depth
from dovetail.kube import Client, ControllerRuntime, Informer, NotFound, key_of, labels_of

SWITCHED: Final = (
    APISERVICES, REVERSEPROXIES, JSBUNDLES, EXTENSIONENTRIES, SEED_APISERVICES, SEED_REVERSEPROXIES, SEED_JSBUNDLES,
)  # fmt: skip
_BY_KIND: Final = {(resource.api_version, resource.kind): resource for resource in SWITCHED}
_BY_EXTENSION: Final = "extension"
Object = Mapping[str, Any]


def extension_of(obj: Object) -> Iterable[str]:
    """The extension that an object belongs to, as an index or as a plan's name."""
    name = labels_of(obj).get(labels.EXTENSION_REF)
    return (name,) if name else ()


def state_of(obj: Object) -> str:
    status = obj.get("status")
    return str(cast("Object", status).get("state") or "") if isinstance(status, Mapping) else ""


def wanted_state(state: str, enabled: bool) -> str:
    """The state that an object in `state` should have; health's verdict stays."""
    if not enabled:
        return labels.STATE_DISABLED
    return labels.STATE_AVAILABLE if state in ("", labels.STATE_DISABLED) else state


def slim(obj: dict[str, Any]) -> dict[str, Any]:
    """Metadata and state: bundles carry their whole JavaScript, and this process needs none of it."""
    meta = cast("dict[str, Any]", obj.get("metadata") or {})
    kept = {name: meta[name] for name in ("name", "uid", "resourceVersion", "generation", "labels") if name in meta}
    return {
        **{name: obj.get(name) for name in ("apiVersion", "kind")},
        "metadata": kept,
        "status": {"state": state_of(obj)},
    }


class Switchboard:
    """The API objects of all extensions: a small cache to notice, the API itself to switch."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self._client: Client = runtime.client
        self.informers: list[Informer] = [
            runtime.informer(
                resource,
                label_selector=labels.EXTENSION_REF,
                indexers={_BY_EXTENSION: extension_of},
                transform=slim,
                optional=True,
            )
            for resource in SWITCHED
        ]

    def is_switched(self, extension: str, enabled: bool) -> bool:
        """Whether all objects known here say what they should."""
        return all(
            state_of(obj) == wanted_state(state_of(obj), enabled)
            for informer in self.informers
            for obj in informer.lister.by_index(_BY_EXTENSION, extension)
        )

    async def switch(self, extension: str, enabled: bool) -> int:
        """Write the states that are not right; how many were written."""
        return sum([await self._switch(resource, extension, enabled) for resource in SWITCHED])

    async def _switch(self, resource: ResourceName, extension: str, enabled: bool) -> int:
        changed = 0
        for obj in await self._labelled(resource, extension):
            wanted = wanted_state(state_of(obj), enabled)
            if wanted != state_of(obj):
                changed += await self._patch(resource, key_of(obj).name, {"state": wanted})
        return changed

    async def restore(self, manifest: str) -> None:
        """Put back what a release's manifest says of its objects' status, but for the state."""
        for resource, name, status in declared_statuses(manifest):
            await self._patch(resource, name, status)

    async def _labelled(self, resource: ResourceName, extension: str) -> list[dict[str, Any]]:
        try:
            found = await self._client.list(resource, label_selector=f"{labels.EXTENSION_REF}={extension}")
        except NotFound:  # the seed's dialect may not be installed on this cluster
            return []
        return found.items

    async def _patch(self, resource: ResourceName, name: str, status: Object) -> int:
        try:
            await self._client.patch(resource, name, {"status": status}, subresource="status")
        except NotFound:
            return 0
        return 1


def declared_statuses(manifest: str) -> list[tuple[ResourceName, str, Object]]:
    """(resource, name, status without state) of the API objects in a manifest that declare one."""
    found: list[tuple[ResourceName, str, Object]] = []
    for text in manifest.split("\n---\n"):
        if "kubesphere.io/" not in text or "status" not in text:
            continue  # most objects of most charts; parsing them would be the larger part of the work
        try:
            refuse_depth(text)
        except TooDeep:  # no object of ours is: somebody wrote into Helm's record
            continue
        parsed: object = yaml.load(text, Loader=yaml.CSafeLoader)
        if not isinstance(parsed, dict):
            continue
        obj = cast("dict[str, Any]", parsed)
        resource = _BY_KIND.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
        status = obj.get("status")
        if resource is not None and isinstance(status, dict):
            kept = {key: value for key, value in cast("dict[str, Any]", status).items() if key != "state"}
            if kept:
                found.append((resource, key_of(obj).name, kept))
    return found
