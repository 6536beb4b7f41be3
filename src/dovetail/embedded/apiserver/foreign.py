"""Reading foreign JSON objects without assuming their form: what is missing or of another type reads as empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast


def part(obj: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """The object below ``path``; a new empty one where there is none."""
    value: Any = obj
    for name in path:
        value = cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def parts(obj: Mapping[str, Any], *path: str) -> list[Any]:
    """The list below ``path``; a new empty one where there is none."""
    value = part(obj, *path[:-1]).get(path[-1])
    return cast("list[Any]", value) if isinstance(value, list) else []


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a foreign value is an object (for the type checker: of anything)."""
    return isinstance(value, dict)
