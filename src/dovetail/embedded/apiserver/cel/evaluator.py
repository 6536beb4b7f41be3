"""A checked tree as closures, and the meter that bounds what they may do.

A closure takes the environment, a dict of variables whose ``METER`` entry counts the cost. A comprehension pays for
every round the size of its body, so that nested loops over big lists end with an error (and also after a time).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, cast

from . import operators as op
from .errors import CelCostExceeded, CelEvaluationError
from .functions import Overload
from .syntax import Call, Comprehension, Expr, Ident, ListOf, Literal, MapOf, Select, size
from .values import NO_OVERLOAD, Optional, TypeValue, Uint, is_key

METER = "@meter"
_CHECK_EVERY = 2_000
Env = dict[str, Any]
Run = Callable[[Env], Any]


class Meter:
    """What is left of the allowed cost and time."""

    __slots__ = ("_deadline", "_next_look", "left")

    def __init__(self, cost: int, seconds: float) -> None:
        self.left = cost
        self._deadline = time.monotonic() + seconds
        self._next_look = cost - _CHECK_EVERY

    def pay(self, cost: int) -> None:
        self.left -= cost
        if self.left < self._next_look:
            self._next_look = self.left - _CHECK_EVERY
            if self.left < 0 or time.monotonic() > self._deadline:
                raise CelCostExceeded


def build(expr: Expr) -> Run:
    match expr:
        case Literal():
            return _literal(expr)
        case Ident():
            return _ident(expr.name)
        case Select():
            return _select(expr)
        case Call():
            return _call(expr)
        case ListOf():
            return _list(expr)
        case MapOf():
            return _map(expr)
        case Comprehension():
            return _comprehension(expr)


def _literal(expr: Literal) -> Run:
    value = Uint(expr.value) if expr.kind == "uint" else expr.value
    return lambda env: value


def _ident(name: str) -> Run:
    named = TypeValue(name)

    def run(env: Env) -> Any:
        try:
            return env[name]
        except KeyError:
            return named  # the name of a type: other undeclared names do not get past the checker

    return run


def _select(expr: Select) -> Run:
    operand, raw = build(expr.operand), expr.raw or expr.name
    if expr.test:
        return lambda env: op.present(operand(env), raw)
    if expr.optional:
        return lambda env: op.optional_field(operand(env), raw)
    path = _type_path(expr)
    if path in ("google.protobuf.Timestamp", "google.protobuf.Duration"):
        named = TypeValue(path.rpartition(".")[2].lower())
        return lambda env: named

    def run(env: Env) -> Any:
        owner = operand(env)
        if owner.__class__ is dict and raw in owner:
            return owner[raw]
        return op.field(owner, raw)

    return run


def _type_path(expr: Expr) -> str:
    if isinstance(expr, Select):
        return f"{_type_path(expr.operand)}.{expr.name}"
    return expr.name if isinstance(expr, Ident) and expr.name == "google" else ""


# -- calls


def _call(expr: Call) -> Run:
    if expr.name == "_&&_":
        return _and([build(part) for part in _chain(expr, "_&&_")])
    if expr.name == "_||_":
        return _or([build(part) for part in _chain(expr, "_||_")])
    if expr.name == "_?_:_":
        return _conditional(expr)
    parts = [*([expr.target] if expr.target is not None else []), *expr.args]
    runs = [build(part) for part in parts]
    if expr.name in ("orValue", "or") and len(runs) == 2:
        return _lazy_or(runs[0], runs[1], expr.name == "orValue")
    if len(expr.overloads) == 1 and all(found.name != "dyn" for found in expr.types):
        return _direct(expr.overloads[0].call, runs)
    calls = {overload.call for overload in expr.overloads}
    if len(calls) == 1 and expr.name in _SELF_CHECKING:
        return _direct(calls.pop(), runs)
    return _dispatched(expr.overloads, runs)


# Operators whose functions look at the types themselves.
_SELF_CHECKING = frozenset(
    ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_+_", "_-_", "_*_", "_/_", "_%_", "-_", "@in", "_[_]", "_[?_]")
)


def _direct(call: Callable[..., Any], runs: list[Run]) -> Run:
    if len(runs) == 1:
        only = runs[0]
        return lambda env: call(_weighed(env, only(env)))
    if len(runs) == 2:
        first, second = runs
        return lambda env: call(_weighed(env, first(env)), second(env))
    return lambda env: call(*[_weighed(env, run(env)) for run in runs])


def _weighed(env: Env, value: Any) -> Any:
    """A function on a long text or list costs a tenth of its length, as in Kubernetes."""
    if value.__class__ in (str, bytes, list) and len(value) > 100:
        env[METER].pay(len(value) // 10)
    return value


def _dispatched(overloads: list[Overload], runs: list[Run]) -> Run:
    def run(env: Env) -> Any:
        values = tuple([_weighed(env, one(env)) for one in runs])
        for overload in overloads:
            if overload.takes(values):
                return overload.call(*values)
        raise CelEvaluationError(NO_OVERLOAD)

    return run


def _chain(expr: Call, name: str) -> list[Expr]:
    """``a && b && c`` as one list: long chains are no deep trees."""
    parts: list[Expr] = []
    node: Expr = expr
    while isinstance(node, Call) and node.name == name:
        parts.append(node.args[1])
        node = node.args[0]
    return [node, *reversed(parts)]


def _and(runs: list[Run]) -> Run:
    return _decide(runs, False)


def _or(runs: list[Run]) -> Run:
    return _decide(runs, True)


def _decide(runs: list[Run], deciding: bool) -> Run:
    """The first ``deciding`` value decides, also over errors."""

    def run(env: Env) -> bool:
        problem: CelEvaluationError | None = None
        for one in runs:
            try:
                value = one(env)
            except CelCostExceeded:
                raise
            except CelEvaluationError as error:
                problem = problem or error
                continue
            if value is deciding:
                return deciding
            if value is not (not deciding):
                problem = problem or CelEvaluationError(NO_OVERLOAD)
        if problem is not None:
            raise problem
        return not deciding

    return run


def _conditional(expr: Call) -> Run:
    condition, yes, no = (build(part) for part in expr.args)

    def run(env: Env) -> Any:
        value = condition(env)
        if value is True:
            return yes(env)
        if value is False:
            return no(env)
        raise CelEvaluationError(NO_OVERLOAD)

    return run


def _lazy_or(first: Run, other: Run, unwrap: bool) -> Run:
    def run(env: Env) -> Any:
        value = first(env)
        if not isinstance(value, Optional):
            raise CelEvaluationError(NO_OVERLOAD)
        if value.present:
            return value.value if unwrap else value
        return other(env)

    return run


# -- lists and maps


def _list(expr: ListOf) -> Run:
    runs = [build(item) for item in expr.items]
    if all(isinstance(item, Literal) for item in expr.items):
        values = [run({}) for run in runs]
        return lambda env: values
    if not expr.optional:
        return lambda env: [run(env) for run in runs]

    def run_optional(env: Env) -> list[Any]:
        result: list[Any] = []
        for index, run in enumerate(runs):
            value = run(env)
            if index not in expr.optional:
                result.append(value)
            elif value.present:
                result.append(value.value)
        return result

    return run_optional


def _map(expr: MapOf) -> Run:
    runs = [(build(key), build(value), optional) for key, value, optional in expr.entries]

    def run(env: Env) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for make_key, make_value, optional in runs:
            key, value = make_key(env), make_value(env)
            if not is_key(key):
                raise CelEvaluationError("unsupported key type")
            if key in result:
                raise CelEvaluationError(f"duplicate key in map: {key}")
            if not optional:
                result[key] = value
            elif value.present:
                result[key] = value.value
        return result

    return run


# -- comprehensions


def _comprehension(expr: Comprehension) -> Run:
    target = build(expr.target)
    if expr.kind in ("optMap", "optFlatMap"):
        return _opt_map(expr, target)
    rounds = _rounds(target, expr.names, 2 + sum(map(size, expr.args)))
    runs = [build(arg) for arg in expr.args]
    if expr.kind == "filter":
        return _filtered(rounds, expr.names[0], runs[0])
    if expr.kind == "transformMap":
        return _transformed(rounds, expr.names[0], runs)
    return _MACROS[expr.kind](rounds, *runs)


def _opt_map(expr: Comprehension, target: Run) -> Run:
    name, body, wrap = expr.names[0], build(expr.args[0]), expr.kind == "optMap"

    def run(env: Env) -> Any:
        value = target(env)
        if not isinstance(value, Optional):
            raise CelEvaluationError(NO_OVERLOAD)
        if not value.present:
            return value
        result = body({**env, name: value.value})
        return Optional(result, True) if wrap else result

    return run


Rounds = Callable[[Env], Iterable[Env]]


def _rounds(target: Run, names: list[str], cost: int) -> Rounds:
    """The environments of a loop, one after the other (it is the same one, changed)."""

    def rounds(env: Env) -> Iterable[Env]:
        inner = dict(env)
        pay = env[METER].pay
        pairs = _pairs(target(env))
        if len(names) == 1:
            first = names[0]
            for key, value in pairs:
                pay(cost)
                inner[first] = value if key is None else key
                yield inner
            return
        for index, (key, value) in enumerate(pairs):
            pay(cost)
            inner[names[0]], inner[names[1]] = (index if key is None else key), value
            yield inner

    return rounds


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    """(None, item) of a list, (key, value) of a map."""
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).items()
    if isinstance(value, list):
        return ((None, item) for item in cast("list[Any]", value))
    raise CelEvaluationError(NO_OVERLOAD)


def _quantified(deciding: bool) -> Callable[..., Run]:
    """``all`` (decided by a false) and ``exists`` (by a true); errors count only when nothing decides."""

    def make(rounds: Rounds, predicate: Run) -> Run:
        def run(env: Env) -> bool:
            problem: CelEvaluationError | None = None
            for inner in rounds(env):
                try:
                    value = predicate(inner)
                except CelCostExceeded:
                    raise
                except CelEvaluationError as error:
                    problem = problem or error
                    continue
                if value is deciding:
                    return deciding
                if not isinstance(value, bool):
                    problem = problem or CelEvaluationError(NO_OVERLOAD)
            if problem is not None:
                raise problem
            return not deciding

        return run

    return make


def _true(predicate: Run | None, env: Env) -> bool:
    if predicate is None:
        return True
    value = predicate(env)
    if value.__class__ is not bool:
        raise CelEvaluationError(NO_OVERLOAD)
    return value


def _exists_one(rounds: Rounds, predicate: Run) -> Run:
    return lambda env: sum(_true(predicate, inner) for inner in rounds(env)) == 1


def _mapped(rounds: Rounds, *runs: Run) -> Run:
    predicate, body = (runs[0], runs[1]) if len(runs) == 2 else (None, runs[0])
    return lambda env: [body(inner) for inner in rounds(env) if _true(predicate, inner)]


def _filtered(rounds: Rounds, name: str, predicate: Run) -> Run:
    return lambda env: [inner[name] for inner in rounds(env) if _true(predicate, inner)]


def _transformed(rounds: Rounds, name: str, runs: list[Run]) -> Run:
    predicate, body = (runs[0], runs[1]) if len(runs) == 2 else (None, runs[0])
    return lambda env: {inner[name]: body(inner) for inner in rounds(env) if _true(predicate, inner)}


def _entries(rounds: Rounds, *runs: Run) -> Run:
    predicate, body = (runs[0], runs[1]) if len(runs) == 2 else (None, runs[0])

    def run(env: Env) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for inner in rounds(env):
            if _true(predicate, inner):
                for key, value in body(inner).items():
                    if key in result:
                        raise CelEvaluationError(f"insert failed: key {key} already exists")
                    result[key] = value
        return result

    return run


_MACROS: dict[str, Callable[..., Run]] = {
    "all": _quantified(False), "exists": _quantified(True), "exists_one": _exists_one, "map": _mapped,
    "transformList": _mapped, "transformMapEntry": _entries,
}  # fmt: skip
