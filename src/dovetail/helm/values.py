"""Merging values the way Helm merges `--set` over `-f`: maps by key, everything else replaced. Pure."""

from collections.abc import Mapping
from typing import Any, cast


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A new map in which `over` wins; neither argument is changed."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(cast("Mapping[str, Any]", below), cast("Mapping[str, Any]", value))
        else:
            result[key] = value
    return result


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path (`global.nodeSelector`), creating the maps on the way; a non-map on the way is replaced."""
    *parents, last = path.split(".")
    for name in parents:
        child = values.get(name)
        if not isinstance(child, dict):
            child = values[name] = {}
        values = cast("dict[str, Any]", child)
    values[last] = value
