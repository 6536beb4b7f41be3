"""The columns of pods and of what makes pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..foreign import part, parts
from .cells import at, computed, condition, number, selector, templates, text
from .tables import AGE, NAME, Column, since

Object = Mapping[str, Any]

CONTAINERS = (
    computed("Containers", templates("spec.template.spec.containers", "name"), priority=1),
    computed("Images", templates("spec.template.spec.containers", "image"), priority=1),
)
_SELECTOR = computed("Selector", selector("spec.selector"), priority=1)

# -- pods


def _pod_ready(obj: Object) -> str:
    statuses = parts(obj, "status", "containerStatuses")
    ready = sum(bool(status.get("ready")) for status in statuses)
    return f"{ready}/{len(parts(obj, 'spec', 'containers'))}"


def _pod_status(obj: Object) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    reason = str(at(obj, "status.reason") or at(obj, "status.phase") or "Unknown")
    for status in parts(obj, "status", "containerStatuses"):
        state = part(status, "state")
        waiting, ended = part(state, "waiting"), part(state, "terminated")
        reason = str(waiting.get("reason") or ended.get("reason") or reason)
    return reason


def _pod_restarts(obj: Object) -> str:
    return str(sum(int(s.get("restartCount", 0)) for s in parts(obj, "status", "containerStatuses")))


PODS = (
    NAME, computed("Ready", _pod_ready), computed("Status", _pod_status), computed("Restarts", _pod_restarts), AGE,
    text("IP", "status.podIP", "<none>", 1), text("Node", "spec.nodeName", "<none>", 1),
    text("Nominated Node", "status.nominatedNodeName", "<none>", 1),
    computed("Readiness Gates", lambda obj: "<none>", priority=1),
)  # fmt: skip

# -- workloads


def ratio(ready: str, wanted: str) -> Callable[[Object], str]:
    return lambda obj: f"{at(obj, ready, 0) or 0}/{at(obj, wanted, 0) or 0}"


DEPLOYMENTS = (
    NAME, computed("Ready", ratio("status.readyReplicas", "spec.replicas")),
    number("Up-to-date", "status.updatedReplicas"), number("Available", "status.availableReplicas"), AGE,
    *CONTAINERS, _SELECTOR,
)  # fmt: skip
REPLICAS = (
    NAME, number("Desired", "spec.replicas"), number("Current", "status.replicas"),
    number("Ready", "status.readyReplicas"),
    AGE, *CONTAINERS, _SELECTOR,
)  # fmt: skip
DAEMONS = (
    NAME, number("Desired", "status.desiredNumberScheduled"), number("Current", "status.currentNumberScheduled"),
    number("Ready", "status.numberReady"), number("Up-to-date", "status.updatedNumberScheduled"),
    number("Available", "status.numberAvailable"),
    computed("Node Selector", selector("spec.template.spec.nodeSelector")), AGE, *CONTAINERS, _SELECTOR,
)  # fmt: skip


def _job_status(obj: Object) -> str:
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if condition(obj, kind):
            return shown
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else "Running"


def _job_duration(obj: Object, now: float) -> str:
    started = at(obj, "status.startTime")
    ended = at(obj, "status.completionTime")
    if not started:
        return ""
    return since(started, datetime.fromisoformat(ended).timestamp() if ended else now)


JOBS = (
    NAME, computed("Status", _job_status), computed("Completions", ratio("status.succeeded", "spec.completions")),
    Column("Duration", _job_duration), AGE, *CONTAINERS, _SELECTOR,
)  # fmt: skip


def _last_schedule(obj: Object, now: float) -> str:
    when = at(obj, "status.lastScheduleTime")
    return since(when, now) if when else "<none>"


CRON = (
    NAME, text("Schedule", "spec.schedule"), text("Timezone", "spec.timeZone", "<none>"),
    computed("Suspend", lambda obj: str(bool(at(obj, "spec.suspend")))),
    computed("Active", lambda obj: len(parts(obj, "status", "active")), "integer"),
    Column("Last Schedule", _last_schedule),
    AGE,
)  # fmt: skip
