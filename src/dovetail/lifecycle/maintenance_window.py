"""When a maintenance window is open. Pure: the time is given.

A window opens on its days at its minute of the local day and stays open for its length, over midnight too. Where clocks
are put forward over the opening, it opens as much later; where they are put back, at the first of the two.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dovetail.apis.dialects.policies import Window


def is_open(window: Window, now: datetime) -> bool:
    """Whether it is open at `now` (aware)."""
    return any(
        begin <= now < begin + timedelta(seconds=window.seconds) for begin in _openings(window, now, range(-2, 2))
    )


def next_opening(window: Window, now: datetime) -> datetime:
    """When it opens the next time, after `now`; in UTC."""
    return min(begin for begin in _openings(window, now, range(-1, 9)) if begin > now)


def _openings(window: Window, now: datetime, days: range) -> Iterator[datetime]:
    zone = ZoneInfo(window.zone)
    today = now.astimezone(zone).date()
    for offset in days:
        day = today + timedelta(days=offset)
        if day.weekday() in window.days:
            local = datetime.combine(day, time(window.minute // 60, window.minute % 60), tzinfo=zone)
            yield local.astimezone(UTC)
