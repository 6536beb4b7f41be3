"""The platform's own API as OpenAPI 3.0 documents, made of the routes that are served.

Path, method and the first line of the handler's docstring come from the route itself, so that nothing that is served
can be missing; what a request and an answer hold stands in the table below. One document a group version, and one
named `platform` for everything else.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.routing import BaseRoute, Route

from dovetail.apis.crds import crds
from dovetail.platform.users import BASE as USERS

Json = dict[str, Any]

PLATFORM: Final = "platform"
_GROUP_VERSION = re.compile(r"/(kapis/[^/]+/[^/]+)/.+")
_PARAMETER = re.compile(r"\{([^}:]+)(?::[^}]*)?\}")
_OPEN: Final = ("/oauth/", "/.well-known/", "/kapis/version", "/readyz")
_FORM: Final = "application/x-www-form-urlencoded"
_TEXT: Final[Json] = {"type": "string"}
_REVIEWS: Final = "/kapis/iam.kubesphere.io/v1beta1/subjectaccessreviews"


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(*required: str, **optional: str) -> Json:
    properties = dict.fromkeys(required, _TEXT) | {name: {"type": kind} for name, kind in optional.items()}
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


_BODIES: Final[Mapping[tuple[str, str], tuple[str, Json]]] = {
    ("post", "/oauth/token"): (
        _FORM,
        _object("grant_type", username="string", password="string", refresh_token="string", client_id="string",
                client_secret="string"),
    ),
    ("post", "/oauth/revoke"): (_FORM, _object("token", client_id="string", client_secret="string")),
    ("post", "/oauth/session"): ("application/json", _object("username", "password")),
    ("post", USERS): ("application/json", _ref("User")),
    ("put", USERS + "/{user}/password"): ("application/json", _object("password", currentPassword="string")),
    ("post", _REVIEWS): ("application/json", _ref("SubjectAccessReview")),
}  # fmt: skip
_ANSWERS: Final[Mapping[tuple[str, str], tuple[str, Json]]] = {
    ("get", USERS): ("200", _ref("UserList")),
    ("post", USERS): ("201", _ref("User")),
    ("get", USERS + "/{user}"): ("200", _ref("User")),
    ("post", _REVIEWS): ("201", _ref("SubjectAccessReview")),
    ("post", "/oauth/token"): (
        "200",
        _object("access_token", "token_type", expires_in="integer", refresh_token="string"),
    ),
}
_QUERIES: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("get", USERS): {
        "page": "The page to show, from 1.", "limit": "How many a page has.", "name": "A part of the name.",
        "fieldSelector": "metadata.name=<name> only.",
    },
    ("get", "/readyz"): {"verbose": "Tell of each check.", "exclude": "A check that does not count."},
}  # fmt: skip


def documents(routes: Iterable[BaseRoute], version: str) -> dict[str, Json]:
    """The documents of what these routes serve, by name."""
    found: dict[str, Json] = {}
    for route in routes:
        if isinstance(route, Route):
            name = _name(route.path)
            if name not in found:
                found[name] = _empty(name, version)
            document = found[name]
            item = document["paths"].setdefault(_PARAMETER.sub(r"{\1}", route.path), {})
            for method in sorted((route.methods or set()) - {"HEAD"}):
                item[method.lower()] = _operation(route, method.lower(), _name(route.path))
    return dict(sorted(found.items()))


def _name(path: str) -> str:
    found = _GROUP_VERSION.fullmatch(path)
    return found[1] if found else PLATFORM


def _empty(name: str, version: str) -> Json:
    title = "Dovetail" if name == PLATFORM else name.removeprefix("kapis/")
    security = {"BearerToken": {"type": "http", "scheme": "bearer", "description": "An access token of the platform."}}
    schemas = _schemas() if name != PLATFORM else {"Status": _STATUS}
    return {
        "openapi": "3.0.0", "info": {"title": title, "version": version}, "paths": {},
        "components": {"schemas": schemas, "securitySchemes": security}, "security": [{"BearerToken": []}],
    }  # fmt: skip


def _operation(route: Route, method: str, name: str) -> Json:
    key = (method, route.path)
    code, schema = _ANSWERS.get(key, ("200", {}))
    answer: Json = {"description": "The answer."}
    if schema:
        answer["content"] = {"application/json": {"schema": schema}}
    refusal = {"description": "Refused.", "content": {"application/json": {"schema": _ref("Status")}}}
    operation: Json = {
        "tags": [name.removeprefix("kapis/")],
        "operationId": _operation_id(method, route.path),
        "summary": (inspect.getdoc(route.endpoint) or "").partition("\n")[0],
        "parameters": _parameters(key),
        "responses": {code: answer, "default": refusal},
    }
    if key in _BODIES:
        kind, body = _BODIES[key]
        operation["requestBody"] = {"required": True, "content": {kind: {"schema": body}}}
    if route.path.startswith(_OPEN):
        operation["security"] = []
    return operation


def _operation_id(method: str, path: str) -> str:
    return method + "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", path))


def _parameters(key: tuple[str, str]) -> list[Json]:
    inside = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT} for name in _PARAMETER.findall(key[1])
    ]  # fmt: skip
    return inside + [
        {"name": name, "in": "query", "description": said, "schema": _TEXT}
        for name, said in _QUERIES.get(key, {}).items()
    ]


_STATUS: Final[Json] = {
    "type": "object",
    "description": "An error, as everywhere in Kubernetes.",
    "properties": {
        "kind": _TEXT, "apiVersion": _TEXT, "status": _TEXT, "message": _TEXT, "reason": _TEXT,
        "code": {"type": "integer", "format": "int32"}, "details": {"type": "object"},
    },
}  # fmt: skip


def _schemas() -> Json:
    user = next(crd for crd in crds() if crd["spec"]["names"]["kind"] == "User")
    schema = user["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    attributes = _object(
        verb="string", group="string", version="string", resource="string", name="string", subresource="string",
        namespace="string", workspace="string",
    )  # fmt: skip
    spec = {
        "type": "object",
        "properties": {
            "user": _TEXT, "groups": {"type": "array", "items": _TEXT}, "resourceAttributes": attributes,
            "nonResourceAttributes": _object(verb="string", path="string"),
        },
    }  # fmt: skip
    status = {"type": "object", "properties": {"allowed": {"type": "boolean"}, "reason": _TEXT}}
    return {
        "Status": _STATUS,
        "User": schema,
        "UserList": {
            "type": "object",
            "properties": {"items": {"type": "array", "items": _ref("User")}, "totalItems": {"type": "integer"}},
        },
        "SubjectAccessReview": {"type": "object", "properties": {"spec": spec, "status": status}},
    }
