"""The schema of a custom resource, compiled: its shape (``Node``), and its validator.

Kubernetes calls a schema structural when every field's type is stated outside of allOf/anyOf/oneOf/not; ``check``
refuses the others with the errors of kube-apiserver. ``Structural.admit`` prunes, defaults and validates one object;
the parts are in ``pruning`` and ``validators``. CEL rules (``x-kubernetes-validations``) are not evaluated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import node as n
from .builtin import definitions
from .goregex import translate
from .node import Node
from .pruning import default, drop_nulls, prune
from .validators import Validator, compile_schema

Schema = Mapping[str, Any]

_TYPES = {"string": n.STRING, "integer": n.INTEGER, "number": n.NUMBER, "boolean": n.BOOLEAN}
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id", "$schema")


class Structural:
    """One version's schema. It is kept as JSON and compiled when first used: most definitions of a cluster lie idle."""

    def __init__(self, schema: Schema) -> None:
        self.raw = orjson.dumps(schema)

    @property
    def schema(self) -> dict[str, Any]:
        return orjson.loads(self.raw)

    @cached_property
    def node(self) -> Node:
        """The shape of the whole object, metadata included."""
        node = node_of(self.schema)
        node.fields |= {"metadata": definitions().object_meta, "apiVersion": _STRING, "kind": _STRING}
        return node

    @cached_property
    def _body(self) -> Node:
        """The shape without type and metadata, which have rules of their own."""
        fields = {name: child for name, child in self.node.fields.items() if name not in _TYPE_META}
        return Node(n.STRUCT, fields=fields, preserve=self.node.preserve)

    @cached_property
    def _validate(self) -> Validator:
        return compile_schema(self.schema)

    def compile(self) -> None:
        """Raises ValueError and its like when the schema cannot be put to use."""
        _ = self._body, self._validate

    def prune_and_default(self, obj: dict[str, Any], unknown: list[str]) -> None:
        """Change ``obj`` in place; ``unknown`` gets the paths of what was dropped. Metadata is left alone."""
        meta = {key: obj.pop(key) for key in _TYPE_META if key in obj}
        body = self._body
        prune(body, obj, "", unknown)
        default(body, obj)
        drop_nulls(body, obj)
        content = dict(obj)
        obj.clear()
        obj.update(meta)
        obj.update(content)

    def validate(self, obj: Mapping[str, Any]) -> list[FieldError]:
        errors: list[FieldError] = []
        self._validate(obj, "", errors)
        return errors


_STRING = Node(n.STRING)
_TYPE_META = ("apiVersion", "kind", "metadata")


def node_of(schema: Schema) -> Node:
    """The shape that a structural schema describes."""
    node = _plain(schema)
    node.nullable = bool(schema.get("nullable"))
    node.preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    node.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if "default" in schema:
        node.default = schema["default"]
    if node.embedded:
        node.fields.update({"metadata": definitions().object_meta, "apiVersion": _STRING, "kind": _STRING})
    return node


def _plain(schema: Schema) -> Node:
    if schema.get("x-kubernetes-int-or-string"):
        return Node(n.INT_OR_STRING)
    kind = schema.get("type", "")
    if kind == "array":
        return _list(schema)
    if kind == "object" or "properties" in schema:
        return _object(schema)
    return Node(_TYPES.get(kind, n.ANY))


def _list(schema: Schema) -> Node:
    items = cast("Schema", part(schema, "items"))
    node = Node(n.LIST, items=node_of(items), list_type=str(schema.get("x-kubernetes-list-type") or "atomic"))
    node.keys = tuple(parts(schema, "x-kubernetes-list-map-keys"))
    properties = cast("Schema", part(items, "properties"))
    node.key_defaults = {key: properties[key]["default"] for key in node.keys if "default" in properties.get(key, {})}
    return node


def _object(schema: Schema) -> Node:
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and not schema.get("properties"):
        return Node(n.MAP, items=node_of(cast("Schema", values)))
    if values is True:
        return Node(n.MAP, items=Node(n.ANY))
    properties = cast("Mapping[str, Schema]", part(schema, "properties"))
    return Node(n.STRUCT, fields={name: node_of(child) for name, child in properties.items()})


def check(schema: Schema, path: str) -> list[FieldError]:
    """Why a schema cannot be served, as kube-apiserver says it; empty when it can."""
    errors = [] if schema.get("type") == "object" else [_root_type(schema, path)]
    errors.extend(_check(schema, path, root=True))
    return errors


def _root_type(schema: Schema, path: str) -> FieldError:
    if not schema.get("type"):
        return fe.required(f"{path}.type", "must not be empty at the root")
    return fe.invalid(f"{path}.type", schema["type"], 'must be "object" at the root')


def _check(schema: Schema, path: str, root: bool = False) -> Iterator[FieldError]:
    for word in _FORBIDDEN:
        if schema.get(word):
            yield fe.forbidden(f"{path}.{word}", f"{word} is not supported")
    if schema.get("uniqueItems"):
        yield fe.forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    untyped = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not schema.get("type") and not untyped and not root:
        yield fe.required(f"{path}.type", "must not be empty for specified object fields")
    yield from _check_pattern(schema, path)
    yield from _check_list(schema, path)
    for name, child in cast("dict[str, Schema]", part(schema, "properties")).items():
        yield from _check(child, f"{path}.properties[{name}]")
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        yield from _check(cast("Schema", values), f"{path}.additionalProperties")


def _check_pattern(schema: Schema, path: str) -> Iterator[FieldError]:
    if pattern := schema.get("pattern"):
        try:
            translate(str(pattern))
        except ValueError as error:
            yield fe.invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")


def _check_list(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("type") != "array":
        return
    items = schema.get("items")
    if not isinstance(items, Mapping):
        yield fe.required(f"{path}.items", "must be specified")
        return
    yield from _check(cast("Schema", items), f"{path}.items")
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") == "map" and not keys:
        yield fe.required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
