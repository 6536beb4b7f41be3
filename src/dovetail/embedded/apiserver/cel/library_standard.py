"""The standard library of CEL: operators, sizes, conversions, times, optionals."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from datetime import tzinfo as TzInfo  # noqa: N812
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from . import operators as op
from .errors import CelEvaluationError
from .functions import binary, define, unary
from .values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    Uint,
    comparable,
    contains,
    equal,
    type_name,
)

# -- operators

_SAME = ("int", "uint", "double", "string", "bytes", "bool", "timestamp", "duration")
_MIXED = ("int, uint", "int, double", "uint, int", "uint, double", "double, int", "double, uint")
_ORDER = tuple(f"{of}, {of}" for of in _SAME) + _MIXED


@define(*(f"_<_({pair}): bool" for pair in _ORDER))
def _less(left: Any, right: Any) -> bool:
    comparable(left, right)
    return left < right


@define(*(f"_<=_({pair}): bool" for pair in _ORDER))
def _less_equal(left: Any, right: Any) -> bool:
    comparable(left, right)
    return left <= right


@define(*(f"_>_({pair}): bool" for pair in _ORDER))
def _greater(left: Any, right: Any) -> bool:
    comparable(left, right)
    return left > right


@define(*(f"_>=_({pair}): bool" for pair in _ORDER))
def _greater_equal(left: Any, right: Any) -> bool:
    comparable(left, right)
    return left >= right


define("_==_(T, T): bool")(equal)
binary("_!=_(T, T): bool")(lambda left, right: not equal(left, right))
define(*(f"_+_({of}, {of}): {of}" for of in ("int", "uint", "double", "string", "bytes", "duration")))(op.add)
define("_+_(list<T>, list<T>): list<T>", "_+_(timestamp, duration): timestamp")(op.add)
define("_+_(duration, timestamp): timestamp")(op.add)
define(*(f"_-_({of}, {of}): {of}" for of in ("int", "uint", "double", "duration")))(op.subtract)
define("_-_(timestamp, timestamp): duration", "_-_(timestamp, duration): timestamp")(op.subtract)
define(*(f"_*_({of}, {of}): {of}" for of in ("int", "uint", "double")))(op.multiply)
define(*(f"_/_({of}, {of}): {of}" for of in ("int", "uint", "double")))(op.divide)
define(*(f"_%_({of}, {of}): {of}" for of in ("int", "uint")))(op.modulo)
define("-_(int): int", "-_(double): double")(op.negate)
unary("!_(bool): bool")(lambda value: not value)
binary("@in(T, list<T>): bool", "@in(K, map<K, V>): bool")(lambda item, container: contains(container, item))
define("_[_](list<T>, int): T", "_[_](map<K, V>, K): V")(op.index)
define("_[_](optional<list<T>>, int): optional<T>", "_[_](optional<map<K, V>>, K): optional<V>")(op.index)
define("_[?_](list<T>, int): optional<T>", "_[?_](map<K, V>, K): optional<V>")(op.optional_index)
define("_[?_](optional<list<T>>, int): optional<T>", "_[?_](optional<map<K, V>>, K): optional<V>")(op.optional_index)


# -- sizes, types, conversions

_SIZED = ("string", "bytes", "list<T>", "map<K, V>")
define(*(f"size({of}): int" for of in _SIZED), *(f"{of}.size(): int" for of in _SIZED))(len)
unary("type(T): type")(lambda value: TypeValue(type_name(value)))
unary("dyn(T): dyn")(lambda value: value)


def _unconvertible(wanted: str) -> CelEvaluationError:
    return CelEvaluationError(f"type conversion error from 'string' to '{wanted}'")


_DECIMAL = re.compile(r"[+-]?\d+\Z")


@define("int(int): int", "int(uint): int", "int(double): int", "int(string): int", "int(timestamp): int")
def _int(value: Any) -> int:
    if isinstance(value, Timestamp):
        return value.nanos // 10**9
    if isinstance(value, str):
        if not _DECIMAL.match(value) or not INT_MIN <= int(value) <= INT_MAX:
            raise _unconvertible("int")
        return int(value)
    if not INT_MIN <= value <= INT_MAX:  # also NaN
        raise CelEvaluationError("integer overflow")
    return int(value)


@define("uint(uint): uint", "uint(int): uint", "uint(double): uint", "uint(string): uint")
def _uint(value: Any) -> Uint:
    if isinstance(value, str) and not re.fullmatch(r"\d+", value):
        raise _unconvertible("uint")
    if not 0 <= float(value) <= UINT_MAX:
        raise CelEvaluationError("unsigned integer overflow")
    return Uint(int(value))


@define("double(double): double", "double(int): double", "double(uint): double", "double(string): double")
def _double(value: Any) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise _unconvertible("double") from error


@define("bool(bool): bool", "bool(string): bool")
def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "t", "T", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "F", "0"):
        return False
    raise _unconvertible("bool")


@define("bytes(bytes): bytes", "bytes(string): bytes")
def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else value


@define(*(f"string({of}): string" for of in _SAME))
def string(value: Any) -> str:
    """The conversion to a string, for every type that has one."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise CelEvaluationError("invalid UTF-8 in bytes, cannot convert to string") from error
    if isinstance(value, Timestamp):
        return _rfc3339(value.nanos)
    if isinstance(value, Duration):
        return shortest(value.nanos / 10**9) + "s"
    return str(int(value))


def shortest(value: float) -> str:
    """Go's ``%g`` with the shortest form."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if value == int(value) and abs(value) < 1e21:
        return str(int(value)) if not text.startswith("-0") else "-0"
    return text


# -- times

_STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


@define("timestamp(timestamp): timestamp", "timestamp(string): timestamp", "timestamp(int): timestamp")
def timestamp(value: Any) -> Timestamp:
    """An RFC 3339 time, or seconds since 1970."""
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, int):
        return Timestamp(value * 10**9)
    match = _STAMP.match(value)
    if match is None:
        raise _unconvertible("google.protobuf.Timestamp")
    *date, fraction, sign, hours, minutes = match.groups()
    try:
        moment = datetime(*map(int, date), tzinfo=UTC)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        raise _unconvertible("google.protobuf.Timestamp") from error
    seconds = int((moment - _EPOCH).total_seconds())
    if sign:
        seconds -= (int(hours) * 3600 + int(minutes) * 60) * (1 if sign == "+" else -1)
    return Timestamp(seconds * 10**9 + int((fraction or "0").ljust(9, "0")))


@define("duration(duration): duration", "duration(string): duration")
def duration(value: Any) -> Duration:
    """Go's ``time.ParseDuration``."""
    if isinstance(value, Duration):
        return value
    text = value[1:] if value[:1] in ("-", "+") else value
    if text == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(text) and (match := _PART.match(text, at)):
        whole, _, fraction = match[1].partition(".")
        unit = _UNITS[match[2]]
        total += int(whole or 0) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = match.end()
    if not text or at != len(text) or total > INT_MAX:
        raise _unconvertible("google.protobuf.Duration")
    return Duration(-total if value[0] == "-" else total)


def _rfc3339(nanos: int) -> str:
    seconds, rest = divmod(nanos, 10**9)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return text + (f".{rest:09d}".rstrip("0") if rest else "") + "Z"


def _zone(name: str) -> TzInfo:
    if found := re.fullmatch(r"([+-]?)(\d\d):(\d\d)", name):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CelEvaluationError(f"unknown time zone {name}") from error


def _part_of_time(name: str) -> None:
    def call(value: Timestamp | Duration, zone: str = "") -> int:
        if isinstance(value, Duration):
            return _part_of_duration(name, value.nanos)
        moment = _EPOCH + timedelta(microseconds=value.nanos // 1000)
        return _TIME_PARTS[name](moment.astimezone(_zone(zone)) if zone else moment)

    define(f"timestamp.{name}(): int", f"timestamp.{name}(string): int")(call)
    if name in _DURATION_PARTS:
        define(f"duration.{name}(): int")(call)


def _part_of_duration(name: str, nanos: int) -> int:
    whole = abs(nanos) // _DURATION_PARTS[name]
    whole = whole % 1000 if name == "getMilliseconds" else whole
    return whole if nanos >= 0 else -whole


_DURATION_PARTS = {"getHours": 3600 * 10**9, "getMinutes": 60 * 10**9, "getSeconds": 10**9, "getMilliseconds": 10**6}
_TIME_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda m: m.year, "getMonth": lambda m: m.month - 1, "getDate": lambda m: m.day,
    "getDayOfMonth": lambda m: m.day - 1, "getDayOfWeek": lambda m: (m.weekday() + 1) % 7,
    "getDayOfYear": lambda m: m.timetuple().tm_yday - 1, "getHours": lambda m: m.hour, "getMinutes": lambda m: m.minute,
    "getSeconds": lambda m: m.second, "getMilliseconds": lambda m: m.microsecond // 1000,
}  # fmt: skip
for _known in _TIME_PARTS:
    _part_of_time(_known)


# -- optionals


def _value(value: Optional) -> Any:
    if not value.present:
        raise CelEvaluationError("optional.none() dereference")
    return value.value


_ZEROS: tuple[Any, ...] = (0, 0.0, "", b"", False, None, [], {})
unary("optional.of(T): optional<T>")(lambda value: Optional(value, True))
define("optional.none(): optional<T>")(Optional)
unary("optional.ofNonZeroValue(T): optional<T>")(
    lambda value: Optional() if any(equal(value, zero) for zero in _ZEROS) else Optional(value, True)
)
unary("optional<T>.hasValue(): bool")(lambda value: value.present)
define("optional<T>.value(): T")(_value)
binary("optional<T>.or(optional<T>): optional<T>")(lambda value, other: value if value.present else other)
binary("optional<T>.orValue(T): T")(lambda value, other: value.value if value.present else other)

TYPE_NAMES = frozenset(("int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"))


def from_base64(text: str) -> bytes:
    """The value of a string of format ``byte``."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise CelEvaluationError("illegal base64 data") from error
