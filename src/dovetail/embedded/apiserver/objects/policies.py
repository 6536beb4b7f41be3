"""LimitRange and ResourceQuota: defaults and rules.

Source: Kubernetes ``pkg/apis/core/validation``. Where Go walks a map (in no order) this goes by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..quantities import compare, in_millis, value
from .metadata import qualified_name_problem
from .pods.resources import CONTAINER, COUNTED, HUGE, SIDES, STATED, is_extended, is_native, may_overcommit
from .strategy import Context, Strategy

Object = dict[str, Any]

# -- names of resources

_QUOTA = CONTAINER | COUNTED | SIDES | {"requests.storage"}
_REQUESTED_HUGE = f"requests.{HUGE}"


def _is_quota_name(name: str) -> bool:
    return name in _QUOTA or name.startswith((HUGE, _REQUESTED_HUGE))


def _resource_name(name: str, field: str) -> Iterator[FieldError]:
    if problem := qualified_name_problem(name):
        yield fe.invalid(field, name, problem)
    elif "/" not in name and not _is_quota_name(name) and name != "storage":
        yield fe.invalid(field, name, "must be a standard resource type or fully qualified")


def _container_resource_name(name: str, field: str) -> Iterator[FieldError]:
    yield from _resource_name(name, field)
    if "/" not in name:
        if name not in CONTAINER and not name.startswith(HUGE):
            yield fe.invalid(field, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        yield fe.invalid(field, name, "doesn't follow extended resource name standard")


def _quota_resource_name(name: str, field: str) -> Iterator[FieldError]:
    yield from _resource_name(name, field)
    if "/" not in name and not _is_quota_name(name):
        yield fe.invalid(field, name, "must be a standard resource for quota")


# -- limit ranges

_GROUPS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def default_limit_range(obj: Object) -> None:
    """Containers' default limit is the maximum, their default request the default limit or else the minimum."""
    for item in parts(obj, "spec", "limits"):
        for amounts in (part(item, group) for group in _GROUPS):
            _round(amounts)
        if item.get("type") != "Container":
            continue
        limits = {**part(item, "max"), **part(item, "default")}
        requests = {**part(item, "min"), **limits, **part(item, "defaultRequest")}
        for name, amounts in (("default", limits), ("defaultRequest", requests)):
            if amounts:
                item[name] = amounts


def default_quota(obj: Object) -> None:
    for amounts in (part(obj, "spec", "hard"), part(obj, "status", "hard"), part(obj, "status", "used")):
        _round(amounts)


def _round(amounts: dict[str, str]) -> None:
    amounts.update({name: in_millis(amount) for name, amount in amounts.items()})


class LimitRangeStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        seen: set[str] = set()
        errors: list[FieldError] = []
        for index, item in enumerate(parts(obj, "spec", "limits")):
            field, kind = f"spec.limits[{index}]", str(item.get("type", ""))
            errors += _type_errors(kind, f"{field}.type")
            if kind in seen:
                errors.append(fe.duplicate(f"{field}.type", kind))
            seen.add(kind)
            errors += _limit_errors(item, kind, field)
        return errors


def _type_errors(kind: str, field: str) -> Iterator[FieldError]:
    if problem := qualified_name_problem(kind):
        yield fe.invalid(field, kind, problem)
    elif "/" not in kind and kind not in ("Pod", "Container", "PersistentVolumeClaim"):
        yield fe.invalid(field, kind, "must be a standard limit type or fully qualified")


def _limit_errors(item: Object, kind: str, field: str) -> Iterator[FieldError]:
    rule = _container_resource_name if kind in ("Pod", "Container") else _resource_name
    names: dict[str, None] = {}
    for group in _GROUPS:
        if kind == "Pod" and group in ("default", "defaultRequest"):
            if part(item, group):
                yield fe.forbidden(f"{field}.{group}", "may not be specified when `type` is 'Pod'")
            continue
        for name in part(item, group):
            yield from rule(name, f"{field}.{group}[{name}]")
            names[name] = None
        if group == "defaultRequest" and kind == "PersistentVolumeClaim" and not _is_bounded(item):
            text = "either minimum or maximum storage value is required, but neither was provided"
            yield fe.required(f"{field}.limits", text)
    for name in sorted(names):
        yield from _order_errors(item, kind, name, field)


def _is_bounded(item: Object) -> bool:
    return "storage" in part(item, "min") or "storage" in part(item, "max")


# (the smaller, the greater, whose field is wrong, words for the smaller, words for the greater)
_ORDER = (
    ("min", "max", "min", "min value", "max value"),
    ("min", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min value", "default value"),
    ("default", "max", "default", "default value", "max value"),
)


def _order_errors(item: Object, kind: str, name: str, field: str) -> Iterator[FieldError]:
    found: dict[str, str] = {
        group: part(item, group)[name]
        for group in _GROUPS
        if name in part(item, group) and not (kind == "Pod" and group.startswith("default"))
    }
    for small, great, wrong, small_words, great_words in _ORDER:
        if small in found and great in found and compare(found[small], found[great]) > 0:
            shown = found["min"] if (small, wrong) == ("min", "default") else found[wrong]
            shown = found["max"] if (great, wrong) == ("max", "default") else shown
            text = f"{small_words} {found[small]} is greater than {great_words} {found[great]}"
            yield fe.invalid(f"{field}.{wrong}[{name}]", shown, text)
    yield from _ratio_errors(found, f"{field}.maxLimitRequestRatio[{name}]")
    limit, request = found.get("default"), found.get("defaultRequest")
    if limit and request and not may_overcommit(name) and compare(limit, request) != 0:
        text = f"default value {limit} must equal to defaultRequest value {request} in {name}"
        yield fe.invalid(f"{field}.defaultRequest[{name}]", request, text)


def _ratio_errors(found: Mapping[str, str], field: str) -> Iterator[FieldError]:
    ratio = found.get("maxLimitRequestRatio")
    if ratio is None:
        return
    if value(ratio) < 1:
        yield fe.invalid(field, ratio, f"ratio {ratio} is less than 1")
    if "min" in found and "max" in found and value(found["min"]):
        greatest = value(found["max"]) / value(found["min"])
        if value(ratio) > greatest:
            yield fe.invalid(field, ratio, f"ratio {ratio} is greater than max/min = {greatest:.6f}")


# -- resource quotas

_POD_SCOPES = ("Terminating", "NotTerminating", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity")
_SCOPES = (*_POD_SCOPES, "BestEffort", "VolumeAttributesClass")
_CONFLICTS = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
_EXISTS_ONLY = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")


class ResourceQuotaStrategy(Strategy):
    """``recount`` fills in what a status leaves open; the admission plugin that keeps the books provides it."""

    def __init__(self, recount: Callable[[Context, Object], None]) -> None:
        self._recount = recount

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {}
        else:
            self._recount(context, obj)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec = part(obj, "spec")
        errors = list(_amount_errors(part(spec, "hard"), "spec.hard"))
        errors += _scope_errors(spec)
        errors += _selector_errors(spec)
        status = part(obj, "status")
        errors += _amount_errors(part(status, "hard"), "status.hard")
        errors += _amount_errors(part(status, "used"), "status.used")
        scopes = parts(spec, "scopes")
        if old is not None and set(scopes) != set(parts(old, "spec", "scopes")):
            errors.append(fe.invalid("spec.scopes", scopes, "field is immutable"))
        return errors


def _amount_errors(amounts: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for name, amount in sorted(amounts.items()):
        where = f"{field}[{name}]"
        yield from _quota_resource_name(name, where)
        if value(amount) < 0:
            yield fe.invalid(where, amount, "must be greater than or equal to 0")
        if (name in COUNTED or is_extended(name)) and value(amount) % 1:
            yield fe.invalid(where, amount, "must be an integer")


def _applies(scope: str, name: str) -> bool:
    if scope in _POD_SCOPES:
        return name == "pods" or name in STATED
    if scope == "BestEffort":
        return name == "pods"
    return name in ("persistentvolumeclaims", "requests.storage") if scope == "VolumeAttributesClass" else True


def _scope_errors(spec: Object) -> Iterator[FieldError]:
    scopes = parts(spec, "scopes")
    for scope in scopes:
        if scope not in _SCOPES:
            yield fe.invalid("spec.scopes", scopes, "unsupported scope")
        for name in sorted(part(spec, "hard")):
            if _is_quota_name(name) and not _applies(scope, name):
                yield fe.invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    if any(set(pair) <= set(scopes) for pair in _CONFLICTS):
        yield fe.invalid("spec.scopes", scopes, "conflicting scopes")


def _selector_errors(spec: Object) -> Iterator[FieldError]:
    field, selector = "spec.scopeSelector.matchExpressions", part(spec, "scopeSelector")
    found: set[str] = set()
    for item in parts(selector, "matchExpressions"):
        scope, operator, values = str(item.get("scopeName", "")), str(item.get("operator", "")), parts(item, "values")
        found.add(scope)
        if scope not in _SCOPES:
            yield fe.invalid(f"{field}.scopeName", scope, "unsupported scope")
        for name in sorted(part(spec, "hard")):
            if _is_quota_name(name) and not _applies(scope, name):
                yield fe.invalid(field, _as_in_go(selector), "unsupported scope applied to resource")
        if scope in _EXISTS_ONLY and operator != "Exists":
            yield fe.invalid(f"{field}.operator", operator, _EXISTS_TEXT)
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield fe.required(f"{field}.values", text)
        elif operator not in ("Exists", "DoesNotExist"):
            yield fe.invalid(f"{field}.operator", operator, "not a valid selector operator")
        elif values:
            text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            yield fe.invalid(f"{field}.values", values, text)
    if any(set(pair) <= found for pair in _CONFLICTS):
        yield fe.invalid(field, spec.get("scopes"), "conflicting scopes")


def _as_in_go(selector: Object) -> Object:
    """Kubernetes shows its internal type here, whose fields have no JSON names."""
    names = (("ScopeName", "scopeName"), ("Operator", "operator"), ("Values", "values"))
    items = parts(selector, "matchExpressions")
    return {"MatchExpressions": [{shown: item.get(name) for shown, name in names} for item in items]}


_EXISTS_TEXT = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
