"""Durations as Go writes them (`15s`, `1h30m`, `500ms`), to seconds."""

import re
from typing import Final

_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ns|us|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST: Final = 366 * 24 * 3600.0


class BadDuration(ValueError):
    """A text that is no duration."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:40]!r} is no duration; write a number and a unit, such as 15s, 10m or 1h30m")


def parse_duration(text: str) -> float:
    """Seconds. Raises BadDuration for anything but Go's grammar, and for more than a year."""
    if text == "0":
        return 0.0
    parts = list(_PART.finditer(text[:64]))
    if not parts or "".join(part[0] for part in parts) != text:
        raise BadDuration(text)
    seconds = sum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    if seconds > LONGEST:
        raise BadDuration(text)
    return seconds
