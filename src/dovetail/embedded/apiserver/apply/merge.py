"""Merging a wish into an object, and taking out fields that nobody wishes any more. Pure: arguments are not changed."""

from __future__ import annotations

from typing import Any, cast

from ..schema import node as n
from ..schema.node import Node
from .comparison import child_of, element, granular
from .fields import FieldSet, is_member

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
    if wish is None and live and granular(node, live):
        return cast("Any", live)  # null says nothing about a container with parts of others
    return cast("Any", wish)


def _merge_list(node: Node, live: list[Any], wish: list[Any]) -> list[Any]:
    """Shared items in the wish's order; items only in ``live`` stay where they are, relative to the shared ones."""
    wished = {element(node, item): item for item in wish}
    present = [(element(node, item), item) for item in live]
    once: Json = {}
    for key, item in present:
        once[key] = None if key in once else item  # duplicates are not merged, but replaced
    shared = [key for key in wished if key in once]  # what both have, in the wish's order
    wanted, result, taken = list(wished), list[Any](), set[str]()
    left = right = 0
    while left < len(present) or right < len(wanted):
        if left < len(present):
            key, item = present[left]
            both = right < len(wanted)
            if key not in wished:
                result.append(item)
                left += 1
                continue
            if both and key != wanted[right] and shared and shared[0] != key:
                left += 1  # comes later, in the wish's order
                continue
            if key in taken or (both and key == wanted[right]):
                left += 1
        if right < len(wanted):
            key = wanted[right]
            old = once.get(key)
            result.append(wished[key] if old is None else merge(node.item, old, wished[key]))
            taken.add(key)
            right += 1
            if shared and shared[0] == key:
                del shared[0]
    return result


def remove(node: Node, value: Any, gone: FieldSet) -> Any:
    """``value`` without the members of ``gone``. A container that is no member stays, though it may be empty."""
    if isinstance(value, dict) and granular(node, value):
        result: Json = {}
        for key, item in cast("Json", value).items():
            entry = gone.get("f:" + key)
            if entry is None:
                result[key] = item
            elif not is_member(entry):
                result[key] = remove(child_of(node, key), item, entry)
        return result
    if isinstance(value, list) and node.kind == n.LIST and granular(node, value):
        return _remove_items(node, cast("list[Any]", value), gone)
    return cast("Any", value)


def _remove_items(node: Node, value: list[Any], gone: FieldSet) -> list[Any]:
    kept: list[Any] = []
    for item in value:
        entry = gone.get(element(node, item))
        if entry is None:
            kept.append(item)
        elif not is_member(entry):
            kept.append(remove(node.item, item, entry))
    return kept
