"""The OpenAPI v2 document as protobuf (gnostic's ``openapi.v2.Document``): the only form in which kubectl asks for it.

Only the fields that our documents have are written. Numbers are those of gnostic's OpenAPIv2.proto; a vendor extension
is YAML in a string, and JSON is YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

Document = Mapping[str, Any]

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode(document: Document) -> bytes:
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_message(2, _named(path, _path(item))) for path, item in document["paths"].items())
    schemas = b"".join(_message(1, _named(name, _schema(s))) for name, s in document["definitions"].items())
    return _text(1, document["swagger"]) + _message(2, info) + _message(8, paths) + _message(9, schemas)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _text(number: int, text: Any) -> bytes:
    """Schemas of custom resources come from users: what is no text is left out, one definition never spoils all."""
    return _message(number, text.encode()) if text and isinstance(text, str) else b""


def _texts(number: int, texts: Iterable[Any]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _flag(number: int, value: Any) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + _message(2, value)


def _extensions(number: int, fields: Document) -> bytes:
    found = {key: value for key, value in fields.items() if key.startswith("x-")}
    return b"".join(_message(number, _named(k, _message(2, orjson.dumps(v)))) for k, v in found.items())


def _schema(schema: Document) -> bytes:
    out = _text(1, schema.get("$ref", "")) + _text(2, schema.get("format", ""))
    out += _text(4, schema.get("description", "")) + _texts(19, schema.get("required") or ())
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        out += _message(21, _message(1, _schema(cast("Document", values))))
    elif values is True:
        out += _message(21, _flag(2, True))
    if schema.get("type"):
        out += _message(22, _texts(1, [schema["type"]]))
    if isinstance(items := schema.get("items"), Mapping):
        out += _message(23, _message(1, _schema(cast("Document", items))))
    if properties := cast("dict[str, Document]", schema.get("properties")):
        out += _message(25, b"".join(_message(1, _named(name, _schema(child))) for name, child in properties.items()))
    return out + _extensions(31, schema)


def _path(item: Document) -> bytes:
    return b"".join(_message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item)


def _operation(operation: Document) -> bytes:
    ok = _message(1, _named("200", _message(1, _text(1, "OK"))))
    parameters = b"".join(_message(8, _parameter(entry)) for entry in operation.get("parameters") or ())
    return _text(5, operation["operationId"]) + parameters + _message(9, ok) + _extensions(13, operation)


def _parameter(entry: Document) -> bytes:
    query = _text(2, entry["in"]) + _text(4, entry["name"]) + _text(6, entry["type"]) + _flag(20, True)
    return _message(1, _message(2, _message(3, query)))
