"""A finding: one thing that is wrong or doubtful in a package, where it is, and how to put it right.

Findings are values: a reader collects them, a tool prints them, a test compares them. Whether one stops the work is the
caller's decision, by `severity`: an `error` stops `package` and `publish`, a `warning` is only told.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

Severity = Literal["error", "warning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is a stable slug (`icon-missing`); `place` is file or file:line; the texts have no full stop."""

    code: str
    severity: Severity
    place: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.severity} {self.code} {self.place}: {self.message}. {self.fix}."


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that stop the work, in order."""
    return tuple(finding for finding in findings if finding.severity == "error")
