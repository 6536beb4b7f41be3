"""Autoscalers in two versions: autoscaling/v2 (how they are stored) and autoscaling/v1. Pure.

Version 1 has a field for the one metric that it knows, the use of CPU; other metrics, behaviour, current metrics and
conditions travel as JSON in annotations, in the shapes that Kubernetes gives them there (``pkg/apis/autoscaling/v1``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..foreign import part
from ..schema.builtin import definitions
from ..schema.conform import conform

Object = dict[str, Any]

_GROUP, _KIND = "autoscaling", "HorizontalPodAutoscaler"
_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _BEHAVIOR = f"{_PREFIX}metrics", f"{_PREFIX}behavior"
_CURRENT, _CONDITIONS = f"{_PREFIX}current-metrics", f"{_PREFIX}conditions"
_DEFAULT_USE = 80
# What a field of version 2 is called in version 1: (specification, observed value).
_VALUES = {
    "Object": {"value": "targetValue", "averageValue": "averageValue"},
    "Pods": {"averageValue": "targetAverageValue"},
    "Resource": {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"},
    "ContainerResource": {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"},
    "External": {"value": "targetValue", "averageValue": "targetAverageValue"},
}
_OBSERVED = {
    "Object": {"value": "currentValue", "averageValue": "averageValue"},
    "Pods": {"averageValue": "currentAverageValue"},
    "Resource": {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue"},
    "ContainerResource": {"averageUtilization": "currentAverageUtilization", "averageValue": "currentAverageValue"},
    "External": {"value": "currentValue", "averageValue": "currentAverageValue"},
}
_KINDS = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}


def to_second(obj: Object) -> Object:
    """An autoscaler of version 1 as version 2."""
    meta, spec, status = dict(part(obj, "metadata")), dict(part(obj, "spec")), dict(part(obj, "status"))
    annotations = dict(part(meta, "annotations"))
    metrics = [_new_metric(old, _VALUES, "target") for old in _read(annotations.pop(_METRICS, None), list)]
    use = spec.pop("targetCPUUtilizationPercentage", None)
    if use is not None or not metrics:
        metrics.insert(0, _cpu("target", {"type": "Utilization", "averageUtilization": use or _DEFAULT_USE}))
    spec["metrics"] = metrics
    behavior = _capitals(_read(annotations.pop(_BEHAVIOR, None), dict), up=False)
    if behavior:
        spec["behavior"] = behavior
    observed = [_new_metric(old, _OBSERVED, "current") for old in _read(annotations.pop(_CURRENT, None), list)]
    used = status.pop("currentCPUUtilizationPercentage", None)
    if used is not None:
        observed.insert(0, _cpu("current", {"averageUtilization": used}))
    status |= {"currentMetrics": observed, "conditions": _read(annotations.pop(_CONDITIONS, None), list)}
    meta["annotations"] = annotations
    return _written("v2", {**obj, "metadata": meta, "spec": spec, "status": status})


def first_version(value: bytes) -> bytes:
    """A stored autoscaler as version 1 shows it."""
    obj: Object = orjson.loads(value)
    spec, status = part(obj, "spec"), part(obj, "status")
    annotations = part(obj["metadata"], "annotations")
    metrics, use = _without_cpu(spec.pop("metrics", None) or [], "target")
    if use is not None:
        spec["targetCPUUtilizationPercentage"] = use
    observed, used = _without_cpu(status.pop("currentMetrics", None) or [], "current")
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used
    kept = {
        _METRICS: [_old_metric(metric, _VALUES, "target") for metric in metrics],
        _BEHAVIOR: _capitals(spec.pop("behavior", None) or {}, up=True),
        _CURRENT: [_old_metric(metric, _OBSERVED, "current") for metric in observed],
        _CONDITIONS: status.pop("conditions", None) or [],
    }
    annotations |= {name: orjson.dumps(found).decode() for name, found in kept.items() if found}
    obj["metadata"]["annotations"] = annotations
    return orjson.dumps(_written("v1", obj))


def _written(version: str, obj: Object) -> Object:
    return conform(definitions().kind_node(_GROUP, version, _KIND), obj, [])


def _cpu(field: str, value: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", field: value}}


def _without_cpu(metrics: list[Object], field: str) -> tuple[list[Object], int | None]:
    """The metrics that version 1 has no field for, and the use of CPU."""
    for index, metric in enumerate(metrics):
        source = part(metric, "resource")
        use = part(source, field).get("averageUtilization")
        if source.get("name") == "cpu" and use is not None:
            return metrics[:index] + metrics[index + 1 :], use
    return metrics, None


def _read(text: str | None, kind: type[Any]) -> Any:
    """JSON of an annotation; what is not of the expected kind says nothing."""
    try:
        found: Any = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, kind) else kind()


def _field(kind: str) -> str:
    return kind[:1].lower() + kind[1:]


def _old_metric(metric: Object, names: Mapping[str, Mapping[str, str]], field: str) -> Object:
    kind = str(metric.get("type"))
    source, known = part(metric, _field(kind)), names.get(kind, {})
    old = {known[name]: value for name, value in part(source, field).items() if name in known}
    old |= {name: source[name] for name in ("name", "container") if name in source}
    if "metric" in source:
        old["metricName"] = part(source, "metric").get("name", "")
        if "selector" in source["metric"]:
            old["metricSelector" if kind == "External" else "selector"] = source["metric"]["selector"]
    if "describedObject" in source:
        old["target"] = source["describedObject"]
    return {"type": kind, _field(kind): old}


def _new_metric(metric: Object, names: Mapping[str, Mapping[str, str]], field: str) -> Object:
    kind = str(metric.get("type"))
    old, known = part(metric, _field(kind)), names.get(kind, {})
    values = {name: old[first] for name, first in known.items() if first in old}
    new: Object = {name: old[name] for name in ("name", "container") if name in old}
    if field == "target":
        values["type"] = next((_KINDS[name] for name in _KINDS if name in values), "")
    new[field] = values
    if "metricName" in old:
        selector = old.get("metricSelector", old.get("selector"))
        new["metric"] = {"name": old["metricName"], **({"selector": selector} if selector else {})}
    if "target" in old:
        new["describedObject"] = old["target"]
    return {"type": kind, _field(kind): new}


def _capitals(value: Any, *, up: bool) -> Any:
    """Kubernetes writes behaviour into the annotation with Go's field names (``ScaleUp``)."""
    if isinstance(value, list):
        return [_capitals(item, up=up) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, dict):
        return value
    found: Object = {}
    for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
        text = str(name)  # pyright: ignore[reportUnknownArgumentType]
        found[(text[:1].upper() if up else text[:1].lower()) + text[1:]] = _capitals(item, up=up)
    return found
