"""The paths of an OpenAPI document: what can be done with each resource, and with which kind."""

from __future__ import annotations

from typing import Any

from ..registry.resource import ResourceType
from .openapi_schemas import Builder

Document = dict[str, Any]

_METHODS = {
    "list": ("get", "collection"), "create": ("post", "collection"), "deletecollection": ("delete", "collection"),
    "get": ("get", "item"), "update": ("put", "item"), "patch": ("patch", "item"), "delete": ("delete", "item"),
}  # fmt: skip
_ACTIONS = {"create": "post", "update": "put"}
_PATCHES = (
    "application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml",
    "application/strategic-merge-patch+json",
)  # fmt: skip
# kubectl asks the patch operation for these before it relies on server-side validation and dry run.
_QUERY = ("dryRun", "fieldManager", "fieldValidation", "force")


def paths(resources: list[ResourceType], builder: Builder) -> Document:
    found: Document = {}
    for resource in resources:
        scope = base_of(resource) + ("/namespaces/{namespace}" if resource.namespaced else "")
        places: dict[str, Document] = {"collection": {}, "item": {}}
        for verb in resource.verbs:
            method, target = _METHODS.get(verb, ("", ""))
            if method:
                places[target][method] = _operation(resource, verb, builder, "")
        if places["collection"]:
            found[f"{scope}/{resource.plural}"] = _with_parameters(places["collection"], resource, builder, item=False)
        if places["item"]:
            found[f"{scope}/{resource.plural}/{{name}}"] = _with_parameters(
                places["item"], resource, builder, item=True
            )
        for name, verbs in resource.subresources.items():
            below = {_METHODS[v][0]: _operation(resource, v, builder, name) for v in verbs if v in _METHODS}
            if below:
                path = f"{scope}/{resource.plural}/{{name}}/{name}"
                found[path] = _with_parameters(below, resource, builder, item=True)
    return found


def base_of(resource: ResourceType) -> str:
    return f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"


def _with_parameters(operations: Document, resource: ResourceType, builder: Builder, *, item: bool) -> Document:
    names = [*(["name"] if item else []), *(["namespace"] if resource.namespaced else [])]
    if not names:
        return operations
    return {**operations, "parameters": [_parameter(name, "path", builder) for name in names]}


def _parameter(name: str, place: str, builder: Builder) -> Document:
    kind = {"type": "string", "uniqueItems": True}
    entry: Document = {"name": name, "in": place, **({"schema": kind} if builder.is_v3 else kind)}
    return {**entry, "required": True} if place == "path" else entry


def _operation(resource: ResourceType, verb: str, builder: Builder, subresource: str) -> Document:
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    scope = "Namespaced" if resource.namespaced else ""
    kind = resource.kind + _camel(subresource)
    operation: Document = {
        "operationId": f"{verb}{_camel(resource.group) or 'Core'}{resource.version.title()}{scope}{kind}",
        "x-kubernetes-action": _ACTIONS.get(verb, verb), "x-kubernetes-group-version-kind": gvk,
    }  # fmt: skip
    operation["responses"] = {"200": {"description": "OK", **_content(resource, verb, builder, subresource)}}
    if verb in ("create", "update", "patch"):
        operation["parameters"] = [_parameter(name, "query", builder) for name in _QUERY]
        if builder.is_v3:
            operation["requestBody"] = _body(resource, verb, builder, subresource)
    return operation


def _content(resource: ResourceType, verb: str, builder: Builder, subresource: str) -> Document:
    """The schema of the answer, where it is the kind itself."""
    if verb in ("delete", "deletecollection") or subresource not in ("", "status"):
        return {}
    name = builder.name_of(resource) + ("List" if verb == "list" else "")
    schema = {"$ref": builder.prefix + name}
    return {"content": {"application/json": {"schema": schema}}} if builder.is_v3 else {"schema": schema}


def _body(resource: ResourceType, verb: str, builder: Builder, subresource: str) -> Document:
    if verb == "patch":
        types = [kind for kind in _PATCHES if resource.custom is None or "strategic" not in kind]
        return {"content": {kind: {"schema": {"type": "object"}} for kind in types}, "required": True}
    schema = (
        {"type": "object"}
        if subresource not in ("", "status")
        else {"$ref": builder.prefix + builder.name_of(resource)}
    )
    return {"content": {"*/*": {"schema": schema}}, "required": True}


def _camel(words: str) -> str:
    return "".join(part.title() for part in words.split("."))
