"""What a plan's status says of each member cluster: `status.clusterSchedulingStatuses`, read. Pure and total."""

from collections.abc import Mapping
from typing import Any, Final

from dovetail.lifecycle import progress, states
from dovetail.lifecycle.clusters import UNKNOWN, UNREACHABLE
from dovetail.lifecycle.objects import mapping

Status = Mapping[str, Any]
LEFT_BEHIND: Final = frozenset({UNKNOWN, UNREACHABLE})
TRIES: Final = 5
"""So often a member must not answer, with growing pauses (15 s in all), before a deletion goes on without it."""


def slices_of(status: Status) -> Mapping[str, Status]:
    """Every slice, by cluster."""
    return {name: mapping(one) for name, one in mapping(status.get("clusterSchedulingStatuses")).items()}


def slice_of(status: Status, cluster: str) -> Status:
    """One cluster's; empty when there is none."""
    return mapping(mapping(status.get("clusterSchedulingStatuses")).get(cluster))


def left_behind(status: Status) -> dict[str, str]:
    """Members whose agents a deletion does not wait for, and why."""
    return {
        cluster: str(progress.operation_of(one).get("message") or one.get("reason"))
        for cluster, one in slices_of(status).items()
        if is_left_behind(one)
    }


def is_left_behind(one: Status) -> bool:
    """Whether the agent that this slice is about is given up: nobody knows its cluster, or it does not answer."""
    reason = one.get("reason")
    if one.get("state") != states.UNINSTALL_FAILED or reason not in LEFT_BEHIND:
        return False
    return reason == UNKNOWN or progress.recorded_of(one).attempt.count >= TRIES


def waited_for(status: Status) -> tuple[str, ...]:
    """Members whose agents a deletion waits for."""
    return tuple(sorted(set(slices_of(status)) - set(left_behind(status))))
