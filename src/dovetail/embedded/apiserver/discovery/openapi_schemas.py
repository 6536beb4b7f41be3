"""The definitions of an OpenAPI document: built-in types from the data file, custom resources from their schemas.

Types are collected by reference: a document holds what its resources lead to. The data file has no prose and no
defaults, so built-in types have no descriptions; those of custom resources are passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ..foreign import part
from ..registry.resource import ResourceType
from ..schema.builtin import definitions

Document = dict[str, Any]

_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_STRING: Document = {"type": "string"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PLAIN: dict[str, Document] = {
    "s": {"type": "string"}, "i": {"type": "integer", "format": "int32"}, "n": {"type": "number"},
    "b": {"type": "boolean"},
    "y": {"type": "string", "format": "byte"}, "*": {}, "o": {"type": "object"},
}  # fmt: skip
# Types of the machinery that are written as scalars: kubectl shows them by their names.
_NAMED = {
    "t": "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    "q": "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "x": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
}
_SCALARS: dict[str, Document] = {
    _NAMED["t"]: {"type": "string", "format": "date-time"},
    _NAMED["q"]: {"type": "string"},
    _NAMED["x"]: {"type": "string", "format": "int-or-string"},
}
_UNION = {
    _NAMED["q"]: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _NAMED["x"]: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
_LONG = {
    "l": "x-kubernetes-list-type", "k": "x-kubernetes-list-map-keys", "s": "x-kubernetes-patch-strategy",
    "e": "x-kubernetes-patch-merge-key", "m": "x-kubernetes-map-type",
}  # fmt: skip
# Words of OpenAPI v3 schemas that v2 does not have, or that kubectl's v2 model cannot read.
_NOT_V2 = {"oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations"}


class Builder:
    """Collects the definitions that are referred to. ``prefix`` stands before a name in a reference."""

    def __init__(self, prefix: str, *, v3: bool) -> None:
        self.prefix, self.is_v3 = prefix, v3
        self._names, self._types = definitions().raw()
        self._wanted: dict[str, int] = {}

    def definitions(self, resources: list[ResourceType]) -> Document:
        index = {name: number for number, name in enumerate(self._names)}
        found: Document = {}
        self._wanted[_META] = index[_META]
        self._wanted[_LIST_META] = index[_LIST_META]
        for resource in resources:
            found[self.name_of(resource)] = self._root(resource, index)
            if "list" in resource.verbs:
                found[self.name_of(resource) + "List"] = self._list(resource)
        found |= {**_SCALARS, **_UNION} if self.is_v3 else _SCALARS
        while pending := [name for name in self._wanted if name not in found]:
            for name in pending:
                found[name] = self._type(self._types[self._wanted[name]])
        return found

    def name_of(self, resource: ResourceType) -> str:
        if resource.custom is None:
            return definitions().type_name(resource.group, resource.version, resource.kind)
        return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])

    def _root(self, resource: ResourceType, index: Mapping[str, int]) -> Document:
        gvk = [{"group": resource.group, "version": resource.version, "kind": resource.kind}]
        if resource.custom is None:
            body = self._type(self._types[index[self.name_of(resource)]])
        else:
            schema = resource.custom.schema
            body = dict(schema) if self.is_v3 else _for_v2(schema)
            properties = {
                **part(body, "properties"),
                "apiVersion": _STRING,
                "kind": _STRING,
            }
            body["properties"] = {**properties, "metadata": self.reference(_META)}
        return {**body, "x-kubernetes-group-version-kind": gvk}

    def _list(self, resource: ResourceType) -> Document:
        gvk = [{"group": resource.group, "version": resource.version, "kind": resource.list_kind}]
        items = {"type": "array", "items": self.reference(self.name_of(resource))}
        fields = {"apiVersion": _STRING, "kind": _STRING, "items": items, "metadata": self.reference(_LIST_META)}
        return {"type": "object", "required": ["items"], "properties": fields, "x-kubernetes-group-version-kind": gvk}

    def reference(self, name: str) -> Document:
        reference = {"$ref": self.prefix + name}
        return {"allOf": [reference], "default": {}} if self.is_v3 else reference

    def _type(self, form: Any) -> Document:
        if not isinstance(form, dict):
            return self._node(form)
        entry = cast("Document", form)
        body: Document = {"type": "object", "properties": {name: self._node(f) for name, f in entry["p"].items()}}
        if "r" in entry:
            body["required"] = entry["r"]
        if "m" in entry:
            body["x-kubernetes-map-type"] = entry["m"]
        return body

    def _node(self, form: Any) -> Document:
        if isinstance(form, str):
            if form in _NAMED:
                return {"$ref": self.prefix + _NAMED[form]}
            return self._refer(int(form[1:])) if form[0] == "@" else dict(_PLAIN[form])
        stated = cast("Document", form[2] if len(form) > 2 else {})
        options = {_LONG[key]: value for key, value in stated.items()}
        if form[0] == "@":
            return {**self._refer(form[1]), **options}
        if form[0] == "m":
            return {"type": "object", "additionalProperties": self._node(form[1]), **options}
        return {"type": "array", "items": self._node(form[1]), **options}

    def _refer(self, number: int) -> Document:
        self._wanted[self._names[number]] = number
        return self.reference(self._names[number])


def _for_v2(schema: Any) -> Any:
    """A custom resource's schema without what Swagger 2 cannot say."""
    if isinstance(schema, list):
        return [_for_v2(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, Mapping):
        return schema
    fields = cast("Mapping[str, Any]", schema)
    if fields.get("x-kubernetes-preserve-unknown-fields") and "properties" not in fields:
        return {"type": "object"} if fields.get("type") == "object" else {}
    if fields.get("x-kubernetes-int-or-string"):
        return {"x-kubernetes-int-or-string": True}
    body: Document = {}
    for key, value in fields.items():
        if key == "properties":
            body[key] = {name: _for_v2(child) for name, child in value.items()}
        elif key not in _NOT_V2:
            body[key] = _for_v2(value) if key in ("items", "additionalProperties") else value
    return body
