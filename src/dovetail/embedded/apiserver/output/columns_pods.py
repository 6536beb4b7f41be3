"""The columns of pods: the one kind whose status is worked out from many places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..foreign import part, parts
from .cells import computed, condition, text
from .tables import AGE, NAME, Column, since

Object = Mapping[str, Any]


class _Summary:
    """Ready containers, reason and restarts of a pod (Kubernetes ``printPod``)."""

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.ready, self.restarts, self.restarted = 0, 0, ""
        sidecars = {c.get("name") for c in parts(pod, "spec", "initContainers") if c.get("restartPolicy") == "Always"}
        self.total = len(parts(pod, "spec", "containers")) + len(sidecars)
        status = part(pod, "status")
        self.reason = str(status.get("reason") or status.get("phase") or "")
        if any(
            c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated"
            for c in parts(status, "conditions")
        ):
            self.reason = "SchedulingGated"
        kept = self._initialize(sidecars)
        if not self.initializing or condition(pod, "Initialized"):
            self.restarts, self.restarted = kept
            self._run()
        self._end(status)

    def _count(self, status: Object) -> None:
        self.restarts += int(status.get("restartCount", 0))
        ended = part(status, "lastState", "terminated").get("finishedAt") or ""
        self.restarted = max(self.restarted, ended)

    def _initialize(self, sidecars: set[Any]) -> tuple[int, str]:
        """Sets ``initializing``; gives the restarts of sidecars, which go on counting afterwards."""
        self.initializing, restarts, restarted = False, 0, ""
        statuses = parts(self.pod, "status", "initContainerStatuses")
        for index, status in enumerate(statuses):
            self._count(status)
            sidecar = status.get("name") in sidecars
            if sidecar:
                restarts += int(status.get("restartCount", 0))
                restarted = max(restarted, part(status, "lastState", "terminated").get("finishedAt") or "")
            state = part(status, "state")
            if "terminated" in state and not part(state, "terminated").get("exitCode"):
                continue
            if sidecar and status.get("started"):
                self.ready += bool(status.get("ready"))
                continue
            self.initializing = True
            waiting = part(state, "waiting").get("reason")
            if "terminated" in state:
                self.reason = f"Init:{_ended(part(state, 'terminated'))}"
            elif waiting and waiting != "PodInitializing":
                self.reason = f"Init:{waiting}"
            else:
                self.reason = f"Init:{index}/{len(parts(self.pod, 'spec', 'initContainers'))}"
            break
        return restarts, restarted

    def _run(self) -> None:
        running = False
        for status in reversed(parts(self.pod, "status", "containerStatuses")):
            self._count(status)
            state = part(status, "state")
            waiting = part(state, "waiting").get("reason")
            if waiting:
                self.reason = str(waiting)
            elif "terminated" in state:
                self.reason = _ended(part(state, "terminated"))
            elif status.get("ready") and "running" in state:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            self.reason = "Running" if condition(self.pod, "Ready") else "NotReady"

    def _end(self, status: Object) -> None:
        if not self.pod["metadata"].get("deletionTimestamp"):
            return
        if status.get("reason") == "NodeLost":
            self.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            self.reason = "Terminating"


def _ended(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _ready(pod: Object) -> str:
    summary = _Summary(pod)
    return f"{summary.ready}/{summary.total}"


def _restarts(pod: Object, now: float) -> str:
    summary = _Summary(pod)
    if not summary.restarts or not summary.restarted:
        return str(summary.restarts)
    return f"{summary.restarts} ({since(summary.restarted, now)} ago)"


def _address(pod: Object) -> str:
    addresses = parts(pod, "status", "podIPs")
    return str(addresses[0].get("ip", "")) if addresses else str(part(pod, "status").get("podIP") or "<none>")


def _gates(pod: Object) -> str:
    gates = [gate.get("conditionType") for gate in parts(pod, "spec", "readinessGates")]
    return f"{sum(condition(pod, str(gate)) for gate in gates)}/{len(gates)}" if gates else "<none>"


PODS = (
    NAME, computed("Ready", _ready), computed("Status", lambda pod: _Summary(pod).reason),
    Column("Restarts", _restarts), AGE, computed("IP", _address, priority=1),
    text("Node", "spec.nodeName", "<none>", 1), text("Nominated Node", "status.nominatedNodeName", "<none>", 1),
    computed("Readiness Gates", _gates, priority=1),
)  # fmt: skip

_COMPLETED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def row_conditions(pod: Object) -> list[dict[str, str]]:
    """What clients that hide finished pods go by."""
    phase = str(part(pod, "status").get("phase"))
    if phase not in _COMPLETED:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": _COMPLETED[phase]}]
