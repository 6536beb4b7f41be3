"""What must hold of an object beyond its fields' values: unique items of sets and maps, whole embedded resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from . import node as n
from .node import Node


def list_problems(node: Node, value: Any, path: str) -> Iterator[FieldError]:
    """Duplicates in lists of type set (equal items) and map (equal keys; a missing key counts as its default)."""
    if node.kind in (n.STRUCT, n.MAP) and isinstance(value, dict):
        prefix = f"{path}." if path else ""
        for name, item in cast("dict[str, Any]", value).items():
            child = node.fields.get(name) if node.kind == n.STRUCT else node.item
            if child is not None and child.kind in (n.STRUCT, n.MAP, n.LIST):
                yield from list_problems(child, item, f"{path}[{name}]" if node.kind == n.MAP else prefix + name)
    elif node.kind == n.LIST and isinstance(value, list):
        items = cast("list[Any]", value)
        if node.list_type in ("set", "map"):
            yield from _duplicates(node, items, path)
        if node.item.kind in (n.STRUCT, n.MAP, n.LIST):
            for index, item in enumerate(items):
                yield from list_problems(node.item, item, f"{path}[{index}]")


def _duplicates(node: Node, items: list[Any], path: str) -> Iterator[FieldError]:
    seen: set[bytes] = set()
    reported: set[bytes] = set()
    for index, item in enumerate(items):
        known = _identity(node, item)
        key = orjson.dumps(known, option=orjson.OPT_SORT_KEYS)
        if key in seen and key not in reported:
            reported.add(key)
            yield fe.duplicate(f"{path}[{index}]", known)
        seen.add(key)


def _identity(node: Node, item: Any) -> Any:
    if node.list_type != "map" or not isinstance(item, dict):
        return item
    fields = cast("dict[str, Any]", item)
    found = {key: fields.get(key, node.key_defaults.get(key)) for key in node.keys}
    return {key: value for key, value in found.items() if value is not None}


def embedded_problems(node: Node, value: Any, path: str) -> Iterator[FieldError]:
    """Embedded resources name their kind and have valid metadata."""
    if not _holds_embedded(node):
        return
    if node.kind in (n.STRUCT, n.MAP) and isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if node.embedded:
            yield from _whole(fields, path)
        prefix = f"{path}." if path else ""
        for name, item in fields.items():
            child = node.fields.get(name) if node.kind == n.STRUCT else node.item
            if child is not None:
                yield from embedded_problems(child, item, f"{path}[{name}]" if node.kind == n.MAP else prefix + name)
    elif node.kind == n.LIST and isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from embedded_problems(node.item, item, f"{path}[{index}]")


def _holds_embedded(node: Node, depth: int = 0) -> bool:
    if node.embedded:
        return True
    below = [*node.fields.values(), *([node.items] if node.items is not None else [])]
    return depth < 64 and any(_holds_embedded(child, depth + 1) for child in below if child.kind in _CONTAINERS)


_CONTAINERS = (n.STRUCT, n.MAP, n.LIST)


def _whole(fields: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in ("apiVersion", "kind"):
        if not fields.get(name):
            yield fe.required(f"{path}.{name}", "must not be empty")
