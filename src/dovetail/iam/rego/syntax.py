"""The tree of a Rego module."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Scalar:
    value: Any


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, a rule, an import, `input` or `data`: which one, is found out later. `_` never means the same."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Ref:
    """`head` followed by what it is looked up by, step by step."""

    head: "Term"
    path: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    args: tuple["Term", ...]
    line: int


@dataclass(frozen=True, slots=True)
class Collection:
    """An array or a set (`kind`) of terms."""

    kind: str
    items: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class ObjectTerm:
    items: tuple[tuple["Term", "Term"], ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """`kind` is array, set or object; `key` is for objects only."""

    kind: str
    key: "Term | None"
    value: "Term"
    body: tuple["Literal", ...]


Term = Scalar | Name | Ref | Call | Collection | ObjectTerm | Comprehension


@dataclass(frozen=True, slots=True)
class Test:
    """A term that has to be something other than false."""

    term: Term


@dataclass(frozen=True, slots=True)
class Unify:
    """`left = right`, or `left := right` with `declares`."""

    left: Term
    right: Term
    declares: bool


@dataclass(frozen=True, slots=True)
class Not:
    body: tuple["Literal", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """`some a, b`."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SomeIn:
    """`some key, value in collection`."""

    key: Term | None
    value: Term
    collection: Term


@dataclass(frozen=True, slots=True)
class Every:
    key: Term | None
    value: Term
    collection: Term
    body: tuple["Literal", ...]


Literal = Test | Unify | Not | Some | SomeIn | Every


@dataclass(frozen=True, slots=True)
class Clause:
    """One definition of a rule. `kind` is complete, set, object or function; `default` has no body."""

    name: str
    kind: str
    line: int
    args: tuple[Term, ...] = ()
    key: Term | None = None
    value: Term = field(default_factory=lambda: Scalar(None))
    body: tuple[Literal, ...] = ()
    default: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    package: str
    imports: dict[str, tuple[str, ...]]
    clauses: tuple[Clause, ...]
