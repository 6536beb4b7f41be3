"""What a definition's schema must be to be accepted: the checks that kube-apiserver makes at creation and update.

``schema_problems`` runs them in its order: structurality, defaults, then every schema of the tree (list and map types,
forbidden words) and its CEL rules. Texts: apiextensions ``pkg/apis/apiextensions/validation/validation.go``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import orjson

from .. import fielderrors as fe
from ..cel.types import Type
from ..fielderrors import FieldError
from ..foreign import part, parts
from .declarations import declared
from .formats import CHECKS
from .pruning import prune
from .rules import compile_rule
from .structurality import structural_problems
from .validators import compile_schema

Schema = Mapping[str, Any]
_LISTS, _KEYS, _MAPS = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = ("metadata", "kind", "apiVersion")
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_AT_ROOT = (
    "description", "type", "format", "title", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength",
    "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items", "properties",
    "externalDocs", "example", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations",
)  # fmt: skip
_AT_ROOT_SHOWN = (
    "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern "
    "MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
    "XValidations]"
)


def schema_problems(schema: Schema, path: str, status: bool) -> list[FieldError]:
    """Why the schema cannot be accepted; empty when it can. ``status``: the version has the status subresource."""
    errors = [*_root(schema, path, status)]
    structural = structural_problems(schema, path)
    errors += structural or list(_defaults(schema, path))
    with_rules = not errors
    shape, rules = _walk(schema, _Place(path, with_rules=with_rules, root=True))
    return [*errors, *shape, *rules]


def unrecognized_formats(schema: Schema) -> Iterator[str]:
    """Formats of strings that mean nothing to the server: each is a warning."""
    name = str(schema.get("format") or "")
    if name and schema.get("type") not in ("integer", "number") and name not in CHECKS and name != "password":
        yield name
    for child in _below(schema):
        yield from unrecognized_formats(child)


def _below(schema: Schema) -> Iterator[Schema]:
    found: list[Any] = [schema.get("items"), schema.get("additionalProperties"), schema.get("not")]
    found += [*part(schema, "properties").values()]
    found += [member for word in ("allOf", "anyOf", "oneOf") for member in parts(schema, word)]
    return (cast("Schema", child) for child in found if isinstance(child, Mapping))


def _root(schema: Schema, path: str, status: bool) -> Iterator[FieldError]:
    if status:
        for name, value in schema.items():
            if name == "type" and value != "object":
                text = 'only "object" is allowed as the type at the root of the schema if the status subresource is '
                yield fe.invalid(f"{path}.type", value, text + "enabled")
                break
            if name not in _AT_ROOT and value not in (None, False, "", [], {}):
                text = f"only {_AT_ROOT_SHOWN} fields are allowed at the root of the schema if the status subresource "
                yield fe.invalid(path, schema, text + "is enabled")
                break
    if schema.get("nullable"):
        yield fe.forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def _defaults(schema: Schema, path: str, inside_meta: bool = False, root: bool = True) -> Iterator[FieldError]:
    """Defaults have no unknown fields and are valid themselves."""
    embedded = root or bool(schema.get("x-kubernetes-embedded-resource"))
    if schema.get("default") is not None and not inside_meta:
        from .structural import node_of

        value = copy.deepcopy(schema["default"])
        prune(node_of(schema), value, "", [])
        if value != schema["default"]:
            yield fe.invalid(f"{path}.default", schema["default"], "must not have unknown fields")
        found: list[FieldError] = []
        compile_schema(schema)(schema["default"], f"{path}.default", found)
        yield from found
    if isinstance(items := schema.get("items"), Mapping):
        yield from _defaults(cast("Schema", items), f"{path}.items", inside_meta, False)
    for name, child in part(schema, "properties").items():
        if isinstance(child, Mapping):
            meta = inside_meta or (embedded and name in _META)
            yield from _defaults(cast("Schema", child), f"{path}.properties[{name}]", meta, False)


# -- every schema of the tree


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands: ``no_default`` says why none may be here, ``uncorrelated`` above what old and new values
    cannot be told apart, ``with_rules`` whether CEL rules are compiled.
    """

    path: str
    with_rules: bool
    root: bool = False
    no_default: str = ""
    in_meta: bool = False
    uncorrelated: str = ""


Found = tuple[list[FieldError], list[FieldError]]


def _walk(schema: Schema, place: _Place) -> Found:
    """(errors of the shape, errors of rules) of a schema and all below."""
    path = place.path
    shape = [*_words(schema, place)]
    rules: list[FieldError] = []
    for child, where in _parts(schema, place):
        below, their_rules = _walk(child, where)
        shape += below
        rules += their_rules
    shape += [*_lists_and_maps(schema, path)]
    entries = parts(schema, "x-kubernetes-validations")
    if entries:
        for index, entry in enumerate(entries):
            shape += _rule_form(schema, entry, f"{path}.x-kubernetes-validations[{index}]")
        if not shape and place.with_rules:
            of = declared(schema, place.root)
            for index, entry in enumerate(entries if of is not None else ()):
                assert of is not None
                rules += _rule(entry, of, f"{path}.x-kubernetes-validations[{index}]", place)
    return shape, rules


def _parts(schema: Schema, place: _Place) -> Iterator[tuple[Schema, _Place]]:
    path, root = place.path, place.root
    place = replace(place, root=False)
    plain = replace(place, with_rules=False)
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        inner = replace(place, path=f"{path}.additionalProperties")
        if place.in_meta:
            inner = replace(inner, no_default="inside additionalProperties applying to object metadata")
        yield cast("Schema", values), inner
    for name, child in part(schema, "properties").items():
        if isinstance(child, Mapping):
            yield cast("Schema", child), _property(schema, name, place, root)
    for word in ("allOf", "oneOf", "anyOf"):
        for index, member in enumerate(parts(schema, word)):
            if isinstance(member, Mapping):
                yield cast("Schema", member), replace(plain, path=f"{path}.{word}[{index}]")
    if isinstance(other := schema.get("not"), Mapping):
        yield cast("Schema", other), replace(plain, path=f"{path}.not")
    if isinstance(items := schema.get("items"), Mapping):
        inner = replace(place, path=f"{path}.items")
        if schema.get(_LISTS) != "map" and not place.uncorrelated:
            inner = replace(inner, uncorrelated=path)
        yield cast("Schema", items), inner


def _property(schema: Schema, name: str, place: _Place, root: bool) -> _Place:
    inner = replace(place, path=f"{place.path}.properties[{name}]")
    if (root or schema.get("x-kubernetes-embedded-resource")) and name in _META:
        inner = replace(inner, in_meta=True)
        if root:
            inner = replace(inner, no_default=f"in top-level {name}")
    return inner


_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


def _words(schema: Schema, place: _Place) -> Iterator[FieldError]:
    path, of = place.path, schema.get("type")
    if of and of not in _TYPES:
        yield fe.not_supported(f"{path}.type", of, list(_TYPES))
    if schema.get("default") is not None and place.no_default:
        yield fe.forbidden(f"{path}.default", f"must not be set {place.no_default}")
    for word in _UNSUPPORTED:
        if schema.get(word):
            yield fe.forbidden(f"{path}.{word}", f"{word} is not supported")
    if of == "null":
        yield fe.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.get("items"), list):
        yield fe.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if place.in_meta and schema.get("x-kubernetes-embedded-resource"):
        yield fe.forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield fe.forbidden(f"{path}.uniqueItems", text)
    values = schema.get("additionalProperties")
    if values is not None and values is not True and part(schema, "properties"):
        text = "additionalProperties and properties are mutual exclusive"
        yield fe.forbidden(f"{path}.additionalProperties", text)


def _lists_and_maps(schema: Schema, path: str) -> Iterator[FieldError]:
    of, kind, maps = schema.get("type") or "", schema.get(_LISTS), schema.get(_MAPS)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        yield fe.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if maps is not None and of != "object":
        yield _type_for(path, of, "must be object if x-kubernetes-map-type is specified")
    if maps is not None and maps not in ("atomic", "granular"):
        yield fe.not_supported(f"{path}.{_MAPS}", maps, ["atomic", "granular"])
    items = part(schema, "items")
    if kind is not None and of != "array":
        yield _type_for(path, of, "must be array if x-kubernetes-list-type is specified")
    elif kind == "set":
        yield from _set_items(items, path)
    if kind is not None and kind not in ("atomic", "set", "map"):
        yield fe.not_supported(f"{path}.{_LISTS}", kind, ["atomic", "set", "map"])
    if parts(schema, _KEYS) and kind != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield fe.required(f"{path}.{_LISTS}", text) if kind is None else fe.invalid(f"{path}.{_LISTS}", kind, text)
    if kind == "map":
        yield from _map_items(schema, items, path)
    if kind in ("set", "map") and items:
        yield from _strict_items(schema, items, path)


def _type_for(path: str, found: str, text: str) -> FieldError:
    return fe.invalid(f"{path}.type", found, text) if found else fe.required(f"{path}.type", text)


def _set_items(items: Schema, path: str) -> Iterator[FieldError]:
    text = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get(_LISTS) not in (None, "atomic"):
        yield fe.invalid(f"{path}.items.{_LISTS}", items[_LISTS], text)
    if items.get("type") == "object" and items.get(_MAPS) != "atomic":
        yield fe.invalid(f"{path}.items.{_MAPS}", items.get(_LISTS), text)


def _map_items(schema: Schema, items: Schema, path: str) -> Iterator[FieldError]:
    keys = cast("list[str]", parts(schema, _KEYS))
    if not keys:
        yield fe.required(f"{path}.{_KEYS}", "must not be empty if x-kubernetes-list-type is map")
    if not items:
        yield fe.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        yield fe.invalid(f"{path}.items.type", items.get("type") or "", text)
        return
    for index, key in enumerate(keys):
        known = part(items, "properties").get(key)
        if known is None:
            yield fe.invalid(f"{path}.{_KEYS}", keys, "entries must all be names of item properties")
        elif known.get("type") in ("array", "object"):
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield fe.invalid(f"{path}.items.properties[{key}].type", items.get("type"), text)
        if key in keys[:index]:
            yield fe.invalid(f"{path}.{_KEYS}", keys, "must not contain duplicate entries")


def _strict_items(schema: Schema, items: Schema, path: str) -> Iterator[FieldError]:
    kind = schema[_LISTS]
    if items.get("nullable"):
        yield fe.forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {kind}")
    for key in parts(schema, _KEYS) if kind == "map" else ():
        known = part(items, "properties").get(key)
        if not isinstance(known, Mapping):
            continue
        place, listed = f"{path}.items.properties[{key}]", "this property is in x-kubernetes-list-map-keys, so it "
        if key not in parts(items, "required") and cast("Schema", known).get("default") is None:
            yield fe.required(f"{place}.default", listed + "must have a default or be a required property")
        if cast("Schema", known).get("nullable"):
            yield fe.forbidden(f"{place}.nullable", listed + "cannot be nullable")


# -- rules


def _rule_form(schema: Schema, entry: Schema, path: str) -> Iterator[FieldError]:
    rule, message = str(entry.get("rule") or ""), str(entry.get("message") or "")
    if not rule.strip():
        yield fe.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield fe.invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif _breaks(message.strip()):
        yield fe.invalid(f"{path}.message", message, "message must not contain line breaks")
    elif _breaks(rule.strip()) and not message.strip():
        yield fe.required(f"{path}.message", "message must be specified if rule contains line breaks")
    expression = str(entry.get("messageExpression") or "")
    if expression and not expression.strip():
        yield fe.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    if entry.get("reason") is not None and entry["reason"] not in _REASONS:
        yield fe.not_supported(f"{path}.reason", entry["reason"], list(_REASONS))
    where = str(entry.get("fieldPath") or "")
    if where and not where.strip():
        yield fe.invalid(f"{path}.fieldPath", where, "fieldPath must be non-empty if specified")
    if _breaks(where):
        yield fe.invalid(f"{path}.fieldPath", where, "fieldPath must not contain line breaks")
    if where and followed(schema, where)[0] is None:
        yield fe.invalid(f"{path}.fieldPath", where, "fieldPath must be a valid path")


def _breaks(text: str) -> bool:
    return "\n" in text or "\r" in text


def _rule(entry: Schema, of: Type, path: str, place: _Place) -> Iterator[FieldError]:
    rule = compile_rule(entry, of)
    if rule.problem:
        yield _about(f"{path}.rule", entry, rule.problem)
    if rule.message_problem:
        yield _about(f"{path}.messageExpression", entry, rule.message_problem)
    if rule.transition and place.uncorrelated:
        text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.uncorrelated}"
        yield fe.invalid(f"{path}.rule", entry["rule"], text)
    elif not rule.transition and entry.get("optionalOldSelf") is not None:
        text = "may not be set if oldSelf is not used in rule"
        yield fe.invalid(f"{path}.optionalOldSelf", entry["optionalOldSelf"], text)


def _about(field: str, entry: Schema, problem: str) -> FieldError:
    """An error that shows the whole entry, as Go writes its struct."""
    names = ("rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf")
    shown = {name[0].upper() + name[1:]: entry.get(name, None if name in _POINTERS else "") for name in names}
    text = orjson.dumps(shown).decode()
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return FieldError("FieldValueInvalid", "Invalid value", field, text, problem)


_POINTERS = ("reason", "optionalOldSelf")

# -- JSON paths into a schema


def followed(schema: Schema, path: str, arrays: bool = True) -> tuple[Schema | None, str]:
    """(the schema that a field path leads to, "") or (None, why it leads nowhere)."""
    at = 0
    found = schema
    while at < len(path):
        if path[at] == "[":
            if not arrays:
                return None, "array notation is not allowed"
            end = path.find("']", at)
            if not path.startswith("['", at) or end < 0:
                return None, "expected single quoted string but got " + path[at + 1 :].partition("]")[0]
            name, at = path[at + 2 : end].replace("\\'", "'").replace("\\\\", "\\"), end + 2
        elif path[at] == ".":
            end = min((i for i in (path.find(".", at + 1), path.find("[", at + 1)) if i > 0), default=len(path))
            name, at = path[at + 1 : end], end
            if not name:
                return None, "unexpected end of JSON path" if end == len(path) else "does not refer to a valid field"
        else:
            return None, f"expected [ or . but got: {path[at:].partition('.')[0]}"
        properties, values = part(found, "properties"), found.get("additionalProperties")
        if properties:
            if not isinstance(properties.get(name), Mapping):
                return None, "does not refer to a valid field"
            found = cast("Schema", properties[name])
        elif isinstance(values, Mapping):
            found = cast("Schema", values)
        else:
            return None, "does not refer to a valid field"
    return found, ""
