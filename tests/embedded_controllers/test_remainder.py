"""What a namespace that is being deleted says of itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dovetail.embedded.controllers.namespaces import is_waiting, patience
from dovetail.embedded.controllers.remainder import Remainder, deletion_conditions

NOON = datetime(2026, 7, 5, 12, tzinfo=UTC)


def told(conditions: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    return {condition["type"]: (condition["status"], condition["message"]) for condition in conditions}


def test_conditions() -> None:
    left = [Remainder("configmaps.", 2, {"x/y": 1}), Remainder("pods.", 1, {"x/y": 1, "a": 1})]
    first = deletion_conditions([], left, [ValueError("no")], NOON)
    assert told(first) == {
        "NamespaceDeletionDiscoveryFailure": ("False", "All resources successfully discovered"),
        "NamespaceDeletionGroupVersionParsingFailure": ("False", "All legacy kube types successfully parsed"),
        "NamespaceDeletionContentFailure": ("True", "Failed to delete all resource types, 1 remaining: no"),
        "NamespaceContentRemaining": (
            "True",
            "Some resources are remaining: configmaps. has 2 resource instances, pods. has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "Some content in the namespace has finalizers remaining: "
            "a in 1 resource instances, x/y in 2 resource instances",
        ),
    }
    assert deletion_conditions(first, left, [ValueError("no")], NOON + timedelta(seconds=9)) == first
    empty = deletion_conditions(first, [], [], NOON)
    assert {condition["status"] for condition in empty} == {"False"}
    lost = deletion_conditions(first, [], [], NOON, ValueError("no answer"))
    assert told(lost)["NamespaceDeletionDiscoveryFailure"] == (
        "True", "Discovery failed for some groups, 1 failing: no answer",
    )  # fmt: skip
    several = deletion_conditions([], [], [ValueError("a"), ValueError("b"), ValueError("a")], NOON)
    message = told(several)["NamespaceDeletionContentFailure"][1]
    assert message == "Failed to delete all resource types, 3 remaining: [a, b]"


def test_who_waits_for_us() -> None:
    deleting = {"deletionTimestamp": "2026-07-05T12:00:00Z"}
    assert is_waiting({"metadata": deleting, "spec": {"finalizers": ["kubernetes"]}})
    assert not is_waiting({"metadata": {}, "spec": {"finalizers": ["kubernetes"]}})
    assert not is_waiting({"metadata": deleting, "spec": {"finalizers": ["other"]}})
    assert not is_waiting({"metadata": deleting})


def test_patience_grows_with_the_deletion_and_ends() -> None:
    namespace = {"metadata": {"deletionTimestamp": "2026-07-05T12:00:00Z"}}
    waits = [patience(namespace, NOON + timedelta(seconds=age)) for age in (-5, 0, 4, 1000)]
    assert waits == [0.1, 0.1, 1.0, 5.0]
    assert patience({}, NOON) == 0.1
