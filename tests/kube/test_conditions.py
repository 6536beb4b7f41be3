"""Conditions keep their transition time for as long as their status stays."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import (
    find_condition,
    is_true,
    parse_rfc3339,
    remove_condition,
    rfc3339,
    rfc3339_micro,
    set_condition,
)

T0 = datetime(2026, 7, 5, 10, 0, tzinfo=UTC)
STATUSES = st.sampled_from(["True", "False", "Unknown"])


def test_first_and_same_and_changed() -> None:
    first = set_condition([], "Ready", "False", "Starting", "wait", 1, T0)
    assert first == [
        {
            "type": "Ready", "status": "False", "reason": "Starting", "message": "wait", "observedGeneration": 1,
            "lastTransitionTime": "2026-07-05T10:00:00Z",
        }
    ]  # fmt: skip
    same = set_condition(first, "Ready", "False", "StillStarting", "wait on", 2, T0 + timedelta(seconds=9))
    assert (same[0]["reason"], same[0]["lastTransitionTime"]) == ("StillStarting", "2026-07-05T10:00:00Z")
    changed = set_condition(same, "Ready", "True", "Up", "", 2, T0 + timedelta(seconds=9))
    assert changed[0]["lastTransitionTime"] == "2026-07-05T10:00:09Z"
    assert is_true(changed, "Ready")
    assert first[0]["reason"] == "Starting"  # nothing was mutated
    assert remove_condition(changed, "Ready") == []


@given(st.lists(st.tuples(st.sampled_from("ABC"), STATUSES, st.text(max_size=3)), max_size=12))
def test_a_sequence_leaves_each_type_once_with_its_last_status_since_its_last_change(steps: list) -> None:
    conditions: list = []
    since: dict[str, tuple[str, str]] = {}
    for at, (kind, status, reason) in enumerate(steps):
        moment = T0 + timedelta(seconds=at)
        conditions = set_condition(conditions, kind, status, reason, "", 0, moment)
        if since.get(kind, ("",))[0] != status:
            since[kind] = (status, rfc3339(moment))
    assert {c["type"]: (c["status"], c["lastTransitionTime"]) for c in conditions} == since
    assert len(conditions) == len(since)
    for kind in "ABC":
        assert (find_condition(conditions, kind) is None) == (kind not in since)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_survive_writing_and_reading(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339_micro(moment)) == moment
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=0)
