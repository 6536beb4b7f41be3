"""Pruning and defaulting of custom resources, in place, along their shape.

The rules are those of apiextensions-apiserver: a field that the schema does not name goes, unless
``x-kubernetes-preserve-unknown-fields``; a missing field with a default gets a copy of it; a null where null is not
allowed counts as missing.
"""

from __future__ import annotations

import copy
from typing import Any, cast

from . import node as n
from .node import NO_DEFAULT, Node

_EMBEDDED = ("apiVersion", "kind", "metadata")


def prune(node: Node, value: Any, path: str, unknown: list[str]) -> None:
    """Drop what the shape does not know; its paths are added to ``unknown``."""
    if node.kind == n.STRUCT and isinstance(value, dict):
        _prune_struct(node, cast("dict[str, Any]", value), path, unknown)
    elif node.kind == n.MAP and isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            prune(node.item, item, f"{path}.{key}", unknown)
    elif node.kind == n.LIST and isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            prune(node.item, item, f"{path}[{index}]", unknown)


def _prune_struct(node: Node, value: dict[str, Any], path: str, unknown: list[str]) -> None:
    prefix = f"{path}." if path else ""
    for name in list(value):
        child = node.fields.get(name)
        if child is not None:
            if not (node.embedded and name in _EMBEDDED):
                prune(child, value[name], prefix + name, unknown)
        elif not node.preserve:
            unknown.append(prefix + name)
            del value[name]


def default(node: Node, value: Any) -> None:
    """Fill in defaults, outer before inner, so that a default's own fields are defaulted too."""
    if node.kind == n.STRUCT and isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for name, child in node.fields.items():
            missing = name not in fields or (fields[name] is None and not child.nullable)
            if missing and child.default is not NO_DEFAULT:
                fields[name] = copy.deepcopy(child.default)
            if name in fields:
                default(child, fields[name])
    elif node.kind == n.MAP and isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            default(node.item, item)
    elif node.kind == n.LIST and isinstance(value, list):
        for item in cast("list[Any]", value):
            default(node.item, item)


def drop_nulls(node: Node, value: Any) -> None:
    """Remove null fields that may not be null and have no default."""
    if node.kind in (n.STRUCT, n.MAP) and isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for name in list(fields):
            child = node.fields.get(name) if node.kind == n.STRUCT else node.item
            if child is None:
                continue
            if fields[name] is None and not child.nullable and child.kind != n.ANY:
                del fields[name]
            else:
                drop_nulls(child, fields[name])
    elif node.kind == n.LIST and isinstance(value, list):
        for item in cast("list[Any]", value):
            drop_nulls(node.item, item)
