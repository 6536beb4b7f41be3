"""Reading the protobuf form in which typed Go clients send built-in kinds.

Model. The body is the magic ``k8s\\0`` and a ``runtime.Unknown`` that names apiVersion and kind and holds the object's
message. Messages are read along the same nodes as JSON, with the field numbers that ``builtin`` found in the data
file. The result is the object as JSON would have it, so everything after this is the same for both. Answers are always
JSON, which such clients accept.

Go writes fields that are not pointers even when they are zero; JSON leaves them out. Zero scalars are therefore
dropped, but for the fields that are pointers in Go (``gotypes``), where zero is a statement. A field number that is not
known is refused, not ignored.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson

from . import node as n
from .builtin import definitions
from .node import Node, WireMap

MAGIC = b"k8s\x00"

Object = dict[str, Any]
Value = int | bytes


class NotDecodable(ValueError):
    """The bytes are not the message of a kind that is known here."""


def decode(raw: bytes) -> Object:
    """The object of a request body. Raises NotDecodable."""
    if not raw.startswith(MAGIC):
        raise NotDecodable("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        return _unknown(raw[len(MAGIC) :])
    except (IndexError, TypeError, OverflowError, UnicodeDecodeError, struct.error, orjson.JSONDecodeError) as error:
        raise NotDecodable(f"the protobuf message is damaged: {error}") from error


def _unknown(data: bytes) -> Object:
    parts = dict(_fields(data))
    meta = dict(_fields(_bytes(parts.get(1, b""))))
    api_version, kind = _bytes(meta.get(1, b"")).decode(), _bytes(meta.get(2, b"")).decode()
    group, _, version = api_version.rpartition("/")
    if kind == "DeleteOptions":
        group, version = "", "v1"
    try:
        node = definitions().kind_node(group, version, kind)
    except KeyError as error:
        raise NotDecodable(f'no kind "{kind}" is registered for version "{api_version}" in protobuf') from error
    if not node.wire:
        raise NotDecodable(f"{kind} cannot be read from protobuf; send JSON")
    body = _struct(node, node.wire, _bytes(parts.get(2, b"")))
    return {"apiVersion": api_version, "kind": kind, **body}


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise NotDecodable("a number stands where a message was expected")
    return value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise NotDecodable("a varint has more than 64 bits")


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    at, size = 0, len(data)
    while at < size:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        length = 8
        if kind == 2:
            length, at = _varint(data, at)
        elif kind == 5:
            length = 4
        elif kind != 1:
            raise NotDecodable(f"wire type {kind} is not used by Kubernetes")
        if at + length > size:
            raise NotDecodable("unexpected EOF")
        yield tag >> 3, data[at : at + length]
        at += length


def _struct(node: Node, wire: WireMap, data: bytes) -> Object:
    result: Object = {}
    for number, value in _fields(data):
        target = wire.get(number)
        if target is None:
            raise NotDecodable(f"{node.name}: unknown protobuf field number {number}; send JSON")
        if isinstance(target, str):
            _set(result, target, node, value)
        else:
            result |= _struct(node, target, _bytes(value))
    return result


def _set(result: Object, name: str, node: Node, value: Value) -> None:
    child = node.child(name)
    if child.kind == n.LIST:
        result.setdefault(name, []).append(_value(child.item, value))
    elif child.kind == n.MAP:
        entry = dict(_fields(_bytes(value)))
        item = _value(child.item, entry.get(2, b""))
        result.setdefault(name, {})[_bytes(entry.get(1, b"")).decode()] = item
    else:
        decoded = _value(child, value)
        if decoded is None or (child.kind in _SCALARS and not decoded and not _is_pointer(node, name)):
            return
        result[name] = decoded


def _is_pointer(node: Node, name: str) -> bool:
    return node.go is not None and name in node.go.pointers


_SCALARS = (n.STRING, n.INTEGER, n.BOOLEAN, n.NUMBER, n.BYTES)


def _value(node: Node, value: Value) -> Any:
    if isinstance(value, int):
        if node.kind == n.BOOLEAN:
            return bool(value)
        if node.kind != n.INTEGER:
            raise NotDecodable(f"a number stands where a {node.kind} was expected")
        return _signed(value)
    return _READERS[node.kind](node, value)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _time(node: Node, data: bytes) -> str | None:
    del node
    parts = cast("Mapping[int, int]", dict(_fields(data)))
    if not parts:
        return None
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=_signed(parts.get(1, 0)))
    nanos = parts.get(2, 0)
    fraction = f".{nanos // 1000:06d}" if nanos else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _int_or_string(node: Node, data: bytes) -> int | str:
    del node
    parts = dict(_fields(data))
    return _bytes(parts.get(3, b"")).decode() if parts.get(1) else _signed(cast("int", parts.get(2, 0)))


def _quantity(node: Node, data: bytes) -> str:
    del node
    return _bytes(dict(_fields(data)).get(1, b"")).decode() or "0"


def _raw(node: Node, data: bytes) -> Any:
    """RawExtension and FieldsV1: JSON in field 1."""
    del node
    text = _bytes(dict(_fields(data)).get(1, b""))
    return orjson.loads(text) if text else None


def _wrapped(node: Node, data: bytes) -> list[Any]:
    """A list that is a value of a map (ExtraValue): a message whose field 1 repeats."""
    return [_value(node.item, value) for _, value in _fields(data)]


def _number(node: Node, data: bytes) -> float:
    del node
    return struct.unpack("<d" if len(data) == 8 else "<f", data)[0]


def _text(node: Node, data: bytes) -> str:
    del node
    return data.decode()


def _base64(node: Node, data: bytes) -> str:
    del node
    return base64.b64encode(data).decode()


def _message(node: Node, data: bytes) -> Object:
    if not node.wire:
        raise NotDecodable(f"{node.name} cannot be read from protobuf; send JSON")
    return _struct(node, node.wire, data)


def _zero(node: Node, data: bytes) -> int | bool:
    """A missing value of a map entry."""
    if data:
        raise NotDecodable(f"bytes stand where a {node.kind} was expected")
    return False if node.kind == n.BOOLEAN else 0


_READERS = {
    n.STRING: _text, n.BYTES: _base64, n.TIME: _time, n.QUANTITY: _quantity, n.INT_OR_STRING: _int_or_string,
    n.FREE: _raw, n.ANY: _raw, n.STRUCT: _message, n.LIST: _wrapped, n.NUMBER: _number, n.INTEGER: _zero,
    n.BOOLEAN: _zero,
}  # fmt: skip
