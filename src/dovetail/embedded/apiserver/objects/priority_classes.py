"""PriorityClass: the two classes of the system, and that a class keeps its value.

Source: Kubernetes ``pkg/apis/scheduling/validation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from .strategy import Context, Strategy

Object = dict[str, Any]

HIGHEST_USER_PRIORITY = 1_000_000_000
_SYSTEM_PREFIX = "system-"
SYSTEM_CLASSES: dict[str, tuple[int, str]] = {
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
}


def system_priority_classes() -> Iterator[Object]:
    """The objects that every cluster has."""
    for name, (priority, description) in SYSTEM_CLASSES.items():
        yield {
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
            "value": priority, "description": description,
        }  # fmt: skip


class PriorityClassStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        errors = list(_class_errors(obj))
        if old is not None:
            if obj.get("value", 0) != old.get("value", 0):
                errors.append(fe.forbidden("value", "may not be changed in an update."))
            if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
                errors.append(fe.invalid("preemptionPolicy", obj.get("preemptionPolicy"), "field is immutable"))
        return errors


def _class_errors(obj: Object) -> Iterator[FieldError]:
    name, priority = str(obj["metadata"].get("name", "")), obj.get("value", 0)
    if name.startswith(_SYSTEM_PREFIX):
        if problem := _system_problem(name, priority, bool(obj.get("globalDefault"))):
            text = f"priority class names with '{_SYSTEM_PREFIX}' prefix are reserved for system use only. error: "
            yield fe.forbidden("metadata.name", text + problem)
    elif priority > HIGHEST_USER_PRIORITY:
        yield fe.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}")
    policies = ["PreemptLowerPriority", "Never"]
    if "preemptionPolicy" in obj and obj["preemptionPolicy"] not in policies:
        yield fe.not_supported("preemptionPolicy", obj["preemptionPolicy"], policies)


def _system_problem(name: str, priority: int, default: bool) -> str:
    if name not in SYSTEM_CLASSES:
        return f"{name} is not a known system priority class"
    if priority != SYSTEM_CLASSES[name][0]:
        return f"value of {name} PriorityClass must be {SYSTEM_CLASSES[name][0]}"
    return f"globalDefault of {name} PriorityClass must be false" if default else ""
