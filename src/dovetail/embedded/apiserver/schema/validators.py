"""Value validation of custom resources: a schema becomes one closure, called with a value and a path.

A validator is ``(value, path, errors, old) -> None``. ``old`` is the value of before an update, UNKNOWN where it cannot
be told: a value that did not change is not checked again (ratcheting). Messages are those of kube-openapi's validator,
as kubectl users see them. Pruning and defaulting happen before (``pruning``), so unknown fields never arrive here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol, cast

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import formats
from .goregex import translate

Schema = Mapping[str, Any]
Errors = list[FieldError]
Check = Callable[[Any, str, Errors], None]
UNKNOWN: Any = object()

_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}


def type_name(value: Any) -> str:
    return _NAMES.get(cast("type[Any]", value.__class__), "null")


class Validator(Protocol):
    def __call__(self, value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None: ...


def compile_schema(schema: Schema) -> Validator:
    """The validator of a whole schema."""
    checks = [*_combined(schema), *_values(schema)]
    enum = _enum(schema["enum"]) if schema.get("enum") else None
    children = _children(schema)
    kinds = _allowed(schema)
    nullable = bool(schema.get("nullable"))
    if not checks and not kinds and not children and enum is None:
        return _anything

    def validate(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
        if old is not UNKNOWN and value == old:
            return
        if value is None:
            if not nullable and kinds:
                errors.append(_wrong_type(value, path, kinds))
                if enum is not None:
                    enum(value, path, errors)
            return
        if kinds and not _is(value, kinds):
            errors.append(_wrong_type(value, path, kinds))
            if enum is not None:
                enum(value, path, errors)
            return
        for check in checks:
            check(value, path, errors)
        if enum is not None:
            enum(value, path, errors)
        for child in children:
            child(value, path, errors, old)

    return validate


def _anything(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
    del value, path, errors, old


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


def _children(schema: Schema) -> list[Validator]:
    checks: list[Validator] = []
    if required := cast("list[str]", parts(schema, "required")):
        checks.append(_required(required))
    if properties := cast("dict[str, Schema]", part(schema, "properties")):
        correlated = schema.get("x-kubernetes-map-type") != "atomic"
        checks.append(_properties({name: compile_schema(child) for name, child in properties.items()}, correlated))
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        checks.append(_map_values(compile_schema(cast("Schema", values)), frozenset(parts(schema, "properties"))))
    if isinstance(items := schema.get("items"), Mapping):
        keys = parts(schema, "x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else []
        checks.append(_items(compile_schema(cast("Schema", items)), tuple(keys)))
    return checks


def _before(old: Any, name: str) -> Any:
    return cast("dict[str, Any]", old).get(name, UNKNOWN) if isinstance(old, dict) else UNKNOWN


def _properties(children: Mapping[str, Validator], correlated: bool) -> Validator:
    useful = {name: child for name, child in children.items() if child is not _anything}

    def check(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
        if value.__class__ is dict:
            prefix = f"{path}." if path else ""
            for name, child in useful.items():
                if name in value:
                    child(value[name], prefix + name, errors, _before(old, name) if correlated else UNKNOWN)

    return check


def _required(names: list[str]) -> Validator:
    def check(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
        del old
        if value.__class__ is dict:
            prefix = f"{path}." if path else ""
            errors.extend(fe.required(prefix + name) for name in names if name not in value)

    return check


def _map_values(child: Validator, known: frozenset[str]) -> Validator:
    def check(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
        if value.__class__ is dict:
            prefix = f"{path}." if path else ""
            for name, item in value.items():
                if name not in known:
                    child(item, prefix + name, errors, _before(old, name))

    return check


def _items(child: Validator, keys: tuple[str, ...]) -> Validator:
    def check(value: Any, path: str, errors: Errors, old: Any = UNKNOWN) -> None:
        if value.__class__ is list:
            known = {_identity(item, keys): item for item in old} if keys and old.__class__ is list else {}
            for index, item in enumerate(value):
                before = known.get(_identity(item, keys), UNKNOWN) if known else UNKNOWN
                child(item, f"{path}[{index}]", errors, before)

    return check


def _identity(item: Any, keys: tuple[str, ...]) -> bytes:
    if keys and isinstance(item, dict):
        fields = cast("dict[str, Any]", item)
        item = [fields.get(key) for key in keys]
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


# -- values


def _values(schema: Schema) -> list[Check]:
    lengths = [word for word in ("maxLength", "minLength") if schema.get(word) is not None]
    checks: list[Check] = [_LIMITS[word](schema[word], schema) for word in lengths]
    if pattern := schema.get("pattern"):
        checks.append(_pattern(str(pattern)))
    if (form := schema.get("format")) and (known := formats.CHECKS.get(str(form))):
        checks.append(_format(str(form), known))
    for word, make in _LIMITS.items():
        if schema.get(word) is not None and "Length" not in word:
            checks.append(make(schema[word], schema))
    return checks


def _enum(allowed: list[Any]) -> Check:
    keys = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in allowed}
    shown = [item if isinstance(item, str) else orjson.dumps(item).decode() for item in allowed]

    def check(value: Any, path: str, errors: Errors) -> None:
        if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) not in keys:
            errors.append(fe.not_supported(path, value, shown))

    return check


def _pattern(pattern: str) -> Check:
    search = translate(pattern).search

    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is str and not search(value):
            errors.append(fe.invalid(path, value, f"{path} in body should match '{pattern}'"))

    return check


def _format(name: str, known: Callable[[str], bool]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ is str and not known(value):
            errors.append(fe.type_invalid(path, value, f'{path} in body must be of type {name}: "{value}"'))

    return check


def _limit(applies: tuple[type, ...], bad: Callable[[Any], bool], problem: Callable[[Any, str], FieldError]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if value.__class__ in applies and bad(value):
            errors.append(problem(value, path))

    return check


def _says(text: str) -> Callable[[Any, str], FieldError]:
    return lambda value, path: fe.invalid(path, value, f"{path} in body {text}")


_NUMERIC = (int, float)


def _go(number: float) -> str:
    """A limit as Go shows it: whole numbers without a fraction."""
    return str(int(number)) if float(number).is_integer() else repr(number)


def _not_multiple(factor: float) -> Callable[[Any], bool]:
    exact = Decimal(str(factor))
    return lambda value: Decimal(str(value)) % exact != 0


def _maximum(limit: Any, schema: Schema) -> Check:
    if schema.get("exclusiveMaximum"):
        return _limit(_NUMERIC, lambda v: v >= limit, _says(f"should be less than {_go(limit)}"))
    return _limit(_NUMERIC, lambda v: v > limit, _says(f"should be less than or equal to {_go(limit)}"))


def _minimum(limit: Any, schema: Schema) -> Check:
    if schema.get("exclusiveMinimum"):
        return _limit(_NUMERIC, lambda v: v <= limit, _says(f"should be greater than {_go(limit)}"))
    return _limit(_NUMERIC, lambda v: v < limit, _says(f"should be greater than or equal to {_go(limit)}"))


_LIMITS: dict[str, Callable[[Any, Schema], Check]] = {
    "maximum": _maximum,
    "minimum": _minimum,
    "multipleOf": lambda k, _: _limit(_NUMERIC, _not_multiple(k), _says(f"should be a multiple of {_go(k)}")),
    "maxLength": lambda k, _: _limit((str,), lambda v: len(v) > k, lambda v, p: fe.too_long(p, k)),
    "minLength": lambda k, _: _limit((str,), lambda v: len(v) < k, _says(f"should be at least {k} chars long")),
    "maxItems": lambda k, _: _limit((list,), lambda v: len(v) > k, lambda v, p: fe.too_many(p, len(v), k)),
    "minItems": lambda k, _: _limit((list,), lambda v: len(v) < k, _says(f"should have at least {k} items")),
    "maxProperties": lambda k, _: _limit((dict,), lambda v: len(v) > k, lambda v, p: fe.too_many(p, len(v), k)),
    "minProperties": lambda k, _: _limit((dict,), lambda v: len(v) < k, _says(f"should have at least {k} properties")),
}


# -- combinations


def _combined(schema: Schema) -> list[Check]:
    checks: list[Check] = []
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


def _all_of(members: list[Validator]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        failures = [_failures(member, value, path) for member in members]
        for failed in failures:
            errors.extend(failed)
        if any(failures):
            none = ". None validated" if all(failures) else ""
            errors.append(_whole(f'"{path}" must validate all the schemas (allOf){none}'))

    return check


def _whole(text: str) -> FieldError:
    """Errors of combinations carry no field in Kubernetes; their text names it."""
    return fe.invalid("<nil>", "", text)


def _any_of(members: list[Validator]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        failures = [_failures(member, value, path) for member in members]
        if all(failures):
            errors.append(_whole(f'"{path}" must validate at least one schema (anyOf)'))
            errors.extend(min(failures, key=len))

    return check


def _one_of(members: list[Validator]) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        failures = [_failures(member, value, path) for member in members]
        valid = sum(not failed for failed in failures)
        if valid == 1:
            return
        found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
        errors.append(_whole(f'"{path}" must validate one and only one schema (oneOf). {found}'))
        if not valid:
            errors.extend(min(failures, key=len))

    return check


def _not(member: Validator) -> Check:
    def check(value: Any, path: str, errors: Errors) -> None:
        if not _failures(member, value, path):
            errors.append(_whole(f'"{path}" must not validate the schema (not)'))

    return check
