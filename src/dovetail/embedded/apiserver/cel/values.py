"""Values of expressions that Python has no type for, and what is equal, ordered and named how.

JSON values are Python's own (``int`` is CEL's int, ``Uint`` its uint, ``dict`` a map or object). Times are counted in
nanoseconds. ``KeyedList`` is a list with ``x-kubernetes-list-type`` set or map: equal in any order, ``+`` merges.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from .errors import CelEvaluationError

NO_OVERLOAD = "no such overload"
INT_MIN, INT_MAX, UINT_MAX = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class Uint(int):
    """An unsigned integer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanos: int


@dataclass(frozen=True, slots=True)
class Optional:
    value: Any = None
    present: bool = False


@dataclass(frozen=True, slots=True)
class TypeValue:
    name: str


@dataclass(frozen=True, slots=True)
class Quantity:
    amount: Decimal


class KeyedList(list[Any]):
    """``keys`` is empty for a set."""

    __slots__ = ("keys",)

    def __init__(self, items: list[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def identity(self, item: Any) -> Any:
        if not self.keys or not isinstance(item, dict):
            return item
        fields = cast("dict[str, Any]", item)
        return [fields.get(key) for key in self.keys]

    def merged(self, other: list[Any]) -> KeyedList:
        """This list with the items of the other: those of the same identity replaced, new ones appended."""
        result = KeyedList(self, self.keys)
        for item in other:
            known = self.identity(item)
            for index, mine in enumerate(result):
                if equal(self.identity(mine), known):
                    result[index] = item
                    break
            else:
                result.append(item)
        return result


_NAMES: dict[type[Any], str] = {
    bool: "bool", int: "int", Uint: "uint", float: "double", str: "string", bytes: "bytes", list: "list", dict: "map",
    KeyedList: "list", Timestamp: "timestamp", Duration: "duration", Optional: "optional", TypeValue: "type",
    Quantity: "kubernetes.Quantity", type(None): "null_type",
}  # fmt: skip


def type_name(value: Any) -> str:
    """The name of a value's type, as ``Type.name`` has it."""
    of = cast("type[Any]", value.__class__)
    return _NAMES.get(of) or str(getattr(of, "cel_type", "dyn"))


_SIMPLE = frozenset((str, bytes, bool, type(None), Timestamp, Duration, TypeValue, Quantity))
_NUMBERS = frozenset((int, Uint, float))


def equal(left: Any, right: Any) -> bool:
    """CEL's equality: numbers across their types, lists and maps deeply, everything else only within its type."""
    one, other = left.__class__, right.__class__
    if one in _NUMBERS:
        return other in _NUMBERS and left == right
    if one in _SIMPLE or one is not other:
        if isinstance(left, list) and isinstance(right, list):
            return _equal_lists(cast("list[Any]", left), cast("list[Any]", right))
        return one is other and left == right
    if one is dict:
        return len(left) == len(right) and all(key in right and equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list):
        return _equal_lists(cast("list[Any]", left), right)
    if one is Optional:
        return left.present == right.present and equal(left.value, right.value)
    return bool(left == right)


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    keyed = left if isinstance(left, KeyedList) else right if isinstance(right, KeyedList) else None
    if keyed is None or len(left) > 1000:
        return all(map(equal, left, right))
    rest = list(right)
    for item in left:
        known = keyed.identity(item)
        found = next((i for i, other in enumerate(rest) if equal(keyed.identity(other), known)), -1)
        if found < 0 or not equal(item, rest[found]):
            return False
        del rest[found]
    return True


_ORDERED = frozenset((str, bytes, bool, Timestamp, Duration))


def comparable(left: Any, right: Any) -> None:
    """Raises when two values have no order."""
    one, other = left.__class__, right.__class__
    if not ((one in _NUMBERS and other in _NUMBERS) or (one is other and one in _ORDERED)):
        raise CelEvaluationError(NO_OVERLOAD)


def contains(container: Any, item: Any) -> bool:
    """The ``in`` operator."""
    if isinstance(container, dict):
        return is_key(item) and item in container
    if isinstance(container, list):
        items = cast("list[Any]", container)
        if item.__class__ is str:
            return item in items
        return any(equal(item, other) for other in items)
    raise CelEvaluationError(NO_OVERLOAD)


def is_key(value: Any) -> bool:
    return value.__class__ in (str, int, Uint, bool, float)


def checked(value: int, low: int = INT_MIN, high: int = INT_MAX) -> int:
    """Raises when an integer has left its range."""
    if low <= value <= high:
        return value
    raise CelEvaluationError("integer overflow" if low < 0 else "unsigned integer overflow")
