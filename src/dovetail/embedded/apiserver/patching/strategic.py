"""Strategic merge patch: a merge patch that knows which lists are keyed. Pure: neither argument is changed.

Source of the rules: apimachinery ``strategicpatch`` and the "strategic merge patch" page of the Kubernetes
contributors' docs. The shape (``schema.builtin``) says, per field, the strategy (merge, replace, retainKeys) and the
merge key. Directives in the patch: ``$patch: delete|replace|merge``, ``$retainKeys``,
``$deleteFromPrimitiveList/<field>``, ``$setElementOrder/<field>``. Custom resources have no strategies; kube-apiserver
refuses this format for them, and so does the caller.

Order of a merged list (``ordering``): the items of the patch in the patch's order, those that only the object has
between them by where they stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..gotext import plain
from ..schema.node import Node
from .ordering import check_order, in_order, without
from .rejected import PatchFailed, PatchMalformed

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_DELETE_PRIMITIVES, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"

Json = dict[str, Any]


def apply_strategic_patch(original: Mapping[str, Any], patch: Any, node: Node) -> Json:
    """The patched object. Raises PatchMalformed, PatchFailed."""
    if not isinstance(patch, dict):
        raise PatchMalformed("json: cannot unmarshal array into Go value of type map[string]interface {}")
    return _merge_map(dict(original), cast("Json", patch), node)


def _merge_map(original: Json, patch: Json, node: Node) -> Json:
    if _DIRECTIVE in patch:
        return _directed(patch)
    result = dict(original)
    _retain(result, patch)
    ordered = _merge_ordered(result, patch, node)
    for key, value in patch.items():
        if key == _RETAIN or key.startswith(_ORDER) or key in ordered:
            continue
        if key.startswith(_DELETE_PRIMITIVES):
            _delete_primitives(result, key.removeprefix(_DELETE_PRIMITIVES), value, node)
        else:
            _merge_field(result, key, value, node.child(key))
    return result


def _directed(patch: Json) -> Json:
    directive = patch[_DIRECTIVE]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    raise PatchFailed(f"unknown patch type: {plain(directive)} in map: {plain(patch)}")


def _retain(result: Json, patch: Json) -> None:
    """``$retainKeys`` names what may stay; everything that the patch sets must be among it."""
    if _RETAIN not in patch:
        return
    names = patch[_RETAIN]
    stated = [k for k, v in patch.items() if v is not None and k != _RETAIN]
    if not isinstance(names, list) or any(
        key not in names and not key.startswith((_DELETE_PRIMITIVES, _ORDER)) for key in stated
    ):
        raise PatchMalformed("invalid patch format of retainKeys")
    for key in [key for key in result if key not in names]:
        del result[key]


def _delete_primitives(result: Json, field: str, gone: Any, node: Node) -> None:
    if field not in result or gone is None:
        return
    current = result[field]
    if not isinstance(current, list) or not isinstance(gone, list):
        raise PatchMalformed("invalid patch format of primitive list")
    if "merge" in node.child(field).strategy:
        result[field] = without(cast("list[Any]", current), cast("list[Any]", gone))
    else:
        result[field] = gone


def _merge_field(result: Json, key: str, value: Any, node: Node) -> None:
    if value is None:
        result.pop(key, None)
        return
    current = result.get(key)
    if isinstance(value, dict) and isinstance(current, dict):
        fields = cast("Json", value)
        replaces = "replace" in node.strategy
        result[key] = fields if replaces else _merge_map(cast("Json", current), fields, node)
    elif isinstance(value, list) and isinstance(current, list) and "merge" in node.strategy:
        result[key] = _merge_list(cast("list[Any]", current), cast("list[Any]", value), node)
    elif isinstance(value, list) and isinstance(current, list):
        result[key] = value
    else:
        result[key] = _strip(value)


# -- lists


def _merge_ordered(result: Json, patch: Json, node: Node) -> set[str]:
    """Merge the lists that have a ``$setElementOrder``; gives their names."""
    done: set[str] = set()
    for key, order in patch.items():
        if not key.startswith(_ORDER):
            continue
        field = key.removeprefix(_ORDER)
        child = node.child(field)
        here, change = result.get(field), patch.get(field)
        for given in (order, *([here] if field in result else []), *([change] if field in patch else [])):
            if not isinstance(given, list):
                raise PatchFailed(f"expected a []interface {{}}, but received a {_go_type(given)}")
        merge_key = child.merge_key
        if field in patch:
            check_order(change, order, merge_key)
        if field not in result and field not in patch:
            continue
        original = cast("list[Any]", here or [])
        if field not in patch:
            merged = original
        elif field not in result:
            merged = [item for item in cast("list[Any]", change) if not _has_directive(item)]
        elif "merge" in child.strategy:
            merged = _merge_list(original, cast("list[Any]", change), child)
        else:
            merged = cast("list[Any]", change)
        if merged or original:
            result[field] = in_order(merged, cast("list[Any]", order), original, merge_key)
        done.add(field)
    return done


def _merge_list(original: list[Any], patch: list[Any], node: Node) -> list[Any]:
    if not original and not patch:
        return original
    kinds = {item.__class__ for item in (*original, *patch)}
    if list in kinds:
        raise PatchFailed("lists of lists are not supported")
    if len(kinds) > 1 and dict in kinds:
        raise PatchFailed(f"list element types are not identical: {plain([original, patch])}")
    if dict not in kinds:
        both = [*original, *(item for item in patch if item not in original)]
        return in_order(list(dict.fromkeys(both)), patch, original, "")
    if not node.merge_key:
        raise PatchFailed("cannot merge lists without merge key for type struct")
    kept, changes = _with_directives(original, patch, node.merge_key)
    if changes is None:
        return kept
    return in_order(_merge_items(kept, changes, node), changes, kept, node.merge_key)


def _with_directives(original: list[Any], patch: list[Any], key: str) -> tuple[list[Json], list[Json] | None]:
    """What is left of the original, and the patch without directives (None when it replaces the list)."""
    changes: list[Json] = []
    kept: list[Json] = list(original)
    replaced = False
    for item in patch:
        directive = item.get(_DIRECTIVE)
        if _DIRECTIVE not in item:
            changes.append(item)
        elif directive == "delete":
            if key not in item:
                raise _no_key(item, key)
            kept = [old for old in kept if key not in old or old[key] != item[key]]
        elif directive == "replace":
            replaced = True
        elif directive == "merge":
            raise PatchFailed("merging lists cannot yet be specified in the patch")
        else:
            raise PatchFailed(f"unknown patch type: {plain(directive)} in map: {plain(item)}")
    return (changes, None) if replaced else (kept, changes)


def _merge_items(original: list[Json], changes: list[Json], node: Node) -> list[Json]:
    merged, key = list(original), node.merge_key
    for item in changes:
        if key not in item:
            raise _no_key(item, key)
        place = next((i for i, old in enumerate(merged) if key in old and old[key] == item[key]), None)
        if place is None:
            merged.append(_strip(item))
        else:
            merged[place] = _merge_map(merged[place], item, node.item)
    return merged


def _no_key(item: Any, key: str) -> PatchFailed:
    return PatchFailed(f"map: {plain(item)} does not contain declared merge key: {key}")


def _go_type(value: Any) -> str:
    return {dict: "map[string]interface {}", str: "string", bool: "bool", int: "int64", float: "float64"}.get(
        cast("type[Any]", value.__class__), "<nil>"
    )


# -- what is new comes without directives and nulls


def _has_directive(item: Any) -> bool:
    return isinstance(item, dict) and _DIRECTIVE in item


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {k: _strip(v) for k, v in fields.items() if v is not None and not _is_directive(k)}
    if isinstance(value, list):
        return [_strip(item) for item in cast("list[Any]", value) if not _has_directive(item)]
    return value


def _is_directive(key: str) -> bool:
    return key in (_DIRECTIVE, _RETAIN) or key.startswith((_DELETE_PRIMITIVES, _ORDER))
