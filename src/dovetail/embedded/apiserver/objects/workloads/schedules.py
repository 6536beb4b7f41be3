"""Cron schedules, as robfig/cron reads them: five fields, ``@daily`` and its like, ``@every 1h30m``; and time zones.

Only whether a schedule can be read, and why not in robfig's words; when it is due is the controller's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_BOUNDS: tuple[tuple[int, int, dict[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, {name: at for at, name in enumerate(_MONTHS, 1)}),
    (0, 6, {name: at for at, name in enumerate(_DAYS)}),
)  # fmt: skip
_NAMED = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_DURATION = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}\Z")


class ScheduleMalformed(ValueError):
    """Not a schedule; the text is that of robfig/cron."""


def check(schedule: str) -> None:
    """Raises ScheduleMalformed."""
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        head, _, schedule = schedule.partition(" ")
        zone = head.partition("=")[2]
        if not _is_zone(zone):
            raise ScheduleMalformed(f"provided bad location {zone}: unknown time zone {zone}")
        schedule = schedule.strip()
    if schedule.startswith("@"):
        _check_descriptor(schedule)
        return
    fields = schedule.split()
    if len(fields) != len(_BOUNDS):
        raise ScheduleMalformed(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    for field, bounds in zip(fields, _BOUNDS, strict=True):
        for expression in filter(None, field.split(",")):
            _check_range(expression, *bounds)


def _check_descriptor(schedule: str) -> None:
    if schedule in _NAMED:
        return
    if not schedule.startswith("@every "):
        raise ScheduleMalformed(f"unrecognized descriptor: {schedule}")
    text = schedule.removeprefix("@every ")
    if text not in ("0", "+0", "-0") and not _is_duration(text):
        raise ScheduleMalformed(f'failed to parse duration {schedule}: time: invalid duration "{text}"')


def _is_duration(text: str) -> bool:
    rest = text.lstrip("+-") if text[:1] in "+-" else text
    while rest:
        found = _DURATION.match(rest)
        if found is None or rest[0] in "+-":
            return False
        rest = rest[found.end() :]
    return bool(text)


def _check_range(expression: str, low: int, high: int, names: dict[str, int]) -> None:
    span, *steps = expression.split("/")
    first, *more = span.split("-")
    if first in ("*", "?"):
        start, end = low, high
    else:
        start = _number(first, names)
        if len(more) > 1:
            raise ScheduleMalformed(f"too many hyphens: {expression}")
        end = _number(more[0], names) if more else start
    if len(steps) > 1:
        raise ScheduleMalformed(f"too many slashes: {expression}")
    step = _number(steps[0], {}) if steps else 1
    if steps and not more:
        end = high
    if start < low:
        raise ScheduleMalformed(f"beginning of range ({start}) below minimum ({low}): {expression}")
    if end > high:
        raise ScheduleMalformed(f"end of range ({end}) above maximum ({high}): {expression}")
    if start > end:
        raise ScheduleMalformed(f"beginning of range ({start}) beyond end of range ({end}): {expression}")
    if step == 0:
        raise ScheduleMalformed(f"step of range should be a positive number: {expression}")


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.match(r"[+-]?\d+\Z", text, re.ASCII):
        raise ScheduleMalformed(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise ScheduleMalformed(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


def _is_zone(name: str) -> bool:
    if name in ("", "UTC", "Local"):
        return True
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return not zoneinfo.available_timezones()  # a machine without time zones refuses none
    return True


def zone_errors(name: Any, field: str) -> Iterator[FieldError]:
    if name is None:
        return
    if not name:
        yield fe.invalid(field, name, "timeZone must be nil or non-empty string")
        return
    for item in str(name).split("/"):
        if item in (".", "..") or item.startswith("-") or not _ZONE_PART.match(item):
            yield fe.invalid(field, name, f"unknown time zone {name}")
            return
    if name.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield fe.invalid(field, name, text)
    if not _is_zone(name):
        yield fe.invalid(field, name, f"unknown time zone {name}")
