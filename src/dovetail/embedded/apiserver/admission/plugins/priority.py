"""Priority: the name of a priority class becomes a pod's priority and preemption policy.

Without a name the class marked ``globalDefault`` counts, without such a class zero. Only one class may be the default,
and those of the system stay. Source: Kubernetes ``plugin/pkg/admission/priority``.
"""

from __future__ import annotations

from typing import Any

from ...foreign import part
from ...objects.priority_classes import SYSTEM_CLASSES
from ..plugin import CREATE, DELETE, UPDATE, Attributes, Plugin
from .cluster import every, find
from .refusal import forbidden

Object = dict[str, Any]

STORE = "scheduling.k8s.io/priorityclasses"


class Priority(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "/pods" or attributes.subresource or attributes.obj is None:
            return
        spec: Object = attributes.obj.setdefault("spec", {})
        if attributes.operation == CREATE:
            _resolve(attributes, spec)
        elif attributes.operation == UPDATE and attributes.old is not None:
            before = part(attributes.old, "spec")
            for name in ("priority", "preemptionPolicy"):
                if spec.get(name) is None and before.get(name) is not None:
                    spec[name] = before[name]

    def validate(self, attributes: Attributes) -> None:
        if attributes.resource.store != STORE or attributes.subresource:
            return
        if attributes.operation == DELETE:
            if attributes.name in SYSTEM_CLASSES:
                raise forbidden(attributes, "this is a system priority class and cannot be deleted")
        elif attributes.obj is not None and attributes.obj.get("globalDefault"):
            present = _default(attributes)
            if present is not None and present["metadata"]["name"] != attributes.obj["metadata"]["name"]:
                name = present["metadata"]["name"]
                why = f"PriorityClass {name} is already marked as default. Only one default can exist"
                raise forbidden(attributes, why)


def _resolve(attributes: Attributes, spec: Object) -> None:
    found = _class_of(attributes, spec)
    priority = int(found.get("value", 0))
    stated = spec.get("priority")
    if stated is not None and stated != priority:
        why = (
            f"the integer value of priority ({stated}) must not be provided in pod spec; priority admission controller "
            f"computed {priority} from the given PriorityClass name"
        )
        raise forbidden(attributes, why)
    spec["priority"] = priority
    policy, wished = found.get("preemptionPolicy"), spec.get("preemptionPolicy")
    if policy is None:
        return
    if wished is not None and wished != policy:
        why = (
            f"the string value of PreemptionPolicy ({wished}) must not be provided in pod spec; priority admission "
            f"controller computed {policy} from the given PriorityClass name"
        )
        raise forbidden(attributes, why)
    spec["preemptionPolicy"] = policy


def _class_of(attributes: Attributes, spec: Object) -> Object:
    name = spec.get("priorityClassName")
    if name:
        found = find(attributes.api, STORE, str(name))
        if found is None:
            raise forbidden(attributes, f"no PriorityClass with name {name} was found")
        return found
    found = _default(attributes)
    if found is None:
        return {"value": 0, "preemptionPolicy": "PreemptLowerPriority"}
    spec["priorityClassName"] = found["metadata"]["name"]
    return found


def _default(attributes: Attributes) -> Object | None:
    marked = [found for found in every(attributes.api, STORE) if found.get("globalDefault")]
    return min(marked, key=lambda found: int(found.get("value", 0)), default=None)
