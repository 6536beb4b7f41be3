"""Network policies. Pure. Source: Kubernetes ``ValidateNetworkPolicySpec``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names
from .metadata import validate_selector
from .service_rules import PROTOCOLS, port_or_name_errors

Object = dict[str, Any]

_TYPES = ("Egress", "Ingress")


def policy_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    spec = part(obj, "spec")
    yield from validate_selector(part(spec, "podSelector"), "spec.podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(parts(spec, direction)):
            field = f"spec.{direction}[{index}]"
            for place, port in enumerate(parts(rule, "ports")):
                yield from _port_errors(port, f"{field}.ports[{place}]")
            for place, peer in enumerate(parts(rule, peers)):
                yield from _peer_errors(peer, f"{field}.{peers}[{place}]")
    kinds = parts(spec, "policyTypes")
    if len(kinds) > 2:
        yield fe.invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")
        return
    for index, kind in enumerate(kinds):
        if kind not in _TYPES:
            yield fe.not_supported(f"spec.policyTypes[{index}]", kind, _TYPES)


def _port_errors(port: Object, field: str) -> Iterator[FieldError]:
    protocol = port.get("protocol")
    if protocol is not None and protocol not in PROTOCOLS:
        yield fe.not_supported(f"{field}.protocol", protocol, PROTOCOLS)
    number, last = port.get("port"), port.get("endPort")
    if number is None:
        if last is not None:
            yield fe.required(f"{field}.port", "must be specified when `endPort` is specified")
        return
    yield from port_or_name_errors(f"{field}.port", number)
    if last is not None:
        if isinstance(number, str):
            yield fe.invalid(f"{field}.endPort", last, "may not be specified when `port` is non-numeric")
        elif last < number:
            yield fe.invalid(f"{field}.endPort", last, "must be greater than or equal to `port`")
        yield from fe.every(f"{field}.endPort", last, names.port_number(last))


def _peer_errors(peer: Object, field: str) -> Iterator[FieldError]:
    for name in ("podSelector", "namespaceSelector"):
        if name in peer:
            yield from validate_selector(peer[name], f"{field}.{name}")
    if "ipBlock" in peer:
        yield from _block_errors(part(peer, "ipBlock"), f"{field}.ipBlock")
        if len(peer) > 1:
            yield fe.forbidden(field, "may not specify both ipBlock and another peer")
    elif not peer:
        yield fe.required(field, "must specify a peer")


def _block_errors(block: Object, field: str) -> Iterator[FieldError]:
    text = block.get("cidr", "")
    if not text:
        yield fe.required(f"{field}.cidr")
        return
    problems = names.cidr(text)
    yield from fe.every(f"{field}.cidr", text, problems)
    if problems:
        return
    network = ipaddress.ip_network(text, strict=False)
    for index, excepted in enumerate(parts(block, "except")):
        where = f"{field}.except[{index}]"
        wrong = names.cidr(excepted)
        yield from fe.every(where, excepted, wrong)
        if not wrong and not _within(ipaddress.ip_network(excepted, strict=False), network):
            yield fe.invalid(where, excepted, "must be a strict subset of `cidr`")


def _within(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and inner != outer and inner.subnet_of(outer)
