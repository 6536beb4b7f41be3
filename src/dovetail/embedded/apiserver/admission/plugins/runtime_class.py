"""RuntimeClass: a pod's runtime class says what the runtime costs and on which nodes it is.

Source: Kubernetes ``plugin/pkg/admission/runtimeclass``.
"""

from __future__ import annotations

from typing import Any

from ...foreign import part, parts
from ...quantities import compare
from ..plugin import Attributes, Plugin
from .cluster import find
from .refusal import forbidden

Object = dict[str, Any]

STORE = "node.k8s.io/runtimeclasses"
_MISMATCH = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"


class RuntimeClass(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if not attributes.is_new_pod:
            return
        assert attributes.obj is not None
        spec: Object = attributes.obj.setdefault("spec", {})
        found = _class_of(attributes, spec)
        if found is None:
            return
        _set_overhead(attributes, spec, found)
        if "scheduling" in found:
            _set_scheduling(attributes, spec, part(found, "scheduling"))

    def validate(self, attributes: Attributes) -> None:
        if not attributes.is_new_pod:
            return
        spec = part(attributes.obj or {}, "spec")
        found = _class_of(attributes, spec)
        if not spec.get("overhead"):
            return
        if found is None or "overhead" not in found:
            raise forbidden(
                attributes, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            )
        if not _same(spec["overhead"], part(found, "overhead", "podFixed")):
            raise forbidden(attributes, _MISMATCH)


def _class_of(attributes: Attributes, spec: Object) -> Object | None:
    name = spec.get("runtimeClassName")
    if name is None:
        return None
    found = find(attributes.api, STORE, str(name))
    if found is None:
        raise forbidden(attributes, f'pod rejected: RuntimeClass "{name}" not found')
    return found


def _set_overhead(attributes: Attributes, spec: Object, found: Object) -> None:
    if "overhead" not in found:
        return
    fixed = part(found, "overhead", "podFixed")
    if spec.get("overhead") and not _same(spec["overhead"], fixed):
        raise forbidden(attributes, _MISMATCH)
    if fixed:
        spec["overhead"] = dict(fixed)


def _set_scheduling(attributes: Attributes, spec: Object, scheduling: Object) -> None:
    selector: dict[str, str] = dict(part(spec, "nodeSelector"))
    for key, wanted in part(scheduling, "nodeSelector").items():
        if selector.get(key, wanted) != wanted:
            why = (
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}"
            )
            raise forbidden(attributes, why)
        selector[key] = wanted
    if selector:
        spec["nodeSelector"] = selector
    tolerations = merged(parts(spec, "tolerations"), parts(scheduling, "tolerations"))
    if tolerations:
        spec["tolerations"] = tolerations


def merged(*lists: list[Object]) -> list[Object]:
    """All tolerations of the lists, without those that another one covers."""
    every = [toleration for tolerations in lists for toleration in tolerations]
    kept: list[Object] = []
    for index, one in enumerate(every):
        if any(_covers(other, one) for other in kept):
            continue
        if not any(other != one and _covers(other, one) for other in every[index + 1 :]):
            kept.append(one)
    return kept


def _covers(wide: Object, narrow: Object) -> bool:
    """Whether everything that ``narrow`` tolerates ``wide`` tolerates, too."""
    if wide == narrow:
        return True
    if wide.get("key") and wide["key"] != narrow.get("key"):
        return False
    if wide.get("effect") and wide["effect"] != narrow.get("effect"):
        return False
    if wide.get("effect") == "NoExecute" or narrow.get("effect") == "NoExecute":
        seconds, others = wide.get("tolerationSeconds"), narrow.get("tolerationSeconds")
        if seconds is not None and (others is None or seconds < others):
            return False
    if wide.get("operator", "Equal") == "Exists":
        return True
    return narrow.get("operator", "Equal") == "Equal" and wide.get("value", "") == narrow.get("value", "")


def _same(left: dict[str, str], right: dict[str, str]) -> bool:
    return left.keys() == right.keys() and all(compare(left[name], right[name]) == 0 for name in left)
