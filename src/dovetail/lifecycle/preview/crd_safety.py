"""Whether a CustomResourceDefinition may take the place of the one that is served. Pure.

Thirteen kinds of change are prohibited, the list that OLM v1 publishes: stored objects, or the programs that write
them, would not fit any more. Versions are compared under their own name, so a new version may look as it likes. Two
more kinds lose what is stored as well and are prohibited, too; what merely makes a field narrower is told as a
warning, because Kubernetes does not hold it against fields that nobody changes.

Where it is known that no object is stored, nothing stored can be hurt: what remains prohibited then is what the API
itself refuses.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Any, Final, cast

from dovetail.lifecycle.objects import mapping, spec_of

Schema = Mapping[str, Any]
_NOTHING: Final = object()


class Change(StrEnum):
    """The kinds of change. The first thirteen are OLM v1's prohibited ones."""

    SCOPE_CHANGED = "ScopeChanged"
    STORED_VERSION_REMOVED = "StoredVersionRemoved"
    REQUIRED_ADDED = "RequiredAdded"
    FIELD_REMOVED = "FieldRemoved"
    TYPE_CHANGED = "TypeChanged"
    DEFAULT_ADDED = "DefaultAdded"
    DEFAULT_CHANGED = "DefaultChanged"
    DEFAULT_REMOVED = "DefaultRemoved"
    ENUM_ADDED = "EnumAdded"
    ENUM_VALUES_REMOVED = "EnumValuesRemoved"
    MINIMUM_INCREASED = "MinimumIncreased"
    MAXIMUM_DECREASED = "MaximumDecreased"
    LIMIT_ADDED = "LimitAdded"
    UNKNOWN_FIELDS_PRUNED = "UnknownFieldsPruned"
    NAMES_CHANGED = "NamesChanged"
    NARROWED = "Narrowed"
    VERSION_NOT_SERVED = "VersionNotServed"


PROHIBITED: Final = tuple(Change)[:13]
_WARNINGS: Final = frozenset({Change.NARROWED, Change.VERSION_NOT_SERVED})
_REFUSED_BY_THE_API: Final = frozenset({Change.SCOPE_CHANGED, Change.STORED_VERSION_REMOVED})
_MINIMA: Final = ("minimum", "minLength", "minItems", "minProperties")
_MAXIMA: Final = ("maximum", "maxLength", "maxItems", "maxProperties")
_NARROWING: Final = (
    "pattern", "format", "multipleOf", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum",
    "x-kubernetes-validations", "allOf", "anyOf", "oneOf", "not", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """A change that matters. `path` is a field such as `spec.ports[].name`; `unsafe` is what prohibits the change."""

    change: Change
    message: str
    version: str = ""
    path: str = ""
    unsafe: bool = True


def verdict(
    old: Mapping[str, Any], new: Mapping[str, Any], stored_versions: Sequence[str], count: int | None
) -> list[Finding]:
    """What is wrong with `new` in place of `old`, the definition as it is served; nothing when it is safe.

    `stored_versions` are `status.storedVersions`; `count` is how many objects there are, None when nobody knows.
    """
    before, after = versions_of(old), versions_of(new)
    found = [*_definition(old, new), *_gone(before, after, stored_versions)]
    for name in before.keys() & after.keys():
        found += (
            Finding(change, message, name, path)
            for change, path, message in _compare(_schema(before[name]), _schema(after[name]), "")
        )
    order = tuple(Change)
    judged = (_judged(finding, count) for finding in found)
    return sorted(judged, key=lambda one: (not one.unsafe, order.index(one.change), one.version, one.path))


def is_unsafe(findings: Sequence[Finding]) -> bool:
    """Whether any of them prohibits the change."""
    return any(finding.unsafe for finding in findings)


def _judged(finding: Finding, count: int | None) -> Finding:
    harmless = count == 0 and finding.change not in _REFUSED_BY_THE_API
    if finding.change not in _WARNINGS and not harmless:
        return finding
    return Finding(finding.change, finding.message, finding.version, finding.path, unsafe=False)


def _definition(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    before, after = spec_of(old), spec_of(new)
    scopes = (before.get("scope"), after.get("scope"))
    if scopes[0] != scopes[1]:
        yield Finding(Change.SCOPE_CHANGED, f"the scope changes from {scopes[0]} to {scopes[1]}")
    for field in ("kind", "plural"):
        names = (mapping(before.get("names")).get(field), mapping(after.get("names")).get(field))
        if names[0] != names[1]:
            message = f"the {field} changes from {names[0]} to {names[1]}: what is stored has the old one"
            yield Finding(Change.NAMES_CHANGED, message)


def _gone(
    before: Mapping[str, Schema], after: Mapping[str, Schema], stored_versions: Sequence[str]
) -> Iterator[Finding]:
    for name in stored_versions:
        if name not in after:
            message = f"version {name} is removed, but objects are stored in it"
            yield Finding(Change.STORED_VERSION_REMOVED, message, name)
    for name, version in before.items():
        served = name in after and after[name].get("served") is not False
        if version.get("served") is not False and not served and (name in after or name not in stored_versions):
            message = f"version {name} is not served any more; programs that use it stop working"
            yield Finding(Change.VERSION_NOT_SERVED, message, name)


def versions_of(crd: Mapping[str, Any]) -> dict[str, Schema]:
    """The versions of a definition by name."""
    versions = cast("Sequence[Mapping[str, Any]]", spec_of(crd).get("versions") or ())
    return {str(version.get("name")): version for version in versions}


def _schema(version: Mapping[str, Any]) -> Schema:
    return mapping(mapping(version.get("schema")).get("openAPIV3Schema"))


_Change = tuple[Change, str, str]


def _compare(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    """The changes of a field and, where it is still of the same type, of what is in it."""
    types = (_type(old), _type(new))
    if types[0] != types[1]:
        yield Change.TYPE_CHANGED, path, f"the type changes from {types[0]} to {types[1]}"
        return
    yield from chain(
        _required(old, new, path),
        _defaults(old, new, path),
        _enums(old, new, path),
        _limits(old, new, path, _MINIMA, rises=True),
        _limits(old, new, path, _MAXIMA, rises=False),
        _narrowed(old, new, path),
        _pruned(old, new, path),
    )
    after = _fields(new)
    for name, field in _fields(old).items():
        where = f"{path}{name}" if path else name.removeprefix(".")
        if name not in after:
            yield Change.FIELD_REMOVED, where, "the field is removed; what is stored in it is lost"
        else:
            yield from _compare(field, after[name], where)


def _type(schema: Schema) -> str:
    return "int-or-string" if schema.get("x-kubernetes-int-or-string") else str(schema.get("type") or "any")


def _fields(schema: Schema) -> dict[str, Schema]:
    """What is below: `.name` for properties, `[]` for items, `{}` for the values of a map."""
    below = {f".{name}": mapping(field) for name, field in mapping(schema.get("properties")).items()}
    if isinstance(schema.get("items"), Mapping):
        below["[]"] = mapping(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        below["{}"] = mapping(schema["additionalProperties"])
    return below


def _required(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    for name in sorted({*(new.get("required") or ())} - {*(old.get("required") or ())}):
        where = f"{path}.{name}" if path else str(name)
        yield Change.REQUIRED_ADDED, where, "the field becomes required; objects without it are refused"


def _defaults(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    before, after = old.get("default", _NOTHING), new.get("default", _NOTHING)
    if not _differ(before, after):
        return
    if before is _NOTHING:
        yield Change.DEFAULT_ADDED, path, f"a default is added: {_shown(after)}"
    elif after is _NOTHING:
        yield Change.DEFAULT_REMOVED, path, f"the default {_shown(before)} is removed"
    else:
        yield Change.DEFAULT_CHANGED, path, f"the default changes from {_shown(before)} to {_shown(after)}"


def _enums(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    if not new.get("enum"):
        return
    if not old.get("enum"):
        yield Change.ENUM_ADDED, path, f"only {_shown(new['enum'])} are allowed any more"
        return
    gone = [value for value in old["enum"] if not any(not _differ(value, kept) for kept in new["enum"])]
    if gone:
        yield Change.ENUM_VALUES_REMOVED, path, f"{_shown(gone)} are not allowed any more"


def _limits(old: Schema, new: Schema, path: str, names: Sequence[str], *, rises: bool) -> Iterator[_Change]:
    change, verb = (Change.MINIMUM_INCREASED, "rises") if rises else (Change.MAXIMUM_DECREASED, "falls")
    for name in names:
        before, after = old.get(name), new.get(name)
        if after is None:
            continue
        if before is None:
            yield Change.LIMIT_ADDED, path, f"a limit is added: {name} {after}"
        elif (after > before) if rises else (after < before):
            yield change, path, f"{name} {verb} from {before} to {after}"


def _narrowed(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    for name in _NARROWING:
        if new.get(name) and _differ(old.get(name), new[name]):
            yield Change.NARROWED, path, f"{name} changes; objects that do not fit are refused when they are written"
    if old.get("nullable") and not new.get("nullable"):
        yield Change.NARROWED, path, "null is not allowed any more"


def _pruned(old: Schema, new: Schema, path: str) -> Iterator[_Change]:
    if _keeps_unknown(old) and not _keeps_unknown(new):
        yield Change.UNKNOWN_FIELDS_PRUNED, path, "fields that the schema does not name are not kept any more"


def _keeps_unknown(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-preserve-unknown-fields")) or schema.get("additionalProperties") is True


def _differ(one: Any, other: Any) -> bool:
    # Not by ==: to Python 1, 1.0 and True are equal.
    return _shown(one) != _shown(other) if one is not _NOTHING and other is not _NOTHING else one is not other


def _shown(value: Any) -> str:
    import json

    return json.dumps(_as_the_api_stores(value), sort_keys=True, ensure_ascii=False, default=str)


def _as_the_api_stores(value: Any) -> Any:
    """A package may say 1.0 where the API gives back 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _as_the_api_stores(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_as_the_api_stores(item) for item in cast("list[Any]", value)]
    return value
