"""Whoever keeps a list of keys for a while can check everything that was signed for as long as it is good."""

from dataclasses import dataclass
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from dovetail.iam.rotation import Schedule, signing, turned

KEPT, GOOD = 5, 7
"""How long somebody keeps the list, and how long something signed is good."""
SCHEDULE = Schedule(life=50, lead=KEPT + 5, grace=KEPT + GOOD)


@dataclass(frozen=True)
class Entry:
    number: int
    signs_from: int
    signs_until: int


@given(st.lists(st.integers(1, 4), min_size=20, max_size=120), st.integers(0, 1000))
def test_somebody_who_looks_now_and_then(steps: list[int], start: int) -> None:
    numbers = count()
    entries: tuple[Entry, ...] = ()
    published: dict[int, set[int]] = {}
    signed: dict[int, int] = {}
    now = start
    for step in steps:
        entries = turned(entries, SCHEDULE, now, lambda begin, end: Entry(next(numbers), begin, end))
        assert turned(entries, SCHEDULE, now, lambda begin, end: Entry(-1, begin, end)) == entries, "once is enough"
        for moment in range(now, now + step):
            published[moment] = {entry.number for entry in entries}
            signed[moment] = signing(entries, moment).number
        now += step
    first = min(published)
    for moment, number in signed.items():
        for seen in range(moment, min(moment + GOOD, now)):
            for list_of in range(max(first, seen - KEPT), seen + 1):
                assert number in published[list_of], (moment, seen, list_of)
    assert len(entries) <= 3


def test_after_a_long_rest_a_new_one_signs_at_once() -> None:
    old = (Entry(0, 0, 50),)
    entries = turned(old, SCHEDULE, 500, lambda begin, end: Entry(1, begin, end))
    assert entries == (Entry(1, 500, 550),)


def test_a_clock_that_is_behind_has_a_key() -> None:
    assert signing((Entry(0, 100, 150),), 90) == Entry(0, 100, 150)
