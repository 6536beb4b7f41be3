"""What rules see of a schema: its CEL type, and its values as CEL values.

Property names become CEL names (``namespace`` is ``__namespace__``, ``a-b`` is ``a__dash__b``). What the schema does
not describe (unknown fields, types left open) is not visible, as in Kubernetes. Most values are their own CEL value:
``binder`` gives None for those, so that big objects are not copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from ..cel.errors import CelEvaluationError
from ..cel.library_standard import duration, from_base64, timestamp
from ..cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, Type, list_of, map_of
from ..cel.values import KeyedList
from ..foreign import part, parts

Schema = Mapping[str, Any]
Bind = Callable[[Any], Any]

_RESERVED = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
     "let", "loop", "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_STRINGS = {"byte": BYTES, "duration": DURATION, "date": TIMESTAMP, "date-time": TIMESTAMP, "datetime": STRING}
_META: Schema = {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}


def escape(name: str) -> str:
    """A property's name in CEL; "" when it cannot be written."""
    if name in _RESERVED:
        return f"__{name}__"
    for mark, word in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(mark, word)
    return name if _NAME.match(name) else ""


def whole(schema: Schema) -> Schema:
    """The schema of a resource's root (or of an embedded one) with the fields that are always there."""
    string = {"type": "string"}
    properties = {**part(schema, "properties"), "apiVersion": string, "kind": string, "metadata": _META}
    return {**schema, "type": "object", "properties": properties}


def declared(schema: Schema, root: bool = False) -> Type | None:
    """The CEL type of a schema, None when rules cannot see it."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    if root or schema.get("x-kubernetes-embedded-resource"):
        schema = whole(schema)
    match schema.get("type"):
        case "array":
            item = declared(part(schema, "items")) if part(schema, "items") else None
            return list_of(item) if item else None
        case "object":
            return _object(schema)
        case "string":
            return _STRINGS.get(str(schema.get("format") or ""), STRING)
        case "boolean":
            return BOOL
        case "number":
            return DOUBLE
        case "integer":
            return INT
        case _:
            return None


def _object(schema: Schema) -> Type | None:
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        item = declared(cast("Schema", values))
        return map_of(STRING, item) if item else None
    fields: dict[str, tuple[str, Type]] = {}
    for name, child in cast("dict[str, Schema]", part(schema, "properties")).items():
        found = declared(child)
        if found is not None and (known := escape(name)):
            fields[known] = (name, found)
    return Type("object", fields=fields)


# -- values


def binder(schema: Schema) -> Bind | None:
    """How a JSON value of this schema becomes a CEL value; None when it already is one."""
    if schema.get("x-kubernetes-int-or-string"):
        return None
    match schema.get("type"):
        case "array":
            return _list_binder(schema)
        case "object":
            return _object_binder(schema)
        case "string":
            return _STRING_BINDERS.get(str(schema.get("format") or ""))
        case "number":
            return _number
        case "integer":
            return _integer
        case _:
            return None


def _number(value: Any) -> Any:
    return float(value) if value.__class__ is int else value


def _integer(value: Any) -> Any:
    return int(value) if value.__class__ is float else value


def _of_text(convert: Callable[[str], Any]) -> Bind:
    return lambda value: convert(value) if value.__class__ is str else value


_DAYS = re.compile(r"(\d+)\s*(d|days?|w|weeks?)\Z")


def _duration(text: str) -> Any:
    try:
        return duration(text.replace(" ", ""))
    except CelEvaluationError:
        if found := _DAYS.match(text):
            return duration(f"{int(found[1]) * (24 if found[2][0] == 'd' else 168)}h")
        raise


_STRING_BINDERS: dict[str, Bind] = {
    "byte": _of_text(from_base64),
    "duration": _of_text(_duration),
    "date": _of_text(lambda text: timestamp(text + "T00:00:00Z")),
    "date-time": _of_text(lambda text: timestamp(text.replace(" ", "T"))),
}


def _list_binder(schema: Schema) -> Bind | None:
    item = binder(part(schema, "items"))
    kind = schema.get("x-kubernetes-list-type")
    keys = tuple(parts(schema, "x-kubernetes-list-map-keys"))
    if item is None and kind not in ("set", "map"):
        return None

    def bind(value: Any) -> Any:
        if value.__class__ is not list:
            return value
        items: list[Any] = [item(each) for each in value] if item is not None else value
        return KeyedList(items, keys) if kind in ("set", "map") else items

    return bind


def _object_binder(schema: Schema) -> Bind | None:
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        each = binder(cast("Schema", values))
        if each is None:
            return None
        return lambda value: {k: each(v) for k, v in value.items()} if value.__class__ is dict else value
    properties = cast("dict[str, Schema]", part(schema, "properties"))
    found = {name: bind for name, child in properties.items() if (bind := binder(child)) is not None}
    if not found:
        return None

    def bind_fields(value: Any) -> Any:
        if value.__class__ is not dict:
            return value
        fields: dict[str, Any] = value
        changed = {name: convert(fields[name]) for name, convert in found.items() if fields.get(name) is not None}
        return {**fields, **changed} if changed else fields

    return bind_fields
