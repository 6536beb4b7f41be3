"""What a new pod, service or claim takes of a quota, by the names under which quotas count it. Pure.

Other kinds only count as objects (`count/deployments.apps`). Source: Kubernetes' pkg/quota/v1/evaluator/core and
component-helpers' resource.PodRequests: a pod takes the sum of its containers (sidecars among them), or what its
greediest init container takes while it starts, and its overhead; requests of the whole pod count before all that.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, cast

from dovetail.iam.tenancy.quantities import amount

Part = Mapping[str, Any]
Amounts = dict[str, Decimal]

COUNTED: Final = ("pods", "services", "persistentvolumeclaims")
_COMPUTE: Final = ("cpu", "memory", "ephemeral-storage")
_POD_LEVEL: Final = ("cpu", "memory")
_CLASS: Final = "storageclass.storage.k8s.io"
_ONE: Final = Decimal(1)


def usage(resource: str, obj: Part) -> Amounts:
    """All that a new object of the core group takes. Raises ValueError for an amount that cannot be read."""
    if resource == "pods":
        return _pod(_part(obj, "spec"))
    if resource == "services":
        return _service(_part(obj, "spec"))
    if resource == "persistentvolumeclaims":
        return _claim(_part(obj, "spec"))
    return {}


def _pod(spec: Part) -> Amounts:
    found: Amounts = {"pods": _ONE, "count/pods": _ONE}
    for name, value in _of_pod(spec, "requests").items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            found[name] = found[f"requests.{name}"] = value
        elif "/" in name:
            found[f"requests.{name}"] = value
    return found | {f"limits.{name}": value for name, value in _of_pod(spec, "limits").items() if name in _COMPUTE}


def _of_pod(spec: Part, kind: str) -> Amounts:
    together = _sum(_amounts(container, kind) for container in _parts(spec, "containers"))
    sidecars: Amounts = {}
    greediest: Amounts = {}
    for container in _parts(spec, "initContainers"):
        own = _amounts(container, kind)
        if container.get("restartPolicy") == "Always":
            together, sidecars = _sum((together, own)), _sum((sidecars, own))
            greediest = _most(greediest, sidecars)
        else:
            greediest = _most(greediest, _sum((sidecars, own)))
    found = _most(together, greediest)
    whole = _amounts(spec, kind)
    found |= {name: value for name, value in whole.items() if name in _POD_LEVEL or name.startswith("hugepages-")}
    overhead = {name: amount(value) for name, value in _part(spec, "overhead").items()}
    return _sum((found, overhead if kind == "requests" else {n: v for n, v in overhead.items() if n in found}))


def _service(spec: Part) -> Amounts:
    kind, ports = spec.get("type"), _parts(spec, "ports")
    balanced = kind == "LoadBalancer"
    if balanced and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    open_ports = len(ports) if balanced or kind == "NodePort" else 0
    return {
        "services": _ONE,
        "count/services": _ONE,
        "services.loadbalancers": Decimal(balanced),
        "services.nodeports": Decimal(open_ports),
    }


def _claim(spec: Part) -> Amounts:
    found: Amounts = {"persistentvolumeclaims": _ONE, "count/persistentvolumeclaims": _ONE}
    storage = _part(_part(spec, "resources"), "requests").get("storage")
    if storage is not None:
        found["requests.storage"] = amount(storage).to_integral_value(ROUND_CEILING)
    chosen = spec.get("storageClassName")
    if chosen:
        for name in ("persistentvolumeclaims", "requests.storage"):
            if name in found:
                found[f"{chosen}.{_CLASS}/{name}"] = found[name]
    return found


def _amounts(container: Part, kind: str) -> Amounts:
    return {str(name): amount(value) for name, value in _part(_part(container, "resources"), kind).items()}


def _sum(parts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, Decimal(0)) + value
    return total


def _most(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Amounts:
    zero = Decimal(0)
    return {name: max(one.get(name, zero), other.get(name, zero)) for name in {**one, **other}}


def _part(obj: Part, name: str) -> Part:
    part: object = obj.get(name)
    return cast("Part", part) if isinstance(part, dict) else {}


def _parts(obj: Part, name: str) -> list[Part]:
    parts: object = obj.get(name)
    entries = cast("list[object]", parts) if isinstance(parts, list) else []
    return [cast("Part", one) for one in entries if isinstance(one, dict)]
