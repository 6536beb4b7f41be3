"""The platform's own API as OpenAPI 3.0 documents, made of the routes that are served.

Path and method come from the route itself, so that nothing that is served can be missing; what it does is the first
line of its handler's docstring, what it takes and answers is said by `operations`. One document a group version, and
one named `platform` for everything else, the shapes of other people's kinds included.
"""

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

from starlette.routing import BaseRoute, Route

from dovetail.platform.describing import Described, Schema
from dovetail.platform.operations import operation_of
from dovetail.platform.schemas import TEXT, ref, references, schemas_of

Json = dict[str, Any]

PLATFORM: Final = "platform"
_GROUP_VERSION = re.compile(r"/(kapis/[^/{]+/[^/{]+)/.+")
_PARAMETER = re.compile(r"\{([^}:]+)(?::[^}]*)?\}")
_OPEN: Final = ("/oauth/", "/.well-known/", "/kapis/version", "/readyz")
_NUMBERS: Final = frozenset({"page", "limit"})


def documents(routes: Iterable[BaseRoute], version: str) -> dict[str, Json]:
    """The documents of what these routes serve, by name."""
    found: dict[str, Json] = {}
    for route in routes:
        if isinstance(route, Route):
            name = _name(route.path)
            paths = found.setdefault(name, _empty(name, version))["paths"]
            item = paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})
            for method in sorted((route.methods or set()) - {"HEAD"}):
                item.setdefault(method.lower(), _operation(route, method.lower(), name))
    for document in found.values():
        document["components"]["schemas"] = schemas_of(references(document["paths"]))
    return dict(sorted(found.items()))


def _name(path: str) -> str:
    found = _GROUP_VERSION.fullmatch(path)
    return found[1] if found else PLATFORM


def _empty(name: str, version: str) -> Json:
    title = "Dovetail" if name == PLATFORM else name.removeprefix("kapis/")
    security = {"BearerToken": {"type": "http", "scheme": "bearer", "description": "An access token of the platform."}}
    return {
        "openapi": "3.0.0", "info": {"title": title, "version": version}, "paths": {},
        "components": {"securitySchemes": security}, "security": [{"BearerToken": []}],
    }  # fmt: skip


def _operation(route: Route, method: str, name: str) -> Json:
    said = operation_of(route.endpoint) or Described()
    answer: Json = {"description": "The answer."}
    if said.answer:
        answer["content"] = {said.media: {"schema": _schema(said.answer)}}
    problem = "OAuthError" if route.path.startswith("/oauth/token") else "Status"
    refusal = {"description": "Refused.", "content": {"application/json": {"schema": ref(problem)}}}
    operation: Json = {
        "tags": [name.removeprefix("kapis/")],
        "operationId": _operation_id(method, route.path),
        "summary": said.summary or (inspect.getdoc(route.endpoint) or "").partition("\n")[0],
        "parameters": _parameters(route.path, said),
        "responses": {str(said.code): answer, "default": refusal},
    }
    if said.body and method != "get":
        content = {media: {"schema": _schema(schema)} for media, schema in said.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    if route.path.startswith(_OPEN):
        operation["security"] = []
    return operation


def _schema(schema: Schema) -> Json:
    return ref(schema) if isinstance(schema, str) else schema


def _operation_id(method: str, path: str) -> str:
    return method + "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", path))


def _parameters(path: str, said: Described) -> list[Json]:
    inside = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in _PARAMETER.findall(path)]
    return inside + [
        {"name": name, "in": "query", "description": text, "schema": {"type": "integer"} if name in _NUMBERS else TEXT}
        for name, text in said.query.items()
    ]
