"""Text -> tree, by recursive descent. What is Rego but not of the subset is refused by name, with its line."""

from collections.abc import Callable
from typing import Final, TypeVar

from dovetail.iam.rego.syntax import (
    Call,
    Clause,
    Collection,
    Comprehension,
    Every,
    Literal,
    Module,
    Name,
    Not,
    ObjectTerm,
    Ref,
    Scalar,
    Some,
    SomeIn,
    Term,
    Test,
    Unify,
)
from dovetail.iam.rego.tokens import Token, tokens_of
from dovetail.iam.rego.values import FALSE, TRUE, RegoError

_CONSTANTS: Final = {"true": TRUE, "false": FALSE, "null": None}
_KEYWORDS: Final = frozenset({"not", "some", "every", "with", "else", "default", "import", "package", "as", "if", "in"})
_LEVELS: Final = (("==", "!=", "<", "<=", ">", ">="), ("|",), ("&",), ("+", "-"), ("*", "/", "%"))
"""Infix operators from the loosest to the tightest; `in` is looser than all of them, `=` and `:=` looser than `in`."""
_FUNCTIONS: Final = {
    "==": "equal", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "|": "or", "&": "and", "+": "plus",
    "-": "minus", "*": "mul", "/": "div", "%": "rem",
}  # fmt: skip
_DEEPEST: Final = 40

_T = TypeVar("_T")


def parse(text: str) -> Module:
    """The tree of a module. Raises RegoError."""
    return _Parser(tokens_of(text)).module()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._bars = True

    def module(self) -> Module:
        self._expect("package")
        package, imports, clauses = ".".join(self._dotted()), dict[str, tuple[str, ...]](), list[Clause]()
        while self._now.text == "import" and self._now.kind == "name":
            imports |= self._import()
        while self._now.kind != "end":
            clauses.append(self._clause())
        return Module(package, imports, tuple(clauses))

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._now
        self._at += token.kind != "end"
        return token

    def _refuse(self, problem: str) -> RegoError:
        return RegoError(f"line {self._now.line}: {problem}")

    def _sees(self, *signs: str) -> bool:
        return self._now.kind in {"sign", "name"} and self._now.text in signs

    def _takes(self, sign: str) -> bool:
        if not self._sees(sign):
            return False
        self._next()
        return True

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._refuse(f"{sign!r} is expected here, not {self._now.text or 'the end'!r}")

    def _name(self) -> str:
        if self._now.kind != "name" or self._now.text in _KEYWORDS or self._now.text in _CONSTANTS:
            raise self._refuse(f"a name is expected here, not {self._now.text or 'the end'!r}")
        return self._next().text

    def _dotted(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._takes("."):
            names.append(self._next().text)
        return tuple(names)

    def _import(self) -> dict[str, tuple[str, ...]]:
        self._expect("import")
        path = self._dotted()
        alias = self._name() if self._takes("as") else path[-1]
        if path[0] in {"future", "rego"}:
            return {}
        if path[0] != "input":
            raise self._refuse(f"import {'.'.join(path)}: only parts of input can be imported")
        return {alias: path}

    def _clause(self) -> Clause:
        line, default = self._now.line, self._takes("default")
        name = self._name()
        if default:
            if not (self._takes("=") or self._takes(":=")):
                raise self._refuse("a default has a value")
            return Clause(name, "complete", line, value=self._term(), default=True)
        kind, args, key, value = "complete", tuple[Term, ...](), None, Scalar(TRUE)
        if self._sees("("):
            kind, args = "function", self._arguments()
        elif self._takes("contains"):
            kind, value = "set", self._term()
        elif self._takes("["):
            kind, key = "set", self._term()
            self._expect("]")
            value = key
        if self._sees("=", ":="):
            self._next()
            kind, value = ("object" if kind == "set" else kind), self._term()
        body = self._rule_body()
        if self._sees("else") or (self._sees("{") and not self._now.first):
            raise self._refuse("a rule with several bodies or with `else` is not supported: write two rules")
        return Clause(name, kind, line, args, key if kind == "object" else None, value, body)

    def _arguments(self) -> tuple[Term, ...]:
        self._expect("(")
        return self._list(")")

    def _list(self, end: str) -> tuple[Term, ...]:
        items: list[Term] = []
        while not self._takes(end):
            items.append(self._term())
            if not self._sees(end):
                self._expect(",")
        return tuple(items)

    def _rule_body(self) -> tuple[Literal, ...]:
        if self._takes("if") and not self._sees("{"):
            return (self._literal(),)
        return self._block() if self._takes("{") else ()

    def _block(self, end: str = "}") -> tuple[Literal, ...]:
        """The literals up to a brace that is open already."""
        literals: list[Literal] = []
        while not self._takes(end):
            literals.append(self._literal())
            if not self._takes(";") and not self._sees(end) and not self._now.first:
                raise self._refuse(f"{self._now.text!r} is not expected here")
        if not literals:
            raise self._refuse("a body is not empty")
        return tuple(literals)

    def _literal(self) -> Literal:
        self._deeper()
        literal = self._literal_here()
        self._depth -= 1
        if self._sees("with"):
            raise self._refuse("`with` is not supported")
        return literal

    def _literal_here(self) -> Literal:
        if self._takes("not"):
            return Not((self._literal(),))
        if self._takes("every"):
            key, value = self._bound_names()
            self._expect("in")
            collection = self._operators(0)
            self._expect("{")
            return Every(key, value, collection, self._block())
        if self._takes("some"):
            return self._some()
        left = self._term()
        if self._sees("=", ":="):
            declares = self._next().text == ":="
            return Unify(left, self._term(), declares)
        return Test(left)

    def _some(self) -> Literal:
        first = [self._operators(0)]
        while self._takes(","):
            first.append(self._operators(0))
        if self._takes("in"):
            if len(first) > 2:
                raise self._refuse("`some ... in` has a value, or a key and a value")
            return SomeIn(first[0] if len(first) == 2 else None, first[-1], self._operators(0))
        names = tuple(one.text for one in first if isinstance(one, Name))
        if len(names) != len(first):
            raise self._refuse("`some` declares names")
        return Some(names)

    def _bound_names(self) -> tuple[Term | None, Term]:
        first = self._operators(0)
        return (first, self._operators(0)) if self._takes(",") else (None, first)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refuse("this is nested too deeply")

    def _term(self) -> Term:
        """A term; `a in b` is one, too."""
        self._deeper()
        left = self._operators(0)
        if self._sees("in") and not self._now.first:
            line = self._next().line
            left = Call("internal.member", (left, self._operators(0)), line)
        self._depth -= 1
        return left

    def _operators(self, level: int) -> Term:
        if level == len(_LEVELS):
            return self._reference()
        left = self._operators(level + 1)
        while self._sees(*_LEVELS[level]) and not self._now.first and (self._bars or not self._sees("|")):
            sign = self._next()
            left = Call(_FUNCTIONS[sign.text], (left, self._operators(level + 1)), sign.line)
        return left

    def _reference(self) -> Term:
        head, path, names = self._primary(), list[Term](), list[str]()
        if isinstance(head, Name):
            names.append(head.text)
        while self._now.glued:
            if self._sees("(") and len(names) == len(path) + 1:
                line = self._now.line
                head, path, names = Call(".".join(names), self._open(self._arguments), line), [], []
            elif self._takes("."):
                step = self._next().text
                path.append(Scalar(step))
                names += [step] if names else []
            elif self._takes("["):
                path.append(self._open(self._term))
                self._expect("]")
                names = []
            else:
                break
        return Ref(head, tuple(path)) if path else head

    def _primary(self) -> Term:
        token = self._now
        if token.kind == "number":
            return Scalar(_number(self._next().text))
        if token.kind == "string":
            return Scalar(self._next().text)
        if token.text in _CONSTANTS:
            return Scalar(_CONSTANTS[self._next().text])
        if self._takes("-"):
            if self._now.kind != "number":
                raise self._refuse("a number is expected after `-`")
            return Scalar(-_number(self._next().text))
        if self._takes("("):
            inside = self._open(self._term)
            self._expect(")")
            return inside
        if self._takes("["):
            return self._open(self._array)
        if self._takes("{"):
            return self._open(self._braces)
        if token.text == "set" and self._tokens[self._at + 1].text == "(":
            self._at += 2
            self._expect(")")
            return Collection("set", ())
        return Name(self._name(), token.line)

    def _open(self, parse: Callable[[], _T]) -> _T:
        """Parse what is inside brackets, where `|` is an operator again."""
        bars, self._bars = self._bars, True
        self._deeper()
        parsed = parse()
        self._depth -= 1
        self._bars = bars
        return parsed

    def _first(self) -> Term:
        """The first item of a collection: a `|` after it makes the collection a comprehension."""
        self._bars = False
        term = self._term()
        self._bars = True
        return term

    def _array(self) -> Term:
        if self._takes("]"):
            return Collection("array", ())
        first = self._first()
        if self._takes("|"):
            return Comprehension("array", None, first, self._block("]"))
        return Collection("array", (first, *self._rest("]")))

    def _braces(self) -> Term:
        if self._takes("}"):
            return ObjectTerm(())
        first = self._first()
        if self._takes(":"):
            value = self._first()
            if self._takes("|"):
                return Comprehension("object", first, value, self._block())
            return ObjectTerm(((first, value), *self._pairs()))
        if self._takes("|"):
            return Comprehension("set", None, first, self._block())
        return Collection("set", (first, *self._rest("}")))

    def _rest(self, end: str) -> tuple[Term, ...]:
        if self._takes(end):
            return ()
        self._expect(",")
        return self._list(end)

    def _pairs(self) -> list[tuple[Term, Term]]:
        pairs: list[tuple[Term, Term]] = []
        while not self._takes("}"):
            self._expect(",")
            if self._takes("}"):
                break
            key = self._term()
            self._expect(":")
            pairs.append((key, self._term()))
        return pairs


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
