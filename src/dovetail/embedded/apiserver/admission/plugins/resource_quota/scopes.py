"""Which objects a quota is about. Pure.

Scopes speak of pods, one of claims; a quota with a scope is about nothing else. ``scopes: [X]`` is short for a
selector with ``operator: Exists``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....foreign import part, parts
from ....quantities import value
from ....selecting.labels import Requirement
from .usage import CLAIMS, PODS

Object = Mapping[str, Any]

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "missing"}


def covers(quota: Object, store: str, obj: Object) -> bool:
    """Whether every scope of the quota holds for the object."""
    spec = part(quota, "spec")
    wanted: list[Object] = [{"scopeName": scope, "operator": "Exists"} for scope in parts(spec, "scopes")]
    wanted += parts(spec, "scopeSelector", "matchExpressions")
    return all(_holds(requirement, store, obj) for requirement in wanted)


def _holds(requirement: Object, store: str, obj: Object) -> bool:
    scope = requirement.get("scopeName")
    if store == CLAIMS:
        return scope == "VolumeAttributesClass" and _one_of(requirement, _attributes_classes(obj))
    if store != PODS:
        return False
    spec = part(obj, "spec")
    if scope in ("Terminating", "NotTerminating"):
        return (spec.get("activeDeadlineSeconds") is not None) == (scope == "Terminating")
    if scope in ("BestEffort", "NotBestEffort"):
        return _is_best_effort(spec) == (scope == "BestEffort")
    if scope == "PriorityClass":
        return _one_of(requirement, {str(spec["priorityClassName"])} if spec.get("priorityClassName") else set())
    return scope == "CrossNamespacePodAffinity" and _crosses_namespaces(spec)


def _one_of(requirement: Object, names: set[str]) -> bool:
    operator = _OPERATORS.get(str(requirement.get("operator")), "exists")
    asked = Requirement("name", operator, frozenset(parts(requirement, "values")))
    labels: list[dict[str, str]] = [{"name": name} for name in names] or [{}]
    return any(asked.matches(label) for label in labels)


def _is_best_effort(spec: Object) -> bool:
    holders = [spec, *parts(spec, "containers"), *parts(spec, "initContainers")]
    amounts = [part(holder, "resources", what) for holder in holders for what in ("requests", "limits")]
    return not any(value(found[name]) for found in amounts for name in ("cpu", "memory") if name in found)


def _crosses_namespaces(spec: Object) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = part(spec, "affinity", kind)
        terms = list(parts(affinity, "requiredDuringSchedulingIgnoredDuringExecution"))
        terms += [
            part(term, "podAffinityTerm") for term in parts(affinity, "preferredDuringSchedulingIgnoredDuringExecution")
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


def _attributes_classes(claim: Object) -> set[str]:
    names = (
        part(claim, "spec").get("volumeAttributesClassName"),
        part(claim, "status").get("currentVolumeAttributesClassName"),
        part(claim, "status", "modifyVolumeStatus").get("targetVolumeAttributesClassName"),
    )
    return {str(name) for name in names if name}
