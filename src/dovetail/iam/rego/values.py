"""Rego's values: as they are in Python, immutable and hashable, so that a set of anything is a frozenset.

null is None, numbers and strings are themselves, an array is a tuple, a set a frozenset, an object an `Obj`. Booleans
are `TRUE` and `FALSE`, because Python's are numbers and Rego's are not: `true == 1` must be false, in sets, too.
"""

from collections.abc import Mapping
from typing import Any, Final, cast


class RegoError(Exception):
    """A module that cannot be used, and why, in words for its author."""


class RegoLimit(Exception):
    """An evaluation did more than it may."""


class _Boolean:
    __slots__ = ("_word",)

    def __init__(self, word: str) -> None:
        self._word = word

    def __repr__(self) -> str:
        return self._word


TRUE: Final = _Boolean("true")
FALSE: Final = _Boolean("false")


class _Undefined:
    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = _Undefined()


class Obj(dict[Any, Any]):
    """An object. Nobody changes it after it was made."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def boolean(value: object) -> Any:
    return TRUE if value else FALSE


def of_json(value: object) -> Any:
    """What `json.loads` gives, as a value."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, Mapping):
        return Obj({key: of_json(inner) for key, inner in cast("Mapping[str, object]", value).items()})
    if isinstance(value, list | tuple):
        return tuple(of_json(inner) for inner in cast("list[object]", value))
    return value


def is_number(value: object) -> bool:
    return isinstance(value, int | float)


def rank(value: Any) -> tuple[int, Any]:
    """The key of Rego's order over all values: null, booleans, numbers, strings, arrays, objects, sets."""
    if value is None:
        return (0, 0)
    if isinstance(value, _Boolean):
        return (1, value is TRUE)
    if is_number(value):
        return (2, value)
    if isinstance(value, str):
        return (3, value)
    if isinstance(value, tuple):
        return (4, [rank(inner) for inner in cast("tuple[Any, ...]", value)])
    if isinstance(value, Obj):
        return (5, sorted((rank(key), rank(inner)) for key, inner in value.items()))
    return (6, sorted(rank(inner) for inner in cast("frozenset[Any]", value)))
