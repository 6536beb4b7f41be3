"""The schema of a custom resource, compiled: its shape (``Node``), its validator, its rules.

``Structural`` prunes, defaults and validates objects; the parts are in ``pruning``, ``validators``, ``invariants`` and
``rules``. Which schemas are accepted at all is said in ``acceptance`` and ``structurality``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import orjson

from ..fielderrors import FieldError
from ..foreign import part, parts
from . import node as n
from .builtin import definitions
from .invariants import embedded_problems, list_problems
from .node import Node
from .pruning import default, drop_nulls, prune
from .validators import UNKNOWN, Validator, compile_schema

if TYPE_CHECKING:
    from .rules import RuleTree

Schema = Mapping[str, Any]

_TYPES = {"string": n.STRING, "integer": n.INTEGER, "number": n.NUMBER, "boolean": n.BOOLEAN}
_BLOCKING = frozenset(
    ("FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
)
_UNCHECKED = FieldError(
    "FieldValueInvalid",
    "Invalid value",
    "<nil>",
    "null",
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation",
)


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

    @cached_property
    def _rules(self) -> RuleTree | None:
        if b'"x-kubernetes-validations"' not in self.raw:
            return None
        from .rules import rule_tree  # CEL is loaded when the first schema has rules

        return rule_tree(self.schema, root=True)

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

    def validate(
        self, obj: Mapping[str, Any], old: Mapping[str, Any] | None = None, warnings: list[str] | None = None
    ) -> list[FieldError]:
        """What is wrong with an object; ``old`` is the one that it replaces.

        On update, values that did not change are not checked again. Failures of rules on unchanged values go to
        ``warnings``.
        """
        errors: list[FieldError] = []
        self._validate(obj, "", errors, UNKNOWN if old is None else old)
        body = self._body
        errors += embedded_problems(body, obj, "")
        if old is None or next(list_problems(body, old, ""), None) is None:
            errors += list_problems(body, obj, "")
        if self._rules is not None:
            errors += self._by_rules(self._rules, errors, obj, old, warnings)
        return errors

    def _by_rules(
        self,
        rules: RuleTree,
        errors: list[FieldError],
        obj: Mapping[str, Any],
        old: Mapping[str, Any] | None,
        warnings: list[str] | None,
    ) -> list[FieldError]:
        if any(error.type in _BLOCKING for error in errors):
            return [_UNCHECKED]
        from .rules import Evaluation

        run = Evaluation()
        if old is None:
            run.run(rules, obj, "")
        else:
            run.run(rules, obj, "", old)
        if warnings is not None:
            warnings.extend(run.warnings)
        return run.errors


_STRING = Node(n.STRING)
_TYPE_META = ("apiVersion", "kind", "metadata")


def node_of(schema: Schema) -> Node:
    """The shape that a structural schema describes."""
    node = _plain(schema)
    node.nullable = bool(schema.get("nullable"))
    node.preserve = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    node.embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    node.atomic = schema.get("x-kubernetes-map-type") == "atomic"
    if schema.get("default") is not None:
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
