"""The shape of a schema itself: which words a definition's ``openAPIV3Schema`` may have, and of which JSON type.

It is a node that contains itself. ``items`` may also be a list and ``additionalProperties`` a boolean: nodes named
``OR_LIST`` and ``OR_BOOL``, which ``conform`` lets pass. Facts: apiextensions ``v1/types_jsonschema.go``.
"""

from __future__ import annotations

from functools import cache

from . import node as n
from .gotypes import GoStruct
from .node import Node

OR_LIST, OR_BOOL = "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool"
_OF_STRING = ("id", "$schema", "$ref", "description", "type", "format", "title", "pattern",
              "x-kubernetes-list-type", "x-kubernetes-map-type")  # fmt: skip
_OF_BOOL = ("exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable", "x-kubernetes-preserve-unknown-fields",
            "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string")  # fmt: skip
_OF_INT = ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties")
_OF_NUMBER = ("maximum", "minimum", "multipleOf")
_OF_SCHEMAS = ("allOf", "oneOf", "anyOf")
_NAMED_SCHEMAS = ("properties", "patternProperties", "definitions")
_POINTERS = frozenset(
    (*_OF_INT, *_OF_NUMBER, "$ref", "x-kubernetes-list-type", "x-kubernetes-map-type", "items", "not", "externalDocs",
     "x-kubernetes-preserve-unknown-fields", "additionalProperties", "additionalItems", "default", "example")
)  # fmt: skip


@cache
def schema_shape() -> Node:
    """The node of a schema."""
    shape = Node(n.STRUCT, name="JSONSchemaProps")
    fields = shape.fields
    fields |= {name: Node(n.STRING) for name in _OF_STRING}
    fields |= {name: Node(n.BOOLEAN) for name in _OF_BOOL}
    fields |= {name: Node(n.INTEGER) for name in _OF_INT}
    fields |= {name: Node(n.NUMBER) for name in _OF_NUMBER}
    fields |= {name: Node(n.LIST, items=shape) for name in _OF_SCHEMAS}
    fields |= {name: Node(n.MAP, items=shape) for name in _NAMED_SCHEMAS}
    fields |= {name: Node(n.LIST, items=Node(n.STRING)) for name in ("required", "x-kubernetes-list-map-keys")}
    fields |= {name: Node(n.ANY) for name in ("default", "example", "dependencies")}
    fields["enum"] = Node(n.LIST, items=Node(n.ANY))
    fields["not"] = shape
    fields["items"] = _variant(shape, OR_LIST)
    fields["additionalProperties"] = fields["additionalItems"] = _variant(shape, OR_BOOL)
    fields["externalDocs"] = _struct("ExternalDocumentation", "description url", GoStruct("v1"))
    fields["x-kubernetes-validations"] = Node(n.LIST, items=_rule())
    shape.go = GoStruct("v1", _POINTERS, types=dict.fromkeys(_OF_INT, "int64"))
    for name in (OR_LIST, OR_BOOL):
        fields["items" if name == OR_LIST else "additionalProperties"].go = shape.go
    return shape


def _variant(shape: Node, name: str) -> Node:
    node = Node(n.STRUCT, name=name)
    node.fields = shape.fields
    return node


def _struct(name: str, fields: str, go: GoStruct) -> Node:
    node = Node(n.STRUCT, name=name)
    node.fields = {field: Node(n.STRING) for field in fields.split()}
    node.go = go
    return node


def _rule() -> Node:
    words = "rule message messageExpression reason fieldPath"
    rule = _struct("ValidationRule", words, GoStruct("v1", frozenset(("reason", "optionalOldSelf")), ("rule",)))
    rule.fields["optionalOldSelf"] = Node(n.BOOLEAN)
    return rule
