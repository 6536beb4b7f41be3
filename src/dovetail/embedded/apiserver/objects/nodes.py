"""Nodes, leases and runtime classes. Pure. Source: ``ValidateNode``, ``pkg/apis/{coordination,node}/validation``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..quantities import value as number
from . import names
from .metadata import validate_labels

Object = dict[str, Any]

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_CIDR_TEXT = 'node updates may not change podCIDR except from "" to valid'


def node_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    if old is None:
        yield from _taint_errors(parts(spec, "taints"))
    for name in ("capacity", "allocatable"):
        for resource, quantity in part(obj, "status", name).items():
            if number(quantity) < 0:
                yield fe.invalid(f"status.{name}.{resource}", quantity, "must be greater than or equal to 0")
    if old is None:
        yield from _range_errors(parts(spec, "podCIDRs"))
        return
    yield from _changes(obj, spec, part(old, "spec"))


def _changes(obj: Object, spec: Object, before: Object) -> Iterator[FieldError]:
    addresses = parts(obj, "status", "addresses")
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            yield fe.duplicate(f"status.addresses[{index}]", address)
    now, then = parts(spec, "podCIDRs"), parts(before, "podCIDRs")
    if then and len(now) != len(then):
        yield fe.forbidden("spec.podCIDRs", _CIDR_TEXT)
    elif then:
        yield from (fe.forbidden("spec.podCIDRs", _CIDR_TEXT) for a, b in zip(now, then, strict=True) if a != b)
    if before.get("providerID") and before["providerID"] != spec.get("providerID"):
        yield fe.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')
    yield from _taint_errors(parts(spec, "taints"))
    if spec.get("externalID", "") != before.get("externalID", ""):
        yield fe.forbidden("spec.externalID", "may not be updated")


def _taint_errors(taints: list[Object]) -> Iterator[FieldError]:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        field = f"metadata.taints[{index}]"  # so in Kubernetes, too
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        yield from fe.every(f"{field}.key", key, names.qualified(key))
        if problems := names.label_value(value):
            yield fe.invalid(f"{field}.value", value, ";".join(problems))
        if effect not in _EFFECTS:
            yield fe.not_supported(f"{field}.effect", effect, _EFFECTS) if effect else fe.required(f"{field}.effect")
        if (key, effect) in seen:
            error = fe.duplicate(field, taint)
            text = "taints must be unique by key and effect pair"
            yield FieldError(error.type, error.title, error.field, error.shown, text)
        seen.add((key, effect))


def _range_errors(ranges: list[str]) -> Iterator[FieldError]:
    for index, text in enumerate(ranges):
        yield from fe.every(f"spec.podCIDRs[{index}]", text, names.cidr(text))
    if len(ranges) > 2 or len({":" in text for text in ranges}) < len(ranges):
        yield fe.invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family")


def lease_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    spec = part(obj, "spec")
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield fe.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        text = "must be greater than or equal to 0"
        yield fe.invalid("spec.leaseTransitions", spec["leaseTransitions"], text)
    if "holderIdentity" in spec and not spec["holderIdentity"]:
        return
    if spec.get("preferredHolder") and "strategy" not in spec:
        yield fe.forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


def runtime_class_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    handler = obj.get("handler", "")
    yield from fe.every("handler", handler, names.dns_label(handler))
    for resource, quantity in part(obj, "overhead", "podFixed").items():
        if number(quantity) < 0:
            yield fe.invalid(f"overhead.podFixed.{resource}", quantity, "must be greater than or equal to 0")
    yield from validate_labels(part(obj, "scheduling", "nodeSelector"), "scheduling.nodeSelector")
    if old is not None and handler != old.get("handler"):
        yield fe.invalid("handler", handler, "field is immutable")
