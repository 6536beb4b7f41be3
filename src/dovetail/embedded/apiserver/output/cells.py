"""The cells from which the columns of built-in kinds are made: a value at a path, a count, a selector as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from ..foreign import part, parts
from .tables import Column, since

Object = Mapping[str, Any]

SHOWN = 3  # endpoints, ports and hosts beyond the third are counted


def at(obj: Any, path: str, default: Any = None) -> Any:
    for name in path.split("."):
        if not isinstance(obj, Mapping) or name not in obj:
            return default
        obj = cast("Object", obj)[name]
    return obj


def text(title: str, path: str, default: str = "", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: str(at(obj, path, default) or default), priority=priority)


def number(title: str, path: str, kind: str = "integer") -> Column:
    return Column(title, lambda obj, _: at(obj, path, 0) or 0, type=kind)


def flag(title: str, path: str) -> Column:
    return Column(title, lambda obj, _: bool(at(obj, path, False)), type="boolean")


def computed(title: str, cell: Callable[[Object], Any], kind: str = "string", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: cell(obj), type=kind, priority=priority)


def elapsed(title: str, path: str, default: str) -> Column:
    """Time since the moment at ``path``."""
    return Column(title, lambda obj, now: since(at(obj, path), now) if at(obj, path) else default)


def keys(*paths: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(part(obj, *path.split("."))) for path in paths)


def labels(path: str) -> Callable[[Object], str]:
    """A map of labels."""
    return lambda obj: formatted(part(obj, *path.split(".")))


def formatted(found: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(found.items())) or "<none>"


def selector(path: str) -> Callable[[Object], str]:
    """A label selector with its expressions."""

    def cell(obj: Object) -> str:
        stated = part(obj, *path.split("."))
        terms = [(key, f"{key}={value}") for key, value in part(stated, "matchLabels").items()]
        terms += [(str(item.get("key")), _expression(item)) for item in parts(stated, "matchExpressions")]
        return ",".join(term for _, term in sorted(terms)) or "<none>"

    return cell


def _expression(item: Object) -> str:
    key, operator = item.get("key"), item.get("operator")
    if operator in ("Exists", "DoesNotExist"):
        return f"{key}" if operator == "Exists" else f"!{key}"
    return f"{key} {str(operator).lower()} ({','.join(sorted(parts(item, 'values')))})"


def templates(path: str, field: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(str(c.get(field, "")) for c in parts(obj, *path.split(".")))


def condition(obj: Object, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in parts(obj, "status", "conditions"))


def first_few(found: Iterable[str], shown: int = SHOWN) -> str:
    """``a,b,c + 2 more...``"""
    listed = list(found)
    more = f" + {len(listed) - shown} more..." if len(listed) > shown else ""
    return ",".join(listed[:shown]) + more
