"""Merging a wish into an object, and taking out fields that nobody wishes any more. Pure: arguments are not changed."""

from __future__ import annotations

from typing import Any, cast

from ..schema import node as n
from ..schema.node import Node
from .fields import FieldSet, child_of, element, granular, is_member

Json = dict[str, Any]


def merge(node: Node, live: Any, wish: Any) -> Any:
    """``live`` with what ``wish`` says: maps and keyed lists merge, everything else is replaced."""
    if isinstance(wish, dict) and isinstance(live, dict) and granular(node, wish):
        result = dict(cast("Json", live))
        for key, value in cast("Json", wish).items():
            result[key] = merge(child_of(node, key), result[key], value) if key in result else value
        return result
    if isinstance(wish, list) and isinstance(live, list) and granular(node, wish):
        return _merge_list(node, cast("list[Any]", live), cast("list[Any]", wish))
    return cast("Any", wish)


def _merge_list(node: Node, live: list[Any], wish: list[Any]) -> list[Any]:
    """Shared items in the wish's order; items only in ``live`` stay behind the shared item that they followed."""
    wished = {element(node, item, index): item for index, item in enumerate(wish)}
    present = {element(node, item, index): item for index, item in enumerate(live)}
    result: list[Any] = []
    pending = list(present)
    for key, item in wished.items():
        while pending and pending[0] not in wished:
            result.append(present[pending.pop(0)])
        if key in present:
            pending.remove(key)
            result.append(merge(node.item, present[key], item))
        else:
            result.append(item)
    return result + [present[key] for key in pending if key not in wished]


def remove(node: Node, value: Any, gone: FieldSet) -> Any:
    """``value`` without the members of ``gone``. A container that loses its last part stays, empty."""
    if isinstance(value, dict):
        result: Json = {}
        for key, item in cast("Json", value).items():
            entry = gone.get("f:" + key)
            if entry is None:
                result[key] = item
            elif not is_member(entry) or _survives(entry, item, child_of(node, key)):
                result[key] = remove(child_of(node, key), item, entry)
        return result
    if isinstance(value, list) and node.kind == n.LIST:
        return _remove_items(node, cast("list[Any]", value), gone)
    return cast("Any", value)


def _survives(entry: FieldSet, value: Any, node: Node) -> bool:
    """Whether a removed member keeps parts that were not removed with it."""
    if not granular(node, value) or not value or not entry:
        return False
    return bool(remove(node, value, entry))


def _remove_items(node: Node, value: list[Any], gone: FieldSet) -> list[Any]:
    kept: list[Any] = []
    for index, item in enumerate(value):
        entry = gone.get(element(node, item, index))
        if entry is None:
            kept.append(item)
        elif not is_member(entry):
            kept.append(remove(node.item, item, entry))
    return kept
