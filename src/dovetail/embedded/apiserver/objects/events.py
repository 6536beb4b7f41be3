"""Events live in two groups with two shapes: core/v1 (how they are stored) and events.k8s.io/v1. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ..schema.builtin import definitions
from ..schema.conform import conform

Object = dict[str, Any]

_NEW_TO_CORE = {
    "regarding": "involvedObject", "note": "message", "reportingController": "reportingComponent",
    "deprecatedSource": "source", "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp", "deprecatedCount": "count",
}  # fmt: skip
_CORE_TO_NEW = {core: new for new, core in _NEW_TO_CORE.items()}


def to_core(obj: Object) -> Object:
    """An event of either shape as core/v1 writes it."""
    return conform(definitions().kind_node("", "v1", "Event"), core_names(obj), [])


def core_names(obj: Mapping[str, Any]) -> Object:
    """An event of either shape with the field names of core/v1."""
    return {_NEW_TO_CORE.get(name, name): value for name, value in obj.items()}


def to_version(group: str, value: bytes) -> bytes:
    """A stored event as ``group`` shows it."""
    if group != "events.k8s.io":
        return value
    renamed = {_CORE_TO_NEW.get(name, name): field for name, field in orjson.loads(value).items()}
    return orjson.dumps(conform(definitions().kind_node(group, "v1", "Event"), renamed, []))
