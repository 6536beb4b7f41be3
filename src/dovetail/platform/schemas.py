"""The schemas that the platform's OpenAPI documents name: every kind from its model, and the few shapes beside them.

`<Kind>` is an object, `<Kind>List` Kubernetes' list of them, `<Kind>Page` KubeSphere's envelope (items, totalItems).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from dovetail.apis import crds
from dovetail.apis.schema import object_schema

Json = dict[str, Any]

TEXT: Final[Json] = {"type": "string"}
_WHOLE: Final[Json] = {"type": "integer"}
_YES_NO: Final[Json] = {"type": "boolean"}
_REFERENCE: Final = "#/components/schemas/"


def ref(name: str) -> Json:
    """A reference to a schema by name."""
    return {"$ref": _REFERENCE + name}


def fields(*required: str, **optional: str) -> Json:
    """An object of strings that must be there, and of optional fields of the given types."""
    properties = dict.fromkeys(required, TEXT) | {name: {"type": kind} for name, kind in optional.items()}
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def schemas_of(names: Iterable[str]) -> Json:
    """These schemas and all that they refer to, by name. Raises LookupError for a name that means nothing."""
    found: Json = {}
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _schema(name)
            waiting += references(found[name])
    return dict(sorted(found.items()))


def references(value: object) -> Iterator[str]:
    """The names of the schemas that a piece of a document refers to."""
    if isinstance(value, dict):
        pieces: Json = value  # pyright: ignore[reportUnknownVariableType]
        target = pieces.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            yield target.removeprefix(_REFERENCE)
        for piece in pieces.values():
            yield from references(piece)
    elif isinstance(value, list):
        for piece in value:  # pyright: ignore[reportUnknownVariableType]
            yield from references(piece)  # pyright: ignore[reportUnknownArgumentType]


def _schema(name: str) -> Json:
    if name in _SHAPES:
        return _SHAPES[name]
    if name in _KINDS:
        return object_schema(_KINDS[name].model)
    if name.endswith("Page"):
        page = {"items": {"type": "array", "items": ref(name.removesuffix("Page"))}, "totalItems": _WHOLE}
        return {"type": "object", "required": ["items", "totalItems"], "properties": page}
    if name.endswith("List"):
        return _kubernetes_list(name.removesuffix("List"))
    raise LookupError(f"no schema is called {name}")


def _kubernetes_list(kind: str) -> Json:
    meta: Json = {
        "type": "object",
        "description": "continue is the number of all objects and no token; remainingItemCount follows this page.",
        "properties": {"continue": TEXT, "remainingItemCount": _WHOLE},
    }
    items: Json = {"type": "array", "items": ref(kind)}
    return {
        "type": "object", "required": ["items"],
        "properties": {"apiVersion": TEXT, "kind": TEXT, "metadata": meta, "items": items},
    }  # fmt: skip


_KINDS: Final = {kind.resource.kind: kind for kind in crds.KINDS}
_STATUS: Final[Json] = {
    "type": "object",
    "description": "How it went, as everywhere in Kubernetes.",
    "properties": {
        "kind": TEXT, "apiVersion": TEXT, "status": TEXT, "message": TEXT, "reason": TEXT,
        "code": {"type": "integer", "format": "int32"}, "details": {"type": "object"},
    },
}  # fmt: skip
_ATTRIBUTES: Final = fields(
    verb="string", group="string", version="string", resource="string", name="string", subresource="string",
    namespace="string", workspace="string", resourceScope="string",
)  # fmt: skip
_REVIEW: Final[Json] = {
    "type": "object",
    "description": "One question, or with `items` a list of them, which is answered in its own order.",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "user": TEXT, "groups": {"type": "array", "items": TEXT}, "resourceAttributes": _ATTRIBUTES,
                "nonResourceAttributes": fields(verb="string", path="string"),
            },
        },
        "status": {"type": "object", "properties": {"allowed": _YES_NO, "reason": TEXT}},
        "items": {"type": "array", "items": {"type": "object"}},
    },
}  # fmt: skip
_NAMESPACE: Final[Json] = {
    "type": "object", "description": "A Kubernetes Namespace: a project.",
    "properties": {
        "apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "spec": {"type": "object"},
        "status": {"type": "object"},
    },
}  # fmt: skip
_SHAPES: Final[Json] = {
    "Status": _STATUS,
    "SubjectAccessReview": _REVIEW,
    "Namespace": _NAMESPACE,
    "Cluster": {**_NAMESPACE, "description": "A cluster that the platform knows."},
    "Member": {
        "type": "object", "required": ["username", "roleRef"], "properties": {"username": TEXT, "roleRef": TEXT},
    },
    "Members": {"type": "array", "items": ref("Member")},
    "PlatformConfig": {
        "type": "object", "required": ["metadata"], "description": "A setting: any JSON object under a name.",
        "properties": {
            "apiVersion": TEXT, "kind": TEXT, "metadata": {"type": "object"}, "data": {"type": "object"},
            "hidden": _YES_NO,
        },
    },
    "Json": {"description": "Any JSON."},
    "OAuthError": fields("error", error_description="string"),
    "Tokens": fields("access_token", "token_type", expires_in="integer", refresh_token="string", id_token="string"),
    "Metrics": {
        "type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}},
    },
}  # fmt: skip
