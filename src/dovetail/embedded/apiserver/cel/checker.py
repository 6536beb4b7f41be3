"""Static checking: every name is declared, every field exists, every call has an overload for its arguments.

``check`` walks the tree, fills in what the compiler needs (``raw`` field names, ``overloads``) and returns the type of
the whole. The sentences are cel-go's.
"""

from __future__ import annotations

from collections.abc import Mapping

from . import library_kubernetes, library_lists, library_standard, library_strings
from .errors import Problem
from .functions import OVERLOADS, Overload
from .library_standard import TYPE_NAMES
from .syntax import Call, Comprehension, Expr, Ident, ListOf, Literal, MapOf, Select
from .types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    TYPE,
    UINT,
    Type,
    fits,
    list_of,
    map_of,
    optional_of,
    resolved,
    same,
)

# Nobody reads this: importing a library is what defines its functions in OVERLOADS, and each must be imported.
_LIBRARIES = (library_kubernetes, library_lists, library_standard, library_strings)
_LITERALS = {
    "int": INT, "uint": UINT, "double": DOUBLE, "string": STRING, "bytes": BYTES, "bool": BOOL, "null_type": NULL,
}  # fmt: skip
Variables = Mapping[str, Type]


def check(expr: Expr, variables: Variables) -> tuple[Type, list[Problem], frozenset[str]]:
    """(the type of the whole, what is wrong, which of the variables are used)."""
    checker = _Checker(variables)
    return checker.type_of(expr), checker.problems, frozenset(checker.used)


class _Checker:
    def __init__(self, variables: Variables) -> None:
        self.problems: list[Problem] = []
        self.used: set[str] = set()
        self._scopes: list[dict[str, Type]] = [dict(variables)]

    def _say(self, at: int, text: str) -> Type:
        self.problems.append(Problem(at, text))
        return DYN

    def type_of(self, expr: Expr) -> Type:
        match expr:
            case Literal():
                return self._literal(expr)
            case Ident():
                return self._ident(expr)
            case Select():
                return self._select(expr)
            case Call():
                return self._call(expr)
            case ListOf():
                return self._list(expr)
            case MapOf():
                return self._map(expr)
            case Comprehension():
                return self._comprehension(expr)

    def _literal(self, expr: Literal) -> Type:
        return _LITERALS[expr.kind]

    def _known(self, name: str) -> Type | None:
        for depth in range(len(self._scopes) - 1, -1, -1):
            if (found := self._scopes[depth].get(name)) is not None:
                if depth == 0:
                    self.used.add(name)
                return found
        return None

    def _ident(self, expr: Ident) -> Type:
        found = self._known(expr.name)
        if found is not None:
            return found
        if expr.name in TYPE_NAMES:
            return TYPE
        return self._say(expr.at, f"undeclared reference to '{expr.name}' (in container '')")

    # -- fields

    def _select(self, expr: Select) -> Type:
        expr.raw = expr.name
        dotted = _dotted(expr)
        if dotted in _QUALIFIED_TYPES and self._known("google") is None:
            return TYPE
        operand = self.type_of(expr.operand)
        chained = operand.name == "optional"
        owner = operand.params[0] if chained else operand
        found = self._field(expr, owner)
        if expr.test:
            return BOOL
        return optional_of(found) if expr.optional or chained else found

    def _field(self, expr: Select, owner: Type) -> Type:
        if owner.fields is not None:
            known = owner.fields.get(expr.name)
            if known is None:
                return self._say(expr.at, f"undefined field '{expr.name}'")
            expr.raw = known[0]
            return known[1]
        if owner.name == "map":
            return owner.params[1]
        if owner.name == "dyn":
            return DYN
        return self._say(expr.at, f"type '{owner}' does not support field selection")

    # -- calls

    def _call(self, expr: Call) -> Type:
        if expr.name == "_?_:_":
            return self._conditional(expr)
        if expr.name in ("_&&_", "_||_"):
            return self._logical(expr)
        if isinstance(expr.target, Ident) and self._peek(expr.target.name) is None:
            qualified = f"{expr.target.name}.{expr.name}"
            if qualified in OVERLOADS:
                expr.name, expr.target, expr.qualified = qualified, None, True
        parts = [*([expr.target] if expr.target is not None else []), *expr.args]
        if expr.name == "format":  # its arguments are mixed by nature
            expr.types = [self.type_of(expr.target or expr.args[0]), *self._loose(expr.args)]
        else:
            expr.types = [self.type_of(part) for part in parts]
        method = expr.target is not None
        offered = [o for o in OVERLOADS.get(expr.name, ()) if o.method is method and len(o.params) == len(parts)]
        if not any(o.method is method for o in OVERLOADS.get(expr.name, ())):
            return self._say(expr.at, f"undeclared reference to '{expr.name}' (in container '')")
        return self._resolve(expr, offered)

    def _loose(self, args: list[Expr]) -> list[Type]:
        found: list[Type] = []
        for arg in args:
            if isinstance(arg, ListOf):
                for item in arg.items:
                    self.type_of(item)
                found.append(list_of(DYN))
            else:
                found.append(self.type_of(arg))
        return found

    def _peek(self, name: str) -> Type | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def _resolve(self, expr: Call, offered: list[Overload]) -> Type:
        results: list[Type] = []
        for overload in offered:
            bound: dict[str, Type] = {}
            if all(fits(p, t, bound) for p, t in zip(overload.params, expr.types, strict=True)):
                expr.overloads.append(overload)
                results.append(resolved(overload.result, bound))
        if not results:
            return self._say(expr.at, f"found no matching overload for '{expr.name}' applied to '{_applied(expr)}'")
        first = results[0]
        return first if all(same(first, other) for other in results) else DYN

    def _logical(self, expr: Call) -> Type:
        for part in expr.args:
            found = self.type_of(part)
            expr.types.append(found)
        if any(found.name not in ("bool", "dyn") for found in expr.types):
            self._say(expr.at, f"found no matching overload for '{expr.name}' applied to '{_applied(expr)}'")
        return BOOL

    def _conditional(self, expr: Call) -> Type:
        expr.types = [self.type_of(part) for part in expr.args]
        condition, yes, no = expr.types
        if condition.name not in ("bool", "dyn") or not (fits(yes, no, {}) or fits(no, yes, {})):
            return self._say(expr.at, f"found no matching overload for '_?_:_' applied to '{_applied(expr)}'")
        return yes if same(yes, no) else no if yes.name == "null_type" else yes if no.name == "null_type" else DYN

    # -- literals of lists and maps

    def _list(self, expr: ListOf) -> Type:
        types = [self._element(item, index in expr.optional) for index, item in enumerate(expr.items)]
        return list_of(self._joined(types, [item.at for item in expr.items]))

    def _element(self, item: Expr, optional: bool) -> Type:
        found = self.type_of(item)
        if not optional:
            return found
        if found.name not in ("optional", "dyn"):
            return self._say(item.at, f"expected type 'optional_type({found})' but found '{found}'")
        return found.params[0] if found.params else DYN

    def _joined(self, types: list[Type], places: list[int]) -> Type:
        """The one type of all items; Kubernetes allows no mixed lists and maps."""
        if not types:
            return DYN
        first = types[0]
        for found, at in zip(types[1:], places[1:], strict=True):
            if not fits(first, found, {}):
                return self._say(at, f"expected type '{first}' but found '{found}'")
        return first if all(same(first, other) for other in types) else DYN

    def _map(self, expr: MapOf) -> Type:
        keys = [self.type_of(key) for key, _, _ in expr.entries]
        values = [self._element(value, optional) for _, value, optional in expr.entries]
        return map_of(
            self._joined(keys, [key.at for key, _, _ in expr.entries]),
            self._joined(values, [value.at for _, value, _ in expr.entries]),
        )

    # -- macros

    def _comprehension(self, expr: Comprehension) -> Type:
        target = self.type_of(expr.target)
        if expr.kind in ("optMap", "optFlatMap"):
            return self._opt_map(expr, target)
        if target.name not in ("list", "map", "dyn"):
            text = f"expression of type '{target}' cannot be range of a comprehension (must be list, map, or dynamic)"
            return self._say(expr.target.at, text)
        self._scopes.append(dict(zip(expr.names, _ranged(target, len(expr.names)), strict=True)))
        types = [self.type_of(arg) for arg in expr.args]
        self._scopes.pop()
        predicates = types if expr.kind in _PREDICATES else types[:-1]
        for found, arg in zip(predicates, expr.args, strict=False):
            if found.name not in ("bool", "dyn"):
                self._say(arg.at, f"found no matching overload for '_&&_' applied to '(bool, {found})'")
        return _collected(expr.kind, target, types[-1])

    def _opt_map(self, expr: Comprehension, target: Type) -> Type:
        if target.name not in ("optional", "dyn"):
            return self._say(expr.at, f"found no matching overload for '{expr.kind}' applied to '{target}.()'")
        self._scopes.append({expr.names[0]: target.params[0] if target.params else DYN})
        found = self.type_of(expr.args[0])
        self._scopes.pop()
        return optional_of(found) if expr.kind == "optMap" else found


_PREDICATES = ("all", "exists", "exists_one", "filter")
_QUALIFIED_TYPES = ("google.protobuf.Timestamp", "google.protobuf.Duration")


def _dotted(expr: Expr) -> str:
    if isinstance(expr, Ident):
        return expr.name
    return f"{_dotted(expr.operand)}.{expr.name}" if isinstance(expr, Select) and not expr.optional else ""


def _ranged(target: Type, count: int) -> tuple[Type, ...]:
    """The types of a comprehension's variables."""
    if target.name == "list":
        return (target.params[0],) if count == 1 else (INT, target.params[0])
    if target.name == "map":
        return target.params[:count]
    return (DYN,) * count


def _collected(kind: str, target: Type, last: Type) -> Type:
    if kind in ("all", "exists", "exists_one"):
        return BOOL
    if kind == "filter":
        return target if target.name == "list" else list_of(target.params[0]) if target.params else list_of(DYN)
    if kind in ("map", "transformList"):
        return list_of(last)
    if kind == "transformMap":
        return map_of(INT if target.name == "list" else target.params[0] if target.params else DYN, last)
    return last if last.name == "map" else DYN


def _applied(expr: Call) -> str:
    """The arguments as cel-go shows them: ``(int, string)``, or ``string.(int)`` for a method."""
    shown = [str(found) for found in expr.types]
    if expr.target is not None:
        return f"{shown[0]}.({', '.join(shown[1:])})"
    return f"({', '.join(shown)})"
