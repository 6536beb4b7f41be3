"""Arithmetic, comparison and access: the functions behind the operators, for values of any type."""

from __future__ import annotations

import math
from typing import Any, cast

from .errors import CelEvaluationError
from .values import (
    NO_OVERLOAD,
    UINT_MAX,
    Duration,
    KeyedList,
    Optional,
    Timestamp,
    Uint,
    checked,
    is_key,
)

_TIMES = (Timestamp, Duration)
_FIRST, _LAST = -62_135_596_800 * 10**9, 253_402_300_800 * 10**9
LIMIT = 10 << 20
"""Bytes or items that one concatenation may give."""


def _no_overload() -> CelEvaluationError:
    return CelEvaluationError(NO_OVERLOAD)


def add(left: Any, right: Any) -> Any:
    one: Any = left.__class__
    other: Any = right.__class__
    if one is int and other is int:
        return checked(left + right)
    if one is other and one in (str, bytes):
        if len(left) + len(right) > LIMIT:
            raise CelEvaluationError("string too long")
        return left + right
    if one is float and other is float:
        return left + right
    if one is Uint and other is Uint:
        return Uint(checked(int(left) + int(right), 0, UINT_MAX))
    if one in _TIMES and other in _TIMES and (one, other) != (Timestamp, Timestamp):
        return _time(left.nanos + right.nanos, Duration if one is other else Timestamp)
    if isinstance(left, list) and isinstance(right, list):
        return _concatenated(cast("list[Any]", left), cast("list[Any]", right))
    raise _no_overload()


def _concatenated(left: list[Any], right: list[Any]) -> list[Any]:
    if len(left) + len(right) > LIMIT:
        raise CelEvaluationError("list too long")
    return left.merged(right) if isinstance(left, KeyedList) else [*left, *right]


def _time(nanos: int, kind: type[Timestamp] | type[Duration]) -> Timestamp | Duration:
    if kind is Timestamp and not _FIRST <= nanos < _LAST:
        raise CelEvaluationError("timestamp overflow")
    return kind(checked(nanos) if kind is Duration else nanos)


def subtract(left: Any, right: Any) -> Any:
    one, other = left.__class__, right.__class__
    if one is int and other is int:
        return checked(left - right)
    if one is float and other is float:
        return left - right
    if one is Uint and other is Uint:
        return Uint(checked(int(left) - int(right), 0, UINT_MAX))
    if one in _TIMES and other in _TIMES and (one, other) != (Duration, Timestamp):
        return _time(left.nanos - right.nanos, Duration if one is other else Timestamp)
    raise _no_overload()


def multiply(left: Any, right: Any) -> Any:
    one, other = left.__class__, right.__class__
    if one is int and other is int:
        return checked(left * right)
    if one is float and other is float:
        return left * right
    if one is Uint and other is Uint:
        return Uint(checked(int(left) * int(right), 0, UINT_MAX))
    raise _no_overload()


def divide(left: Any, right: Any) -> Any:
    one, other = left.__class__, right.__class__
    if one is float and other is float:
        if right == 0:
            return (
                math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
            )
        return left / right
    return _whole(left, right, "division by zero")


def modulo(left: Any, right: Any) -> Any:
    """The remainder has the sign of the dividend, as in Go."""
    quotient = _whole(left, right, "modulus by zero")
    rest = int(left) - int(quotient) * int(right)
    return Uint(rest) if left.__class__ is Uint else rest


def _whole(left: Any, right: Any, problem: str) -> Any:
    one, other = left.__class__, right.__class__
    if one is not other or one not in (int, Uint):
        raise _no_overload()
    if right == 0:
        raise CelEvaluationError(problem)
    quotient = abs(int(left)) // abs(int(right))
    if (left < 0) != (right < 0):
        quotient = -quotient
    return Uint(quotient) if one is Uint else checked(quotient)


def negate(value: Any) -> Any:
    if value.__class__ is int:
        return checked(-value)
    if value.__class__ is float:
        return -value
    raise _no_overload()


def index(container: Any, key: Any) -> Any:
    """``container[key]``; of an optional container, an optional."""
    if isinstance(container, Optional):
        return optional_index(container, key)
    if isinstance(container, dict):
        fields = cast("dict[Any, Any]", container)
        if is_key(key) and key in fields:
            return fields[key]
        raise CelEvaluationError(f"no such key: {_shown(key)}")
    if isinstance(container, list):
        items = cast("list[Any]", container)
        at = _position(key)
        if 0 <= at < len(items):
            return items[at]
        raise CelEvaluationError(f"index out of bounds: {at}")
    raise _no_overload()


def _position(key: Any) -> int:
    if key.__class__ in (int, Uint):
        return int(key)
    if key.__class__ is float and key.is_integer():
        return int(key)
    raise CelEvaluationError(f"unsupported index type '{key.__class__.__name__}' in list")


def _shown(key: Any) -> str:
    return ("true" if key else "false") if isinstance(key, bool) else str(key)


def optional_index(container: Any, key: Any) -> Optional:
    """``container[?key]``."""
    if isinstance(container, Optional):
        return optional_index(container.value, key) if container.present else container
    try:
        return Optional(index(container, key), True)
    except CelEvaluationError as error:
        if str(error).startswith(("no such key", "index out of bounds")):
            return Optional()
        raise


def field(operand: Any, name: str) -> Any:
    """``operand.name``."""
    if operand.__class__ is dict:
        if name in operand:
            return operand[name]
        raise CelEvaluationError(f"no such key: {name}")
    if isinstance(operand, Optional):
        return optional_field(operand, name)
    raise _no_overload()


def optional_field(operand: Any, name: str) -> Optional:
    """``operand.?name``."""
    if isinstance(operand, Optional):
        return optional_field(operand.value, name) if operand.present else operand
    if operand.__class__ is not dict:
        raise _no_overload()
    return Optional(operand[name], True) if name in operand else Optional()


def present(operand: Any, name: str) -> bool:
    """``has(operand.name)``."""
    if isinstance(operand, Optional):
        return operand.present and present(operand.value, name)
    if operand.__class__ is not dict:
        raise _no_overload()
    return name in operand
