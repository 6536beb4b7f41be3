"""The cells from which the columns of built-in kinds are made: a value at a path, a count, a selector as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..foreign import part, parts
from .tables import Column

Object = Mapping[str, Any]


def at(obj: Any, path: str, default: Any = None) -> Any:
    for name in path.split("."):
        if not isinstance(obj, Mapping) or name not in obj:
            return default
        obj = cast("Object", obj)[name]
    return obj


def text(title: str, path: str, default: str = "", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: str(at(obj, path, default) or default), priority=priority)


def number(title: str, path: str, priority: int = 0) -> Column:
    return Column(title, lambda obj, _: at(obj, path, 0) or 0, type="integer", priority=priority)


def computed(title: str, cell: Callable[[Object], Any], kind: str = "string", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: cell(obj), type=kind, priority=priority)


def keys(*paths: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(part(obj, *path.split("."))) for path in paths)


def selector(path: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        stated = part(obj, *path.split("."))
        labels = part(stated, "matchLabels") if "matchLabels" in stated or "matchExpressions" in stated else stated
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"

    return cell


def templates(path: str, field: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(str(c.get(field, "")) for c in parts(obj, *path.split("."))) or "<none>"


def condition(obj: Object, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in parts(obj, "status", "conditions"))
