"""The functions that modules may call: pure, quick, and without a way out of the process.

A function that is given something it is not for raises `Undefined`, as in OPA's default mode. The budget is charged for
what is copied. What is not here (http.send, time, random, regular expressions, ...) is refused when a module is
compiled.
"""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# What a module is given and makes has no static type.

from collections.abc import Callable
from typing import Any, Final, cast

from dovetail.iam.rego.values import UNDEFINED, Obj, boolean, is_number, rank

_LARGEST: Final = 2**63


class Undefined(Exception):
    """The function has no value for these arguments."""


def call(name: str, args: tuple[Any, ...]) -> Any:
    """The value of a function, or UNDEFINED."""
    try:
        return FUNCTIONS[name][1](*args)
    except Undefined:
        return UNDEFINED


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Undefined
    return value


def _number(value: Any) -> Any:
    if not is_number(value):
        raise Undefined
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise Undefined
    return value


def _bounded(value: Any) -> Any:
    if not -_LARGEST <= value <= _LARGEST:
        raise Undefined
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _array(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise Undefined
    return cast("tuple[Any, ...]", value)


def _object(value: Any) -> Obj:
    if not isinstance(value, Obj):
        raise Undefined
    return value


def _items(value: Any) -> tuple[Any, ...]:
    """The elements of an array or a set."""
    if isinstance(value, frozenset):
        return tuple(sorted(cast("frozenset[Any]", value), key=rank))
    return _array(value)


def _set(value: Any) -> frozenset[Any]:
    if not isinstance(value, frozenset):
        raise Undefined
    return cast("frozenset[Any]", value)


def _member(value: Any, collection: Any) -> Any:
    if isinstance(collection, Obj):
        return boolean(value in collection.values())
    return boolean(isinstance(collection, tuple | frozenset) and value in collection)


def _minus(left: Any, right: Any) -> Any:
    if isinstance(left, frozenset):
        return _set(left) - _set(right)
    return _bounded(_number(left) - _number(right))


def _divided(left: Any, right: Any) -> Any:
    if not _number(right):
        raise Undefined
    return _bounded(_number(left) / right)


def _remainder(left: Any, right: Any) -> Any:
    if not _whole(right):
        raise Undefined
    rest = abs(_whole(left)) % abs(right)
    return rest if left >= 0 else -rest


def _count(value: Any) -> Any:
    if not isinstance(value, str | tuple | frozenset | Obj):
        raise Undefined
    return len(cast("tuple[Any, ...]", value))


def _replace(text: Any, old: Any, new: Any) -> str:
    if not _text(old) or not isinstance(new, str):
        raise Undefined
    if len(new) > len(old) and _text(text).count(old) * len(new) > 65_536:
        raise Undefined
    return _text(text).replace(old, new)


def _substring(text: Any, start: Any, length: Any) -> str:
    if _whole(start) < 0:
        raise Undefined
    return _text(text)[start:] if _whole(length) < 0 else _text(text)[start : start + length]


def _split(text: Any, by: Any) -> tuple[str, ...]:
    return tuple(_text(text).split(by)) if _text(by) else tuple(_text(text))


def _concat(between: Any, items: Any) -> str:
    parts = [_text(item) for item in _items(items)]
    if sum(map(len, parts)) + len(_text(between)) * len(parts) > 65_536:
        raise Undefined
    return str(between).join(parts)


def _format(template: Any, values: Any) -> str:
    """sprintf with %s, %v, %d and %%."""
    words = list(_array(values))
    parts = _text(template).split("%")
    made = [parts[0]]
    at = 1
    while at < len(parts):
        part = parts[at]
        if part == "" and at + 1 < len(parts):
            made += ["%", parts[at + 1]]
            at += 2
            continue
        if part[:1] not in {"s", "v", "d"} or not words:
            raise Undefined
        value = words.pop(0)
        if not isinstance(value, str | int | float):
            raise Undefined
        made += [str(value), part[1:]]
        at += 1
    return "".join(made)


def _get(collection: Any, path: Any, default: Any) -> Any:
    found: Any = _object(collection)
    for step in _array(path) if isinstance(path, tuple) else (path,):
        if isinstance(found, Obj) and step in found:
            found = found[step]
        else:
            return default
    return found


def _to_number(value: Any) -> Any:
    try:
        return _bounded(float(_text(value)[:32]) if "." in _text(value) else int(_text(value)[:32]))
    except ValueError as error:
        raise Undefined from error


def _sum(items: Any) -> Any:
    return _bounded(sum(_number(item) for item in _items(items)))


def _extreme(choose: Callable[..., Any]) -> Callable[[Any], Any]:
    def extreme(items: Any) -> Any:
        found = _items(items)
        if not found:
            raise Undefined
        return choose(found, key=rank)

    return extreme


FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "equal": (2, lambda left, right: boolean(left == right)),
    "neq": (2, lambda left, right: boolean(left != right)),
    "lt": (2, lambda left, right: boolean(rank(left) < rank(right))),
    "lte": (2, lambda left, right: boolean(rank(left) <= rank(right))),
    "gt": (2, lambda left, right: boolean(rank(left) > rank(right))),
    "gte": (2, lambda left, right: boolean(rank(left) >= rank(right))),
    "plus": (2, lambda left, right: _bounded(_number(left) + _number(right))),
    "minus": (2, _minus),
    "mul": (2, lambda left, right: _bounded(_number(left) * _number(right))),
    "div": (2, _divided),
    "rem": (2, _remainder),
    "or": (2, lambda left, right: _set(left) | _set(right)),
    "and": (2, lambda left, right: _set(left) & _set(right)),
    "internal.member": (2, _member),
    "startswith": (2, lambda text, start: boolean(_text(text).startswith(_text(start)))),
    "endswith": (2, lambda text, end: boolean(_text(text).endswith(_text(end)))),
    "contains": (2, lambda text, part: boolean(_text(part) in _text(text))),
    "indexof": (2, lambda text, part: _text(text).find(_text(part))),
    "lower": (1, lambda text: _text(text).lower()),
    "upper": (1, lambda text: _text(text).upper()),
    "trim": (2, lambda text, characters: _text(text).strip(_text(characters))),
    "trim_left": (2, lambda text, characters: _text(text).lstrip(_text(characters))),
    "trim_right": (2, lambda text, characters: _text(text).rstrip(_text(characters))),
    "trim_prefix": (2, lambda text, prefix: _text(text).removeprefix(_text(prefix))),
    "trim_suffix": (2, lambda text, suffix: _text(text).removesuffix(_text(suffix))),
    "trim_space": (1, lambda text: _text(text).strip()),
    "replace": (3, _replace),
    "split": (2, _split),
    "concat": (2, _concat),
    "substring": (3, _substring),
    "sprintf": (2, _format),
    "to_number": (1, _to_number),
    "count": (1, _count),
    "sum": (1, _sum),
    "max": (1, _extreme(max)),
    "min": (1, _extreme(min)),
    "sort": (1, lambda items: tuple(sorted(_items(items), key=rank))),
    "object.get": (3, _get),
    "object.keys": (1, lambda collection: frozenset(_object(collection))),
    "array.concat": (2, lambda left, right: _array(left) + _array(right)),
    "is_string": (1, lambda value: boolean(isinstance(value, str))),
    "is_number": (1, lambda value: boolean(is_number(value))),
    "is_array": (1, lambda value: boolean(isinstance(value, tuple))),
    "is_object": (1, lambda value: boolean(isinstance(value, Obj))),
    "is_set": (1, lambda value: boolean(isinstance(value, frozenset))),
    "is_null": (1, lambda value: boolean(value is None)),
}
"""By name: how many arguments, and what to do with them."""
