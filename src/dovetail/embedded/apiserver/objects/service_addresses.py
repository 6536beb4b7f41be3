"""What services are given: cluster addresses and node ports.

Addresses come from 10.96.0.0/16, as in kubeadm; the first is the ``kubernetes`` service's, the tenth is kept for DNS.
What is taken is found by looking at the stored services: there are few.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]

NETWORK = ipaddress.ip_network("10.96.0.0/16")
FIRST, RESERVED = "10.96.0.1", "10.96.0.10"
NODE_PORTS = range(30000, 32768)


def needs_cluster_ip(spec: Object) -> bool:
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")


def needs_node_ports(spec: Object) -> bool:
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def needs_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


class Allocation:
    """The addresses and ports that other services have, and the ones that one service asks for."""

    def __init__(self, api: Api, obj: Object, old: Object | None) -> None:
        self._spec, self._old = part(obj, "spec"), part(old or {}, "spec")
        self._others = list(_others(api, str(obj["metadata"].get("uid"))))
        self._held = set(_ports(self._old))

    def errors(self) -> Iterator[FieldError]:
        """What was asked for and cannot be had."""
        yield from self._address_errors()
        taken = {number for spec in self._others for number in _ports(spec)}
        for index, port in enumerate(parts(self._spec, "ports")):
            if port.get("nodePort") and port["nodePort"] not in self._held:
                yield from _port_errors(f"spec.ports[{index}].nodePort", port["nodePort"], taken)
        health = self._spec.get("healthCheckNodePort")
        if health and health not in self._held:
            yield from _port_errors("spec.healthCheckNodePort", health, taken)

    def _address_errors(self) -> Iterator[FieldError]:
        addresses = parts(self._spec, "clusterIPs")
        for address in addresses:
            if address in ("None", "") or address in parts(self._old, "clusterIPs"):
                continue
            if ipaddress.ip_address(address) not in NETWORK:
                why = "the provided network does not match the current range"
            elif any(address in parts(spec, "clusterIPs") for spec in self._others):
                why = "provided IP is already allocated"
            else:
                continue
            yield fe.invalid("spec.clusterIPs", addresses, f"failed to allocate IP {address}: {why}")

    def complete(self) -> None:
        """Give what was not asked for."""
        spec = self._spec
        if needs_cluster_ip(spec) and not spec.get("clusterIP"):
            taken = {address for other in self._others for address in parts(other, "clusterIPs")} | {FIRST, RESERVED}
            spec["clusterIP"] = next(str(host) for host in NETWORK.hosts() if str(host) not in taken)
            spec["clusterIPs"] = [spec["clusterIP"]]
        numbers = {number for other in [*self._others, spec] for number in _ports(other)}
        free = (number for number in NODE_PORTS if number not in numbers)
        if needs_node_ports(spec):
            self._node_ports(free)
        if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = next(free)

    def _node_ports(self, free: Iterator[int]) -> None:
        """One number serves a port's name for all protocols, as in Kubernetes."""
        given: dict[int, int] = {}
        for port in parts(self._spec, "ports"):
            if not port.get("nodePort"):
                port["nodePort"] = given.get(port["port"]) or next(free)
            given[port["port"]] = port["nodePort"]


def _ports(spec: Object) -> Iterator[int]:
    yield from (port["nodePort"] for port in parts(spec, "ports") if port.get("nodePort"))
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _port_errors(field: str, number: int, taken: set[int]) -> Iterator[FieldError]:
    if number not in NODE_PORTS:
        first, last = NODE_PORTS[0], NODE_PORTS[-1]
        text = f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
        yield fe.invalid(field, number, text)
    elif number in taken:
        yield fe.invalid(field, number, "provided port is already allocated")


def _others(api: Api, uid: str) -> Iterator[Object]:
    for record in api.store.latest_all("/services"):
        service = orjson.loads(record.value)
        if service["metadata"]["uid"] != uid and "spec" in service:
            yield service["spec"]
