"""In which order the items of a merged list stand (strategic merge patch). Pure.

Three orders meet: the one that the patch states (``$setElementOrder``, or its own list), and the one of the object.
Items that the patch names follow the patch; items that only the object has keep their order among themselves, and each
goes in front of the first named item that it stood in front of.
"""

from __future__ import annotations

from typing import Any, cast

from ..gotext import plain
from .rejected import PatchFailed


def identity(item: Any, key: str) -> Any:
    """By what an item is found; raises PatchFailed for a keyed item without its key."""
    if not key:
        return item
    if not isinstance(item, dict) or key not in item:
        raise PatchFailed(f"map: {plain(item)} does not contain declared merge key: {key}")
    return cast("dict[str, Any]", item)[key]


def _ranks(order: list[Any], key: str) -> dict[Any, int]:
    ranks: dict[Any, int] = {}
    for place, item in enumerate(order):
        ranks.setdefault(identity(item, key), place)
    return ranks


def in_order(merged: list[Any], order: list[Any], original: list[Any], key: str) -> list[Any]:
    """``merged`` in the order of the patch, then of the object."""
    stated, before = _ranks(order, key), _ranks(original, key)
    named = sorted((i for i in merged if identity(i, key) in stated), key=lambda i: stated[identity(i, key)])
    others = [item for item in merged if identity(item, key) not in stated]
    others.sort(key=lambda item: before.get(identity(item, key), len(before)))
    result: list[Any] = []
    for item in named:
        place = before.get(identity(item, key))
        while others and place is not None and before.get(identity(others[0], key), place) < place:
            result.append(others.pop(0))
        result.append(item)
    return result + others


def check_order(patch: Any, order: Any, key: str) -> None:
    """The patch's items must stand in the stated order, and be part of it. Raises PatchFailed."""
    stated = [identity(item, key) for item in order]
    place = 0
    for item in patch:
        if not stated or (isinstance(item, dict) and "$patch" in item):
            continue
        wanted = identity(item, key)
        while place < len(stated) and stated[place] != wanted:
            place += 1
        if place == len(stated):
            text = f"The order in patch list:\n{plain(patch)}\n doesn't match $setElementOrder list:\n{plain(order)}\n"
            raise PatchFailed(text)
        place += 1


def without(items: list[Any], gone: list[Any]) -> list[Any]:
    return [item for item in items if item not in gone]
