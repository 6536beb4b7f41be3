"""Strategic merge patch: a merge patch that knows which lists are keyed. Pure: neither argument is changed.

Source of the rules: apimachinery ``strategicpatch`` and the "strategic merge patch" page of the Kubernetes
contributors' docs. The shape (``schema.builtin``) says, per field, the strategy (merge, replace, retainKeys) and the
merge key. Directives in the patch: ``$patch: delete|replace|merge``, ``$retainKeys``,
``$deleteFromPrimitiveList/<field>``, ``$setElementOrder/<field>``. Custom resources have no strategies; kube-apiserver
refuses this format for them, and so does the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..foreign import parts
from ..schema import node as n
from ..schema.node import Node
from .rejected import PatchMalformed

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_DELETE_PRIMITIVES, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"

Json = dict[str, Any]


def apply_strategic_patch(original: Mapping[str, Any], patch: Any, node: Node) -> Json:
    """The patched object. Raises PatchMalformed."""
    if not isinstance(patch, dict):
        raise PatchMalformed("json: cannot unmarshal array into Go value of type map[string]interface {}")
    return _merge_map(dict(original), cast("Json", patch), node)


def _merge_map(original: Json, patch: Json, node: Node) -> Json:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return _strip({key: value for key, value in patch.items() if key != _DIRECTIVE})
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchMalformed(f"unknown patch type found: {directive}")
    result = dict(original)
    for key, value in patch.items():
        if key == _DIRECTIVE or key.startswith(_ORDER):
            continue
        if key == _RETAIN:
            result = {name: kept for name, kept in result.items() if name in value}
        elif key.startswith(_DELETE_PRIMITIVES):
            field = key.removeprefix(_DELETE_PRIMITIVES)
            result[field] = [item for item in parts(result, field) if item not in value]
        else:
            _merge_field(result, key, value, node.child(key))
    for key, value in patch.items():
        if key.startswith(_ORDER):
            _reorder(result, key.removeprefix(_ORDER), value, node)
    return result


def _merge_field(result: Json, key: str, value: Any, node: Node) -> None:
    if value is None:
        result.pop(key, None)
        return
    current = result.get(key)
    if isinstance(value, dict):
        fields = cast("Json", value)
        if "replace" in node.strategy:
            result[key] = _strip(fields)
        elif fields.get(_DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            base = cast("Json", current) if isinstance(current, dict) else {}
            result[key] = _merge_map(base, fields, node)
    elif isinstance(value, list) and "merge" in node.strategy:
        base_items = cast("list[Any]", current) if isinstance(current, list) else []
        result[key] = _merge_list(base_items, cast("list[Any]", value), node)
    else:
        result[key] = _strip(value)


def _merge_list(original: list[Any], patch: list[Any], node: Node) -> list[Any]:
    if node.item.kind != n.STRUCT or not node.merge_key:
        return original + [item for item in dict.fromkeys(patch) if item not in original]
    if any(_is(item, "replace") for item in patch):
        return [_strip(item) for item in patch if not _is(item, "replace") and not _is(item, "delete")]
    result = list(original)
    for item in patch:
        _merge_item(result, item, node)
    return result


def _is(item: Any, directive: str) -> bool:
    return isinstance(item, dict) and cast("Json", item).get(_DIRECTIVE) == directive


def _key_of(item: Any, key: str) -> Any:
    return cast("Json", item).get(key) if isinstance(item, dict) else None


def _merge_item(result: list[Any], item: Any, node: Node) -> None:
    key = node.merge_key
    if not isinstance(item, dict) or key not in item:
        raise PatchMalformed(f"map: {item} does not contain declared merge key: {key}")
    fields = cast("Json", item)
    places = [index for index, old in enumerate(result) if _key_of(old, key) == fields[key]]
    if fields.get(_DIRECTIVE) == "delete":
        for index in reversed(places):
            del result[index]
    elif places:
        result[places[0]] = _merge_map(result[places[0]], fields, node.item)
    else:
        result.append(_merge_map({}, fields, node.item))


def _reorder(result: Json, field: str, order: Any, node: Node) -> None:
    """Items named in the order come in that order; the others keep their places."""
    child, items = node.child(field), result.get(field)
    if not isinstance(items, list) or not isinstance(order, list):
        return
    key = child.merge_key if child.item.kind == n.STRUCT else ""

    def identity(item: Any) -> Any:
        return cast("Json", item).get(key) if key and isinstance(item, dict) else item

    ranks = {identity(item): rank for rank, item in enumerate(cast("list[Any]", order))}
    named = sorted((i for i in cast("list[Any]", items) if identity(i) in ranks), key=lambda i: ranks[identity(i)])
    queue = iter(named)
    result[field] = [next(queue) if identity(item) in ranks else item for item in cast("list[Any]", items)]


def _strip(value: Any) -> Any:
    """The value without directives and nulls, for parts that replace."""
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {k: _strip(v) for k, v in fields.items() if v is not None and not _is_directive(k)}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_strip(item) for item in items if not _is(item, "delete") and not _is(item, "replace")]
    return value


def _is_directive(key: str) -> bool:
    return key in (_DIRECTIVE, _RETAIN) or key.startswith((_DELETE_PRIMITIVES, _ORDER))
