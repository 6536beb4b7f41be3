"""Resources of containers and pods: their names, amounts, sums, the class of service, and their rules.

Source: Kubernetes ``pkg/apis/core/helper``, ``component-helpers/resource``, ``pkg/apis/core/helper/qos``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ...quantities import family_of, value, written
from ..names import dns_label, qualified
from .formats import NOT_NEGATIVE, each, not_found

Object = dict[str, Any]
Amounts = dict[str, str]

_COMPUTE = ("cpu", "memory")
CONTAINER = {"cpu", "memory", "ephemeral-storage"}
COUNTED = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
}  # fmt: skip
SIDES = {f"{side}.{name}" for side in ("requests", "limits") for name in CONTAINER}
# A quota on one of these makes every container state it: a mistake that Kubernetes keeps for compatibility.
STATED = frozenset({*_COMPUTE, *(f"{side}.{name}" for side in ("requests", "limits") for name in _COMPUTE)})
_STANDARD = CONTAINER | COUNTED | SIDES | {"storage", "requests.storage"}
HUGE = "hugepages-"


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    if is_native(name) or name.startswith("requests."):
        return False
    return not qualified(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    return is_native(name) and not name.startswith(HUGE)


def is_pod_level(name: str) -> bool:
    return name in _COMPUTE or name.startswith(HUGE)


# -- sums


def _sum(left: Amounts, right: Mapping[str, str]) -> Amounts:
    return left | {
        name: written(value(amount) + value(left[name]), family_of(left[name])) if name in left else amount
        for name, amount in right.items()
    }


def _larger(left: Amounts, right: Mapping[str, str]) -> Amounts:
    kept = {n: a for n, a in right.items() if n not in left or value(a) > value(left[n])}
    return left | kept


def is_sidecar(container: Object) -> bool:
    return container.get("restartPolicy") == "Always"


def total(spec: Object, side: str) -> Amounts:
    """What all containers together ask for at most (``side``: requests or limits)."""
    running: Amounts = {}
    for container in parts(spec, "containers"):
        running = _sum(running, part(container, "resources", side))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in parts(spec, "initContainers"):
        own = part(container, "resources", side)
        if is_sidecar(container):
            running, sidecars = _sum(running, own), _sum(sidecars, own)
            own = sidecars
        else:
            own = _sum(dict(own), sidecars)
        starting = _larger(starting, own)
    return _larger(running, starting)


def pod_level_defaults(spec: Object) -> None:
    """Requests and limits of the whole pod, where it has some of them already."""
    resources = spec.get("resources")
    if not is_object(resources):
        return
    limits, requests = part(resources, "limits"), part(resources, "requests")
    if limits or requests:
        for name, amount in total(spec, "limits").items():
            if name.startswith(HUGE) and name not in requests:
                limits.setdefault(name, amount)
    if not limits:
        return
    resources["limits"] = limits
    for name, amount in total(spec, "requests").items():
        if is_pod_level(name) and may_overcommit(name):
            requests.setdefault(name, amount)
    for name, amount in limits.items():
        if is_pod_level(name):
            requests.setdefault(name, amount)
    if requests:
        resources["requests"] = requests


def qos_class(spec: Object) -> str:
    """BestEffort, Burstable or Guaranteed."""
    whole = spec.get("resources")
    if is_object(whole):
        given: list[Object] = [whole]
    else:
        given = [part(c, "resources") for c in [*parts(spec, "containers"), *parts(spec, "initContainers")]]
    requests: dict[str, Decimal] = {}
    limits: dict[str, Decimal] = {}
    guaranteed = True
    for resources in given:
        limited: set[str] = set()
        for side, sums in (("requests", requests), ("limits", limits)):
            for name, amount in part(resources, side).items():
                if name in _COMPUTE and value(amount) > 0:
                    sums[name] = sums.get(name, Decimal(0)) + value(amount)
                    limited |= {name} if side == "limits" else set()
        guaranteed = guaranteed and len(limited) == len(_COMPUTE)
    if not requests and not limits:
        return "BestEffort"
    return "Guaranteed" if guaranteed and requests == limits else "Burstable"


# -- rules


def _name_errors(name: str, field: str) -> Iterator[FieldError]:
    problems = qualified(name)
    yield from each(field, name, problems)
    if not problems and "/" not in name and name not in _STANDARD and not name.startswith(HUGE):
        yield fe.invalid(field, name, "must be a standard resource type or fully qualified")


def _container_name_errors(name: str, field: str) -> Iterator[FieldError]:
    yield from _name_errors(name, field)
    if name.count("/") == 0:
        if name not in CONTAINER and not name.startswith(HUGE):
            yield fe.invalid(field, name, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        yield fe.invalid(field, name, "doesn't follow extended resource name standard")


def _pod_name_errors(name: str, field: str) -> Iterator[FieldError]:
    problems = list(_name_errors(name, field))
    yield from problems
    if not problems and not is_pod_level(name):
        yield fe.not_supported(field, name, ["cpu", "hugepages-", "memory"])


def amount_errors(name: str, amount: str, field: str) -> Iterator[FieldError]:
    """An amount of a resource: not negative, whole where only whole ones make sense."""
    number = value(amount)
    if number < 0:
        yield fe.invalid(field, amount, NOT_NEGATIVE)
    if (name in COUNTED or is_extended(name)) and number != number.to_integral_value():
        yield fe.invalid(field, amount, "must be an integer")


def _huge_errors(name: str, amount: str, field: str) -> Iterator[FieldError]:
    try:
        page = value(name.removeprefix(HUGE))
    except ValueError:
        page = Decimal(0)
    if page <= 0 or value(amount) % page:
        yield fe.invalid(field, amount, f"{amount} is not positive integer multiple of {name}")


def requirement_errors(
    resources: Object, claims: frozenset[str], field: str, *, whole_pod: bool = False
) -> Iterator[FieldError]:
    """``limits``, ``requests`` and ``claims``, in the order of their names (Kubernetes has none)."""
    names = _pod_name_errors if whole_pod else _container_name_errors
    limits, requests = part(resources, "limits"), part(resources, "requests")
    for name in sorted(limits):
        where = f"{field}.limits[{name}]"
        yield from names(name, where)
        yield from amount_errors(name, limits[name], where)
        if name.startswith(HUGE):
            yield from _huge_errors(name, limits[name], where)
    for name in sorted(requests):
        where = f"{field}.requests[{name}]"
        yield from names(name, where)
        yield from amount_errors(name, requests[name], where)
        yield from _limit_errors(name, requests[name], limits.get(name), field)
        if name.startswith(HUGE):
            yield from _huge_errors(name, requests[name], where)
    given = {*limits, *requests}
    if any(name.startswith(HUGE) for name in given) and not given & set(_COMPUTE):
        yield fe.forbidden(field, "HugePages require cpu or memory")
    yield from _claim_errors(parts(resources, "claims"), claims, f"{field}.claims")


def _limit_errors(name: str, request: str, limit: str | None, field: str) -> Iterator[FieldError]:
    if limit is None:
        if not may_overcommit(name):
            yield fe.required(f"{field}.limits", "Limit must be set for non overcommitable resources")
    elif value(request) != value(limit) and not may_overcommit(name):
        yield fe.invalid(f"{field}.requests", request, f"must be equal to {name} limit of {limit}")
    elif value(request) > value(limit):
        yield fe.invalid(f"{field}.requests", request, f"must be less than or equal to {name} limit of {limit}")


def _claim_errors(claims: list[Object], known: frozenset[str], field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where, name, request = f"{field}[{index}]", str(claim.get("name", "")), str(claim.get("request", ""))
        if not name:
            yield fe.required(where)
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            yield fe.duplicate(where, name)
        else:
            if request:
                yield from each(f"{where}.request", request, dns_label(request))
            if key in seen:
                yield fe.duplicate(where, key)
            elif not request and any(other.partition("/")[0] == name for other in seen):
                yield fe.duplicate(where, name)
            seen.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            yield not_found(where, name, f"must be one of the names in pod.spec.resourceClaims{listed}")


def pod_level_errors(spec: Object, claims: frozenset[str], field: str) -> Iterator[FieldError]:
    """``spec.resources``: rules of its own, and never less than what the containers ask for."""
    resources = spec.get("resources")
    if not is_object(resources):
        return
    if resources.get("claims"):
        yield fe.forbidden(f"{field}.claims", "claims cannot be set for Resources at pod-level")
    yield from requirement_errors(resources, claims, field, whole_pod=True)
    requests, limits = part(resources, "requests"), part(resources, "limits")
    for name, amount in sorted(total(spec, "requests").items()):
        stated = requests.get(name, "0")
        if value(amount) > value(stated):
            text = f"must be greater than or equal to aggregate container requests of {amount}"
            yield fe.invalid(f"{field}.requests[{name}]", stated, text)
    for index, container in enumerate(parts(spec, "containers")):
        for name, amount in sorted(part(container, "resources", "limits").items()):
            if name in limits and value(amount) > value(limits[name]):
                where = f"{field}.containers[{index}][{name}].limits"
                yield fe.invalid(where, amount, f"must be less than or equal to pod limits of {limits[name]}")
