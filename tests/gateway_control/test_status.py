"""What control writes into an object's status: pure, and without a write when nothing is new."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.availability import status_of
from dovetail.gateway.health import HEALTHY, Health, unavailable
from dovetail.routing.problems import Problem

AT = datetime(2026, 1, 1, tzinfo=UTC)
DOWN = unavailable("ConnectionRefused", "connection refused")
OBJECT: dict[str, Any] = {"metadata": {"name": "a", "generation": 3}}


def problem(reason: Any) -> Problem:
    return Problem(api_version="v1", kind="ReverseProxy", name="a", reason=reason, message="because", field="spec.x")


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def test_a_backend_that_answers_is_available() -> None:
    status = status_of(OBJECT, HEALTHY, [], AT, routed=True)

    assert status["state"] == "Available"
    assert conditions(status) == {"Healthy": ("True", "Healthy"), "Accepted": ("True", "Accepted")}
    assert {c["observedGeneration"] for c in status["conditions"]} == {3}


def test_a_backend_that_does_not_answer_is_unavailable_and_says_why() -> None:
    status = status_of(OBJECT, DOWN, [], AT, routed=True)

    assert status["state"] == "Unavailable"
    assert conditions(status)["Healthy"] == ("False", "ConnectionRefused")


def test_a_refused_object_is_unavailable_though_its_backend_answers() -> None:
    status = status_of(OBJECT, HEALTHY, [problem("Reserved")], AT, routed=False)

    assert status["state"] == "Unavailable"
    assert conditions(status)["Accepted"] == ("False", "Reserved")


def test_one_bad_part_leaves_the_rest_available() -> None:
    status = status_of(OBJECT, HEALTHY, [problem("Conflict"), problem("Invalid")], AT, routed=True)

    assert status["state"] == "Available"
    assert conditions(status)["Accepted"] == ("False", "Invalid")


@given(st.sampled_from([HEALTHY, DOWN]), st.lists(st.sampled_from(["Conflict", "Invalid", "Remark"])), st.booleans())
def test_the_same_verdict_later_is_no_write(health: Health, reasons: list[str], routed: bool) -> None:
    problems = [problem(reason) for reason in reasons]
    first = status_of(OBJECT, health, problems, AT, routed=routed)
    later = status_of({**OBJECT, "status": first}, health, problems, AT + timedelta(hours=1), routed=routed)

    assert later == first


def test_conditions_of_others_are_kept() -> None:
    foreign = {"type": "Enabled", "status": "True", "reason": "Plan", "message": "", "lastTransitionTime": "x"}
    status = status_of({**OBJECT, "status": {"conditions": [foreign], "link": "/x"}}, HEALTHY, [], AT, routed=True)

    assert foreign in status["conditions"]
    assert status["link"] == "/x"
