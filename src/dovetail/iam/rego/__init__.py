"""Rego modules of roles (annotation `iam.kubesphere.io/rego-override`): a subset of Rego, compiled to Python.

Why a translation and not an engine: a module is written by whoever may write roles, and it is evaluated in the
gateway's workers, between two requests of other users. PyPI has regopy (rego-cpp: 4 ms for an evaluation, 15 MB in each
process) and unofficial builds of regorus (50 us, 6 MB); neither can be told to stop after so much work, and a native
call that runs away holds up a whole worker. Here an evaluation costs 20-200 us, is pure Python (thread-safe: a program
holds no state), and stops after `running.BUDGET` units of work, which is some milliseconds; what is over the budget
gives nothing. regopy is what the tests hold this against.

The subset, in the syntax of Rego v0 and v1: `package`, imports of parts of `input`, `default`, complete rules, partial
sets and objects, functions, `some`, `some .. in`, `in`, `every`, `not`, `:=`, `=`, comparisons, arithmetic, set
operators, references with variables (`xs[_]`), array, set and object comprehensions, `data.<own package>.<rule>`, and
the functions of `builtins`. Not there, and refused when the module is compiled: `else`, `with`, other data, recursion,
and every function that could reach out of the process or take long (http.send, time, random, regular expressions).

A module says `package authz` and is asked for `data.authz.allow`, with the attributes of the request as `input`, in
Go's names (`question`).
"""

from collections.abc import Mapping
from typing import Any, Final

from dovetail.iam.rego.compiling import compile_rules
from dovetail.iam.rego.parsing import parse
from dovetail.iam.rego.running import BUDGET, State
from dovetail.iam.rego.values import TRUE, UNDEFINED, RegoError, RegoLimit, of_json

__all__ = ["Program", "Purse", "RegoError", "RegoLimit", "compile_module"]

PACKAGE: Final = "authz"
ALLOW: Final = "allow"
_ENTRANCE: Final = 20
"""What it costs to ask a module at all."""


class Purse:
    """What all modules that are asked about one request may spend together: however many roles somebody has collected,
    the worker that decides is not held up longer."""

    def __init__(self, total: int = 2 * BUDGET) -> None:
        self._left = total

    @property
    def empty(self) -> bool:
        """Whether no further module is asked."""
        return self._left <= _ENTRANCE

    def taken(self) -> int:
        """The budget of the next module: at most `BUDGET`."""
        self._left -= _ENTRANCE
        taken = max(0, min(BUDGET, self._left))
        self._left -= taken
        return taken

    def put_back(self, rest: int) -> None:
        """What a module left over."""
        self._left += max(0, rest)


class Program:
    """A compiled module. Holds no state of an evaluation."""

    def __init__(self, text: str) -> None:
        try:
            module = parse(text)
            self._rules = compile_rules(module)
        except RecursionError as error:
            raise RegoError("the module is nested too deeply") from error
        if module.package != PACKAGE:
            raise RegoError(f"the module says `package {module.package}`, not `package {PACKAGE}`")
        if ALLOW not in self._rules:
            raise RegoError(f"the module has no rule `{ALLOW}`")

    def evaluate(self, given: Mapping[str, Any], budget: int = BUDGET) -> bool:
        """Whether `allow` is true. Raises RegoLimit, and RegoError when rules contradict each other."""
        return self._allowed(State(self._rules, of_json(given), budget))

    def _allowed(self, state: State) -> bool:
        try:
            value = state.rule(ALLOW)
        except RecursionError as error:
            raise RegoLimit("the evaluation goes too deep") from error
        return value is not UNDEFINED and value is TRUE

    def allows(self, given: Mapping[str, Any], purse: "Purse | None" = None) -> bool:
        """The same; what cannot be evaluated, or not be paid any more, allows nothing."""
        purse = purse or Purse()
        state = State(self._rules, of_json(given), purse.taken())
        try:
            return self._allowed(state)
        except (RegoError, RegoLimit):
            return False
        finally:
            purse.put_back(state.left)


def compile_module(text: str) -> Program:
    """Compile the text of a module. Raises RegoError, which says what is wrong and where."""
    return Program(text)
