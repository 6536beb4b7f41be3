"""Services: cluster addresses and node ports.

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
from .strategy import Context, Strategy

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]

NETWORK = ipaddress.ip_network("10.96.0.0/16")
FIRST, RESERVED = "10.96.0.1", "10.96.0.10"
NODE_PORTS = range(30000, 32768)


class ServiceStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        if old is not None:
            _keep(spec, part(old, "spec"))
        if spec.get("type") == "ExternalName":
            for name in ("clusterIP", "clusterIPs"):
                spec.pop(name, None)
            return
        if not spec.get("clusterIP"):
            spec["clusterIP"] = _free_address(context.api)
        spec["clusterIPs"] = [spec["clusterIP"]]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec.get("type") in ("NodePort", "LoadBalancer"):
            _node_ports(context.api, spec, str(obj["metadata"].get("uid")))
        if old is None:
            obj["status"] = {"loadBalancer": {}}

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec = part(obj, "spec")
        return [*_address_errors(context.api, obj, old), *_port_errors(spec)]


def _keep(spec: Object, old: Object) -> None:
    """An update that leaves the address out keeps it."""
    if spec.get("type") != "ExternalName" and old.get("clusterIP") and not spec.get("clusterIP"):
        spec["clusterIP"] = old["clusterIP"]
    ports = {(p.get("port"), p.get("protocol")): p.get("nodePort") for p in parts(old, "ports")}
    for port in parts(spec, "ports"):
        kept = ports.get((port.get("port"), port.get("protocol")))
        if kept and "nodePort" not in port and spec.get("type") in ("NodePort", "LoadBalancer"):
            port["nodePort"] = kept


def _address_errors(api: Api, obj: Object, old: Object | None) -> Iterator[FieldError]:
    address = part(obj, "spec").get("clusterIP")
    before = part(old or {}, "spec").get("clusterIP")
    if not address or address == before:
        return
    if before:
        yield fe.invalid("spec.clusterIPs[0]", [address], "may not change once set")
    elif address != "None" and _parsed(address) not in NETWORK:
        yield fe.invalid(
            "spec.clusterIPs", [address], f"failed to allocate IP {address}: the provided IP is not in the valid range"
        )
    elif address != "None" and any(
        s["spec"].get("clusterIP") == address for s in _others(api, str(obj["metadata"].get("uid")))
    ):
        yield fe.invalid(
            "spec.clusterIPs", [address], f"failed to allocate IP {address}: provided IP is already allocated"
        )


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return ipaddress.IPv4Address(0)


def _port_errors(spec: Object) -> Iterator[FieldError]:
    ports = parts(spec, "ports")
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield fe.required("spec.ports")
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield fe.required(f"{field}.name")
        number = port.get("port")
        if number is None or not 0 < number < 65536:
            yield fe.invalid(f"{field}.port", number or 0, "must be between 1 and 65535, inclusive")
        key = (number, port.get("protocol"))
        if key in seen:
            yield fe.duplicate(field, port)
        seen.add(key)


def _others(api: Api, uid: str) -> Iterator[Object]:
    for record in api.store.latest_all("/services"):
        service = orjson.loads(record.value)
        if service["metadata"]["uid"] != uid and "spec" in service:
            yield service


def _free_address(api: Api) -> str:
    taken = {service["spec"].get("clusterIP") for service in _others(api, "")} | {FIRST, RESERVED}
    return next(str(host) for host in NETWORK.hosts() if str(host) not in taken)


def _node_ports(api: Api, spec: Object, uid: str) -> None:
    taken = {p.get("nodePort") for s in _others(api, uid) for p in parts(s["spec"], "ports")}
    taken |= {port.get("nodePort") for port in parts(spec, "ports")}
    free = (number for number in NODE_PORTS if number not in taken)
    for port in parts(spec, "ports"):
        if not port.get("nodePort"):
            port["nodePort"] = next(free)
