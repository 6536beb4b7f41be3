"""Extension.status: the versions there are, which one is recommended, and what the InstallPlan says.

`status_for` is the whole rule, pure; the reconciler looks, computes and writes what changed. Both spellings of the
seed are kept next to today's (reference/kubesphere-core.md 2.2, 2.8). An Extension that is deleted takes its versions
with it.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.apis import labels
from dovetail.apis.dialects import ExtensionVersion, extension_version
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS
from dovetail.kube import Client, Informer, Key, NotFound, annotations_of, finalizers_of, is_deleting, labels_of
from dovetail.kube.resources import Object
from dovetail.lifecycle import constraints, states
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.objects import generation_of, mapping, spec_of, status_of

BY_EXTENSION = "extension"
_FOR_PEOPLE = frozenset({"icon", "screenshots", "description", "displayName", "provider", "maintainers"})


def extension_of_version(obj: Object) -> Iterable[str]:
    """The extension that an ExtensionVersion is of; nothing for one that cannot be read.

    The label says it, and this runs several times for every event: the whole object is read only without it.
    """
    if name := labels_of(obj).get(labels.EXTENSION_REF):
        return (name,)
    with contextlib.suppress(InvalidObject):
        return (extension_version(obj).extension,)
    return ()


def slim(obj: Object) -> Object:
    """An Extension or ExtensionVersion without what only people look at:

    a cache of thousands would hold megabytes of icons.
    """
    spec = {name: value for name, value in spec_of(obj).items() if name not in _FOR_PEOPLE}
    metadata = {name: value for name, value in mapping(obj.get("metadata")).items() if name != "managedFields"}
    return {**obj, "metadata": metadata, "spec": spec}


def status_for(
    current: Mapping[str, Any],
    versions: Iterable[ExtensionVersion],
    plan: Mapping[str, Any] | None,
    platform: Platform,
    generation: int,
    channel: str = "",
) -> dict[str, Any]:
    """The status that an Extension should have. `channel` is how unready a version may be to be recommended."""
    known = [version for version in constraints.ordered(versions) if version.version]
    best = constraints.recommended(known, platform, channel)
    wanted, told = spec_of(plan or {}), status_of(plan or {})
    state = str(told.get("state") or "")
    state = "" if state == states.UNINSTALLED else state
    installed = str(told.get("version") or "") if state else ""
    return {
        **{key: value for key, value in current.items() if key == "conditions"},
        "state": state,
        "enabled": bool(told.get("enabled")) if installed else False,
        "plannedInstallVersion": str(mapping(wanted.get("extension")).get("version") or ""),
        "installedVersion": installed,
        "subscribedVersion": installed,
        "recommendedVersion": best,
        "recommendVersion": best,
        "versions": [_version_info(version) for version in known],
        "clusterSchedulingStatuses": dict(told.get("clusterSchedulingStatuses") or {}),
        "observedGeneration": generation,
    }


def _version_info(version: ExtensionVersion) -> dict[str, Any]:
    minimum = version.kube_version.removeprefix(">=") if version.kube_version.startswith(">=") else ""
    created = version.info.created or version.meta.created
    info = {
        "version": version.version,
        "creationTimestamp": created,
        "minKubeVersion": minimum,
        "channel": "" if (channel := constraints.channel_of(version)) == constraints.STABLE else channel,
        "deprecated": version.deprecated,
    }
    return {key: value for key, value in info.items() if value}


class ExtensionReconciler:
    """Keeps Extension.status in step with what the caches say."""

    def __init__(
        self, client: Client, extensions: Informer, versions: Informer, plans: Informer, platform: Platform
    ) -> None:
        self._client = client
        self._extensions = extensions
        self._versions = versions
        self._plans = plans
        self._platform = platform

    async def reconcile(self, key: Key) -> None:
        obj = self._extensions.lister.get(key.name)
        if obj is None:
            return
        if is_deleting(obj):
            await self._release(obj, key.name)
            return
        status = status_for(
            status_of(obj),
            self._readable(key.name),
            self._plans.lister.get(key.name),
            self._platform,
            generation_of(obj),
            annotations_of(obj).get(labels.CHANNEL, ""),
        )
        if _differs(status, status_of(obj)):
            with contextlib.suppress(NotFound):
                await self._client.patch(EXTENSIONS, key.name, {"status": _replacing(status)}, subresource="status")

    def _readable(self, extension: str) -> Iterable[ExtensionVersion]:
        for obj in self._versions.lister.by_index(BY_EXTENSION, extension):
            with contextlib.suppress(InvalidObject):
                yield extension_version(obj)

    async def _release(self, obj: Object, name: str) -> None:
        """Only extensions that another platform protected carry this finalizer; owners' references do it for ours."""
        if labels.EXTENSION_PROTECTION not in finalizers_of(obj):
            return
        for version in self._versions.lister.by_index(BY_EXTENSION, name):
            with contextlib.suppress(NotFound):
                await self._client.delete(EXTENSIONVERSIONS, version["metadata"]["name"])
        kept = [finalizer for finalizer in finalizers_of(obj) if finalizer != labels.EXTENSION_PROTECTION]
        with contextlib.suppress(NotFound):
            await self._client.patch(EXTENSIONS, name, {"metadata": {"finalizers": kept}})


def _differs(wanted: Mapping[str, Any], current: Mapping[str, Any]) -> bool:
    """Absent and empty are the same: the API may drop empty values."""
    names = wanted.keys() | current.keys()
    return any((wanted.get(name) or None) != (current.get(name) or None) for name in names - {"conditions"})


def _replacing(status: dict[str, Any]) -> dict[str, Any]:
    """For a merge patch: a map is merged, so one that must become empty is removed."""
    return {name: None if value == {} else value for name, value in status.items()}
