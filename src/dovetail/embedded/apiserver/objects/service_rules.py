"""What is wrong with a service (Kubernetes ``ValidateService`` and ``ValidateServiceUpdate``). Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names
from .metadata import validate_labels
from .service_addresses import needs_health_port

Object = dict[str, Any]

PROTOCOLS = ("SCTP", "TCP", "UDP")
_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_DISTRIBUTIONS = ("PreferClose", "PreferSameNode", "PreferSameZone")
_LOAD_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_AFFINITY_SECONDS = 86400


def service_errors(obj: Object) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    kind, ports, headless = spec.get("type", ""), parts(spec, "ports"), spec.get("clusterIP") == "None"
    if not ports and not headless and kind != "ExternalName":
        yield fe.required("spec.ports")
    yield from _type_errors(spec, kind, headless)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        yield from _port_errors(port, f"spec.ports[{index}]", seen, named=len(ports) > 1)
    yield from validate_labels(part(spec, "selector"), "spec.selector")
    yield from _affinity_errors(spec)
    yield from _address_errors(spec)
    for index, address in enumerate(parts(spec, "externalIPs")):
        yield from _external_errors(f"spec.externalIPs[{index}]", address)
    if kind not in _TYPES:
        yield fe.not_supported("spec.type", kind, _TYPES)
    yield from _number_errors(ports, kind)
    yield from _balancer_errors(spec, kind)
    yield from _traffic_errors(spec, kind)


def _type_errors(spec: Object, kind: str, headless: bool) -> Iterator[FieldError]:
    if kind == "LoadBalancer":
        for index, port in enumerate(parts(spec, "ports")):
            if port.get("port") == 10250:
                text = "may not expose port 10250 externally since it is used by kubelet"
                yield fe.invalid(f"spec.ports[{index}]", 10250, text)
    if kind in ("LoadBalancer", "NodePort") and headless:
        yield fe.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                yield fe.forbidden(f"spec.{name}", "may not be set for ExternalName services")
        name = str(spec.get("externalName", "")).removesuffix(".")
        yield from (
            fe.every("spec.externalName", name, names.dns_subdomain(name))
            if name
            else [fe.required("spec.externalName")]
        )


def _port_errors(port: Object, field: str, seen: set[str], *, named: bool) -> Iterator[FieldError]:
    name, number, protocol = port.get("name", ""), port.get("port", 0), port.get("protocol", "")
    if name:
        yield from fe.every(f"{field}.name", name, names.dns_label(name))
        if name in seen:
            yield fe.duplicate(f"{field}.name", name)
        seen.add(name)
    elif named:
        yield fe.required(f"{field}.name")
    yield from fe.every(f"{field}.port", number, names.port_number(number))
    yield from protocol_errors(f"{field}.protocol", protocol)
    yield from port_or_name_errors(f"{field}.targetPort", port.get("targetPort", 0))
    if "appProtocol" in port:
        yield from fe.every(f"{field}.appProtocol", port["appProtocol"], names.qualified(port["appProtocol"]))


def protocol_errors(field: str, protocol: str) -> Iterator[FieldError]:
    if not protocol:
        yield fe.required(field)
    elif protocol not in PROTOCOLS:
        yield fe.not_supported(field, protocol, PROTOCOLS)


def port_or_name_errors(field: str, value: int | str) -> list[FieldError]:
    return fe.every(field, value, names.port_name(value) if isinstance(value, str) else names.port_number(value))


def _affinity_errors(spec: Object) -> Iterator[FieldError]:
    affinity, config = spec.get("sessionAffinity", ""), spec.get("sessionAffinityConfig")
    field = "spec.sessionAffinityConfig"
    if affinity not in ("ClientIP", "None"):
        yield fe.not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    elif affinity == "None" and config is not None:
        yield fe.forbidden(field, "must not be set when session affinity is None")
    elif affinity == "ClientIP":
        seconds = part(config or {}, "clientIP").get("timeoutSeconds") or 0
        if not 0 < seconds <= _AFFINITY_SECONDS:
            text = f"must be greater than 0 and less than {_AFFINITY_SECONDS}"
            yield fe.invalid(f"{field}.clientIP.timeoutSeconds", seconds, text)


def _address_errors(spec: Object) -> Iterator[FieldError]:
    if spec.get("type") == "ExternalName":
        return
    first, addresses, families = spec.get("clusterIP", ""), parts(spec, "clusterIPs"), parts(spec, "ipFamilies")
    if not first and addresses:
        yield fe.invalid("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified")
    elif first and first != addresses[0]:
        yield fe.invalid("spec.clusterIPs", addresses, "first value must match `clusterIP`")
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            yield fe.not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        elif family in families[:index]:
            yield fe.duplicate(f"spec.ipFamilies[{index}]", family)
    if len(families) > 2:
        yield fe.invalid("spec.ipFamilies", families, "may only hold up to 2 values")
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _POLICIES:
        yield fe.not_supported("spec.ipFamilyPolicy", policy, _POLICIES)
    wrong = False
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                wrong = True
                yield fe.invalid("spec.clusterIPs", addresses, "'None' must be the first and only value")
            continue
        problems = fe.every(f"spec.clusterIPs[{index}]", address, names.ip(address))
        wrong = wrong or bool(problems)
        yield from problems
    if len(addresses) > 2:
        yield fe.invalid("spec.clusterIPs", addresses, "may only hold up to 2 values")
    if not wrong and addresses[:1] != ["None"]:
        yield from _family_errors(addresses, families)


def _family_errors(addresses: list[str], families: list[str]) -> Iterator[FieldError]:
    versions = [f"IPv{ipaddress.ip_address(address).version}" for address in addresses]
    if len(set(versions)) < len(versions):
        yield fe.invalid("spec.clusterIPs", addresses, "may specify no more than one IP for each IP family")
    for index, (address, found, wanted) in enumerate(zip(addresses, versions, families, strict=False)):
        if found != wanted:
            text = f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"
            yield fe.invalid(f"spec.clusterIPs[{index}]", address, text)


def _external_errors(field: str, text: str) -> Iterator[FieldError]:
    address = names.address(text)
    if address is None:
        yield from fe.every(field, text, names.ip(text))
    elif address.is_unspecified:
        yield fe.invalid(field, text, f"may not be unspecified ({text})")
    elif address.is_loopback:
        network = "127.0.0.0/8, ::1/128"
        yield fe.invalid(field, text, f"may not be in the loopback range ({network})")
    elif address.is_link_local:
        yield fe.invalid(field, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")


def _number_errors(ports: list[Object], kind: str) -> Iterator[FieldError]:
    if kind == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                text = "may not be used when `type` is 'ClusterIP'"
                yield fe.forbidden(f"spec.ports[{index}].nodePort", text)
    nodes: set[tuple[str, int]] = set()
    numbers: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("nodePort", 0))
        if key[1] and key in nodes:
            yield fe.duplicate(f"spec.ports[{index}].nodePort", key[1])
        nodes.add(key)
    for index, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("port", 0))
        if key in numbers:
            shown = {"protocol": key[0], "port": key[1], "targetPort": 0}
            yield fe.duplicate(f"spec.ports[{index}]", shown)
        numbers.add(key)


def _balancer_errors(spec: Object, kind: str) -> Iterator[FieldError]:
    ranges, field = parts(spec, "loadBalancerSourceRanges"), "spec.LoadBalancerSourceRanges"
    if ranges and kind != "LoadBalancer":
        yield fe.forbidden(field, _LOAD_BALANCED)
    for index, text in enumerate(ranges):
        yield from fe.every(f"{field}[{index}]", text.strip(), names.cidr(text.strip()))
    if kind != "LoadBalancer" and "allocateLoadBalancerNodePorts" in spec:
        yield fe.forbidden("spec.allocateLoadBalancerNodePorts", _LOAD_BALANCED)
    balancer = spec.get("loadBalancerClass")
    if balancer is not None:
        if kind != "LoadBalancer":
            yield fe.forbidden("spec.loadBalancerClass", _LOAD_BALANCED)
        yield from fe.every("spec.loadBalancerClass", balancer, names.qualified(balancer))


def _traffic_errors(spec: Object, kind: str) -> Iterator[FieldError]:
    policy, health = spec.get("externalTrafficPolicy", ""), spec.get("healthCheckNodePort", 0)
    field = "spec.externalTrafficPolicy"
    if not externally_accessible(spec):
        if policy:
            yield fe.invalid(field, policy, "may only be set for externally-accessible services")
    elif policy not in ("Cluster", "Local"):
        yield fe.not_supported(field, policy, ("Cluster", "Local")) if policy else fe.required(field)
    if health and not needs_health_port(spec):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield fe.invalid("spec.healthCheckNodePort", health, text)
    elif health:
        yield from fe.every("spec.healthCheckNodePort", health, names.port_number(health))
    internal = spec.get("internalTrafficPolicy")
    if internal is None and kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        yield fe.required("spec.internalTrafficPolicy")
    elif internal is not None and internal not in ("Cluster", "Local"):
        yield fe.not_supported("spec.internalTrafficPolicy", internal, ("Cluster", "Local"))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        yield fe.not_supported("spec.trafficDistribution", distribution, _DISTRIBUTIONS)


def externally_accessible(spec: Object) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def change_errors(obj: Object, old: Object) -> Iterator[FieldError]:
    """What may not become of a service."""
    spec, before = part(obj, "spec"), part(old, "spec")
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        yield from _address_changes(spec, before)
    balancer = before.get("loadBalancerClass")
    if before.get("type") == spec.get("type") == "LoadBalancer" and balancer != spec.get("loadBalancerClass"):
        yield fe.invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), "may not change once set")
    checked = needs_health_port(before) and needs_health_port(spec)
    if checked and before.get("healthCheckNodePort") != spec.get("healthCheckNodePort"):
        yield fe.forbidden("spec.healthCheckNodePort", "field is immutable")


def _address_changes(spec: Object, before: Object) -> Iterator[FieldError]:
    now, then = parts(spec, "clusterIPs"), parts(before, "clusterIPs")
    if then and now[:1] != then[:1]:
        yield fe.invalid("spec.clusterIPs[0]", now, "may not change once set")
    families, earlier = parts(spec, "ipFamilies"), parts(before, "ipFamilies")
    if earlier and families[:1] != earlier[:1]:
        yield fe.invalid("spec.ipFamilies[0]", families, "may not change once set")
