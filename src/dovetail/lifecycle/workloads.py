"""Workloads of a disabled extension: no pods while it is off, as many as before when it comes back.

Deployments and StatefulSets go to no replicas, DaemonSets to nodes that do not exist, CronJobs are suspended. What was
before is remembered in an annotation of the object itself, so it survives this process, and an upgrade while the
extension is disabled: Helm leaves annotations alone that are not the chart's. When an upgrade or somebody's hand brings
pods back meanwhile, that number is the one to come back to. Jobs run to their end; an autoscaler rests while its target
has no replicas.

Only what carries the extension's label: what an operator makes from custom resources is the operator's.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis import labels
from dovetail.kube import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    STATEFULSETS,
    Client,
    Conflict,
    ControllerRuntime,
    Informer,
    NotFound,
    Resource,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
    resource_version_of,
)
from dovetail.lifecycle.objects import mapping, spec_of

BEFORE: Final = "dovetail.dev/before-disabled"
"""Annotation of a workload that is scaled down: its replicas before, whether a CronJob was suspended, or `selected`."""
NOWHERE: Final = "dovetail.dev/disabled"
"""Node label that no node has; a DaemonSet that asks for it has no pods."""
SCALED: Final = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, CRONJOBS)
_BY_EXTENSION: Final = "extension"
_ATTEMPTS: Final = 5
_COUNT: Final = re.compile(r"[0-9]{1,9}")
"""Replicas; the annotation is anybody's who may write the object."""
Object = Mapping[str, Any]


def scaled_down(obj: Object) -> dict[str, Any] | None:
    """The merge patch that takes the pods away; None when there is nothing to do."""
    known = annotations_of(obj).get(BEFORE)
    match obj.get("kind"):
        case "DaemonSet":
            if known is not None and NOWHERE in _node_selector(obj):
                return None
            return _patch(obj, "selected", {"template": {"spec": {"nodeSelector": {NOWHERE: "true"}}}})
        case "CronJob":
            suspended = spec_of(obj).get("suspend") is True
            if known is not None and suspended:
                return None
            return _patch(obj, "true" if suspended else "false", {"suspend": True})
        case _:
            replicas = _replicas(obj)
            if known is not None and replicas == 0:
                return None
            return _patch(obj, str(replicas), {"replicas": 0})


def restored(obj: Object) -> dict[str, Any] | None:
    """The merge patch that brings the pods back; None when they were not taken."""
    known = annotations_of(obj).get(BEFORE)
    if known is None:
        return None
    match obj.get("kind"):
        case "DaemonSet":
            return _patch(obj, None, {"template": {"spec": {"nodeSelector": {NOWHERE: None}}}})
        case "CronJob":
            return _patch(obj, None, {"suspend": known == "true"})
        case _:
            back = int(known) if _COUNT.fullmatch(known) else 1
            return _patch(obj, None, {"replicas": back} if _replicas(obj) == 0 else {})


def _patch(obj: Object, before: str | None, spec: Object) -> dict[str, Any]:
    meta = {"resourceVersion": resource_version_of(obj), "annotations": {BEFORE: before}}
    return {"metadata": meta, **({"spec": spec} if spec else {})}


def _replicas(obj: Object) -> int:
    value = spec_of(obj).get("replicas")
    return value if isinstance(value, int) else 1


def _node_selector(obj: Object) -> Object:
    return mapping(spec_of(mapping(spec_of(obj).get("template"))).get("nodeSelector"))


def _extension_of(obj: Object) -> Iterable[str]:
    name = labels_of(obj).get(labels.EXTENSION_REF)
    return (name,) if name else ()


class Workloads:
    """The workloads of all extensions: their metadata cached, to notice, and the API itself to switch."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self._client: Client = runtime.client
        self.informers: list[Informer] = [
            runtime.informer(
                resource,
                label_selector=labels.EXTENSION_REF,
                indexers={_BY_EXTENSION: _extension_of},
                metadata_only=True,
            )
            for resource in SCALED
        ]

    def is_switched(self, extension: str, enabled: bool, scale_down: bool) -> bool:
        """Whether all workloads known here are what they should be."""
        down = scale_down and not enabled
        return all(
            (BEFORE in annotations_of(obj)) == down
            for informer in self.informers
            for obj in informer.lister.by_index(_BY_EXTENSION, extension)
            if not is_deleting(obj)
        )

    async def switch(self, extension: str, enabled: bool, scale_down: bool) -> int:
        """Scale down or bring back; how many were changed."""
        change = scaled_down if scale_down and not enabled else restored
        changed = 0
        for resource in SCALED:
            selector = f"{labels.EXTENSION_REF}={extension}"
            for obj in (await self._client.list(resource, label_selector=selector)).items:
                changed += not is_deleting(obj) and await self._change(resource, obj, change)
        return changed

    async def _change(self, resource: Resource, obj: Object, change: Any) -> bool:
        """Apply a change to exactly the object that it was made for; look again when that is outdated."""
        key = key_of(obj)
        for attempt in range(_ATTEMPTS):
            patch = change(obj)
            if patch is None:
                return False
            try:
                await self._client.patch(resource, key.name, patch, key.namespace)
            except NotFound:
                return False
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                obj = await self._client.get(resource, key.name, key.namespace)
            else:
                return True
        return False
