"""Autoscalers and disruption budgets. Pure. Source: ``pkg/apis/{autoscaling,policy}/validation``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..quantities import value as number
from . import names
from .metadata import validate_selector

Object = dict[str, Any]

_METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
_PERCENT = re.compile(r"[0-9]+%\Z")


def autoscaler_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    spec = part(obj, "spec")
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield fe.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield fe.invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield fe.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    yield from reference_errors(part(spec, "scaleTargetRef"), "spec.scaleTargetRef")
    for index, metric in enumerate(parts(spec, "metrics")):
        yield from _metric_errors(metric, f"spec.metrics[{index}]")
    for way in ("scaleUp", "scaleDown"):
        if way in part(spec, "behavior"):
            yield from _behavior_errors(part(spec, "behavior", way), f"spec.behavior.{way}")


def reference_errors(reference: Object, field: str) -> Iterator[FieldError]:
    for name in ("kind", "name"):
        text = reference.get(name, "")
        yield from (
            fe.every(f"{field}.{name}", text, names.path_segment(text)) if text else [fe.required(f"{field}.{name}")]
        )


def _metric_errors(metric: Object, field: str) -> Iterator[FieldError]:
    kind = metric.get("type", "")
    if not kind:
        yield fe.required(f"{field}.type", "must specify a metric source type")
    if kind not in _METRICS:
        yield fe.not_supported(f"{field}.type", kind, _METRICS)
    present = [name for name in ("object", "external", "pods", "resource", "containerResource") if name in metric]
    wanted = kind[:1].lower() + kind[1:]
    if present:
        yield from _source_errors(part(metric, present[0]), present[0], f"{field}.{present[0]}")
    if wanted not in present:
        yield fe.required(f"{field}.{wanted}", "must populate information for the given metric source")
    if len(present) != 1:
        for name in present:
            if name != wanted:
                yield fe.forbidden(f"{field}.{name}", "must populate the given metric source only")


def _source_errors(source: Object, kind: str, field: str) -> Iterator[FieldError]:
    target, where = part(source, "target"), f"{field}.target"
    if kind == "containerResource" and not source.get("container"):
        yield fe.required(f"{field}.container", "must specify a container")
    if kind in ("resource", "containerResource") and not source.get("name"):
        yield fe.required(f"{field}.name", "must specify a resource name")
    if kind == "object":
        yield from reference_errors(part(source, "describedObject"), f"{field}.describedObject")
    if kind in ("object", "pods", "external") and not part(source, "metric").get("name"):
        yield fe.required(f"{field}.metric.name", "must specify a metric name")
    yield from _target_errors(target, where)
    value, average, utilization = (target.get(name) for name in ("value", "averageValue", "averageUtilization"))
    if kind == "object" and value is None and average is None:
        yield fe.required(f"{where}.averageValue", "must set either a target value or averageValue")
    if kind == "pods" and (average is None or number(average) <= 0):
        yield fe.required(f"{where}.averageValue", "must specify a positive target averageValue")
    if kind == "external":
        if value is None and average is None:
            yield fe.required(where, "must set either a target value for metric or a per-pod target")
        if value is not None and average is not None:
            yield fe.forbidden(where, "may not set both a target value for metric and a per-pod target")
    if kind in ("resource", "containerResource"):
        if utilization is None and average is None:
            text = "must set either a target raw value or a target utilization"
            yield fe.required(f"{where}.averageUtilization", text)
        if utilization is not None and average is not None:
            text = "may not set both a target raw value and a target utilization"
            yield fe.forbidden(f"{where}.averageValue", text)


def _target_errors(target: Object, field: str) -> Iterator[FieldError]:
    kind = target.get("type", "")
    if not kind:
        yield fe.required(f"{field}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        yield fe.invalid(f"{field}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if name in target and number(target[name]) <= 0:
            yield fe.invalid(f"{field}.{name}", target[name], "must be positive")
    if target.get("averageUtilization", 1) < 1:
        yield fe.invalid(f"{field}.averageUtilization", target["averageUtilization"], "must be greater than 0")


def _behavior_errors(rules: Object, field: str) -> Iterator[FieldError]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    if window is not None and window < 0:
        yield fe.invalid(f"{field}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > 3600:
        yield fe.invalid(f"{field}.stabilizationWindowSeconds", window, "must be less than or equal to 3600")
    if select is not None and select not in ("Max", "Min", "Disabled"):
        yield fe.not_supported(f"{field}.selectPolicy", select, ("Disabled", "Max", "Min"))
    policies = parts(rules, "policies")
    if not policies:
        yield fe.required(f"{field}.policies", "must specify at least one Policy")
    for index, policy in enumerate(policies):
        yield from _policy_errors(policy, f"{field}.policies[{index}]")


def _policy_errors(policy: Object, field: str) -> Iterator[FieldError]:
    if policy.get("type") not in ("Pods", "Percent"):
        yield fe.not_supported(f"{field}.type", policy.get("type", ""), ("Percent", "Pods"))
    if policy.get("value", 0) <= 0:
        yield fe.invalid(f"{field}.value", policy.get("value", 0), "must be greater than zero")
    seconds = policy.get("periodSeconds", 0)
    if seconds <= 0:
        yield fe.invalid(f"{field}.periodSeconds", seconds, "must be greater than zero")
    if seconds > 1800:
        yield fe.invalid(f"{field}.periodSeconds", seconds, "must be less than or equal to 1800")


def budget_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    spec = part(obj, "spec")
    if "minAvailable" in spec and "maxUnavailable" in spec:
        yield fe.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for name in ("minAvailable", "maxUnavailable"):
        if name in spec:
            yield from _amount_errors(spec[name], f"spec.{name}")
    yield from validate_selector(part(spec, "selector"), "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        yield fe.not_supported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))


def _amount_errors(amount: int | str, field: str) -> Iterator[FieldError]:
    if isinstance(amount, int):
        if amount < 0:
            yield fe.invalid(field, amount, "must be greater than or equal to 0")
    elif not _PERCENT.match(amount):
        text = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
        yield fe.invalid(field, amount, f"{text}regex used for validation is '[0-9]+%')")
    elif int(amount[:-1]) > 100:
        yield fe.invalid(field, amount, "must not be greater than 100%")
