"""`status.conditions` as pure functions over lists.

A condition says what is true now; `lastTransitionTime` says since when. Setting a condition to the status that it
already has keeps the time, so that a level-triggered controller may set it on every pass without causing a write.

Source of the rules: apimachinery's meta.SetStatusCondition.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from dovetail.kube.timestamps import rfc3339

ConditionStatus = Literal["True", "False", "Unknown"]


def set_condition(
    conditions: Iterable[Mapping[str, Any]],
    type: str,
    status: ConditionStatus,
    reason: str,
    message: str,
    observed_generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """A new list in which the condition `type` has these values; the others and the order are kept.

    An `observed_generation` of 0 leaves the field out.
    """
    result = [dict(condition) for condition in conditions]
    wanted: dict[str, Any] = {"type": type, "status": status, "reason": reason, "message": message}
    if observed_generation:
        wanted["observedGeneration"] = observed_generation
    for at, condition in enumerate(result):
        if condition.get("type") == type:
            result[at] = wanted | {"lastTransitionTime": _since(condition, status, now)}
            return result
    result.append(wanted | {"lastTransitionTime": rfc3339(now)})
    return result


def remove_condition(conditions: Iterable[Mapping[str, Any]], type: str) -> list[dict[str, Any]]:
    """A new list without the condition `type`."""
    return [dict(condition) for condition in conditions if condition.get("type") != type]


def find_condition(conditions: Iterable[Mapping[str, Any]], type: str) -> Mapping[str, Any] | None:
    """The condition `type`, if there is one."""
    return next((condition for condition in conditions if condition.get("type") == type), None)


def is_true(conditions: Iterable[Mapping[str, Any]], type: str) -> bool:
    """Whether the condition `type` has the status "True"."""
    condition = find_condition(conditions, type)
    return condition is not None and condition.get("status") == "True"


def _since(condition: Mapping[str, Any], status: str, now: datetime) -> str:
    since = condition.get("lastTransitionTime")
    return str(since) if since and condition.get("status") == status else rfc3339(now)
