"""A finding: one thing that is wrong or doubtful in a package, where it is, and how to put it right.

Findings are values: a reader collects them, a tool prints them, a test compares them. Whether one stops the work is the
caller's decision, by `severity`: an `error` stops `package` and `publish`, a `warning` is only told, and a `note` is
something worth knowing that is not wrong. Every code is explained in `codes`.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec

Severity = Literal["error", "warning", "note"]
_ORDER: Final = ("error", "warning", "note")


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


def error(code: str, place: str, message: str, fix: str) -> Finding:
    """A finding that stops the work."""
    return Finding(code=code, severity="error", place=place, message=message, fix=fix)


def warning(code: str, place: str, message: str, fix: str) -> Finding:
    """A finding that is only told."""
    return Finding(code=code, severity="warning", place=place, message=message, fix=fix)


def note(code: str, place: str, message: str, fix: str) -> Finding:
    """A finding about something that is not wrong."""
    return Finding(code=code, severity="note", place=place, message=message, fix=fix)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without repetitions, the worst first, each severity by place."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda one: (_ORDER.index(one.severity), *split_place(one.place))))


def split_place(place: str) -> tuple[str, int]:
    """The file of a place, and its line; 0 if the place is a whole file."""
    file, colon, line = place.rpartition(":")
    return (file, int(line)) if colon and line.isdigit() else (place, 0)
