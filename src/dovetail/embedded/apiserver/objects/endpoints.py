"""Endpoints and endpoint slices. Pure. Source: ``ValidateEndpoints`` and ``pkg/apis/discovery/validation``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names
from .metadata import validate_labels
from .service_rules import PROTOCOLS, protocol_errors

Object = dict[str, Any]

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS, _MOST_ZONES = 1000, 100, 20000, 8


def endpoints_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    for index, subset in enumerate(parts(obj, "subsets")):
        field = f"subsets[{index}]"
        ready, waiting = parts(subset, "addresses"), parts(subset, "notReadyAddresses")
        if not ready and not waiting:
            yield fe.required(field, "must specify `addresses` or `notReadyAddresses`")
        for name, addresses in (("addresses", ready), ("notReadyAddresses", waiting)):
            for place, address in enumerate(addresses):
                yield from _address_errors(address, f"{field}.{name}[{place}]")
        ports = parts(subset, "ports")
        for place, port in enumerate(ports):
            yield from _port_errors(port, f"{field}.ports[{place}]", named=len(ports) > 1)


def _address_errors(address: Object, field: str) -> Iterator[FieldError]:
    ip = address.get("ip", "")
    problems = names.ip(ip)
    yield from fe.every(f"{field}.ip", ip, problems)
    if address.get("hostname"):
        yield from fe.every(f"{field}.hostname", address["hostname"], names.dns_label(address["hostname"]))
    if "nodeName" in address:
        yield from fe.every(f"{field}.nodeName", address["nodeName"], names.dns_subdomain(address["nodeName"]))
    if not problems:
        yield from special_address_errors(f"{field}.ip", ip)


def special_address_errors(field: str, ip: str) -> Iterator[FieldError]:
    """Endpoints are not on the machine itself."""
    address = names.address(ip)
    if address is None:
        return
    if address.is_unspecified:
        yield fe.invalid(field, ip, f"may not be unspecified ({ip})")
    if address.is_loopback:
        yield fe.invalid(field, ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        yield fe.invalid(field, ip, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address.is_multicast and int(address.packed[-2 if address.version == 4 else 1]) == (
        0 if address.version == 4 else 2
    ):
        yield fe.invalid(field, ip, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")


def _port_errors(port: Object, field: str, *, named: bool) -> Iterator[FieldError]:
    name = port.get("name", "")
    if name:
        yield from fe.every(f"{field}.name", name, names.dns_label(name))
    elif named:
        yield fe.required(f"{field}.name")
    yield from fe.every(f"{field}.port", port.get("port", 0), names.port_number(port.get("port", 0)))
    yield from protocol_errors(f"{field}.protocol", port.get("protocol", ""))
    if "appProtocol" in port:
        yield from fe.every(f"{field}.appProtocol", port["appProtocol"], names.qualified(port["appProtocol"]))


def slice_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    kind = obj.get("addressType", "")
    if not kind:
        yield fe.required("addressType")
    elif kind not in _ADDRESS_TYPES:
        yield fe.not_supported("addressType", kind, _ADDRESS_TYPES)
    endpoints = parts(obj, "endpoints")
    if len(endpoints) > _MOST_ENDPOINTS:
        yield fe.too_many("endpoints", len(endpoints), _MOST_ENDPOINTS)
    else:
        for index, endpoint in enumerate(endpoints):
            yield from _endpoint_errors(endpoint, f"endpoints[{index}]", kind)
    ports = parts(obj, "ports")
    if len(ports) > _MOST_PORTS:
        yield fe.too_many("ports", len(ports), _MOST_PORTS)
    else:
        yield from _slice_port_errors(ports)
    if old is not None and kind != old.get("addressType"):
        yield fe.invalid("addressType", kind, "field is immutable")


def _endpoint_errors(endpoint: Object, field: str, kind: str) -> Iterator[FieldError]:
    addresses = parts(endpoint, "addresses")
    if not addresses:
        yield fe.required(f"{field}.addresses", "must contain at least 1 address")
    elif len(addresses) > _MOST_ADDRESSES:
        yield fe.too_many(f"{field}.addresses", len(addresses), _MOST_ADDRESSES)
    for index, address in enumerate(addresses):
        yield from _typed_address_errors(f"{field}.addresses[{index}]", address, kind)
    if "nodeName" in endpoint:
        yield from fe.every(f"{field}.nodeName", endpoint["nodeName"], names.dns_subdomain(endpoint["nodeName"]))
    yield from validate_labels(part(endpoint, "deprecatedTopology"), f"{field}.deprecatedTopology")
    if "hostname" in endpoint:
        yield from fe.every(f"{field}.hostname", endpoint["hostname"], names.dns_label(endpoint["hostname"]))
    zones = parts(endpoint, "hints", "forZones")
    if len(zones) > _MOST_ZONES:
        yield fe.too_many(f"{field}.hints.forZones", len(zones), _MOST_ZONES)


def _typed_address_errors(field: str, address: str, kind: str) -> Iterator[FieldError]:
    if kind == "FQDN":
        yield from fe.every(field, address, names.dns_subdomain(address))
    elif kind in ("IPv4", "IPv6"):
        found = names.address(address)
        if found is None or f"IPv{found.version}" != kind:
            yield fe.invalid(field, address, f"must be a valid {kind} address")
        else:
            yield from special_address_errors(field, address)


def _slice_port_errors(ports: list[Object]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        field, name = f"ports[{index}]", port.get("name", "")
        if name:
            yield from fe.every(f"{field}.name", name, names.dns_label(name))
        if name in seen:
            yield fe.duplicate(f"{field}.name", name)
        seen.add(name)
        if not port.get("protocol"):
            yield fe.required(f"{field}.protocol")
        elif port["protocol"] not in PROTOCOLS:
            yield fe.not_supported(f"{field}.protocol", port["protocol"], PROTOCOLS)
        if "port" in port:
            yield from fe.every(f"{field}.port", port["port"], names.port_number(port["port"]))
        if "appProtocol" in port:
            yield from fe.every(f"{field}.appProtocol", port["appProtocol"], names.qualified(port["appProtocol"]))
