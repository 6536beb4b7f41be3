"""What may change in a pod that exists: little in its spec, and by other doors its ephemeral containers and resources.

Source: ``ValidatePodUpdate``, ``ValidatePodEphemeralContainersUpdate``, ``ValidatePodResize``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ...quantities import value
from .annotations import MIRROR
from .differences import difference
from .formats import INT32_MAX, between
from .resources import is_sidecar, qos_class
from .scheduling import REQUIRED, toleration_errors

Object = dict[str, Any]

_MUTABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def spec_update_errors(spec: Object, old: Object) -> Iterator[FieldError]:
    for kind in ("containers", "initContainers"):
        given, before = parts(spec, kind), parts(old, kind)
        if len(given) != len(before):
            yield fe.forbidden(f"spec.{kind}", "pod updates may not add or remove containers")
            return
        yield from _image_errors(given, f"spec.{kind}")
    problem = _deadline_problem(spec.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    if problem is not None:
        yield problem
        if spec.get("activeDeadlineSeconds") is not None:
            return
    yield from _toleration_errors(parts(spec, "tolerations"), parts(old, "tolerations"))
    known = {gate.get("name") for gate in parts(old, "schedulingGates")}
    for index, gate in enumerate(parts(spec, "schedulingGates")):
        if gate.get("name") not in known:
            text = f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'"
            yield fe.forbidden(f"spec.schedulingGates[{index}].name", text)
    if spec == old:
        return
    munged = _munged(spec, old)
    if parts(old, "schedulingGates"):
        yield from _gated_errors(munged, old)
    if munged != old:
        text = f"pod updates may not change fields other than {_MUTABLE}\n{difference(old, munged)}"
        yield fe.forbidden("spec", text)


def _image_errors(containers: list[Object], field: str) -> Iterator[FieldError]:
    for index, container in enumerate(containers):
        image = str(container.get("image", ""))
        if not image:
            yield fe.required(f"{field}[{index}].image")
        if image != image.strip():
            yield fe.invalid(f"{field}[{index}].image", image, "must not have leading or trailing whitespace")


def _deadline_problem(new: int | None, old: int | None) -> FieldError | None:
    field = "spec.activeDeadlineSeconds"
    if new is None:
        text = "must not update from a positive integer to nil value"
        return fe.invalid(field, None, text) if old is not None else None
    if not 0 <= new <= INT32_MAX:
        return fe.invalid(field, new, between(0, INT32_MAX))
    if old is not None and old < new:
        return fe.invalid(field, new, "must be less than or equal to previous value")
    return None


def _toleration_errors(new: list[Object], old: list[Object]) -> Iterator[FieldError]:
    timeless = [{k: v for k, v in item.items() if k != "tolerationSeconds"} for item in new]
    for item in old:
        if {k: v for k, v in item.items() if k != "tolerationSeconds"} not in timeless:
            text = "existing toleration can not be modified except its tolerationSeconds"
            yield fe.forbidden("spec.tolerations", text)
            return
    yield from toleration_errors(new, "spec.tolerations")


def _munged(spec: Object, old: Object) -> Object:
    """The new spec with the old values of what may change."""
    munged = copy.deepcopy(spec)
    for kind in ("containers", "initContainers"):
        for container, before in zip(parts(munged, kind), parts(old, kind), strict=True):
            container["image"] = before.get("image", "")
    for name in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        _set(munged, name, old.get(name))
    if old.get("terminationGracePeriodSeconds", 0) < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    return munged


def _set(target: Object, name: str, wanted: Any) -> None:
    if wanted is None:
        target.pop(name, None)
    else:
        target[name] = wanted


def _gated_errors(munged: Object, old: Object) -> Iterator[FieldError]:
    """A pod that waits for a gate may still be steered to fewer nodes; ``munged`` gets the old values of that, too."""
    new_selector, old_selector = part(munged, "nodeSelector"), part(old, "nodeSelector")
    if new_selector != old_selector:
        if any(new_selector.get(key) != text for key, text in old_selector.items()):
            text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
            yield fe.invalid("spec.nodeSelector", new_selector, text)
        _set(munged, "nodeSelector", old.get("nodeSelector"))
    new, before = part(munged, "affinity").get("nodeAffinity"), part(old, "affinity").get("nodeAffinity")
    if new != before:
        yield from _affinity_errors(new or {}, before or {})
        affinity = part(munged, "affinity")
        _set(affinity, "nodeAffinity", before)
        _set(munged, "affinity", affinity if affinity or "affinity" in old else None)


def _affinity_errors(new: Object, old: Object) -> Iterator[FieldError]:
    field = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    before, after = parts(old, REQUIRED, "nodeSelectorTerms"), parts(new, REQUIRED, "nodeSelectorTerms")
    if before and len(before) != len(after):
        yield fe.invalid(field, after, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (term, was) in enumerate(zip(after, before, strict=False)):
        if not _only_added(term, was):
            text = "only additions are allowed (no mutations or deletions)"
            yield fe.invalid(f"{field}[{index}]", term, text)


def _only_added(term: Object, was: Object) -> bool:
    kinds = ("matchExpressions", "matchFields")
    if not any(parts(was, kind) for kind in kinds):
        return not any(parts(term, kind) for kind in kinds)
    return all(parts(term, kind)[: len(parts(was, kind))] == parts(was, kind) for kind in kinds)


# -- ephemeral containers


def ephemeral_update_errors(obj: Object, old: Object) -> Iterator[FieldError]:
    field, given = "spec.ephemeralContainers", {c.get("name"): c for c in parts(obj, "spec", "ephemeralContainers")}
    for before in parts(old, "spec", "ephemeralContainers"):
        name = before.get("name", "")
        if name not in given:
            yield fe.forbidden(field, f'existing ephemeral containers "{name}" may not be removed\n')
        elif given[name] != before:
            text = f'existing ephemeral containers "{name}" may not be changed\n{difference(before, given[name])}'
            yield fe.forbidden(field, text)


def door_errors(old: Object, subresource: str) -> list[FieldError]:
    """Pods that cannot be changed by this door at all."""
    if MIRROR in part(old, "metadata", "annotations"):
        what = (
            "static pods do not support ephemeral containers"
            if subresource != "resize"
            else "static pods cannot be resized"
        )
        return [fe.forbidden("", what)]
    if subresource == "resize" and part(old, "spec", "os").get("name") == "windows":
        return [fe.forbidden("", "windows pods cannot be resized")]
    return []


# -- resize


def resize_errors(obj: Object, old: Object) -> Iterator[FieldError]:
    spec, before = part(obj, "spec"), part(old, "spec")
    for kind in ("containers", "initContainers"):
        if len(parts(spec, kind)) != len(parts(before, kind)):
            yield fe.forbidden(f"spec.{kind}", "containers may not be added or removed on resize")
            return
    if qos_class(spec) != part(old, "status").get("qosClass", qos_class(before)):
        shown = part(obj, "status").get("qosClass", "")
        yield fe.invalid("spec", shown, "Pod QOS Class may not change as a result of resizing")
    running = [s for s in parts(old, "status", "containerStatuses") if part(s, "state").get("running") is not None]
    if running and running[0].get("resources") is None:
        yield fe.forbidden("spec", "Pod running on node without support for resize")
    pairs = [
        (kind, index, new, was)
        for kind in ("initContainers", "containers")
        for index, (new, was) in enumerate(zip(parts(spec, kind), parts(before, kind), strict=True))
    ]
    for kind, index, new, was in pairs:
        if kind == "containers" or is_sidecar(was):
            yield from _container_resize(new, was, f"spec.{kind}[{index}].resources")
    for kind, _, new, was in sorted(pairs, key=lambda pair: pair[0]):
        yield from _beyond_compute(kind, new, was)


def _container_resize(new: Object, was: Object, field: str) -> Iterator[FieldError]:
    for side in ("requests", "limits"):
        if set(part(was, "resources", side)) - set(part(new, "resources", side)):
            yield fe.forbidden(f"{field}.{side}", f"resource {side} cannot be removed")


def _beyond_compute(kind: str, new: Object, was: Object) -> Iterator[FieldError]:
    if kind == "initContainers" and not is_sidecar(was):
        if new != was:
            yield fe.forbidden("spec", "resources for non-sidecar init containers are immutable")
    elif _without_compute(new) != _without_compute(was):
        where = "" if kind == "containers" else " for sidecar containers"
        yield fe.forbidden("spec", f"only cpu and memory resources{where} are mutable")


def _without_compute(container: Object) -> Object:
    kept = {
        side: {name: value(amount) for name, amount in amounts.items() if name not in ("cpu", "memory")}
        for side, amounts in part(container, "resources").items()
        if is_object(amounts) and side in ("limits", "requests")
    }
    return {**container, "resources": {side: amounts for side, amounts in kept.items() if amounts}}
