"""Making a decoded object conform to the shape of a built-in kind, as Go's JSON decoder would.

``conform`` returns a new value without unknown fields and without nulls, and reports the unknown fields by path. A
value of the wrong type raises Mismatch, whose text is the one that Kubernetes users know
(``json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, cast

from ..quantities import QuantityMalformed, canonical
from . import node as n
from .node import Node

_INT64 = 1 << 63
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z")
_GO_TYPES = {
    n.STRING: "string", n.INTEGER: "int32", n.NUMBER: "float64", n.BOOLEAN: "bool", n.TIME: "v1.Time",
    n.BYTES: "[]uint8", n.FREE: "map[string]interface {}",
}  # fmt: skip


class Mismatch(ValueError):
    """A JSON value of the wrong type; the text is Go's."""


def conform(node: Node, value: Any, unknown: list[str]) -> Any:
    """The value with only what the kind knows. ``unknown`` gets the paths of dropped fields (``spec.foo``)."""
    return _walk(node, value, "", node.name, unknown)


def _walk(node: Node, value: Any, path: str, owner: str, unknown: list[str]) -> Any:
    kind = node.kind
    if kind == n.STRING:
        if value.__class__ is str:
            return value
    elif kind == n.STRUCT:
        if isinstance(value, dict):
            return _struct(node, cast("dict[str, Any]", value), path, unknown)
    elif kind == n.MAP:
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value)
            return {key: _element(node.item, item, f"{path}.{key}", owner, unknown) for key, item in items.items()}
    elif kind == n.LIST:
        if isinstance(value, list):
            elements = enumerate(cast("list[Any]", value))
            return [_element(node.item, item, f"{path}[{i}]", owner, unknown) for i, item in elements]
    else:
        return _scalar(node, value, path, owner)
    raise _mismatch(node, value, path, owner)


def _struct(node: Node, value: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    prefix = f"{path}." if path else ""
    for name, item in value.items():
        child = node.fields.get(name)
        if child is None:
            unknown.append(prefix + name)
        elif item is not None:
            result[name] = _walk(child, item, prefix + name, node.name, unknown)
        elif child.kind == n.ANY:
            result[name] = None
    return result


def _element(node: Node, value: Any, path: str, owner: str, unknown: list[str]) -> Any:
    if value is None and node.kind != n.ANY:
        return _ZERO[node.kind]() if node.kind in _ZERO else None
    return _walk(node, value, path, owner, unknown)


_ZERO: dict[str, Callable[[], Any]] = {
    n.STRING: str,
    n.STRUCT: dict,
    n.MAP: dict,
    n.LIST: list,
    n.INTEGER: int,
    n.BOOLEAN: bool,
    n.NUMBER: float,
    n.BYTES: str,
    n.FREE: dict,
    n.QUANTITY: lambda: "0",
    n.INT_OR_STRING: int,
}


def _scalar(node: Node, value: Any, path: str, owner: str) -> Any:
    kind, of = node.kind, value.__class__
    if kind == n.ANY or (kind == n.FREE and of is dict) or (kind == n.BOOLEAN and of is bool):
        return value
    if kind == n.INTEGER and of in (int, float) and abs(value) < _INT64 and value == int(value):
        return int(value)
    if kind == n.NUMBER and of in (int, float):
        return value
    if kind == n.INT_OR_STRING and of in (int, str):
        return value
    if kind == n.QUANTITY and of in (int, float, str):
        return _quantity(value)
    if kind == n.TIME and of is str:
        return _time(value)
    if kind == n.BYTES and of is str:
        return _bytes(value)
    raise _mismatch(node, value, path, owner)


def _quantity(value: str | float) -> str:
    try:
        return canonical(str(value))
    except QuantityMalformed as error:
        raise Mismatch(str(error)) from error


def _time(value: str) -> str:
    if not _TIME.match(value):
        raise Mismatch(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"')
    return value


def _bytes(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Mismatch("illegal base64 data at input byte 0") from error
    return value


def _mismatch(node: Node, value: Any, path: str, owner: str) -> Mismatch:
    got = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
    found = got.get(cast("type[Any]", value.__class__), "null")
    return Mismatch(f"json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {_go_type(node)}")


def _go_type(node: Node) -> str:
    if node.kind == n.MAP:
        return f"map[string]{_go_type(node.item)}"
    if node.kind == n.LIST:
        return f"[]{_go_type(node.item)}"
    return _GO_TYPES.get(node.kind, f"v1.{node.name}" if node.name else node.kind)
