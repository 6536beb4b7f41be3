"""Sets of fields in the form of ``FieldsV1``, and the algebra on them. Pure; what a value's fields are: ``comparison``.

A set is a trie of path elements (``f:name``, ``k:{"name":"x"}``, ``v:"value"``). An element that is a member itself
and has no members below it is ``{}``; one with members below it that is also a member has the entry ``"."``. So a set
is exactly what
``managedFields[].fieldsV1`` holds, and needs no conversion.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

FieldSet = dict[str, Any]
_HERE = "."


def is_member(entry: FieldSet) -> bool:
    return not entry or _HERE in entry


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or not right:
        return left or right
    result = dict(left)
    for key, entry in right.items():
        result[key] = _join(result[key], entry) if key in result else entry
    return result


def _join(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left and not right:
        return {}
    merged = union({k: v for k, v in left.items() if k != _HERE}, {k: v for k, v in right.items() if k != _HERE})
    return {_HERE: {}, **merged} if is_member(left) or is_member(right) else merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of ``left`` that are not members of ``right``."""
    result: FieldSet = {}
    for key, entry in left.items():
        if key == _HERE:
            continue
        if key not in right:
            result[key] = entry
            continue
        _keep(result, key, is_member(entry) and not is_member(right[key]), difference(entry, right[key]))
    return result


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for key, entry in left.items():
        if key in right and key != _HERE:
            both = is_member(entry) and is_member(right[key])
            _keep(result, key, both, intersection(entry, right[key]))
    return result


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """``left`` without the members of ``right`` and everything below them (RecursiveDifference)."""
    result: FieldSet = {}
    for key, entry in left.items():
        if key == _HERE:
            continue
        if key not in right:
            result[key] = entry
        elif not is_member(right[key]):
            _keep(result, key, is_member(entry), without(entry, right[key]))
    return result


def _keep(result: FieldSet, key: str, member: bool, below: FieldSet) -> None:
    if member:
        result[key] = {_HERE: {}, **below} if below else {}
    elif below:
        result[key] = below


def member(below: FieldSet) -> FieldSet:
    """The entry of an element that is itself a member, with these members below it."""
    return {_HERE: {}, **below} if below else {}


def is_set(value: Any) -> bool:
    """Whether a value from a client can be read as a set."""
    if not isinstance(value, dict):
        return False
    entries = cast("FieldSet", value)
    return all((key == _HERE or key[:2] in _ELEMENTS) and is_set(entry) for key, entry in entries.items())


_ELEMENTS = ("f:", "k:", "v:", "i:")


def paths_of(members: FieldSet, prefix: str = "") -> list[str]:
    """Dotted paths of a set's members, as in conflict messages (``.spec.containers[name="a"].image``): the members of
    a level before what is below them.
    """
    shown = [(prefix + _shown(key), entry) for key, entry in sorted(members.items()) if key != _HERE]
    found = [path for path, entry in shown if is_member(entry)]
    for path, entry in shown:
        found += paths_of(entry, path)
    return found


def _shown(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        pairs = orjson.loads(rest)
        return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in pairs.items()) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"
