"""Events live in two groups with two shapes: core/v1 (how they are stored) and events.k8s.io/v1. Pure."""

from __future__ import annotations

from typing import Any

import orjson

Object = dict[str, Any]

_NEW_TO_CORE = {
    "regarding": "involvedObject", "note": "message", "reportingController": "reportingComponent",
    "deprecatedSource": "source", "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp", "deprecatedCount": "count",
}  # fmt: skip
_CORE_TO_NEW = {core: new for new, core in _NEW_TO_CORE.items()}


def to_core(obj: Object) -> Object:
    """An event of either shape as core/v1."""
    return {_NEW_TO_CORE.get(name, name): value for name, value in obj.items()}


def to_version(group: str, value: bytes) -> bytes:
    """A stored event as ``group`` shows it."""
    if group != "events.k8s.io":
        return value
    return orjson.dumps({_CORE_TO_NEW.get(name, name): field for name, field in orjson.loads(value).items()})
