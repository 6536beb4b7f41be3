"""Value validation of custom resources: a schema becomes one closure, called with a value and a path.

A validator is ``(value, path, errors) -> None``. Messages are those of kube-openapi's validator, as kubectl users see
them. Pruning and defaulting happen before (``pruning``), so unknown fields never arrive here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import formats
from .goregex import translate

Schema = Mapping[str, Any]
Errors = list[FieldError]
Validator = Callable[[Any, str, Errors], None]

_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def type_name(value: Any) -> str:
    return _NAMES.get(cast("type[Any]", value.__class__), "null")


def compile_schema(schema: Schema) -> Validator:
    """The validator of a whole schema."""
    checks = [*_typed(schema), *_values(schema), *_combined(schema)]
    kinds = _allowed(schema)
    nullable = bool(schema.get("nullable"))
    if not checks and not kinds:
        return _anything

    def validate(value: Any, path: str, errors: Errors) -> None:
        if value is None and (nullable or not kinds):
            return
        if kinds and not _is(value, kinds):
            errors.append(_wrong_type(value, path, kinds))
            return
        for check in checks:
            check(value, path, errors)

    return validate


def _anything(value: Any, path: str, errors: Errors) -> None:
    del value, path, errors


def _allowed(schema: Schema) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    return (schema["type"],) if schema.get("type") else ()


def _is(value: Any, kinds: tuple[str, ...]) -> bool:
    name = type_name(value)
    if name in kinds or (name == "integer" and "number" in kinds):
        return True
    return name == "number" and "integer" in kinds and float(value).is_integer()


def _wrong_type(value: Any, path: str, kinds: tuple[str, ...]) -> FieldError:
    name = type_name(value)
    wanted = kinds[0] if len(kinds) == 1 else ",".join(kinds)
    return fe.type_invalid(path or "<nil>", name, f'{path} in body must be of type {wanted}: "{name}"')


# -- objects and lists


def _typed(schema: Schema) -> list[Validator]:
    checks: list[Validator] = []
    if properties := cast("dict[str, Schema]", part(schema, "properties")):
        checks.append(_properties({name: compile_schema(child) for name, child in properties.items()}))
    if required := cast("list[str]", parts(schema, "required")):
        checks.append(_required(required))
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        checks.append(_map_values(compile_schema(cast("Schema", values)), frozenset(parts(schema, "properties"))))
    if isinstance(items := schema.get("items"), Mapping):
        checks.append(_items(compile_schema(cast("Schema", items))))
    if schema.get("x-kubernetes-list-type") in ("set", "map"):
        checks.append(_unique(tuple(parts(schema, "x-kubernetes-list-map-keys"))))
    return checks


def _properties(children: Mapping[str, Validator]) -> Validator:
    useful = {name: child for name, child in children.items() if child is not _anything}

    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is dict:
            prefix = f"{path}." if path else ""
            for name, child in useful.items():
                if name in value:
                    child(value[name], prefix + name, errors)

    return check


def _required(names: list[str]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is dict:
            prefix = f"{path}." if path else ""
            errors.extend(fe.required(prefix + name) for name in names if name not in value)

    return check


def _map_values(child: Validator, known: frozenset[str]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is dict:
            for name, item in value.items():
                if name not in known:
                    child(item, f"{path}.{name}", errors)

    return check


def _items(child: Validator) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is list:
            for index, item in enumerate(value):
                child(item, f"{path}[{index}]", errors)

    return check


def _unique(keys: tuple[str, ...]) -> Validator:
    def identity(item: Any) -> Any:
        if not keys or not isinstance(item, dict):
            return item  # pyright: ignore[reportUnknownVariableType]
        return {key: cast("dict[str, Any]", item).get(key) for key in keys}

    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is not list:
            return
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            known = orjson.dumps(identity(item), option=orjson.OPT_SORT_KEYS)
            if known in seen:
                errors.append(fe.duplicate(f"{path}[{index}]", identity(item)))
            seen.add(known)

    return check


# -- values


def _values(schema: Schema) -> list[Validator]:
    checks: list[Validator] = []
    if enum := schema.get("enum"):
        checks.append(_enum(enum))
    if pattern := schema.get("pattern"):
        checks.append(_pattern(str(pattern)))
    if (form := schema.get("format")) and (known := formats.CHECKS.get(str(form))):
        checks.append(_format(str(form), known))
    for word, make in _LIMITS.items():
        if schema.get(word) is not None:
            checks.append(make(schema[word], schema))
    return checks


def _enum(allowed: list[Any]) -> Validator:
    keys = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in allowed}

    def check(value: Any, path: str, errors: Errors) -> None:
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) not in keys:
            errors.append(fe.not_supported(path, value, allowed))

    return check


def _pattern(pattern: str) -> Validator:
    search = translate(pattern).search

    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is str and not search(value):
            errors.append(fe.invalid(path, value, f"{path} in body should match '{pattern}'"))

    return check


def _format(name: str, known: Callable[[str], bool]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is str and not known(value):
            errors.append(fe.type_invalid(path, value, f'{path} in body must be of type {name}: "{value}"'))

    return check


def _limit(
    applies: tuple[type, ...], bad: Callable[[Any], bool], problem: Callable[[Any, str], FieldError]
) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ in applies and bad(value):
            errors.append(problem(value, path))

    return check


def _says(text: str) -> Callable[[Any, str], FieldError]:
    return lambda value, path: fe.invalid(path, value, f"{path} in body {text}")


_NUMERIC = (int, float)


def _maximum(limit: Any, schema: Schema) -> Validator:
    if schema.get("exclusiveMaximum"):
        return _limit(_NUMERIC, lambda v: v >= limit, _says(f"should be less than {limit}"))
    return _limit(_NUMERIC, lambda v: v > limit, _says(f"should be less than or equal to {limit}"))


def _minimum(limit: Any, schema: Schema) -> Validator:
    if schema.get("exclusiveMinimum"):
        return _limit(_NUMERIC, lambda v: v <= limit, _says(f"should be greater than {limit}"))
    return _limit(_NUMERIC, lambda v: v < limit, _says(f"should be greater than or equal to {limit}"))


_LIMITS: dict[str, Callable[[Any, Schema], Validator]] = {
    "maximum": _maximum,
    "minimum": _minimum,
    "multipleOf": lambda k, _: _limit(_NUMERIC, lambda v: v % k != 0, _says(f"should be a multiple of {k}")),
    "maxLength": lambda k, _: _limit((str,), lambda v: len(v) > k, lambda v, p: fe.too_long(p, k)),
    "minLength": lambda k, _: _limit((str,), lambda v: len(v) < k, _says(f"should be at least {k} chars long")),
    "maxItems": lambda k, _: _limit((list,), lambda v: len(v) > k, lambda v, p: fe.too_many(p, len(v), k)),
    "minItems": lambda k, _: _limit((list,), lambda v: len(v) < k, _says(f"should have at least {k} items")),
    "maxProperties": lambda k, _: _limit((dict,), lambda v: len(v) > k, lambda v, p: fe.too_many(p, len(v), k)),
    "minProperties": lambda k, _: _limit((dict,), lambda v: len(v) < k, _says(f"should have at least {k} properties")),
}


# -- combinations


def _combined(schema: Schema) -> list[Validator]:
    checks: list[Validator] = []
    if parts := schema.get("allOf"):
        checks.append(_all_of([compile_schema(part) for part in parts]))
    if parts := schema.get("anyOf"):
        checks.append(_any_of([compile_schema(part) for part in parts]))
    if parts := schema.get("oneOf"):
        checks.append(_one_of([compile_schema(part) for part in parts]))
    if isinstance(part := schema.get("not"), Mapping):
        checks.append(_not(compile_schema(cast("Schema", part))))
    return checks


def _failures(part: Validator, value: Any, path: str) -> Errors:
    errors: Errors = []
    part(value, path, errors)
    return errors


def _all_of(members: list[Validator]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        for member in members:
            member(value, path, errors)

    return check


def _any_of(parts: list[Validator]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        failures = [_failures(part, value, path) for part in parts]
        if all(failures):
            errors.append(fe.invalid(path or "<nil>", "", f'"{path}" must validate at least one schema (anyOf)'))
            errors.extend(min(failures, key=len))

    return check


def _one_of(parts: list[Validator]) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        failures = [_failures(part, value, path) for part in parts]
        valid = sum(not failed for failed in failures)
        if valid == 1:
            return
        found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
        text = f'"{path}" must validate one and only one schema (oneOf). {found}'
        errors.append(fe.invalid(path or "<nil>", "", text))
        if not valid:
            errors.extend(min(failures, key=len))

    return check


def _not(part: Validator) -> Validator:
    def check(value: Any, path: str, errors: Errors) -> None:
        if not _failures(part, value, path):
            errors.append(fe.invalid(path or "<nil>", "", f'"{path}" must not validate the schema (not)'))

    return check
