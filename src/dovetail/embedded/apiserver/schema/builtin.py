"""Nodes of the built-in kinds, read from ``kubernetes.json`` (see ``scripts/distil_kubernetes.py`` for its format).

Types are built when first asked for and shared; the file is read once.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, cast

import orjson

from ..foreign import part
from . import node as n
from .gotypes import go_struct
from .node import Node, WireMap
from .schema_words import schema_shape

_PRIMITIVES = {
    "s": n.STRING, "i": n.INTEGER, "n": n.NUMBER, "b": n.BOOLEAN, "t": n.TIME, "y": n.BYTES, "q": n.QUANTITY,
    "x": n.INT_OR_STRING, "*": n.ANY, "o": n.FREE,
}  # fmt: skip


class Definitions:
    """The distilled file: ``kind_node("apps", "v1", "Deployment")`` is the shape of a whole object."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.release: str = data["release"]
        self._kinds: dict[str, int] = data["kinds"]
        self._names: list[str] = data["names"]
        self._types: list[Any] = data["types"]
        self._meta: int = data["meta"]
        self._built: dict[int, Node] = {}

    def kind_node(self, group: str, version: str, kind: str) -> Node:
        """KeyError when the kind is not in the file."""
        return self._type(self._kinds[f"{group}/{version}/{kind}"])

    @property
    def object_meta(self) -> Node:
        return self._type(self._meta)

    def type_name(self, group: str, version: str, kind: str) -> str:
        """``io.k8s.api.apps.v1.Deployment``: the name in OpenAPI documents."""
        return self._names[self._kinds[f"{group}/{version}/{kind}"]]

    def raw(self) -> tuple[list[str], list[Any]]:
        """Names and types as stored, for the OpenAPI documents."""
        return self._names, self._types

    def _type(self, index: int) -> Node:
        if index in self._built:
            return self._built[index]
        entry = self._types[index]
        if not isinstance(entry, dict):
            self._built[index] = self._node(entry)
            return self._built[index]
        fields = cast("dict[str, Any]", entry)
        struct = Node(n.STRUCT, name=self._names[index].rpartition(".")[2], atomic=fields.get("m") == "atomic")
        self._built[index] = struct
        for name, form in fields["p"].items():
            struct.fields[name] = self._node(form)
        if struct.name == "CustomResourceValidation":
            struct.fields["openAPIV3Schema"] = schema_shape()
        struct.wire, struct.go = _wire(part(fields, "n")), go_struct(self._names[index])
        return struct

    def _node(self, form: str | list[Any]) -> Node:
        if isinstance(form, str):
            return self._type(int(form[1:])) if form[0] == "@" else Node(_PRIMITIVES[form])
        options = cast("dict[str, Any]", form[2] if len(form) > 2 else {})
        if form[0] == "@":
            return self._referenced(self._type(form[1]), options)
        node = Node(n.MAP if form[0] == "m" else n.LIST, items=self._node(form[1]))
        return _with(node, options)

    def _referenced(self, target: Node, options: dict[str, Any]) -> Node:
        node = Node(target.kind, name=target.name, items=target.items, atomic=target.atomic)
        node.fields, node.wire, node.go = target.fields, target.wire, target.go
        return _with(node, options)


def _wire(numbers: dict[str, Any]) -> WireMap:
    """The data file's ``field: number`` the other way round."""
    wire: WireMap = {number: name for name, number in numbers.items() if name}
    wire.update({int(number): _wire(inner) for number, inner in numbers.get("", {}).items()})
    return wire


def _with(node: Node, options: dict[str, Any]) -> Node:
    strategy = str(options.get("s", ""))
    node.strategy = frozenset(strategy.split(",")) if strategy else frozenset()
    node.merge_key = options.get("e", "")
    node.list_type = options.get("l", "atomic")
    node.keys = tuple(options.get("k", ()))
    node.atomic = node.atomic or options.get("m") == "atomic"
    if "protocol" in node.keys:  # the one list map key that has a default in Kubernetes
        node.key_defaults = {"protocol": "TCP"}
    return node


@cache
def definitions() -> Definitions:
    return Definitions(
        orjson.loads(files("dovetail.embedded.apiserver.schema").joinpath("kubernetes.json").read_bytes())
    )
