"""Sets of fields in the form of ``FieldsV1``, and the algebra on them. Pure.

A set is a trie of path elements (``f:name``, ``k:{"name":"x"}``, ``v:"value"``). An element that is a member itself
and has no members below it is ``{}``; one with members below it that is also a member has the entry ``"."``. So a set
is exactly what
``managedFields[].fieldsV1`` holds, and needs no conversion.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..schema import node as n
from ..schema.node import ANY_NODE, Node

FieldSet = dict[str, Any]
_HERE = "."


def is_member(entry: FieldSet) -> bool:
    return not entry or _HERE in entry


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return left or right
    result = dict(left)
    for key, entry in right.items():
        result[key] = _join(result[key], entry) if key in result else entry
    return result


def _join(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left and not right:
        return {}
    merged = union({k: v for k, v in left.items() if k != _HERE}, {k: v for k, v in right.items() if k != _HERE})
    return {_HERE: {}, **merged} if is_member(left) or is_member(right) else merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of ``left`` that are not members of ``right``."""
    result: FieldSet = {}
    for key, entry in left.items():
        if key == _HERE:
            continue
        if key not in right:
            result[key] = entry
            continue
        _keep(result, key, is_member(entry) and not is_member(right[key]), difference(entry, right[key]))
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for key, entry in left.items():
        if key in right and key != _HERE:
            both = is_member(entry) and is_member(right[key])
            _keep(result, key, both, intersection(entry, right[key]))
    return result


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """``left`` without the members of ``right`` and everything below them (RecursiveDifference)."""
    result: FieldSet = {}
    for key, entry in left.items():
        if key == _HERE:
            continue
        if key not in right:
            result[key] = entry
        elif not is_member(right[key]):
            _keep(result, key, is_member(entry), without(entry, right[key]))
    return result


def _keep(result: FieldSet, key: str, member: bool, below: FieldSet) -> None:
    if member:
        result[key] = {_HERE: {}, **below} if below else {}
    elif below:
        result[key] = below


def element(node: Node, item: Any, index: int) -> str:
    """The path element of a list item: by key, by value or by index."""
    if node.list_type == "map" and isinstance(item, dict):
        fields = cast("dict[str, Any]", item)
        keys = {k: fields.get(k, node.key_defaults.get(k)) for k in node.keys}
        present = {key: value for key, value in keys.items() if value is not None}
        return "k:" + orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()
    if node.list_type == "set":
        return "v:" + orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()
    return f"i:{index}"


def granular(node: Node, value: Any) -> bool:
    """Whether the parts of this value are owned one by one; otherwise the value is owned as a whole."""
    if isinstance(value, dict):
        return not node.atomic
    return isinstance(value, list) and node.kind == n.LIST and node.list_type in ("map", "set")


def child_of(node: Node, name: str) -> Node:
    """The node of a field; below unknown structure everything is granular maps (a deduced schema)."""
    return node.child(name) if node.kind in (n.STRUCT, n.MAP) else ANY_NODE


def parts(node: Node, value: Any) -> list[tuple[str, Node, Any]]:
    """(path element, node, value) of each part of a granular value."""
    if isinstance(value, dict):
        return [("f:" + key, child_of(node, key), item) for key, item in cast("dict[str, Any]", value).items()]
    items = cast("list[Any]", value)
    return [(element(node, item, index), node.item, item) for index, item in enumerate(items)]


def field_set(node: Node, value: Any) -> FieldSet:
    """The fields that a value has: leaves, atomic values, empty containers, and items of keyed lists."""
    result: FieldSet = {}
    for key, child, item in parts(node, value):
        below = field_set(child, item) if granular(child, item) else {}
        result[key] = {_HERE: {}, **below} if below and key[0] == "k" else below
    return result


def compare(node: Node, old: Any, new: Any) -> tuple[FieldSet, FieldSet]:
    """(fields of ``new`` that are added or modified, fields that are gone from ``old``)."""
    before = {key: (child, item) for key, child, item in parts(node, old)}
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key, child, item in parts(node, new):
        if key not in before:
            below = field_set(child, item) if granular(child, item) else {}
            changed[key] = {_HERE: {}, **below} if below and key[0] == "k" else below
            continue
        _, was = before.pop(key)
        if was == item and type(was) is type(item):
            continue
        if not (granular(child, was) and granular(child, item)):
            changed[key] = {}
            continue
        more, less = compare(child, was, item)
        if more:
            changed[key] = more
        elif not item and was:
            changed[key] = {}
        if less:
            removed[key] = less
    for key, (child, was) in before.items():
        below = field_set(child, was) if granular(child, was) else {}
        removed[key] = {_HERE: {}, **below}
    return changed, removed
