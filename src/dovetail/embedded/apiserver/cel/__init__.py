"""CEL, the expression language of Kubernetes: rules of custom resources, match conditions of webhooks.

``program(expression, ("object", "request"))`` parses, checks and compiles; ``Program.evaluate({"object": ...})`` gives
the value. Values are JSON's Python values (see ``values`` for the others). An expression is checked like kube-apiserver
1.36 checks it: with types where ``variables`` is a mapping of ``types.Type``, else every variable is ``dyn``.

Why an engine of our own: the pinned library ``common-expression-language`` cannot be interrupted, gives no syntax tree
(so neither undeclared fields nor cost can be checked), lacks optionals and ``self.all(i, v, ...)``, counts bytes
instead of characters, and ends the process (stack overflow) on ``1+1+1+...``. The tests compare ours with it.
Not here: protobuf messages, ``cel.bind``, ``math.*`` (Kubernetes has none of them either).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .errors import CelCompileError, CelCostExceeded, CelEvaluationError, Problem, report
from .syntax import Expr
from .types import DYN, Type

__all__ = ["CelCompileError", "CelCostExceeded", "CelEvaluationError", "Program", "compile_typed", "program"]

CALL_COST = 1_000_000
"""What one evaluation may cost (Kubernetes' per-call limit); a loop pays for each round the size of its body."""
CALL_SECONDS = 1.0


class Program:
    """A compiled expression. ``result`` is its type, ``uses`` the variables it reads."""

    def __init__(self, source: str, expr: Expr, result: Type, uses: frozenset[str]) -> None:
        from .evaluator import build
        from .syntax import size

        self.source, self.result, self.uses = source, result, uses
        self._cost = size(expr)
        self._run = build(expr)

    def evaluate(self, bindings: Mapping[str, Any], cost: int = CALL_COST, seconds: float = CALL_SECONDS) -> Any:
        """The value. Raises CelEvaluationError (CelCostExceeded beyond ``cost`` or ``seconds``)."""
        return self.measure(bindings, cost, seconds)[0]

    def measure(
        self, bindings: Mapping[str, Any], cost: int = CALL_COST, seconds: float = CALL_SECONDS
    ) -> tuple[Any, int]:
        """(the value, what it cost). Raises like ``evaluate``."""
        from .meter import METER, Meter

        meter = Meter(cost, seconds)
        try:
            meter.pay(self._cost)
            value = self._run({**bindings, METER: meter})
        except (TypeError, AttributeError, KeyError, ValueError, ArithmeticError) as error:
            if isinstance(error, CelEvaluationError):
                raise
            # Data that does not have its declared type (a null, mostly), found by Python instead of us.
            raise CelEvaluationError("no such overload") from error
        except RecursionError as error:
            raise CelCostExceeded from error
        return value, cost - meter.left


@lru_cache(maxsize=512)
def program(expression: str, variables: tuple[str, ...]) -> Program:
    """Compile with untyped variables. Raises CelCompileError."""
    return compile_typed(expression, dict.fromkeys(variables, DYN))


def compile_typed(expression: str, variables: Mapping[str, Type]) -> Program:
    """Compile with typed variables; not cached. Raises CelCompileError."""
    from .checker import check
    from .parser import parse

    try:
        expr = parse(expression)
        result, problems, uses = check(expr, variables)
        if problems:
            raise report(expression, problems)
        return Program(expression, expr, result, uses)
    except Problem as problem:
        raise report(expression, [problem]) from problem
    except RecursionError as error:
        raise report(expression, [Problem(0, "expression recursion limit exceeded: 250")]) from error
