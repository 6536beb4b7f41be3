"""Whether a schema is structural: every field's type is stated outside of allOf, anyOf, oneOf and not.

``structural_problems`` gives the errors of apiextensions-apiserver (``pkg/apiserver/schema/validation.go`` and
``complete.go``), sorted by text as there. Depth is bounded: a schema nested deeper than the stack is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from .goregex import translate

Schema = Mapping[str, Any]
ROOT, ITEM, FIELD = "root", "item", "field"
_MUST_TYPE = {
    ROOT: "must not be empty at the root",
    ITEM: "must not be empty for specified array items",
    FIELD: "must not be empty for specified object fields",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_OBJECT_TYPE = "must be object if x-kubernetes-embedded-resource is true"
_PRESERVE, _EMBEDDED = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"
_MIXED = "x-kubernetes-int-or-string"


def structural_problems(schema: Schema, path: str) -> list[FieldError]:
    errors = [*_invariants(schema, ROOT, path), *_completeness(schema, path)]
    return sorted(errors, key=str)


def _children(schema: Schema, name: str = "properties") -> Iterator[tuple[str, Schema]]:
    for key, child in part(schema, name).items():
        if isinstance(child, Mapping):
            yield key, cast("Schema", child)


def _nested(schema: Schema, word: str) -> list[Schema]:
    return [cast("Schema", member) for member in parts(schema, word) if isinstance(member, Mapping)]


def _invariants(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    if schema.get("type") == "array" and not isinstance(schema.get("items"), Mapping):
        yield fe.required(f"{path}.items", "must be specified")
    if isinstance(items := schema.get("items"), Mapping):
        yield from _invariants(cast("Schema", items), ITEM, f"{path}.items")
    for name, child in _children(schema):
        yield from _invariants(child, FIELD, f"{path}.properties[{name}]")
    if schema.get("additionalProperties") is not None:
        yield from _additional(schema, level, path)
    if schema.get(_MIXED):
        for word in (_PRESERVE, _EMBEDDED):
            if schema.get(word):
                yield fe.invalid(f"{path}.{word}", True, "must be false if x-kubernetes-int-or-string is true")
    first = _nested(schema, "allOf")[:1]
    skip_any = parts(schema, "anyOf") == _INT_OR_STRING
    skip_first = bool(first) and parts(first[0], "anyOf") == _INT_OR_STRING
    yield from _values(schema, skip_any, skip_first, path)
    yield from _types(schema, level, path)
    yield from _metadata(schema, level, path)


def _additional(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    values = schema["additionalProperties"]
    if level == ROOT:
        yield fe.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(values, Mapping):
        yield from _invariants(cast("Schema", values), FIELD, f"{path}.additionalProperties")
    if schema.get(_EMBEDDED):
        text = "must not be used if x-kubernetes-embedded-resource is set"
        yield fe.forbidden(f"{path}.additionalProperties", text)


def _types(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    of = schema.get("type") or ""
    if schema.get(_EMBEDDED) and of != "object":
        yield fe.invalid(f"{path}.type", of, _OBJECT_TYPE) if of else fe.required(f"{path}.type", _OBJECT_TYPE)
    elif not of and not schema.get(_MIXED) and not schema.get(_PRESERVE):
        yield fe.required(f"{path}.type", _MUST_TYPE[level])
    if level == ROOT and of and of != "object":
        yield fe.invalid(f"{path}.type", of, "must be object at the root")
    if schema.get(_EMBEDDED) and not schema.get(_PRESERVE) and not part(schema, "properties"):
        yield fe.required(
            f"{path}.properties",
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        )


def _metadata(schema: Schema, level: str, path: str) -> Iterator[FieldError]:
    if level != ROOT and not schema.get(_EMBEDDED):
        return
    properties = part(schema, "properties")
    for name in ("kind", "apiVersion"):
        if name in properties and part(properties, name).get("type") != "string":
            found = part(properties, name).get("type") or ""
            yield fe.invalid(f"{path}.properties[{name}].type", found, "must be string")
    if "metadata" not in properties:
        return
    meta, place = part(properties, "metadata"), f"{path}.properties[metadata]"
    if meta.get("type") != "object":
        yield fe.invalid(f"{place}.type", meta.get("type") or "", "must be object")
    if level == ROOT:
        rest = {key for key, value in meta.items() if value and key not in ("type", "default", *_META_VALUES)}
        named = set(part(meta, "properties")) <= {"name", "generateName"}
        if rest - {"properties"} or not named:
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield fe.forbidden(place, text)


_META_VALUES = ("required", "minProperties", "maxProperties")

# -- value validation


def _values(schema: Schema, skip_any: bool, skip_first: bool, path: str) -> Iterator[FieldError]:
    if not skip_any:
        for index, member in enumerate(_nested(schema, "anyOf")):
            yield from _inner(member, False, f"{path}.anyOf[{index}]")
    for index, member in enumerate(_nested(schema, "allOf")):
        yield from _inner(member, skip_first and index == 0, f"{path}.allOf[{index}]")
    for index, member in enumerate(_nested(schema, "oneOf")):
        yield from _inner(member, False, f"{path}.oneOf[{index}]")
    if isinstance(other := schema.get("not"), Mapping):
        yield from _inner(cast("Schema", other), False, f"{path}.not")
    if pattern := schema.get("pattern"):
        try:
            translate(str(pattern))
        except ValueError as error:
            yield fe.invalid(f"{path}.pattern", pattern, f"must be a valid regular expression, but isn't: {error}")


_EMPTY, _UNDEFINED, _FALSE = "must be empty to be structural", "must be undefined to be structural", "must be false to be structural"  # fmt: skip  # noqa: E501
_NOT_INSIDE = {
    "type": _EMPTY, "additionalProperties": _UNDEFINED, "default": _UNDEFINED, "title": _EMPTY, "description": _EMPTY,
    "nullable": _FALSE, "externalDocs": _UNDEFINED, _PRESERVE: _FALSE, _EMBEDDED: _FALSE, _MIXED: _FALSE,
    "x-kubernetes-list-map-keys": _EMPTY, "x-kubernetes-list-type": _UNDEFINED, "x-kubernetes-map-type": _UNDEFINED,
    "x-kubernetes-validations": _EMPTY,
}  # fmt: skip


def _inner(schema: Schema, skip_any: bool, path: str) -> Iterator[FieldError]:
    """A schema below allOf and its like may only restrict values."""
    yield from _values(schema, skip_any, False, path)
    if isinstance(items := schema.get("items"), Mapping):
        yield from _inner(cast("Schema", items), False, f"{path}.items")
    for name, child in _children(schema):
        yield from _inner(child, False, f"{path}.properties[{name}]")
    for word, text in _NOT_INSIDE.items():
        value = schema.get(word)
        if value or (text == _UNDEFINED and value is not None):
            yield fe.forbidden(f"{path}.{word}", text)
    if "metadata" in part(schema, "properties"):
        yield fe.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


# -- completeness: what allOf and its like talk about is also stated outside


def _completeness(schema: Schema, path: str) -> Iterator[FieldError]:
    for name, child in _children(schema):
        yield from _completeness(child, f"{path}.properties[{name}]")
    for word in ("items", "additionalProperties"):
        if isinstance(child := schema.get(word), Mapping):
            yield from _completeness(cast("Schema", child), f"{path}.{word}")
    yield from _stated(schema, schema, path, path)


def _stated(inner: Schema, outer: Schema, inner_path: str, path: str) -> Iterator[FieldError]:
    for word in ("allOf", "anyOf", "oneOf"):
        for index, member in enumerate(_nested(inner, word)):
            yield from _stated_member(member, outer, f"{inner_path}.{word}[{index}]", path)
    if isinstance(other := inner.get("not"), Mapping):
        yield from _stated_member(cast("Schema", other), outer, f"{inner_path}.not", path)


def _stated_member(inner: Schema, outer: Schema | None, inner_path: str, path: str) -> Iterator[FieldError]:
    if outer is None:
        yield fe.required(path, f"because it is defined in {inner_path}")
        return
    yield from _stated(inner, outer, inner_path, path)
    if isinstance(items := inner.get("items"), Mapping):
        below = outer.get("items")
        known = cast("Schema", below) if isinstance(below, Mapping) else None
        yield from _stated_member(cast("Schema", items), known, f"{inner_path}.items", f"{path}.items")
    for name, child in _children(inner):
        below = part(outer, "properties").get(name)
        known = cast("Schema", below) if isinstance(below, Mapping) else None
        yield from _stated_member(child, known, f"{inner_path}.properties[{name}]", f"{path}.properties[{name}]")
