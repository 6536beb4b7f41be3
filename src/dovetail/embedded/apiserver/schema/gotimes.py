"""metav1.Time and metav1.MicroTime: RFC 3339 in, UTC out; what is wrong with a text as Go tells it.

Seconds for Time (fractions are cut off), six digits for MicroTime. Years before 1 are not times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from ..gotext import quoted

_FORM = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))\Z", re.ASCII)
_DONE = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ\Z", re.ASCII)
_SECOND_LAYOUT, _MICRO_LAYOUT = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"
_STEPS = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d?"),
    (":", ":"), ("04", r"\d\d"), (":", ":"), ("05", r"\d\d(?:[.,]\d+)?"), ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)  # fmt: skip


class TimeMalformed(ValueError):
    """Not a time; the text is Go's."""


def second_time(text: str) -> str:
    """``2024-01-01T00:00:00+02:00`` is ``2023-12-31T22:00:00Z``. Raises TimeMalformed."""
    if _DONE.match(text):  # what servers and clients write themselves
        return text
    return _moment(text, _SECOND_LAYOUT).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def micro_time(text: str) -> str:
    """``2024-01-01T00:00:00.5Z`` is ``2024-01-01T00:00:00.500000Z``. Raises TimeMalformed."""
    return _moment(text, _MICRO_LAYOUT).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _moment(text: str, layout: str) -> datetime:
    found = _FORM.match(text)
    if found is None:
        raise TimeMalformed(_problem(text, layout))
    year, month, day, hour, minute, second = (int(group) for group in found.groups()[:6])
    micros = int((found[7] or "").ljust(6, "0")[:6])
    for wrong, name in (
        (not 1 <= month <= 12, "month"), (not 1 <= day <= 31, "day"), (hour > 23, "hour"), (minute > 59, "minute"),
        (second > 59, "second"),
    ):  # fmt: skip
        if wrong:
            raise TimeMalformed(f"parsing time {quoted(text)}: {name} out of range")
    offset = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0)) * (-1 if found[8] == "-" else 1)
    try:
        return datetime(year, month, day, hour, minute, second, micros, timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise TimeMalformed(f"parsing time {quoted(text)}: day out of range") from error


def _problem(text: str, layout: str) -> str:
    """The sentence of time.Parse for the first element that does not fit."""
    rest = text
    for element, pattern in _STEPS:
        found = re.match(pattern, rest, re.ASCII)
        if found is None:
            return f"parsing time {quoted(text)} as {quoted(layout)}: cannot parse {quoted(rest)} as {quoted(element)}"
        rest = rest[found.end() :]
    return f"parsing time {quoted(text)}: extra text: {quoted(rest)}"
