"""Windows in zones with and without daylight saving, over midnight, on some days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects.policies import Window
from dovetail.lifecycle.maintenance_window import is_open, next_opening

EVERY_DAY = frozenset(range(7))
AUCKLAND = "Pacific/Auckland"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "moment", "open_"),
    [
        (Window(days=EVERY_DAY, minute=120, seconds=7200), "2026-11-21T02:00:00+00:00", True),
        (Window(days=EVERY_DAY, minute=120, seconds=7200), "2026-11-21T01:59:59+00:00", False),
        (Window(days=EVERY_DAY, minute=120, seconds=7200), "2026-11-21T04:00:00+00:00", False),
        # Saturday's window from 23:00 is still open on Sunday, Sunday's does not exist.
        (Window(days=frozenset({5}), minute=1380, seconds=7200), "2026-11-22T00:30:00+00:00", True),
        (Window(days=frozenset({5}), minute=1380, seconds=7200), "2026-11-22T23:30:00+00:00", False),
        # 02:00 in Berlin is 01:00 UTC in winter, midnight UTC in summer.
        (Window(days=EVERY_DAY, minute=120, seconds=3600, zone="Europe/Berlin"), "2026-01-10T01:30:00+00:00", True),
        (Window(days=EVERY_DAY, minute=120, seconds=3600, zone="Europe/Berlin"), "2026-07-10T00:30:00+00:00", True),
        (Window(days=EVERY_DAY, minute=120, seconds=3600, zone="Europe/Berlin"), "2026-07-10T01:30:00+00:00", False),
        # The local day counts: Monday 08:00 in Auckland is still Sunday in UTC.
        (Window(days=frozenset({0}), minute=480, seconds=3600, zone=AUCKLAND), "2026-07-05T20:10:00+00:00", True),
        (Window(days=frozenset({6}), minute=480, seconds=3600, zone=AUCKLAND), "2026-07-05T20:10:00+00:00", False),
    ],
)  # fmt: skip
def test_open(window: Window, moment: str, open_: bool):
    assert is_open(window, at(moment)) is open_


def test_where_clocks_jump_over_the_opening():
    """On 2026-03-29 there is no 02:30 in Berlin: the window opens at 03:30 summer time, and stays its length."""
    window = Window(days=EVERY_DAY, minute=150, seconds=3600, zone="Europe/Berlin")
    assert not is_open(window, at("2026-03-29T01:29:00+00:00"))
    assert is_open(window, at("2026-03-29T01:31:00+00:00"))
    assert not is_open(window, at("2026-03-29T02:31:00+00:00"))


def test_where_the_opening_comes_twice():
    """On 2026-10-25 02:30 comes twice in Berlin: the window opens at the first, once."""
    window = Window(days=EVERY_DAY, minute=150, seconds=1800, zone="Europe/Berlin")
    assert is_open(window, at("2026-10-25T00:40:00+00:00"))
    assert not is_open(window, at("2026-10-25T01:40:00+00:00"))


windows = st.builds(
    Window,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    minute=st.integers(0, 1439),
    seconds=st.integers(60, 86400).map(float),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "Asia/Kathmandu"]),
)
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
moments = st.integers(0, 3 * 366 * 86400).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))


@given(windows, moments)
def test_it_opens_at_the_next_opening_and_not_before(window: Window, moment: datetime):
    opening = next_opening(window, moment)
    assert moment < opening <= moment + timedelta(days=9)
    assert is_open(window, opening)
    local = opening.astimezone(ZoneInfo(window.zone))
    assert local.weekday() in window.days or local.hour < 2  # a skipped opening late in the evening
    if not is_open(window, moment):
        step = (opening - moment) / 7
        assert not any(is_open(window, moment + step * n) for n in range(7))
