"""What was done to a release once: every operation with its outcome, bounded, at most one of them running."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.dialects.policies import Retry
from dovetail.lifecycle import history, states
from dovetail.lifecycle.pauses import length

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Status = dict[str, Any]


def begin(status: Status, version: str = "1", *, fresh: bool = True, attempts: int = 1) -> Status:
    return history.opened(status, "Upgrade", version, by="ada", attempts=attempts, now=NOW, fresh=fresh)


def told(status: Status) -> list[tuple[str, str, int]]:
    return [(record["id"], record["outcome"], record.get("attempts", 0)) for record in status["history"]]


def test_retries_count_up_in_their_operation() -> None:
    status = begin({})
    status = history.ended(status, history.FAILED, NOW, attempts=1, reason="HelmFailed", message="no")
    status = begin(status, fresh=False, attempts=2)
    assert told(status) == [("1", "Running", 2)]
    assert "finishedAt" not in status["history"][0]
    status = history.ended(status, history.SUCCEEDED, NOW + timedelta(minutes=1), revision=3)
    (record,) = status["history"]
    assert (record["outcome"], record["revision"], record["requestedBy"]) == ("Succeeded", 3, "ada")
    assert (record["startedAt"], record["finishedAt"]) == ("2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z")


def test_a_crash_ends_an_operation_and_what_goes_on_is_another_of_the_same_kind() -> None:
    status = history.ended(begin({}), history.INTERRUPTED, NOW, message="crash")
    status = history.opened(status, "Configure", "1", by="", attempts=2, now=NOW, fresh=False)
    assert told(status) == [("1", "Interrupted", 1), ("2", "Running", 2)]
    assert status["history"][1]["action"] == "Upgrade"


def test_a_plan_that_changes_its_mind_supersedes_what_runs() -> None:
    status = begin(begin({}), "2")
    assert told(status) == [("1", "Superseded", 1), ("2", "Running", 1)]
    assert history.running(status) == status["history"][1]


def test_what_is_over_is_not_ended_again() -> None:
    status = history.happened({}, history.DISABLE, "1", history.SUCCEEDED, NOW, by="ada")
    assert history.ended(status, history.FAILED, NOW) == status
    assert history.running(status) is None
    assert history.last_id(status) == "1"


@pytest.mark.parametrize(
    ("status", "version", "target", "expected"),
    [
        ({}, "1.0.0", "t", history.INSTALL),
        ({"version": "1.0.0"}, "1.1.0", "t", history.UPGRADE),
        ({"version": "1.0.0"}, "1.0.0-rc.1", "t", history.ROLLBACK),
        ({"version": "1.0.0"}, "1.0.0", "t", history.CONFIGURE),
        ({"version": "1.0.0", "state": states.INSTALLED, "operation": {"target": "t"}}, "1.0.0", "t", history.HEAL),
        ({"version": "odd"}, "1.0.0", "t", history.UPGRADE),
    ],
)
def test_an_operation_is_named_by_what_is_in_force(status: Status, version: str, target: str, expected: str) -> None:
    assert history.action_of(status, version, target) == expected


_steps: list[Callable[[Status], Status]] = [
    begin,
    lambda status: begin(status, "2"),
    lambda status: begin(status, fresh=False, attempts=2),
    lambda status: history.happened(status, "Disable", "1", history.SUCCEEDED, NOW),
    *(lambda status, end=end: history.ended(status, end, NOW) for end in ("Succeeded", "Failed", "Interrupted")),
]


@given(st.lists(st.sampled_from(_steps), max_size=60))
def test_it_is_bounded_numbered_and_only_the_newest_runs(steps: list[Callable[[Status], Status]]) -> None:
    status: Status = {}
    for step in steps:
        status = step(status)
    records = status.get("history", [])
    assert len(records) <= 20
    numbers = [int(one["id"]) for one in records]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    assert all(one["outcome"] != "Running" for one in records[:-1])
    assert all(("finishedAt" in one) is (one["outcome"] != "Running") for one in records)


@pytest.mark.parametrize("status", [{"history": None}, {"history": "x"}, {"history": [1, None]}])
def test_a_foreign_history_is_no_obstacle(status: Status) -> None:
    assert history.running(status) is None
    assert told(begin(status)) == [("1", "Running", 1)]


@given(st.integers(0, 10_000), st.floats(0.1, 100), st.floats(1, 1000))
def test_pauses_double_up_to_the_longest(failures: int, first: float, longest: float) -> None:
    retry = Retry(first_pause=first, longest_pause=longest)
    pause = length(failures, retry)
    assert first <= pause <= max(first, longest)
    assert pause <= length(failures + 1, retry) <= 2 * pause
