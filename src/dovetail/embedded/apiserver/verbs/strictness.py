"""What a strict reader finds in a request body: fields given twice, and why a text is not JSON. Pure.

Model. JSON is read by orjson, which keeps the last of two equal keys and says nothing. Whether there were two is seen
from a count: what was read, written again, has as many keys as the text. Only when the counts differ is the text read
a second time, slowly, to learn which (strings may hold what looks like a key, so a difference proves nothing).
The words are those of Go's ``encoding/json``, which people and scripts know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import orjson

_KEY_END = b'":'
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
MAX_DEPTH = 250
"""Levels of lists and maps; orjson writes no more."""


class _Pairs(list[tuple[str, Any]]):
    """An object with all its fields, in order."""


def duplicates(raw: bytes, parsed: Any) -> tuple[dict[str, int], dict[str, int]]:
    """(places of the fields given again, places of all fields) by path. Both are empty in the usual case."""
    if raw.count(_KEY_END) == orjson.dumps(parsed).count(_KEY_END):
        return {}, {}
    try:
        pairs = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return {}, {}
    again: dict[str, int] = {}
    places: dict[str, int] = {}
    for place, (path, first) in enumerate(_paths(pairs, "")):
        (places if first else again).setdefault(path, place)
    return again, places


def _paths(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            below = f"{path}.{key}" if path else key
            yield below, key not in seen
            seen.add(key)
            yield from _paths(item, below)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _paths(item, f"{path}[{index}]")


# -- the words of Go's decoder


def json_problem(raw: bytes) -> str:
    """Why a text is not JSON, as Go says it."""
    text = raw.decode("utf-8", "replace")
    try:
        end = _value(text, _skip(text, 0), 0)
        end = _skip(text, end)
        return _unexpected(text, end, "after top-level value") if end < len(text) else "invalid character in JSON input"
    except _Stop as stop:
        return str(stop)


class _Stop(Exception):
    """The first problem."""


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _unexpected(text: str, at: int, where: str) -> str:
    if at >= len(text):
        return "unexpected end of JSON input"
    shown = {"'": r"'\''", '"': "'\"'", "\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'", "\\": r"'\\'"}
    char = text[at]
    quoted = shown.get(char) or (f"'{char}'" if char.isprintable() else f"'\\x{ord(char):02x}'")
    return f"invalid character {quoted} {where}"


def _value(text: str, at: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _Stop("exceeded max depth")
    char = text[at : at + 1]
    if char == "{":
        return _members(text, at, depth)
    if char == "[":
        return _items(text, at, depth)
    if char == '"':
        return _string(text, at)
    if char in _LITERALS:
        return _literal(text, at, _LITERALS[char])
    if char and char in "-0123456789":
        return _number(text, at)
    raise _Stop(_unexpected(text, at, "looking for beginning of value"))


def _literal(text: str, at: int, word: str) -> int:
    for index, wanted in enumerate(word):
        if text[at + index : at + index + 1] != wanted:
            raise _Stop(_unexpected(text, at + index, f"in literal {word} (expecting '{wanted}')"))
    return at + len(word)


def _number(text: str, at: int) -> int:
    found = _NUMBER.match(text, at)
    if found is None:
        raise _Stop(_unexpected(text, at + 1, "in numeric literal"))
    end = found.end()
    if text[end : end + 1] == ".":
        raise _Stop(_unexpected(text, end + 1, "after decimal point in numeric literal"))
    if text[end : end + 1] in ("e", "E"):
        raise _Stop(_unexpected(text, end + 1, "in exponent of numeric literal"))
    return end


def _string(text: str, at: int) -> int:
    found = _STRING.match(text, at)
    end = found.end() if found else at + 1
    if text[end : end + 1] == '"':
        return end + 1
    if text[end : end + 1] == "\\":
        where = "in \\u hexadecimal character escape" if text[end + 1 : end + 2] == "u" else "in string escape code"
        raise _Stop(_unexpected(text, end + 1, where))
    raise _Stop(_unexpected(text, end, "in string literal"))


def _members(text: str, at: int, depth: int) -> int:
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return at + 1
    while True:
        if text[at : at + 1] != '"':
            raise _Stop(_unexpected(text, at, "looking for beginning of object key string"))
        at = _skip(text, _string(text, at))
        if text[at : at + 1] != ":":
            raise _Stop(_unexpected(text, at, "after object key"))
        at = _skip(text, _value(text, _skip(text, at + 1), depth + 1))
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise _Stop(_unexpected(text, at, "after object key:value pair"))
        at = _skip(text, at + 1)


def _items(text: str, at: int, depth: int) -> int:
    at = _skip(text, at + 1)
    if text[at : at + 1] == "]":
        return at + 1
    while True:
        at = _skip(text, _value(text, at, depth + 1))
        if text[at : at + 1] == "]":
            return at + 1
        if text[at : at + 1] != ",":
            raise _Stop(_unexpected(text, at, "after array element"))
        at = _skip(text, at + 1)
