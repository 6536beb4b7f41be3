"""Tokens to a syntax tree: CEL's grammar with optional syntax, and the macros of Kubernetes' environment.

The macros are ``has``, ``all``, ``exists``, ``exists_one``, ``map``, ``filter``, their two-variable forms,
``transformList``, ``transformMap``, ``transformMapEntry``, ``optMap`` and ``optFlatMap``; Kubernetes has no others.
"""

from __future__ import annotations

from .errors import Problem
from .lexer import Token, tokens
from .syntax import Call, Comprehension, Expr, Ident, ListOf, Literal, MapOf, Select

_DEPTH = 100
"""Nesting of brackets, calls and unary operators: far above what people write, far below the stack's end."""
_LEVELS: tuple[tuple[str, ...], ...] = (("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
_RESERVED = frozenset(
    ("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
     "namespace", "return", "var", "void", "while")
)  # fmt: skip
_OPERAND = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
# macro name -> (numbers of arguments, of which variables)
_MACROS: dict[str, dict[int, int]] = {
    "all": {2: 1, 3: 2}, "exists": {2: 1, 3: 2}, "exists_one": {2: 1, 3: 2}, "existsOne": {2: 1, 3: 2},
    "map": {2: 1, 3: 1}, "filter": {2: 1}, "transformList": {3: 2, 4: 2}, "transformMap": {3: 2, 4: 2},
    "transformMapEntry": {3: 2, 4: 2}, "optMap": {2: 1}, "optFlatMap": {2: 1},
}  # fmt: skip


def parse(source: str) -> Expr:
    """Raises Problem."""
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: str) -> None:
        self._tokens = tokens(source)
        self._next = 0
        self._depth = 0

    def whole(self) -> Expr:
        expr = self._ternary()
        if self._peek.kind != "end":
            raise self._mismatch("<EOF>")
        return expr

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _accept(self, text: str) -> Token | None:
        token = self._peek
        if token.text == text and token.kind in ("op", "ident"):
            self._next += 1
            return token
        return None

    def _expect(self, text: str) -> Token:
        token = self._accept(text)
        if token is None:
            raise self._mismatch(f"'{text}'")
        return token

    def _mismatch(self, expected: str) -> Problem:
        token = self._peek
        return Problem(token.at, f"Syntax error: mismatched input '{token.text}' expecting {expected}")

    # -- operators

    def _ternary(self) -> Expr:
        self._depth += 1
        if self._depth > _DEPTH:
            raise Problem(self._peek.at, "Syntax error: expression recursion limit exceeded")
        condition = self._or()
        if mark := self._accept("?"):
            left = self._or()
            self._expect(":")
            condition = Call(mark.at, "_?_:_", None, [condition, left, self._ternary()])
        self._depth -= 1
        return condition

    def _or(self) -> Expr:
        expr = self._and()
        while mark := self._accept("||"):
            expr = Call(mark.at, "_||_", None, [expr, self._and()])
        return expr

    def _and(self) -> Expr:
        expr = self._binary(0)
        while mark := self._accept("&&"):
            expr = Call(mark.at, "_&&_", None, [expr, self._binary(0)])
        return expr

    def _binary(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._unary()
        expr = self._binary(level + 1)
        while self._peek.text in _LEVELS[level] and self._peek.kind in ("op", "ident"):
            mark = self._take()
            name = "@in" if mark.text == "in" else f"_{mark.text}_"
            expr = Call(mark.at, name, None, [expr, self._binary(level + 1)])
        return expr

    def _unary(self) -> Expr:
        token = self._peek
        if token.kind == "op" and token.text in "!-":
            marks = 0
            while self._accept(token.text):
                marks += 1
            if token.text == "-" and marks % 2 and self._peek.kind in ("int", "double"):
                return self._members(self._negative(token))
            operand = self._members(self._primary())
            name = "!_" if token.text == "!" else "-_"
            return Call(token.at, name, None, [operand]) if marks % 2 else operand
        return self._members(self._primary())

    def _negative(self, mark: Token) -> Literal:
        number = self._take()
        return Literal(mark.at, -number.value, number.kind)

    # -- members

    def _members(self, expr: Expr) -> Expr:
        while True:
            if mark := self._accept("."):
                expr = self._member(expr, mark)
            elif mark := self._accept("["):
                optional = self._accept("?") is not None
                index = self._ternary()
                self._expect("]")
                expr = Call(mark.at, "_[?_]" if optional else "_[_]", None, [expr, index])
            else:
                return expr

    def _member(self, operand: Expr, mark: Token) -> Expr:
        optional = self._accept("?") is not None
        token = self._take()
        if token.kind == "quoted":
            return Select(mark.at, operand, token.text, optional)
        if token.kind != "ident" or token.text in ("in", "true", "false", "null"):
            self._next -= 1
            raise self._mismatch("IDENTIFIER")
        if not optional and (opened := self._accept("(")):
            return self._method(operand, token.text, self._arguments(), opened.at)
        return Select(mark.at, operand, token.text, optional)

    def _arguments(self) -> list[Expr]:
        args: list[Expr] = []
        while not self._accept(")"):
            if args:
                self._expect(",")
            args.append(self._ternary())
        return args

    def _method(self, target: Expr, name: str, args: list[Expr], at: int) -> Expr:
        shapes = _MACROS.get(name)
        if shapes is None or len(args) not in shapes:
            return Call(at, name, target, args)
        names: list[str] = []
        for variable in args[: shapes[len(args)]]:
            if not isinstance(variable, Ident):
                raise Problem(variable.at, "argument must be a simple name")
            names.append(variable.name)
        if len(names) == 2 and names[0] == names[1]:
            raise Problem(at, f"duplicate variable name: {names[0]}")
        kind = "exists_one" if name == "existsOne" else name
        return Comprehension(at, kind, target, names, args[len(names) :])

    # -- primaries

    def _primary(self) -> Expr:
        token = self._take()
        if token.kind == "int" and token.value > (1 << 63) - 1:
            raise Problem(token.at, "invalid int literal")
        if token.kind in ("int", "uint", "double", "string", "bytes"):
            return Literal(token.at, token.value, token.kind)
        if token.kind == "ident":
            return self._name(token)
        if token.kind == "op" and token.text == ".":
            return self._name(self._take())
        if token.kind == "op" and token.text == "(":
            expr = self._ternary()
            self._expect(")")
            return expr
        if token.kind == "op" and token.text == "[":
            return self._list(token)
        if token.kind == "op" and token.text == "{":
            return self._map(token)
        self._next -= 1
        raise self._mismatch(_OPERAND)

    def _name(self, token: Token) -> Expr:
        if token.text in ("true", "false"):
            return Literal(token.at, token.text == "true", "bool")
        if token.text == "null":
            return Literal(token.at, None, "null_type")
        if token.kind != "ident" or token.text == "in":
            self._next -= 1
            raise self._mismatch(_OPERAND)
        if token.text in _RESERVED:
            raise Problem(token.at, f"reserved identifier: {token.text}")
        if opened := self._accept("("):
            args = self._arguments()
            if token.text == "has" and len(args) == 1:
                return _has(args[0], opened.at)
            return Call(opened.at, token.text, None, args)
        return Ident(token.at, token.text)

    def _list(self, mark: Token) -> Expr:
        items: list[Expr] = []
        optional: set[int] = set()
        while not self._accept("]"):
            if items:
                self._expect(",")
                if self._accept("]"):
                    break
            if self._accept("?"):
                optional.add(len(items))
            items.append(self._ternary())
        return ListOf(mark.at, items, frozenset(optional))

    def _map(self, mark: Token) -> Expr:
        entries: list[tuple[Expr, Expr, bool]] = []
        while not self._accept("}"):
            if entries:
                self._expect(",")
                if self._accept("}"):
                    break
            optional = self._accept("?") is not None
            key = self._ternary()
            self._expect(":")
            entries.append((key, self._ternary(), optional))
        return MapOf(mark.at, entries)


def _has(field: Expr, at: int) -> Expr:
    if not isinstance(field, Select):
        raise Problem(at, "invalid argument to has() macro")
    return Select(at, field.operand, field.name, test=True)
