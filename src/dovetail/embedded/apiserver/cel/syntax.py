"""The syntax tree of an expression. Macros (``all``, ``map``, ``has`` ...) are nodes of their own.

``at`` is the offset in the source where errors point. The checker fills in what it finds out (``type`` of every
node, ``raw`` names of selected fields, ``overloads`` of calls); the compiler reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .functions import Overload
    from .types import Type


@dataclass(slots=True, eq=False)
class Literal:
    at: int
    value: Any
    kind: str  # int, uint, double, string, bytes, bool, null_type


@dataclass(slots=True, eq=False)
class Ident:
    at: int
    name: str


@dataclass(slots=True, eq=False)
class Select:
    """``operand.name``; ``optional`` for ``.?``; ``test`` for ``has()``. ``raw`` is the field's name in the data."""

    at: int
    operand: Expr
    name: str
    optional: bool = False
    test: bool = False
    raw: str = ""


@dataclass(slots=True, eq=False)
class Call:
    """A function, or a method when ``target`` is set. Operators are functions like ``_+_``."""

    at: int
    name: str
    target: Expr | None
    args: list[Expr]
    overloads: list[Overload] = field(default_factory=list["Overload"])
    types: list[Type] = field(default_factory=list["Type"])
    qualified: bool = False


@dataclass(slots=True, eq=False)
class ListOf:
    at: int
    items: list[Expr]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class MapOf:
    at: int
    entries: list[tuple[Expr, Expr, bool]]


@dataclass(slots=True, eq=False)
class Comprehension:
    """``kind`` is the macro's name; ``names`` its one or two variables; ``args`` what follows them."""

    at: int
    kind: str
    target: Expr
    names: list[str]
    args: list[Expr]


Expr: TypeAlias = Literal | Ident | Select | Call | ListOf | MapOf | Comprehension


def children(expr: Expr) -> list[Expr]:
    """The direct parts of a node."""
    match expr:
        case Select():
            return [expr.operand]
        case Call():
            return [*([expr.target] if expr.target is not None else []), *expr.args]
        case ListOf():
            return expr.items
        case MapOf():
            return [part for key, value, _ in expr.entries for part in (key, value)]
        case Comprehension():
            return [expr.target, *expr.args]
        case _:
            return []


def size(expr: Expr) -> int:
    """How many nodes: what one evaluation of it costs, about."""
    return 1 + sum(size(part) for part in children(expr))
