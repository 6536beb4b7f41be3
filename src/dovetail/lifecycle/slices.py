"""What a plan's status says of each member cluster: `status.clusterSchedulingStatuses`, read. Pure and total."""

from collections.abc import Mapping
from typing import Any, Final

from dovetail.lifecycle import progress, states
from dovetail.lifecycle.clusters import UNKNOWN, UNREACHABLE
from dovetail.lifecycle.objects import mapping

Status = Mapping[str, Any]
LEFT_BEHIND: Final = frozenset({UNKNOWN, UNREACHABLE})


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
        if one.get("state") == states.UNINSTALL_FAILED and one.get("reason") in LEFT_BEHIND
    }


def waited_for(status: Status) -> tuple[str, ...]:
    """Members whose agents a deletion waits for."""
    return tuple(sorted(set(slices_of(status)) - set(left_behind(status))))
