"""Pods and pod templates at the API: what the server sets, what it refuses, what it warns of."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ..strategy import Context, Strategy
from .annotations import APP_ARMOR, annotation_errors, annotation_update_errors, app_armor_field, profile_match_errors
from .containers import padded_image_errors
from .resources import qos_class
from .scheduling import PREFERRED, REQUIRED
from .security import all_containers
from .spec import pod_spec_errors, template_errors
from .status import keep_generations, status_errors
from .updates import door_errors, ephemeral_update_errors, resize_errors, spec_update_errors
from .warnings import pod_warnings, template_warnings

Object = dict[str, Any]

EPHEMERAL, RESIZE, STATUS = "ephemeralcontainers", "resize", "status"
_NOT_OURS = ("labels", "annotations", "finalizers", "ownerReferences")


class PodStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {"phase": "Pending", "qosClass": qos_class(part(obj, "spec"))}
            _mark_gated(obj, context)
            _merge_label_keys(obj)
            _take_app_armor(obj)
        elif context.subresource == STATUS:
            status, before = part(obj, "status"), part(old, "status")
            if not status.get("qosClass") and before.get("qosClass"):
                status["qosClass"] = before["qosClass"]
            keep_generations(status, before)
        elif context.subresource == EPHEMERAL:
            _keep_all_but(obj, old, _with_ephemeral(obj, old))
        elif context.subresource == RESIZE:
            _keep_all_but(obj, old, _with_resources(obj, old))

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        if old is None:
            return [*_pod_errors(obj, _merged_keys(obj)), *_creation_errors(obj)]
        changed = annotation_update_errors(_annotations(obj), _annotations(old), "metadata.annotations")
        if context.subresource == STATUS:
            return [*changed, *status_errors(obj, old)]
        if context.subresource in (EPHEMERAL, RESIZE):
            if closed := door_errors(old, context.subresource):
                return closed
            rule = ephemeral_update_errors if context.subresource == EPHEMERAL else resize_errors
            return [*_pod_errors(obj, _merged_keys(old)), *changed, *rule(obj, old)]
        update = spec_update_errors(part(obj, "spec"), part(old, "spec"))
        return [*_pod_errors(obj, _merged_keys(old)), *changed, *update]

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        return list(pod_warnings(obj)) if old is None else []


class PodTemplateStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(template_errors(part(obj, "template"), "template"))

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        return list(template_warnings(part(obj, "template"), "template"))


def _annotations(obj: Object) -> dict[str, str]:
    return part(obj, "metadata", "annotations")


def _pod_errors(obj: Object, merged: dict[int, set[str]]) -> Iterator[FieldError]:
    meta, spec = part(obj, "metadata"), part(obj, "spec")
    yield from annotation_errors(_annotations(obj), spec, "metadata.annotations")
    yield from pod_spec_errors(spec, "spec", pod_name=str(meta.get("name", "")), is_pod=True, merged=merged)
    if not spec.get("serviceAccountName"):
        for index, volume in enumerate(parts(spec, "volumes")):
            for at, source in enumerate(parts(volume, "projected", "sources")):
                if source.get("serviceAccountToken") is not None:
                    where = f"spec.volumes[{index}].projected.sources[{at}].serviceAccountToken"
                    yield fe.forbidden(where, "must not be specified when serviceAccountName is not set")
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(parts(spec, kind)):
            yield from padded_image_errors(container, f"spec.{kind}[{index}]")


def _creation_errors(obj: Object) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    if parts(spec, "ephemeralContainers"):
        yield fe.forbidden("spec.ephemeralContainers", "cannot be set on create")
    if spec.get("nodeName") and parts(spec, "schedulingGates"):
        yield fe.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")
    yield from profile_match_errors(_annotations(obj), spec, "spec")


def _mark_gated(obj: Object, context: Context) -> None:
    if parts(obj, "spec", "schedulingGates"):
        text = "Scheduling is blocked due to non-empty scheduling gates"
        condition = {"type": "PodScheduled", "status": "False", "lastProbeTime": None}
        condition |= {"lastTransitionTime": context.api.now(), "reason": "SchedulingGated", "message": text}
        obj["status"]["conditions"] = [condition]


def _merge_label_keys(obj: Object) -> None:
    """Keys of labels become requirements with the values that this very pod has."""
    spec, labels = part(obj, "spec"), part(obj, "metadata", "labels")
    for kind in ("podAffinity", "podAntiAffinity"):
        weighted = [part(term, "podAffinityTerm") for term in parts(spec, "affinity", kind, PREFERRED)]
        for term in [*weighted, *parts(spec, "affinity", kind, REQUIRED)]:
            _merge(term, "matchLabelKeys", "In", labels)
            _merge(term, "mismatchLabelKeys", "NotIn", labels)
    for constraint in parts(spec, "topologySpreadConstraints"):
        _merge(constraint, "matchLabelKeys", "In", labels)


def _merge(term: Object, keys: str, operator: str, labels: dict[str, str]) -> None:
    selector = term.get("labelSelector")
    if not is_object(selector):
        return
    known = [key for key in parts(term, keys) if key in labels]
    found: list[Object] = [{"key": key, "operator": operator, "values": [labels[key]]} for key in known]
    if found:
        selector.setdefault("matchExpressions", []).extend(found)


def _merged_keys(obj: Object) -> dict[int, set[str]]:
    """Keys in the selectors of spread constraints that came from ``matchLabelKeys``: one value, the pod's own."""
    labels = part(obj, "metadata", "labels")
    found: dict[int, set[str]] = {}
    for index, constraint in enumerate(parts(obj, "spec", "topologySpreadConstraints")):
        keys = parts(constraint, "matchLabelKeys")
        wanted: list[Object] = [{"key": k, "operator": "In", "values": [labels[k]]} for k in keys if k in labels]
        items = parts(constraint, "labelSelector", "matchExpressions")
        if wanted and items[-len(wanted) :] == wanted:
            earlier = {item.get("key") for item in items[: -len(wanted)]}
            found[index] = {item["key"] for item in wanted} - earlier
    return found


def _take_app_armor(obj: Object) -> None:
    """A profile named by an old annotation goes into the field, too."""
    spec, given = part(obj, "spec"), _annotations(obj)
    if part(spec, "os").get("name") == "windows":
        return
    whole = part(spec, "securityContext").get("appArmorProfile")
    for container, _ in all_containers(spec, ""):
        annotation = given.get(f"{APP_ARMOR}{container.get('name', '')}")
        if annotation is None or part(container, "securityContext").get("appArmorProfile") is not None:
            continue
        profile = app_armor_field(annotation)
        if profile is not None and profile != whole:
            container.setdefault("securityContext", {})["appArmorProfile"] = profile


def _keep_all_but(obj: Object, old: Object, spec: Object) -> None:
    obj["spec"], obj["status"] = spec, copy.deepcopy(part(old, "status"))
    for name in _NOT_OURS:
        if name in old["metadata"]:
            obj["metadata"][name] = copy.deepcopy(old["metadata"][name])
        else:
            obj["metadata"].pop(name, None)


def _with_ephemeral(obj: Object, old: Object) -> Object:
    spec = copy.deepcopy(part(old, "spec"))
    spec.pop("ephemeralContainers", None)
    if given := parts(obj, "spec", "ephemeralContainers"):
        spec["ephemeralContainers"] = given
    return spec


def _with_resources(obj: Object, old: Object) -> Object:
    given, spec = part(obj, "spec"), copy.deepcopy(part(old, "spec"))
    for kind in ("containers", "initContainers"):
        new, kept = parts(given, kind), parts(spec, kind)
        if [c.get("name") for c in new] != [c.get("name") for c in kept]:
            return given  # the rules will say what is wrong with it
        for container, source in zip(kept, new, strict=True):
            for name in ("resources", "resizePolicy"):
                container.pop(name, None)
                if name in source:
                    container[name] = source[name]
    return spec
