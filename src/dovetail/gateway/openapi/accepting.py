"""What is taken of a document that a backend serves. Pure.

A backend may be broken or hostile, and what it serves is shown to other people beside everybody else's. So nothing is
passed on as it came: a new document is built of the operations below the backend's own group and version, and of the
components that these need. Servers, security schemes, callbacks and links are left behind (a page could be made to
send a token elsewhere), references must stay inside the document, and sizes and depth are bounded.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from dovetail.gateway.openapi import swagger

Json = dict[str, Any]

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
SECURITY: Final[Json] = {
    "BearerToken": {"type": "http", "scheme": "bearer", "description": "An access token of the platform."}
}
_KINDS: Final = ("schemas", "parameters", "responses", "requestBodies", "headers", "examples")
_OPERATION: Final = ("tags", "summary", "description", "operationId", "requestBody", "deprecated")
_MOST_PATHS: Final = 5_000
_MOST_COMPONENTS: Final = 20_000
_DEEPEST: Final = 64
_DATA: Final = frozenset({"example", "examples", "default", "enum", "const"})
_MAPS: Final = frozenset({"properties", "patternProperties", "definitions", "$defs", "dependentSchemas"})


class BadDocument(Exception):
    """A document of which nothing is taken. `reason` is one word for a condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def accept(document: Any, prefix: str, title: str) -> Json:
    """The document of the paths below `prefix` (`/kapis/<group>/<version>`). Raises BadDocument."""
    try:
        return _accept(document, prefix, title)
    except RecursionError as error:
        raise BadDocument("TooDeep", f"it is nested deeper than {_DEEPEST}") from error


def _accept(document: Any, prefix: str, title: str) -> Json:
    whole = _map(document)
    if whole.get("swagger") == "2.0":
        whole = swagger.to_v3(whole)
    elif not str(whole.get("openapi", "")).startswith("3."):
        raise BadDocument("NotOpenAPI", "it is neither OpenAPI 2.0 nor 3.x")
    paths = _own_paths(_map(whole.get("paths")), prefix)
    if not paths:
        raise BadDocument("NoPaths", f"it has no path below {prefix}")
    cleaned = {path: _path_item(item, title) for path, item in paths.items()}
    components = _needed(cleaned, _map(whole.get("components")))
    return document_of(title, _text(_map(whole.get("info")).get("version")) or "unversioned", cleaned, components)


def document_of(title: str, version: str, paths: Json, components: Json) -> Json:
    """A document with the platform's own way of logging in."""
    return {
        "openapi": "3.0.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {**components, "securitySchemes": SECURITY},
        "security": [{"BearerToken": []}],
    }


def _own_paths(paths: Json, prefix: str) -> Json:
    own = {path: item for path, item in paths.items() if path == prefix or path.startswith(prefix + "/")}
    if len(own) > _MOST_PATHS:
        raise BadDocument("TooLarge", f"it has more than {_MOST_PATHS} paths")
    if any("/../" in f"{path}/" or "//" in path or "?" in path or "#" in path for path in own):
        raise BadDocument("BadPath", "it has a path that is not one")
    return own


def _path_item(item: Any, tag: str) -> Json:
    fields = _map(item)
    kept: Json = {name: fields[name] for name in ("summary", "description") if isinstance(fields.get(name), str)}
    if fields.get("parameters"):
        kept["parameters"] = _list(fields["parameters"])
    return kept | {name: _operation(fields[name], tag) for name in METHODS if isinstance(fields.get(name), dict)}


def _operation(operation: Any, tag: str) -> Json:
    fields = _map(operation)
    kept: Json = {name: fields[name] for name in _OPERATION if name in fields}
    kept |= {name: value for name, value in fields.items() if name.startswith("x-kubernetes-")}
    if fields.get("parameters"):
        kept["parameters"] = _list(fields["parameters"])
    kept["tags"] = [name for name in _list(fields.get("tags")) if isinstance(name, str)] or [tag]
    responses = _map(fields.get("responses"))
    kept["responses"] = {str(code): _response(response) for code, response in responses.items()} or {
        "default": {"description": "The answer."}
    }
    return kept


def _response(response: Any) -> Json:
    fields = _map(response)
    if isinstance(fields.get("$ref"), str):
        return {"$ref": fields["$ref"]}
    kept: Json = {name: fields[name] for name in ("headers", "content") if isinstance(fields.get(name), dict)}
    return {"description": _text(fields.get("description")), **kept}


def _needed(paths: Json, components: Json) -> Json:
    """The components that the paths refer to, directly or not."""
    found: dict[str, Json] = {}
    waiting = list(references(paths))
    seen: set[str] = set()
    while waiting:
        reference = waiting.pop()
        if reference in seen:
            continue
        seen.add(reference)
        if len(seen) > _MOST_COMPONENTS:
            raise BadDocument("TooLarge", f"it refers to more than {_MOST_COMPONENTS} components")
        kind, name = _place(reference)
        component = _map(components.get(kind)).get(name)
        if not isinstance(component, dict):
            raise BadDocument("BrokenReference", f"it refers to {reference[:200]}, which is not there")
        component = _response(component) if kind == "responses" else cast("Json", component)
        found.setdefault(kind, {})[name] = component
        waiting += references(component)
    return found


def _place(reference: str) -> tuple[str, str]:
    prefix, _, rest = reference.partition("#/components/")
    kind, _, name = rest.partition("/")
    if prefix or kind not in _KINDS or not name or "/" in name:
        raise BadDocument("ForeignReference", f"it refers to something outside of itself: {reference[:200]}")
    return kind, name.replace("~1", "/").replace("~0", "~")


def references(value: Any, depth: int = 0, *, names: bool = False) -> Iterable[str]:
    """Every `$ref` in a part of a document. `names`: the keys of this map are names, not words of OpenAPI."""
    if depth > _DEEPEST:
        raise BadDocument("TooDeep", f"it is nested deeper than {_DEEPEST}")
    if isinstance(value, dict):
        for key, item in cast("Json", value).items():
            if key == "$ref" and isinstance(item, str) and not names:
                yield item
            elif names or key not in _DATA:
                yield from references(item, depth + 1, names=not names and key in _MAPS)
            else:
                _measure(item, depth + 1)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from references(item, depth + 1)


def _measure(value: Any, depth: int) -> None:
    """Data may be anything, but not of any depth."""
    if depth > _DEEPEST:
        raise BadDocument("TooDeep", f"it is nested deeper than {_DEEPEST}")
    items = cast(
        "Iterable[Any]", value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    for item in items:
        _measure(item, depth + 1)


def _map(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
