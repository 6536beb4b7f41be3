"""Services: address families, cluster addresses and node ports, and what a change of type leaves behind.

Order, as in Kubernetes: an update inherits what it leaves out, fields of the former type go, families are filled in,
the rules are checked (``service_rules``), then addresses and ports are given (``service_addresses``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..errors import Invalid
from ..fielderrors import FieldError
from ..foreign import part, parts
from .service_addresses import FIRST, Allocation, needs_cluster_ip, needs_health_port, needs_node_ports
from .service_rules import change_errors, externally_accessible, service_errors
from .strategy import Context, Strategy

__all__ = ["FIRST", "ServiceStrategy"]

Object = dict[str, Any]


class ServiceStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        if old is None and spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        if old is not None:
            before = part(old, "spec")
            _follow(spec, before)
            _inherit(spec, before)
            _drop(spec, before)
        _families(spec)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec = part(obj, "spec")
        errors = list(change_errors(obj, old)) if old is not None else []
        errors += [*service_errors(obj), *_stack_errors(spec)]
        if errors:
            return errors
        allocation = Allocation(context.api, obj, old)
        problems = list(allocation.errors())
        if problems:
            raise Invalid("", "Service", obj["metadata"]["name"], problems)
        allocation.complete()
        return []


def _follow(spec: Object, before: Object) -> None:
    """A client that knows ``clusterIP`` only changes it there; the list follows."""
    addresses = parts(spec, "clusterIPs")
    if not _moved(spec, before) or (addresses and addresses != parts(before, "clusterIPs")):
        return
    if spec.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"], *addresses[1:]]
    else:
        spec.pop("clusterIPs", None)


def _moved(spec: Object, before: Object) -> bool:
    return spec.get("clusterIP") != before.get("clusterIP")


def _inherit(spec: Object, before: Object) -> None:
    """An update that leaves given values out keeps them."""
    if needs_cluster_ip(spec) and needs_cluster_ip(before):
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIP"] = before.get("clusterIP", "")
        if not spec.get("clusterIPs") and not _moved(spec, before):
            spec["clusterIPs"] = list(parts(before, "clusterIPs"))
        for name in ("ipFamilies", "ipFamilyPolicy"):
            if name in before:
                spec.setdefault(name, before[name])
    if needs_node_ports(spec) and needs_node_ports(before):
        held = {(port.get("protocol"), port.get("port")): port.get("nodePort") for port in parts(before, "ports")}
        for port in parts(spec, "ports"):
            kept = held.get((port.get("protocol"), port.get("port")))
            if kept and not port.get("nodePort"):
                port["nodePort"] = kept
    if needs_health_port(spec) and needs_health_port(before) and before.get("healthCheckNodePort"):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])


def _drop(spec: Object, before: Object) -> None:
    """Fields that the former type had and that were sent back unchanged go with it."""
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        _forget(spec, before, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
    if needs_node_ports(before) and not needs_node_ports(spec):
        held = [port.get("nodePort") for port in parts(before, "ports")]
        for port in parts(spec, "ports"):
            if port.get("nodePort") in held:
                port.pop("nodePort", None)
    if needs_health_port(before) and not needs_health_port(spec):
        _forget(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        _forget(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if externally_accessible(before) and not externally_accessible(spec):
        _forget(spec, before, "externalTrafficPolicy")


def _forget(spec: Object, before: Object, *fields: str) -> None:
    for name in fields:
        if spec.get(name) == before.get(name):
            spec.pop(name, None)


def _families(spec: Object) -> None:
    if not needs_cluster_ip(spec):
        return
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        # Without a selector nobody knows the families of the endpoints: all are allowed.
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        if len(parts(spec, "ipFamilies")) < 2 and spec["ipFamilyPolicy"] != "SingleStack":
            first = (parts(spec, "ipFamilies") or ["IPv4"])[0]
            spec["ipFamilies"] = [first, "IPv6" if first == "IPv4" else "IPv4"]
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4"]


def _stack_errors(spec: Object) -> Iterator[FieldError]:
    """The cluster has IPv4 service addresses only."""
    if not needs_cluster_ip(spec) or (spec.get("clusterIP") == "None" and not spec.get("selector")):
        return
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        yield fe.invalid("spec.ipFamilyPolicy", "RequireDualStack", text)
    for index, family in enumerate(parts(spec, "ipFamilies")):
        if family == "IPv6":
            yield fe.invalid(f"spec.ipFamilies[{index}]", "IPv6", "not configured on this cluster")
