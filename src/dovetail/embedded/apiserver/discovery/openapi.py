"""OpenAPI v2 and v3 documents of everything served: enough for kubectl apply, explain, diff and client-side validation.

Model. The distilled types (``schema.builtin``) and the schemas of custom resources become ``definitions``; each
resource gets the paths from which clients learn group, version and kind. Documents are made when asked for, and kept
until the catalogue changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import orjson

from ..foreign import part
from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType
from ..schema.builtin import definitions
from .openapi_proto import encode
from .version import GIT_VERSION

Document = dict[str, Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PLAIN: dict[str, Document] = {
    "s": {"type": "string"}, "i": {"type": "integer", "format": "int32"}, "n": {"type": "number"},
    "b": {"type": "boolean"},
    "t": {"type": "string", "format": "date-time"}, "y": {"type": "string", "format": "byte"}, "q": {"type": "string"},
    "x": {"type": "string", "format": "int-or-string"}, "*": {}, "o": {"type": "object"},
}  # fmt: skip
_LONG = {
    "l": "x-kubernetes-list-type", "k": "x-kubernetes-list-map-keys", "s": "x-kubernetes-patch-strategy",
    "e": "x-kubernetes-patch-merge-key", "m": "x-kubernetes-map-type",
}  # fmt: skip
# Words of OpenAPI v3 schemas that v2 does not have, or that kubectl's v2 model cannot read.
_NOT_V2 = {"oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations"}


class OpenApi:
    """Documents as bytes, by catalogue revision."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._revision = 0
        self._v2: dict[bool, bytes] = {}
        self._v3: dict[str, bytes] = {}

    def _refresh(self) -> None:
        if self._revision != self._catalogue.revision:
            self._revision, self._v2, self._v3 = self._catalogue.revision, {}, {}

    def v2(self, *, protobuf: bool) -> bytes:
        """JSON, or protobuf as kubectl asks for it."""
        self._refresh()
        if protobuf not in self._v2:
            builder = _Builder("#/definitions/", v3=False)
            resources = self._catalogue.resources()
            paths = _paths(resources, builder)
            body = {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": builder.definitions(resources)}
            self._v2[protobuf] = encode(body) if protobuf else orjson.dumps(body)
        return self._v2[protobuf]

    def v3_index(self) -> bytes:
        paths = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._hash(path)}"} for path in self._v3_paths()
        }
        return orjson.dumps({"paths": paths})

    def v3(self, path: str) -> bytes | None:
        """The document of ``api/v1`` or ``apis/<group>/<version>``."""
        self._refresh()
        if path not in self._v3:
            resources = [r for r in self._catalogue.resources() if _v3_path(r) == path]
            if not resources:
                return None
            builder = _Builder("#/components/schemas/", v3=True)
            paths = _paths(resources, builder)
            components = {"schemas": builder.definitions(resources)}
            self._v3[path] = orjson.dumps({"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": components})
        return self._v3[path]

    def _v3_paths(self) -> list[str]:
        return list(dict.fromkeys(_v3_path(resource) for resource in self._catalogue.resources()))

    def _hash(self, path: str) -> str:
        """Changes when the document may have changed; making every document to hash it would cost too much."""
        custom = [r for r in self._catalogue.resources() if _v3_path(r) == path and r.custom is not None]
        schemas = [r.custom.raw for r in custom if r.custom is not None]
        seed = "|".join([GIT_VERSION, path, *(f"{r.plural}:{r.kind}" for r in custom)]).encode()
        return hashlib.sha256(seed + b"".join(schemas)).hexdigest().upper()


_INFO = {"title": "Kubernetes", "version": GIT_VERSION}


def _v3_path(resource: ResourceType) -> str:
    return f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"


class _Builder:
    """Collects the definitions that are referred to."""

    def __init__(self, prefix: str, *, v3: bool) -> None:
        self._prefix, self.is_v3 = prefix, v3
        self._names, self._types = definitions().raw()
        self._wanted: dict[str, int] = {}

    def definitions(self, resources: list[ResourceType]) -> Document:
        index = {name: number for number, name in enumerate(self._names)}
        found: Document = {}
        self._wanted[_META] = index[_META]
        for resource in resources:
            found[self.name_of(resource)] = self._root(resource, index)
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
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
            }
            body["properties"] = {**properties, "metadata": self._reference(_META)}
        return {**body, "x-kubernetes-group-version-kind": gvk}

    def _reference(self, name: str) -> Document:
        reference = {"$ref": self._prefix + name}
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
        return self._reference(self._names[number])


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


# -- paths


def _paths(resources: list[ResourceType], builder: _Builder) -> Document:
    paths: Document = {}
    for resource in resources:
        base = f"/{_v3_path(resource)}"
        scope = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
        collection, item = {}, {}
        for verb in resource.verbs:
            method, target = _METHODS.get(verb, ("", ""))
            if method:
                place = collection if target == "collection" else item
                place[method] = _operation(resource, verb, builder)
        if collection:
            paths[f"{scope}/{resource.plural}"] = collection
        if item:
            paths[f"{scope}/{resource.plural}/{{name}}"] = item
    return paths


_METHODS = {
    "list": ("get", "collection"), "create": ("post", "collection"), "deletecollection": ("delete", "collection"),
    "get": ("get", "item"), "update": ("put", "item"), "patch": ("patch", "item"), "delete": ("delete", "item"),
}  # fmt: skip
_ACTIONS = {"create": "post", "update": "put"}
# kubectl asks the patch operation for these before it relies on server-side validation and dry run.
_PARAMETERS: list[Document] = [
    {"name": name, "in": "query", "type": "string", "uniqueItems": True}
    for name in ("dryRun", "fieldManager", "fieldValidation", "force")
]
_PARAMETERS_V3: list[Document] = [
    {"name": entry["name"], "in": "query", "schema": {"type": "string", "uniqueItems": True}} for entry in _PARAMETERS
]


def _operation(resource: ResourceType, verb: str, builder: _Builder) -> Document:
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    scope = "Namespaced" if resource.namespaced else ""
    operation: Document = {
        "operationId": f"{verb}{_camel(resource.group)}{resource.version.title()}{scope}{resource.kind}",
        "x-kubernetes-action": _ACTIONS.get(verb, verb), "x-kubernetes-group-version-kind": gvk,
        "responses": {"200": {"description": "OK"}},
    }  # fmt: skip
    if verb in ("create", "update", "patch"):
        operation["parameters"] = _PARAMETERS_V3 if builder.is_v3 else _PARAMETERS
    return operation


def _camel(group: str) -> str:
    return "".join(part.title() for part in group.split(".")) or "Core"
