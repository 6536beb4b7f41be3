"""What one object takes of a quota, by the names under which quotas count it. Pure.

Every namespaced kind is counted (``count/deployments.apps``, some also under an older name); pods, services and claims
take more. A finished pod takes nothing but its place in storage. Source: Kubernetes ``pkg/quota/v1/evaluator/core``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import ROUND_CEILING
from typing import Any

from ....foreign import part, parts
from ....objects.pods.resources import STATED
from ....quantities import compare, family_of, value, written
from .. import pod_resources
from ..claim_resize import class_of

Object = Mapping[str, Any]
Amounts = dict[str, str]

PODS, SERVICES, CLAIMS = "/pods", "/services", "/persistentvolumeclaims"
SPECIAL = (PODS, SERVICES, CLAIMS)
UNCOUNTED = "/events"
_OLDER_NAMES = {f"/{name}": name for name in ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")}
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_POD_NAMES = frozenset(
    {"pods", "count/pods", *_COMPUTE, *(f"{p}.{n}" for p in ("requests", "limits") for n in _COMPUTE)}
)
_SERVICE_NAMES = frozenset({"services", "count/services", "services.nodeports", "services.loadbalancers"})
_CLAIM_NAMES = ("persistentvolumeclaims", "requests.storage")
_BY_CLASS = ".storageclass.storage.k8s.io/"


def count_name(store: str) -> str:
    """``count/pods``, ``count/deployments.apps``."""
    group, _, plural = store.partition("/")
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def tracked(store: str, names: Collection[str]) -> list[str]:
    """Those names of a quota that objects of this kind take from."""
    return [name for name in names if _tracks(store, name)]


def _tracks(store: str, name: str) -> bool:
    if store == PODS:
        extended = name.startswith("requests.") and "/" in name and "kubernetes.io/" not in name
        return name in _POD_NAMES or extended or name.startswith(("hugepages-", "requests.hugepages-"))
    if store == SERVICES:
        return name in _SERVICE_NAMES
    if store == CLAIMS and (name in _CLAIM_NAMES or name.endswith(tuple(_BY_CLASS + n for n in _CLAIM_NAMES))):
        return True
    return name == count_name(store) or (name == _OLDER_NAMES.get(store))


def usage(store: str, obj: Object) -> Amounts:
    """All that the object takes."""
    if store == PODS:
        return _pod(obj)
    if store == SERVICES:
        return _service(obj)
    if store == CLAIMS:
        return _claim(obj)
    names = (count_name(store), _OLDER_NAMES.get(store))
    return {name: "1" for name in names if name}


def _pod(pod: Object) -> Amounts:
    if part(pod, "status").get("phase") in ("Failed", "Succeeded"):
        return {"count/pods": "1"}
    amounts = compute(pod_resources.requests(pod, live=True), pod_resources.limits(pod, live=True))
    return {"count/pods": "1", "pods": "1", **amounts}


def compute(requests: Mapping[str, str], limits: Mapping[str, str]) -> Amounts:
    """Requests and limits under the names of quotas."""
    amounts: Amounts = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            amounts[name] = amounts[f"requests.{name}"] = amount
        elif "/" in name and "kubernetes.io/" not in name:
            amounts[f"requests.{name}"] = amount
    return amounts | {f"limits.{name}": limits[name] for name in _COMPUTE if name in limits}


def _service(service: Object) -> Amounts:
    spec = part(service, "spec")
    kind, ports = spec.get("type"), parts(spec, "ports")
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        ports = [port for port in ports if port.get("nodePort")]
    return {
        "count/services": "1",
        "services": "1",
        "services.loadbalancers": "1" if kind == "LoadBalancer" else "0",
        "services.nodeports": str(len(ports)) if kind in ("NodePort", "LoadBalancer") else "0",
    }


def _claim(claim: Object) -> Amounts:
    amounts = {"persistentvolumeclaims": "1", "count/persistentvolumeclaims": "1"}
    storage = part(claim, "spec", "resources", "requests").get("storage")
    allocated = part(claim, "status", "allocatedResources").get("storage")
    if storage is not None and allocated is not None and compare(allocated, storage) > 0:
        storage = allocated
    chosen = class_of(dict(claim))
    if storage is not None:
        amounts["requests.storage"] = written(value(storage).to_integral_value(ROUND_CEILING), family_of(storage))
    if chosen:
        amounts |= {f"{chosen}{_BY_CLASS}{name}": amounts[name] for name in _CLAIM_NAMES if name in amounts}
    return amounts


def unstated(pod: Object, names: Collection[str]) -> str:
    """``must specify cpu for: c1,c2; memory for: c1`` when a quota's names must be stated and are not; else ""."""
    missing: dict[str, set[str]] = {}
    wanted = STATED.intersection(names)
    for container in pod_resources.containers(part(pod, "spec")):
        resources = part(container, "resources")
        stated = compute(part(resources, "requests"), part(resources, "limits"))
        for name in wanted - stated.keys():
            missing.setdefault(name, set()).add(str(container.get("name", "")))
    told = [f"{name} for: {','.join(sorted(containers))}" for name, containers in sorted(missing.items())]
    return f"must specify {'; '.join(told)}" if told else ""


def stores_of(names: Collection[str]) -> Iterator[str]:
    """The kinds (group/plural) that take from any of the names."""
    for store in (*SPECIAL, *_OLDER_NAMES):
        if tracked(store, names):
            yield store
    for name in names:
        if name.startswith("count/"):
            plural, _, group = name.removeprefix("count/").partition(".")
            store = f"{group}/{plural}"
            if store not in SPECIAL and store not in _OLDER_NAMES and store != UNCOUNTED:
                yield store
