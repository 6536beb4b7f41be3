"""Making a decoded object what Go makes of it: decoded into a built-in type, and written again.

``conform`` returns a new value without unknown fields, nulls and what Go leaves out (zeros of fields that are no
pointers, empty lists and maps), with what Go always writes (``status: {}``, ``resources: {}``, ``rules: null``), with
times in UTC and quantities in canonical form. It reports unknown fields by path. A value of the wrong type raises
Mismatch, whose text is the one that Kubernetes users know
(``json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string``).

Model: the facts about Go's types are in ``gotypes``; a node without them keeps what was given. Custom resources never
come here, but for their metadata. Every write passes through: the common cases are decided inline in ``_struct``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, cast

from ..quantities import QuantityMalformed, canonical
from . import node as n
from .gotimes import TimeMalformed, micro_time, second_time
from .node import Node
from .schema_words import OR_BOOL, OR_LIST

_RANGES = {"int32": 1 << 31, "int64": 1 << 63}
_GO_TYPES = {
    n.STRING: "string", n.INTEGER: "int32", n.NUMBER: "float64", n.BOOLEAN: "bool", n.BYTES: "[]uint8",
}  # fmt: skip
_CUSTOM = {n.TIME: "string", n.INT_OR_STRING: "int32"}  # types that decode themselves, and what they decode into
_GIVEN = frozenset((n.STRUCT, n.ANY, n.FREE, n.INT_OR_STRING))  # kinds of fields that are written once given


class Mismatch(ValueError):
    """A JSON value of the wrong type; the text is Go's. ``told``: the text needs no place."""

    def __init__(self, text: str, go_type: str = "") -> None:
        super().__init__(text)
        self.text, self.go_type, self.owner = text, go_type, ""
        self.path: list[str] = []

    def inside(self, owner: str, field: str) -> None:
        self.owner = self.owner or owner
        self.path.insert(0, field)

    def __str__(self) -> str:
        if not self.go_type:
            return self.text
        where = f"struct field {self.owner}.{'.'.join(self.path)}" if self.path else "value"
        return f"json: cannot unmarshal {self.text} into Go {where} of type {self.go_type}"


def conform(node: Node, value: Any, unknown: list[str]) -> Any:
    """The value as Go would write it. ``unknown`` gets the paths of dropped fields (``spec.foo``). Raises Mismatch."""
    return _walk(node, value, "", unknown, "")


def _struct(node: Node, value: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    go, fields = node.go, node.fields
    result: dict[str, Any] = {}
    name = ""
    try:
        for name, item in value.items():
            child = fields.get(name)
            if child is None:
                unknown.append(f"{path}.{name}" if path else name)
                continue
            kind = child.kind
            if item is None:
                if kind == n.ANY:
                    result[name] = None
                continue
            if kind == n.STRING and item.__class__ is str:
                conformed = item
            else:
                below = f"{path}.{name}" if path else name
                conformed = _walk(child, item, below, unknown, go.types.get(name, "") if go is not None else "")
            if conformed or kind in _GIVEN or go is None or name in go.pointers:
                result[name] = conformed
    except Mismatch as error:
        error.inside(node.name, name)
        raise
    if go is not None:
        for name in go.always:
            if name not in result:
                result[name] = _zero(fields[name])
        for name in go.nulls:
            result.setdefault(name, None)
    return result


def _zero(node: Node) -> Any:
    """What Go writes for a value that was not given."""
    if node.kind == n.STRUCT:
        return _struct(node, {}, "", [])
    make = _ZERO.get(node.kind)
    return make() if make is not None else None


_ZERO: dict[str, Callable[[], Any]] = {
    n.STRING: str, n.MAP: dict, n.LIST: list, n.INTEGER: int, n.BOOLEAN: bool, n.NUMBER: float, n.BYTES: str,
    n.QUANTITY: lambda: "0", n.INT_OR_STRING: int,
}  # fmt: skip


def _walk(node: Node, value: Any, path: str, unknown: list[str], go_type: str) -> Any:
    kind, of = node.kind, value.__class__
    if kind == n.STRUCT:
        if of is dict:
            return _struct(node, value, path, unknown)
        if (of is bool and node.name == OR_BOOL) or (of is list and node.name == OR_LIST):
            return value
    elif kind == n.LIST:
        if of is list:
            return _list(node.item, value, path, unknown, go_type)
    elif kind == n.MAP:
        if of is dict:
            return _map(node.item, value, path, unknown)
    elif kind == n.STRING:
        if of is str:
            return value
    else:
        return _scalar(node, value, of, go_type)
    raise _mismatch(node, value, go_type)


def _list(item: Node, value: list[Any], path: str, unknown: list[str], go_type: str) -> list[Any]:
    inner = go_type[2:]
    return [
        _walk(item, element, f"{path}[{i}]", unknown, inner) if element is not None else _null(item)
        for i, element in enumerate(value)
    ]


def _map(item: Node, value: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    return {
        key: element
        if element.__class__ is str and item.kind == n.STRING
        else _walk(item, element, f"{path}.{key}", unknown, "")
        if element is not None
        else _null(item)
        for key, element in value.items()
    }


def _null(item: Node) -> Any:
    return {} if item.kind == n.FREE else _zero(item)


def _scalar(node: Node, value: Any, of: type[Any], go_type: str) -> Any:
    kind = node.kind
    if kind == n.ANY or (kind == n.FREE and of is dict) or (kind == n.BOOLEAN and of is bool):
        return value
    if kind == n.INTEGER and of is int:
        limit = _RANGES.get(go_type or "int32", 1 << 31)
        if -limit <= value < limit:
            return value
    elif kind == n.NUMBER and of in (int, float):
        return value
    elif kind == n.QUANTITY:
        return _quantity(value)
    elif kind == n.INT_OR_STRING and (of is str or (of is int and -(1 << 31) <= value < 1 << 31)):
        return value
    elif kind == n.TIME and of is str:
        return _time(value, go_type)
    elif kind == n.BYTES and of is str:
        return _bytes(value)
    raise _mismatch(node, value, go_type)


def _quantity(value: Any) -> str:
    if value.__class__ is bool or value.__class__ in (dict, list):
        raise Mismatch(str(QuantityMalformed()))
    try:
        return canonical(str(value))
    except QuantityMalformed as error:
        raise Mismatch(str(error)) from error


def _time(value: str, go_type: str) -> str:
    try:
        return micro_time(value) if go_type == "v1.MicroTime" else second_time(value)
    except TimeMalformed as error:
        raise Mismatch(str(error)) from error


def _bytes(value: str) -> str:
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        return _folded(value, error)
    return base64.b64encode(data).decode()


def _folded(value: str, error: ValueError) -> str:
    """Go takes base64 with line breaks in it."""
    joined = value.replace("\r", "").replace("\n", "")
    if joined != value:
        return _bytes(joined)
    raise Mismatch(f"illegal base64 data at input byte {_illegal(value)}") from error


_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _illegal(value: str) -> int:
    """Where Go's decoder stops: the first foreign character, wrong padding, or the last incomplete group of four."""
    for index, char in enumerate(value.encode("utf-8", "surrogatepass")):
        if chr(char) in _BASE64:
            continue
        if char != ord("=") or index % 4 < 2:
            return index
        if index % 4 == 2 and value[index + 1 : index + 2] != "=":
            return index if index + 1 < len(value) else len(value)
        return index + (2 if index % 4 == 2 else 1)
    return len(value) - len(value) % 4


def _mismatch(node: Node, value: Any, go_type: str) -> Mismatch:
    wanted = _CUSTOM.get(node.kind)
    if wanted is not None:
        found = _found(value, exact=wanted == "int32")
        return Mismatch(f"json: cannot unmarshal {found} into Go value of type {wanted}")
    return Mismatch(_found(value, exact=node.kind in (n.INTEGER, n.NUMBER)), go_type or _go_type(node))


def _found(value: Any, *, exact: bool) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"number {value}" if exact else "number"
    names = {str: "string", bool: "bool", list: "array", dict: "object"}
    return names.get(cast("type[Any]", value.__class__), "null")


def _go_type(node: Node) -> str:
    if node.kind == n.MAP:
        return f"map[string]{_go_type(node.item)}"
    if node.kind == n.LIST:
        return f"[]{_go_type(node.item)}"
    if node.kind == n.STRUCT:
        return f"{node.go.package if node.go is not None else 'v1'}.{node.name}"
    return _GO_TYPES.get(node.kind, "map[string]interface {}")
