"""Whether an apply patch fits the shape of its kind. Pure.

Server-side apply reads a patch along the schema before it does anything else, and refuses what the schema does not
know, whatever ``fieldValidation`` says. kube-apiserver answers that with a 500 without a reason; so does this one,
because clients print the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import orjson

from ..errors import StatusError
from ..foreign import part
from ..gotext import plain
from ..schema import node as n
from ..schema.node import Node
from .comparison import child_of, element

_SCALARS = (n.STRING, n.INTEGER, n.NUMBER, n.BOOLEAN, n.TIME, n.BYTES, n.QUANTITY, n.INT_OR_STRING)
_GO = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}


class NotTyped(StatusError):
    """An apply patch that its schema cannot read."""

    code, reason = 500, ""

    def __init__(self, obj: Mapping[str, Any], errors: list[str]) -> None:
        meta = part(obj, "metadata")
        group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
        where = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group}/{version}, Kind={obj.get('kind', '')}"
        text = errors[0] if len(errors) == 1 else "\n  ".join(["errors:", *errors])
        super().__init__(f"failed to create typed patch object ({where}): {text}")


def check_typed(node: Node, obj: Mapping[str, Any]) -> None:
    """Raises NotTyped."""
    errors = list(_errors(node, obj, ""))
    if errors:
        raise NotTyped(obj, errors)


def _errors(node: Node, value: Any, path: str) -> Iterator[str]:
    if value is None or node.kind in (n.ANY, n.FREE):
        return
    problem = ""
    if node.kind in (n.STRUCT, n.MAP):
        if isinstance(value, dict):
            yield from _map_errors(node, cast("dict[str, Any]", value), path)
        else:
            problem = f"expected map, got {_go(value)}"
    elif node.kind == n.LIST:
        if isinstance(value, list):
            yield from _list_errors(node, cast("list[Any]", value), path)
        else:
            problem = f"expected list, got {_go(value)}"
    elif node.kind in _SCALARS:
        problem = _scalar_problem(node.kind, value)
    if problem:
        yield f"{path}: {problem}" if path else problem


def _map_errors(node: Node, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, item in value.items():
        if node.kind == n.STRUCT and name not in node.fields and not node.preserve:
            yield f"{path}.{name}: field not declared in schema"
            return
        yield from _errors(child_of(node, name), item, f"{path}.{name}")


def _list_errors(node: Node, value: list[Any], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        where = f"[{index}]"
        if node.list_type in ("map", "set"):
            problem = _item_problem(node, item)
            if problem:
                yield f"{path}: element {index}: {problem}"
                return
            key = element(node, item)
            where = _shown(key)
            if key in seen:
                yield f"{path}: duplicate entries for key {where}"
            seen.add(key)
        yield from _errors(node.item, item, path + where)


def _item_problem(node: Node, item: Any) -> str:
    if node.list_type == "set":
        if isinstance(item, dict):
            return "associative list without keys has an element that's a map type"
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    for key in node.keys:
        if key not in item and key not in node.key_defaults:
            return (
                f'associative list with keys has an element that omits key field "{key}" (and doesn\'t have default '
                "value)"
            )
    return ""


def _shown(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "v":
        return f"[={rest}]"
    return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in orjson.loads(rest).items()) + "]"


def _scalar_problem(kind: str, value: Any) -> str:
    of = value.__class__
    if kind in (n.INTEGER, n.NUMBER):
        return "" if of in (int, float) else f"expected numeric (int or float), got {_GO.get(of, of.__name__)}"
    if kind in (n.STRING, n.BYTES):
        return "" if of is str else f"expected string, got &value.valueUnstructured{{Value:{_literal(value)}}}"
    if kind == n.BOOLEAN:
        return "" if of is bool else f"expected boolean, got {_go(value)}"
    return f"expected any scalar, got {_go(value)}" if of in (dict, list) else ""


def _go(value: Any) -> str:
    """Go's ``%v`` of the wrapper that holds a value."""
    return f"&{{{plain(value)}}}"


def _literal(value: Any) -> str:
    """Go's ``%#v``."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return "map[string]interface {}{" + ", ".join(f'"{k}":{_literal(fields[k])}' for k in sorted(fields)) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(_literal(item) for item in cast("list[Any]", value)) + "}"
    return orjson.dumps(value).decode() if isinstance(value, (str, bool)) else str(value)
