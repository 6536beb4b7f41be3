"""The OpenAPI v2 document as protobuf (gnostic's ``openapi.v2.Document``): the only form in which kubectl asks for it.

Only the fields that our documents have are written. Numbers are those of gnostic's OpenAPIv2.proto; a vendor extension
is YAML in a string, and JSON is YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from ..schema.protobuf_wire import integer, message

Document = Mapping[str, Any]

CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode(document: Document) -> bytes:
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(message(2, _named(path, _path(item))) for path, item in document["paths"].items())
    schemas = b"".join(message(1, _named(name, _schema(s))) for name, s in document["definitions"].items())
    return _text(1, document["swagger"]) + message(2, info) + message(8, paths) + message(9, schemas)


def _text(number: int, text: Any) -> bytes:
    """Schemas of custom resources come from users: what is no text is left out, one definition never spoils all."""
    return message(number, text.encode()) if text and isinstance(text, str) else b""


def _texts(number: int, texts: Iterable[Any]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _flag(number: int, value: Any) -> bytes:
    return integer(number, 1) if value else b""


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + message(2, value)


def _extensions(number: int, fields: Document) -> bytes:
    found = {key: value for key, value in fields.items() if key.startswith("x-")}
    return b"".join(message(number, _named(k, message(2, orjson.dumps(v)))) for k, v in found.items())


def _schema(schema: Document) -> bytes:
    out = _text(1, schema.get("$ref", "")) + _text(2, schema.get("format", ""))
    out += _text(4, schema.get("description", "")) + _texts(19, schema.get("required") or ())
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        out += message(21, message(1, _schema(cast("Document", values))))
    elif values is True:
        out += message(21, _flag(2, True))
    if schema.get("type"):
        out += message(22, _texts(1, [schema["type"]]))
    if isinstance(items := schema.get("items"), Mapping):
        out += message(23, message(1, _schema(cast("Document", items))))
    if properties := cast("dict[str, Document]", schema.get("properties")):
        out += message(25, b"".join(message(1, _named(name, _schema(child))) for name, child in properties.items()))
    return out + _extensions(31, schema)


def _path(item: Document) -> bytes:
    return b"".join(message(number, _operation(item[method])) for method, number in _METHODS.items() if method in item)


def _operation(operation: Document) -> bytes:
    ok = message(1, _named("200", message(1, _text(1, "OK"))))
    parameters = b"".join(message(8, _parameter(entry)) for entry in operation.get("parameters") or ())
    return _text(5, operation["operationId"]) + parameters + message(9, ok) + _extensions(13, operation)


def _parameter(entry: Document) -> bytes:
    query = _text(2, entry["in"]) + _text(4, entry["name"]) + _text(6, entry["type"]) + _flag(20, True)
    return message(1, message(2, message(3, query)))
