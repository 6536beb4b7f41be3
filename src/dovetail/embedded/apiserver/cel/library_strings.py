"""Strings and regular expressions: the standard methods, cel-go's string extension, Kubernetes' regex library.

Positions count code points, as CEL's do and Python's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ..schema.goregex import GoRegex, translate
from .errors import CelEvaluationError
from .functions import binary, define, unary
from .library_standard import shortest, string
from .operators import LIMIT
from .values import NO_OVERLOAD, Duration, Timestamp, TypeValue

binary("string.contains(string): bool")(lambda text, part: part in text)
binary("string.startsWith(string): bool")(lambda text, part: text.startswith(part))
binary("string.endsWith(string): bool")(lambda text, part: text.endswith(part))


def _regex(pattern: str) -> GoRegex:
    try:
        return translate(pattern)
    except ValueError as error:
        raise CelEvaluationError(str(error)) from error


binary("string.matches(string): bool", "matches(string, string): bool")(
    lambda text, pattern: _regex(pattern).search(text)
)


@define("string.find(string): string")
def _find(text: str, pattern: str) -> str:
    return next(_matches(text, pattern), "")


@define("string.findAll(string): list<string>", "string.findAll(string, int): list<string>")
def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    for match in _matches(text, pattern):
        if limit >= 0 and len(found) >= limit:
            break
        found.append(match)
    return found


def _matches(text: str, pattern: str) -> Iterator[str]:
    try:
        return (match[0] for match in _regex(pattern).finditer(text))
    except ValueError as error:
        raise CelEvaluationError(str(error)) from error


# -- the string extension


def _at(text: str, index: int, end: bool = True) -> int:
    if not 0 <= index <= len(text) - (not end):
        raise CelEvaluationError(f"index out of range: {index}")
    return index


@define("string.charAt(int): string")
def _char_at(text: str, index: int) -> str:
    return text[_at(text, index) : index + 1]


@define("string.indexOf(string): int", "string.indexOf(string, int): int")
def _index_of(text: str, part: str, start: int = 0) -> int:
    return text.find(part, _at(text, start))


@define("string.lastIndexOf(string): int", "string.lastIndexOf(string, int): int")
def _last_index_of(text: str, part: str, last: int | None = None) -> int:
    if last is None:
        return text.rfind(part)
    return text.rfind(part, 0, _at(text, last, end=False) + len(part))


_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
unary("string.lowerAscii(): string")(lambda text: text.translate(_LOWER))
unary("string.upperAscii(): string")(lambda text: text.translate(_UPPER))


@define("string.replace(string, string): string", "string.replace(string, string, int): string")
def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    count = len(text) + 1 if not old else text.count(old)
    if len(text) + count * len(new) > LIMIT:
        raise CelEvaluationError("string too long")
    return text.replace(old, new, limit)


@define("string.split(string): list<string>", "string.split(string, int): list<string>")
def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [text]
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    return list(text) if limit < 0 or limit >= len(text) else [*text[: limit - 1], text[limit - 1 :]]


@define("string.substring(int): string", "string.substring(int, int): string")
def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else _at(text, end)
    if _at(text, start) > last:
        raise CelEvaluationError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
unary("string.trim(): string")(lambda text: text.strip(_SPACE))


@define("list<string>.join(): string", "list<string>.join(string): string")
def _join(items: list[str], separator: str = "") -> str:
    if sum(map(len, items)) + len(separator) * len(items) > LIMIT:
        raise CelEvaluationError("string too long")
    return separator.join(items)


_QUOTED = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


@define("strings.quote(string): string")
def _quote(text: str) -> str:
    return f'"{text.translate(_QUOTED)}"'


# -- format


@define("string.format(list<dyn>): string")
def _format(text: str, args: list[Any]) -> str:
    pieces: list[str] = []
    at = used = 0
    while at < len(text):
        if text[at] != "%":
            mark = text.find("%", at)
            end = len(text) if mark < 0 else mark
            pieces.append(text[at:end])
            at = end
            continue
        if text.startswith("%%", at):
            pieces.append("%")
            at += 2
            continue
        at, clause, precision = _clause(text, at + 1)
        if used >= len(args):
            raise CelEvaluationError(f"index {used} out of range")
        pieces.append(_formatted(clause, precision, args[used]))
        used += 1
    return "".join(pieces)


def _clause(text: str, at: int) -> tuple[int, str, int | None]:
    precision: int | None = None
    if text[at : at + 1] == ".":
        end = at + 1
        while text[end : end + 1].isdigit():
            end += 1
        precision = int(text[at + 1 : end] or "0")
        at = end
        if precision > 1000:
            raise CelEvaluationError("precision too large")
    if at >= len(text):
        raise CelEvaluationError("could not parse formatting clause: unexpected end of string")
    return at + 1, text[at], precision


def _formatted(clause: str, precision: int | None, value: Any) -> str:
    digits = 6 if precision is None else precision
    match clause:
        case "s":
            return _shown(value)
        case "d" if isinstance(value, int) and not isinstance(value, bool):
            return str(int(value))
        case "f" if isinstance(value, (int, float)):
            return f"{float(value):.{digits}f}"
        case "e" if isinstance(value, (int, float)):
            return f"{float(value):.{digits}e}"
        case "b" if isinstance(value, int):
            return f"{int(value):b}"
        case "o" if isinstance(value, int):
            return f"{int(value):o}"
        case "x" | "X":
            return _hex(value) if clause == "x" else _hex(value).upper()
        case _ if clause in "sdfebox":
            raise CelEvaluationError(f"error during formatting: no such overload for clause %{clause}")
        case _:
            raise CelEvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{clause}"')


def _hex(value: Any) -> str:
    if isinstance(value, (str, bytes)):
        return (value.encode() if isinstance(value, str) else value).hex()
    if isinstance(value, int):
        return f"{int(value):x}"
    raise CelEvaluationError(NO_OVERLOAD)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, cast('list[Any]', value)))}]"
    if isinstance(value, dict):
        entries = sorted((_shown(key), _shown(item)) for key, item in cast("dict[Any, Any]", value).items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in entries) + "}"
    if value is None:
        return "null"
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, TypeValue):
        return value.name
    if isinstance(value, (str, bytes, int, Timestamp, Duration)):
        return string(value)
    raise CelEvaluationError("error during formatting: string clause can only be used on strings, bools, bytes, ints, "
                             "doubles, maps, lists, types, durations, and timestamps")  # fmt: skip
