"""Writing objects in protobuf, for clients that read nothing else (``protobuf`` reads it, and explains the envelope).

The same nodes and field numbers serve both ways. Only what the object has is written: to a Go client a field that is
missing is its zero. An object with a field that has no number cannot be written; nothing is left out silently.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import orjson

from . import node as n
from .builtin import definitions
from .node import Node, WireMap
from .protobuf import MAGIC
from .protobuf_wire import integer, message, varint

Object = dict[str, Any]

_LIST_META = (("selfLink", 1), ("resourceVersion", 2), ("continue", 3))
_TYPE_META = frozenset(("apiVersion", "kind"))


class NotEncodable(ValueError):
    """The object has no form in protobuf: a custom resource, or a field without a number."""


def encode(obj: Mapping[str, Any]) -> bytes:
    """The envelope with an object, a list of objects, or metadata only. Raises NotEncodable."""
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    meta = _text(1, api_version) + _text(2, kind)
    return MAGIC + message(1, meta) + message(2, _body(obj, api_version, kind))


def encode_event(event: Mapping[str, Any]) -> bytes:
    """A watch event as a frame: its length in four bytes, and a message that holds the object in its envelope."""
    body = _text(1, str(event["type"])) + message(2, message(1, encode(event["object"])))
    return struct.pack(">I", len(body)) + body


def _body(obj: Mapping[str, Any], api_version: str, kind: str) -> bytes:
    if kind.endswith("List") and isinstance(obj.get("items"), list):
        items: list[Any] = obj["items"]
        one = kind.removesuffix("List")
        return message(1, _list_meta(obj)) + b"".join(message(2, _body(i, api_version, one)) for i in items)
    if kind == "PartialObjectMetadata":
        return message(1, _object(definitions().object_meta, obj.get("metadata") or {}))
    group, _, version = api_version.rpartition("/")
    try:
        node = definitions().kind_node(group, version, kind)
    except KeyError as error:
        raise NotEncodable(f"{kind} of {api_version} has no form in protobuf") from error
    return _object(node, {key: value for key, value in obj.items() if key not in _TYPE_META})


def _list_meta(obj: Mapping[str, Any]) -> bytes:
    meta = cast("Object", obj.get("metadata") or {})
    out = b"".join(_text(number, str(meta[name])) for name, number in _LIST_META if name in meta)
    left = meta.get("remainingItemCount")
    return out if left is None else out + integer(4, left)


# -- messages


def _object(node: Node, obj: Object) -> bytes:
    if not node.wire:
        raise NotEncodable(f"{node.name} has no form in protobuf")
    out, written = _fields(node, node.wire, obj)
    if written != len(obj):
        raise NotEncodable(f"{node.name} has a field without a number in protobuf")
    return out


def _fields(node: Node, wire: WireMap, obj: Object) -> tuple[bytes, int]:
    """The fields of a struct, or of a struct embedded in it, and how many of them there are."""
    out: list[bytes] = []
    written = 0
    for number, target in wire.items():
        if isinstance(target, str):
            if target in obj:
                written += 1
                out.append(_field(number, node.child(target), obj[target]))
        else:
            inner, count = _fields(node, target, obj)
            if count:
                written += count
                out.append(message(number, inner))
    return b"".join(out), written


def _field(number: int, node: Node, value: Any) -> bytes:
    if value is None:
        return b""
    if node.kind == n.LIST:
        return b"".join(_single(number, node.item, item) for item in value)
    if node.kind == n.MAP:
        entries = (_text(1, key) + _single(2, node.item, item) for key, item in value.items())
        return b"".join(message(number, entry) for entry in entries)
    return _single(number, node, value)


def _single(number: int, node: Node, value: Any) -> bytes:
    kind = node.kind
    if kind in (n.INTEGER, n.BOOLEAN):
        return integer(number, int(value))
    if kind == n.NUMBER:
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if kind == n.STRING:
        return _text(number, value)
    return message(number, _content(node, value))


def _content(node: Node, value: Any) -> bytes:
    """What stands in a length-delimited field."""
    kind = node.kind
    if kind == n.STRUCT:
        return _object(node, value or {})
    if kind == n.BYTES:
        return base64.b64decode(value)
    if kind == n.TIME:
        return _time(value)
    if kind == n.QUANTITY:
        return _text(1, str(value))
    if kind == n.INT_OR_STRING:
        return integer(1, 1) + _text(3, value) if isinstance(value, str) else integer(1, 0) + integer(2, value)
    if kind == n.LIST:  # a list that is a value of a map
        return b"".join(_single(1, node.item, item) for item in value)
    return message(1, orjson.dumps(value))


def _time(value: str) -> bytes:
    moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    seconds, nanos = int(moment.replace(microsecond=0).timestamp()), moment.microsecond * 1000
    return integer(1, seconds) + (integer(2, nanos) if nanos else b"")


def _text(number: int, text: str) -> bytes:
    return message(number, text.encode())
