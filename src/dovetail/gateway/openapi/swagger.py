"""Between OpenAPI 2.0 (Swagger) and 3.0, in both directions. Pure; total for what `accepting` lets pass.

Only what a reader of documents needs is carried over: parameters, bodies, answers, schemas. What one of them cannot
say is left out (cookies and alternatives of schemas in 2.0), never invented.
"""

from collections.abc import Mapping
from typing import Any, Final, cast

Json = dict[str, Any]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
_SCHEMA_WORDS: Final = (
    "type", "format", "items", "default", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
    "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "enum", "multipleOf",
)  # fmt: skip
_ONLY_V3: Final = frozenset(
    {"oneOf", "anyOf", "not", "nullable", "writeOnly", "deprecated", "const", "$schema", "if", "then", "else"}
)
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def to_v3(document: Json) -> Json:
    """An OpenAPI 2.0 document as OpenAPI 3.0."""
    reader = _V2(document)
    paths = {path: reader.path_item(_map(item)) for path, item in _map(document.get("paths")).items()}
    schemas = {name: _moved(schema) for name, schema in _map(document.get("definitions")).items()}
    return {
        "openapi": "3.0.0", "info": _map(document.get("info")), "paths": paths, "components": {"schemas": schemas}
    }  # fmt: skip


class _V2:
    """A 2.0 document whose shared parameters and answers are written out where they are used."""

    def __init__(self, document: Json) -> None:
        self._parameters = _map(document.get("parameters"))
        self._responses = _map(document.get("responses"))
        self._consumes = _texts(document.get("consumes")) or ["application/json"]
        self._produces = _texts(document.get("produces")) or ["application/json"]

    def path_item(self, item: Json) -> Json:
        shared = [self._resolved(one) for one in _maps(item.get("parameters"))]
        found = {
            name: self._operation(_map(item[name]), shared) for name in _METHODS if isinstance(item.get(name), dict)
        }
        plain = [_parameter(one) for one in shared if one.get("in") not in ("body", "formData")]
        return {"parameters": plain, **found} if plain else found

    def _resolved(self, parameter: Json) -> Json:
        reference = parameter.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/parameters/"):
            return _map(self._parameters.get(reference.removeprefix("#/parameters/")))
        return parameter

    def _operation(self, operation: Json, shared: list[Json]) -> Json:
        given = [self._resolved(one) for one in _maps(operation.get("parameters"))]
        consumes = _texts(operation.get("consumes")) or self._consumes
        produces = _texts(operation.get("produces")) or self._produces
        kept = {name: value for name, value in operation.items() if name not in _V2_OPERATION}
        plain = [_parameter(one) for one in given if one.get("in") not in ("body", "formData")]
        if plain:
            kept["parameters"] = plain
        body = _request_body([*shared, *given], consumes)
        if body:
            kept["requestBody"] = body
        responses = _map(operation.get("responses"))
        kept["responses"] = {code: self._response(_map(one), produces) for code, one in responses.items()}
        return kept

    def _response(self, response: Json, produces: list[str]) -> Json:
        reference = response.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/responses/"):
            response = _map(self._responses.get(reference.removeprefix("#/responses/")))
        answer: Json = {"description": response.get("description", "")}
        if isinstance(response.get("schema"), dict):
            answer["content"] = {kind: {"schema": _moved(response["schema"])} for kind in produces}
        return answer


_V2_OPERATION: Final = frozenset({"parameters", "responses", "consumes", "produces", "schemes", "security"})


def _parameter(parameter: Json) -> Json:
    kept = {name: parameter[name] for name in ("name", "in", "description", "required") if name in parameter}
    schema = _moved({name: parameter[name] for name in _SCHEMA_WORDS if name in parameter})
    return {**kept, "schema": schema}


def _request_body(parameters: list[Json], consumes: list[str]) -> Json:
    for one in parameters:
        if one.get("in") == "body":
            content = {kind: {"schema": _moved(_map(one.get("schema")))} for kind in consumes}
            return {
                "description": one.get("description", ""),
                "required": one.get("required") is True,
                "content": content,
            }
    fields = [one for one in parameters if one.get("in") == "formData" and isinstance(one.get("name"), str)]
    if not fields:
        return {}
    properties = {one["name"]: _parameter(one)["schema"] for one in fields}
    schema = {"type": "object", "properties": properties}
    return {
        "content": {kind: {"schema": schema} for kind in consumes if kind in _FORMS} or {_FORMS[0]: {"schema": schema}}
    }


def _moved(value: Any) -> Any:
    """A schema with its references to where 3.0 keeps schemas."""
    return _renamed(value, "#/definitions/", "#/components/schemas/")


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        fields = cast("Json", value)
        return {
            key: new + item.removeprefix(old) if key == "$ref" and isinstance(item, str) and item.startswith(old)
            else _renamed(item, old, new)
            for key, item in fields.items()
        }  # fmt: skip
    return [_renamed(item, old, new) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def to_v2_paths(document: Json) -> Json:
    """The paths of an OpenAPI 3.0 document as 2.0 has them; schemas are under `#/definitions/` then."""
    reader = _V3(_map(document.get("components")))
    return {path: reader.path_item(_map(item)) for path, item in _map(document.get("paths")).items()}


class _V3:
    """A 3.0 document's components, which 2.0 has written out where they are used."""

    def __init__(self, components: Json) -> None:
        self._components = components

    def path_item(self, item: Json) -> Json:
        found = {name: self._operation(_map(item[name])) for name in _METHODS if isinstance(item.get(name), dict)}
        shared = self._parameters(item)
        return {"parameters": shared, **found} if shared else found

    def _operation(self, operation: Json) -> Json:
        kept = {
            name: value for name, value in operation.items() if name not in ("parameters", "requestBody", "responses")
        }
        parameters = self._parameters(operation)
        body = self._resolved(_map(operation.get("requestBody")))
        content = _map(body.get("content"))
        if content:
            kept["consumes"] = list(content)
            parameters += _body_parameters(body, content)
        if parameters:
            kept["parameters"] = parameters
        answers = {code: self._resolved(_map(one)) for code, one in _map(operation.get("responses")).items()}
        produces = dict.fromkeys(kind for answer in answers.values() for kind in _map(answer.get("content")))
        if produces:
            kept["produces"] = list(produces)
        kept["responses"] = {code: _v2_response(answer) for code, answer in answers.items()}
        return kept

    def _parameters(self, owner: Json) -> list[Json]:
        given = [self._resolved(one) for one in _maps(owner.get("parameters"))]
        return [_v2_parameter(one) for one in given if one.get("in") in ("path", "query", "header")]

    def _resolved(self, value: Json) -> Json:
        """Follows references among components; a circle ends."""
        for _ in range(8):
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            kind, _, name = reference.removeprefix("#/components/").partition("/")
            value = _map(_map(self._components.get(kind)).get(name.replace("~1", "/").replace("~0", "~")))
        return {}


def _v2_parameter(parameter: Json) -> Json:
    kept = {name: parameter[name] for name in ("name", "in", "description", "required") if name in parameter}
    schema = to_v2_schema(parameter.get("schema"))
    words = {name: schema[name] for name in _SCHEMA_WORDS if name in schema}
    return {**kept, **words, "type": words.get("type", "string")}


def _body_parameters(body: Json, content: Json) -> list[Json]:
    form = next((_map(content[kind]) for kind in _FORMS if kind in content), None)
    if form is not None:
        schema = _map(form.get("schema"))
        required = _texts(schema.get("required"))
        return [
            {"name": name, "in": "formData", "type": _map(field).get("type", "string"), "required": name in required}
            for name, field in _map(schema.get("properties")).items()
        ]
    schema = to_v2_schema(_map(next(iter(content.values()))).get("schema"))
    return [{"name": "body", "in": "body", "required": body.get("required") is True, "schema": schema}]


def _v2_response(answer: Json) -> Json:
    content = _map(answer.get("content"))
    kept: Json = {"description": answer.get("description", "")}
    schema = _map(next(iter(content.values()))).get("schema") if content else None
    return {**kept, "schema": to_v2_schema(schema)} if isinstance(schema, dict) else kept


def to_v2_schema(schema: Any) -> Any:
    """A schema of 3.0 (or 3.1) in the words of 2.0."""
    if isinstance(schema, list):
        return [to_v2_schema(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    kept: Json = {}
    for key, value in cast("Json", schema).items():
        if key == "$ref" and isinstance(value, str):
            kept[key] = "#/definitions/" + value.removeprefix("#/components/schemas/")
        elif key == "properties" and isinstance(value, dict):
            kept[key] = {name: to_v2_schema(one) for name, one in cast("Json", value).items()}
        elif key == "type" and isinstance(value, list):
            kept[key] = next((one for one in cast("list[Any]", value) if one != "null"), "string")
        elif key in ("items", "allOf", "additionalProperties"):
            kept[key] = to_v2_schema(value)
        elif key not in _ONLY_V3:
            kept[key] = value
    return kept


def _map(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Json]:
    return [_map(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in cast("list[Any]", value) if isinstance(item, str)] if isinstance(value, list) else []
