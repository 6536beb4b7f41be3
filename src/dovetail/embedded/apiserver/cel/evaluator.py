"""A checked tree as closures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import macros
from . import operators as op
from .errors import CelCostExceeded, CelEvaluationError
from .functions import Overload
from .meter import METER, Env, Run
from .syntax import Call, Comprehension, Expr, Ident, ListOf, Literal, MapOf, Select
from .values import NO_OVERLOAD, Optional, TypeValue, Uint, is_key


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
            return macros.loop(expr, build(expr.target), [build(arg) for arg in expr.args])


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
    """The first ``deciding`` value decides, also over errors. ``macros`` has the loop over rounds; one loop for both
    would cost every ``&&`` a third more.
    """

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
