"""Which fields a value has, and which differ between two values: sets of fields along a shape. Pure.

The rules are those of structured-merge-diff, on which kube-apiserver is built. A scalar, an atomic value and an empty
container are one field. Maps and keyed lists are granular: each part is a field of its own, and so is each item of a
list and each entry of a map. A granular container that appears or goes with its content is a field, too, which is why
``"."`` stands in the managedFields of updates; an apply does not own the containers that the schema names.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..schema import node as n
from ..schema.node import ANY_NODE, Node
from .fields import FieldSet, is_member, member

MISSING: Any = object()
_MAPS = (n.STRUCT, n.MAP, n.ANY, n.FREE)


def element(node: Node, item: Any) -> str:
    """The path element of an item of a granular list: by key or by value."""
    if node.list_type == "map" and isinstance(item, dict):
        fields = cast("dict[str, Any]", item)
        keys = {k: fields.get(k, node.key_defaults.get(k)) for k in node.keys}
        present = {key: value for key, value in keys.items() if value is not None}
        return "k:" + orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()
    return "v:" + orjson.dumps(item, option=orjson.OPT_SORT_KEYS).decode()


def granular(node: Node, value: Any) -> bool:
    """Whether the parts of this value are owned one by one; otherwise the value is owned as a whole."""
    if isinstance(value, dict):
        return not node.atomic and node.kind in _MAPS
    return isinstance(value, list) and node.kind == n.LIST and node.list_type in ("map", "set")


def child_of(node: Node, name: str) -> Node:
    """The node of a field; below unknown structure everything is granular maps and atomic lists."""
    return node.child(name) if node.kind in (n.STRUCT, n.MAP) else ANY_NODE


def below(node: Node, key: str) -> Node:
    """The node of a path element."""
    return child_of(node, key[2:]) if key[:2] == "f:" else node.item


def declares(node: Node, name: str) -> bool:
    """Whether the schema names the field; the entries of maps have no names there."""
    return node.kind == n.STRUCT and name in node.fields


def field_set(node: Node, value: Any) -> FieldSet:
    """The fields that somebody who states this granular value owns."""
    result: FieldSet = {}
    if isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            child = child_of(node, key)
            inside = field_set(child, item) if granular(child, item) else {}
            leaf = not isinstance(item, list) or not granular(child, item)
            if not declares(node, key) or (not inside and leaf):
                result["f:" + key] = member(inside)
            elif inside:
                result["f:" + key] = inside
        return result
    for item in cast("list[Any]", value):
        inside = field_set(node.item, item) if granular(node.item, item) else {}
        result[element(node, item)] = member(inside)
    return result


def with_named(node: Node, members: FieldSet) -> FieldSet:
    """The set with every container that the schema names and that has members, as a member."""
    result: FieldSet = {}
    for key, entry in members.items():
        if key == ".":
            continue
        inside = with_named(below(node, key), entry)
        named = bool(inside) and key[:2] == "f:" and declares(node, key[2:])
        result[key] = member(inside) if named or is_member(entry) else inside
    return result


def compare(node: Node, old: Any, new: Any) -> tuple[FieldSet, FieldSet]:
    """(fields of ``new`` that are added or modified, fields that are gone from ``old``); both are whole objects."""
    changed, removed = _compare(node, old, new)
    return changed or {}, removed or {}


_Entries = tuple[FieldSet | None, FieldSet | None]


def _compare(node: Node, old: Any, new: Any) -> _Entries:
    if old is new or (old == new and old.__class__ is new.__class__):
        return None, None
    here = old if new is MISSING or new is None else new
    if not granular(node, here) or (_is_empty(old) and _is_empty(new)):
        return _leaf(new)
    if not (_is_empty(old) or _is_empty(new)) and old.__class__ is not new.__class__:
        return {}, field_set(node, old) if granular(node, old) else None
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key, child, before, after in _pairs(node, old, new):
        more, less = before if after is _COMPARED else _compare(child, before, after)
        if more is not None:
            changed[key] = more
        if less is not None:
            removed[key] = less
    if old is MISSING:
        return member(changed), removed or None
    if new is MISSING:
        return changed or None, member(removed)
    return changed or None, removed or None


def _is_empty(value: Any) -> bool:
    return value is MISSING or value is None or value == {} or value == []


def _leaf(new: Any) -> _Entries:
    return (None, {}) if new is MISSING else ({}, None)


_COMPARED: Any = object()
_Pair = tuple[str, Node, Any, Any]


def _pairs(node: Node, old: Any, new: Any) -> list[_Pair]:
    if isinstance(old, dict) or isinstance(new, dict):
        before = cast("dict[str, Any]", old) if isinstance(old, dict) else {}
        after = cast("dict[str, Any]", new) if isinstance(new, dict) else {}
        keys = dict.fromkeys([*before, *after])
        return [("f:" + k, child_of(node, k), before.get(k, MISSING), after.get(k, MISSING)) for k in keys]
    left, right = _items(node, old), _items(node, new)
    return [_item_pair(node, key, left.get(key, []), right.get(key, [])) for key in dict.fromkeys([*left, *right])]


def _items(node: Node, value: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in cast("list[Any]", value) if isinstance(value, list) else []:
        found.setdefault(element(node, item), []).append(item)
    return found


def _item_pair(node: Node, key: str, old: list[Any], new: list[Any]) -> _Pair:
    """Items of one identity. Duplicates are one field: they are compared as a whole."""
    if len(old) <= 1 and len(new) <= 1:
        return key, node.item, old[0] if old else MISSING, new[0] if new else MISSING
    if len(old) >= 2 and len(new) >= 2:
        return key, node.item, ({} if old != new else None, None), _COMPARED
    if len(old) >= 2:
        more = _compare(node.item, MISSING, new[0])[0] if new else None
        return key, node.item, (more, {}), _COMPARED
    less = _compare(node.item, old[0], MISSING)[1] if old else None
    return key, node.item, ({}, less), _COMPARED
