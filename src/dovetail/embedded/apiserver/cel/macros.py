"""CEL's macros as closures: comprehensions over lists and maps, and over optional values.

A comprehension pays for every round the size of its body, so that nested loops over big lists end with an error (and
also after a time).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from .errors import CelCostExceeded, CelEvaluationError
from .meter import METER, Env, Run
from .syntax import Comprehension, size
from .values import NO_OVERLOAD, Optional

Rounds = Callable[[Env], Iterable[Env]]


def loop(expr: Comprehension, target: Run, bodies: list[Run]) -> Run:
    """``target`` and ``bodies`` are the closures of ``expr.target`` and ``expr.args``."""
    if expr.kind in ("optMap", "optFlatMap"):
        return _opt_map(expr.names[0], target, bodies[0], expr.kind == "optMap")
    rounds = _rounds(target, expr.names, 2 + sum(map(size, expr.args)))
    if expr.kind == "filter":
        return _filtered(rounds, expr.names[0], bodies[0])
    if expr.kind == "transformMap":
        return _transformed(rounds, expr.names[0], bodies)
    return _MACROS[expr.kind](rounds, *bodies)


def _opt_map(name: str, target: Run, body: Run, wrap: bool) -> Run:
    def run(env: Env) -> Any:
        value = target(env)
        if not isinstance(value, Optional):
            raise CelEvaluationError(NO_OVERLOAD)
        if not value.present:
            return value
        result = body({**env, name: value.value})
        return Optional(result, True) if wrap else result

    return run


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
