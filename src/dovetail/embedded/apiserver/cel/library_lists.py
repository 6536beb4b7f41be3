"""Lists and sets: Kubernetes' list library and cel-go's sets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .errors import CelEvaluationError
from .functions import binary, define
from .operators import add
from .values import Duration, comparable, contains, equal

_ORDERED = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_SUMMED = {"int": 0, "uint": 0, "double": 0.0, "duration": Duration(0)}


def _is_sorted(items: list[Any]) -> bool:
    for left, right in pairwise(items):
        comparable(left, right)
        if left > right:
            return False
    return True


def _extreme(name: str, sign: int) -> Callable[[list[Any]], Any]:
    def call(items: list[Any]) -> Any:
        if not items:
            raise CelEvaluationError(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            comparable(item, best)
            if (item > best) - (item < best) == sign:
                best = item
        return best

    return call


define(*(f"list<{of}>.isSorted(): bool" for of in _ORDERED))(_is_sorted)
define(*(f"list<{of}>.min(): {of}" for of in _ORDERED))(_extreme("min", -1))
define(*(f"list<{of}>.max(): {of}" for of in _ORDERED))(_extreme("max", 1))


def _sum_of(zero: Any) -> Any:
    def call(items: list[Any]) -> Any:
        if not items:
            return zero
        total = items[0]
        for item in items[1:]:
            total = add(total, item)
        return total

    return call


for _of, _zero in _SUMMED.items():
    define(f"list<{_of}>.sum(): {_of}")(_sum_of(_zero))


@define("list<T>.indexOf(T): int")
def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


@define("list<T>.lastIndexOf(T): int")
def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


_COMPARISONS = 1_000_000


def _contains_all(items: list[Any], wanted: list[Any]) -> bool:
    if len(items) * len(wanted) > _COMPARISONS:
        raise CelEvaluationError("operation cancelled: actual cost limit exceeded")
    return all(contains(items, item) for item in wanted)


define("sets.contains(list<T>, list<T>): bool")(_contains_all)
binary("sets.equivalent(list<T>, list<T>): bool")(lambda a, b: _contains_all(a, b) and _contains_all(b, a))


@define("sets.intersects(list<T>, list<T>): bool")
def _intersects(left: list[Any], right: list[Any]) -> bool:
    if len(left) * len(right) > _COMPARISONS:
        raise CelEvaluationError("operation cancelled: actual cost limit exceeded")
    return any(contains(left, item) for item in right)
