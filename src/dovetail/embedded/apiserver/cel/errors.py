"""What can go wrong with an expression.

::

    ValueError
    |-- CelCompileError       it cannot be parsed or does not type-check; the text is cel-go's, with line and caret
    `-- CelEvaluationError    it has no value for these bindings ("no such key: x", "division by zero", ...)
        `-- CelCostExceeded   it took too many steps, or too long
"""

from __future__ import annotations


class CelCompileError(ValueError):
    """``str()`` is what Kubernetes shows: ``compilation failed: ERROR: <input>:1:5: undeclared reference to ...``."""


class CelEvaluationError(ValueError):
    """``str()`` is the short sentence of cel-go."""


class CelCostExceeded(CelEvaluationError):
    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


class Problem(Exception):
    """One error at one place of the source; ``report`` turns some into a sentence."""

    def __init__(self, at: int, text: str) -> None:
        self.at, self.text = at, text
        super().__init__(text)


def report(source: str, problems: list[Problem]) -> CelCompileError:
    """All problems, each with its line of the source and a caret below the place."""
    shown: list[str] = []
    for problem in problems:
        before = source[: problem.at]
        line = before.count("\n")
        column = problem.at - (before.rfind("\n") + 1)
        text = source.split("\n")[line] if source else ""
        caret = "." * column + "^"
        shown.append(f"ERROR: <input>:{line + 1}:{column + 1}: {problem.text}\n | {text}\n | {caret}")
    return CelCompileError("compilation failed: " + "\n".join(shown))
