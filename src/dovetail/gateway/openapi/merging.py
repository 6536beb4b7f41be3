"""All documents as one OpenAPI 2.0 document, as kube-aggregator merges them. Pure and deterministic.

Schemas of the same name and the same meaning become one; meaning includes everything that a schema refers to. Where
two mean different things, the document that comes first keeps the name and the later ones are called `name_v2`,
`name_v3`, ...; references are rewritten. Documents come in the order of their names.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from dovetail.gateway.openapi import swagger

Json = dict[str, Any]

_REFERENCE: Final = "#/definitions/"
_MOST_STEPS: Final = 200_000
"""From schema to schema, in one document."""
SECURITY: Final[Json] = {"BearerToken": {"type": "apiKey", "in": "header", "name": "authorization"}}


def merge(documents: Mapping[str, Json], title: str, version: str) -> Json:
    """One document of several, each an OpenAPI 3.0 one that was accepted."""
    paths: Json = {}
    definitions: Json = {}
    meanings: dict[str, str] = {}
    for name in sorted(documents):
        own = _definitions(documents[name])
        names = _names(own, meanings)
        for old, schema in own.items():
            definitions.setdefault(names[old], _rewritten(schema, names))
        for path, item in swagger.to_v2_paths(documents[name]).items():
            paths.setdefault(path, _rewritten(item, names))
    return {
        "swagger": "2.0",
        "info": {"title": title, "version": version},
        "paths": dict(sorted(paths.items())),
        "definitions": dict(sorted(definitions.items())),
        "securityDefinitions": SECURITY,
        "security": [{"BearerToken": []}],
    }


def _definitions(document: Json) -> Json:
    schemas = cast("Json", document.get("components", {}).get("schemas", {}))
    return {name: swagger.to_v2_schema(schema) for name, schema in schemas.items()}


def _names(own: Json, meanings: dict[str, str]) -> dict[str, str]:
    """What the schemas of one document are called in the merged one. Adds to `meanings` what is new."""
    names: dict[str, str] = {}
    for name, meaning in _meanings(own).items():
        called, number = name, 1
        while meanings.get(called, meaning) != meaning or (called != name and called in own):
            number += 1
            called = f"{name}_v{number}"
        names[name] = called
        meanings[called] = meaning
    return names


def _meanings(own: Json) -> dict[str, str]:
    """A digest of each schema and of all that it refers to, by name, in order.

    Where all refer to all that would be endless work: then a schema means its whole document.
    """
    digests = {name: _digest(schema) for name, schema in own.items()}
    referred = {name: _referred(schema) for name, schema in own.items()}
    meanings: dict[str, str] = {}
    steps = 0
    for name in sorted(own):
        reached = _reached(name, referred)
        steps += len(reached)
        if steps > _MOST_STEPS:
            whole = _digest(digests)
            return {each: _digest([each, whole]) for each in sorted(own)}
        meanings[name] = _digest([name, [(each, digests.get(each)) for each in sorted(reached)]])
    return meanings


def _reached(name: str, referred: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += referred.get(one, ())
    return found


def _digest(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _referred(value: Any) -> list[str]:
    if isinstance(value, dict):
        found: list[str] = []
        for key, item in cast("Json", value).items():
            if key == "$ref" and isinstance(item, str):
                found.append(item.removeprefix(_REFERENCE))
            else:
                found += _referred(item)
        return found
    return [name for item in cast("list[Any]", value) for name in _referred(item)] if isinstance(value, list) else []


def _rewritten(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {
            key: _REFERENCE + names.get(item.removeprefix(_REFERENCE), item.removeprefix(_REFERENCE))
            if key == "$ref" and isinstance(item, str) else _rewritten(item, names)
            for key, item in fields.items()
        }  # fmt: skip
    return [_rewritten(item, names) for item in cast("list[Any]", value)] if isinstance(value, list) else value
