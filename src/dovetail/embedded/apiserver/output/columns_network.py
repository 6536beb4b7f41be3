"""The columns of services, endpoints, ingresses, network policies and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..foreign import part, parts
from .cells import at, computed, first_few, labels, selector, text
from .tables import AGE, NAME, Column

Object = Mapping[str, Any]


def _balanced(obj: Object) -> str:
    found = {str(i.get("ip") or i.get("hostname") or "") for i in parts(obj, "status", "loadBalancer", "ingress")}
    return ",".join(sorted(found - {""}))


def _external_ip(obj: Object) -> str:
    spec = part(obj, "spec")
    kind, listed = spec.get("type"), parts(spec, "externalIPs")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balanced = _balanced(obj)
        return ",".join([*([balanced] if balanced else []), *listed]) or "<pending>"
    return ",".join(listed) or "<none>"


def _ports(obj: Object) -> str:
    shown: list[str] = []
    for port in parts(obj, "spec", "ports"):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _host_ports(obj: Object) -> Iterator[str]:
    for subset in parts(obj, "subsets"):
        ports = parts(subset, "ports")
        for address in parts(subset, "addresses") if not ports else ():
            yield str(address.get("ip"))
        for port in ports:
            for address in parts(subset, "addresses"):
                ip = str(address.get("ip"))
                yield f"[{ip}]:{port.get('port')}" if ":" in ip else f"{ip}:{port.get('port')}"


def _endpoints(obj: Object) -> str:
    return first_few(_host_ports(obj)) if parts(obj, "subsets") else "<none>"


def _slice_ports(obj: Object) -> str:
    ports = parts(obj, "ports")
    return first_few(str(port.get("port") or port.get("name") or "*") for port in ports) if ports else "<unset>"


def _slice_endpoints(obj: Object) -> str:
    endpoints = parts(obj, "endpoints")
    addresses = [address for endpoint in endpoints for address in parts(endpoint, "addresses")]
    return first_few(addresses) if endpoints else "<unset>"


def _hosts(obj: Object) -> str:
    rules = parts(obj, "spec", "rules")
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    if not hosts:
        return "*"
    more = f" + {len(rules) - 3} more..." if len(rules) > 3 else ""
    return ",".join(hosts[:3]) + more


def _parameters(obj: Object) -> str:
    found = at(obj, "spec.parameters")
    if not found:
        return "<none>"
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


def _parent(obj: Object) -> str:
    found = part(obj, "spec", "parentRef")
    where = "/".join(str(found[n]) for n in ("resource", "namespace", "name") if found.get(n))
    return f"{found['group']}/{where}" if found.get("group") else where or "<none>"


NETWORK: dict[str, tuple[Column, ...]] = {
    "/services": (
        NAME, text("Type", "spec.type"), text("Cluster-IP", "spec.clusterIP", "<none>"),
        computed("External-IP", _external_ip), computed("Port(s)", _ports), AGE,
        computed("Selector", labels("spec.selector"), priority=1),
    ),
    "/endpoints": (NAME, computed("Endpoints", _endpoints), AGE),
    "discovery.k8s.io/endpointslices": (
        NAME, text("AddressType", "addressType"), computed("Ports", _slice_ports),
        computed("Endpoints", _slice_endpoints), AGE,
    ),
    "networking.k8s.io/ingresses": (
        NAME, text("Class", "spec.ingressClassName", "<none>"), computed("Hosts", _hosts),
        computed("Address", _balanced),
        computed("Ports", lambda obj: "80, 443" if at(obj, "spec.tls") else "80"), AGE,
    ),
    "networking.k8s.io/ingressclasses": (
        NAME, text("Controller", "spec.controller"), computed("Parameters", _parameters), AGE,
    ),
    "networking.k8s.io/networkpolicies": (NAME, computed("Pod-Selector", selector("spec.podSelector")), AGE),
    "networking.k8s.io/ipaddresses": (NAME, computed("ParentRef", _parent), AGE),
    "networking.k8s.io/servicecidrs": (
        NAME, computed("CIDRs", lambda obj: ",".join(parts(obj, "spec", "cidrs"))), AGE,
    ),
}  # fmt: skip
