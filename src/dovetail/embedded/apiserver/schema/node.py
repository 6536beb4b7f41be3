"""One node of an object's shape: what patches, apply, pruning and decoding need to know about a field.

Built-in kinds get their nodes from ``builtin``, custom resources from ``structural``. A node says nothing about allowed
values; that is the validator's part (``structural``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .gotypes import GoStruct

WireMap: TypeAlias = "dict[int, str | WireMap]"
"""Protobuf field number -> JSON field, or the numbers of an embedded Go struct whose fields JSON shows flattened."""

NO_DEFAULT: object = object()
STRUCT, MAP, LIST, ANY, FREE = "struct", "map", "list", "any", "free"
STRING, INTEGER, NUMBER, BOOLEAN = "string", "integer", "number", "boolean"
TIME, BYTES, QUANTITY, INT_OR_STRING = "time", "bytes", "quantity", "int-or-string"


@dataclass(slots=True, eq=False)
class Node:
    """``struct`` has ``fields``; ``map`` and ``list`` have ``items``; ``free`` is an object of unknown content.

    ``list_type`` is atomic, set or map (then ``keys`` name the identity of an item); ``atomic`` makes a struct or map
    one value for server-side apply. ``strategy`` and ``merge_key`` are those of strategic merge patch. ``preserve``
    keeps unknown fields of a struct; ``embedded`` marks a whole Kubernetes object inside another.
    ``default`` is the value that a missing field gets (custom resources only; built-in kinds: ``objects.defaulting``).
    ``wire`` has the protobuf field numbers of a struct (see ``protobuf``), ``go`` how Go writes it (see ``gotypes``).
    """

    kind: str
    name: str = ""
    fields: dict[str, Node] = field(default_factory=dict[str, "Node"])
    items: Node | None = None
    list_type: str = "atomic"
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, object] = field(default_factory=dict[str, object])
    atomic: bool = False
    strategy: frozenset[str] = frozenset()
    merge_key: str = ""
    preserve: bool = False
    embedded: bool = False
    nullable: bool = False
    default: object = NO_DEFAULT
    wire: WireMap = field(default_factory=dict[int, "str | WireMap"])
    go: GoStruct | None = None

    def child(self, name: str) -> Node:
        """The node of a field or map value; ANY_NODE where nothing is known."""
        if self.kind == STRUCT:
            return self.fields.get(name) or ANY_NODE
        if self.kind == MAP and self.items is not None:
            return self.items
        return ANY_NODE

    @property
    def item(self) -> Node:
        return self.items or ANY_NODE


ANY_NODE = Node(ANY)
