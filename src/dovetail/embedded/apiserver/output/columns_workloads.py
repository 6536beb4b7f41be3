"""The columns of what makes pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ..foreign import part, parts
from .age import human_duration
from .cells import at, computed, condition, elapsed, first_few, labels, number, selector, templates, text
from .tables import AGE, NAME, Column

Object = Mapping[str, Any]

_CONTAINERS = (
    computed("Containers", templates("spec.template.spec.containers", "name"), priority=1),
    computed("Images", templates("spec.template.spec.containers", "image"), priority=1),
)
_SELECTOR = computed("Selector", selector("spec.selector"), priority=1)


def _ratio(ready: str, wanted: str) -> Callable[[Object], str]:
    return lambda obj: f"{at(obj, ready, 0) or 0}/{at(obj, wanted, 0) or 0}"


_REPLICAS = (
    NAME, number("Desired", "spec.replicas"), number("Current", "status.replicas"),
    number("Ready", "status.readyReplicas"), AGE, *_CONTAINERS,
)  # fmt: skip


def _job_status(obj: Object) -> str:
    for kind in ("Complete", "Failed"):
        if condition(obj, kind):
            return kind
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return next((k for k in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if condition(obj, k)), "Running")


def _completions(obj: Object) -> str:
    done, spec = at(obj, "status.succeeded", 0) or 0, part(obj, "spec")
    if "completions" in spec:
        return f"{done}/{spec['completions']}"
    parallel = spec.get("parallelism") or 0
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_duration(obj: Object, now: float) -> str:
    started, ended = at(obj, "status.startTime"), at(obj, "status.completionTime")
    if not started:
        return ""
    until = datetime.fromisoformat(ended).timestamp() if ended else now
    return human_duration(until - datetime.fromisoformat(started).timestamp())


def _suspended(obj: Object) -> str:
    value = at(obj, "spec.suspend")
    return "<unset>" if value is None else str(bool(value))


_JOB_PODS = "spec.jobTemplate.spec.template.spec.containers"


def _controller(obj: Object) -> str:
    for owner in parts(obj["metadata"], "ownerReferences"):
        if owner.get("controller"):
            group = str(owner.get("apiVersion", "")).rpartition("/")[0]
            kind = str(owner.get("kind", "")).lower()
            return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return "<none>"


# -- autoscalers


def _targets(obj: Object) -> str:
    specs, current = parts(obj, "spec", "metrics"), parts(obj, "status", "currentMetrics")
    shown = [_target(spec, current[i] if i < len(current) else {}) for i, spec in enumerate(specs)]
    return first_few(shown, 2) or "<none>"


def _target(spec: Object, status: Object) -> str:
    kind = str(spec.get("type", ""))
    field = kind[:1].lower() + kind[1:]
    source, now = part(spec, field), part(status, field, "current")
    target, name = part(source, "target"), source.get("name")
    if kind in ("Resource", "ContainerResource"):
        if "averageValue" in target:
            return f"{name}: {now.get('averageValue', '<unknown>')}/{target['averageValue']}"
        used, wanted = now.get("averageUtilization"), target.get("averageUtilization")
        shown = "<unknown>" if used is None else f"{used}%"
        return f"{name}: {shown}/{'<auto>' if wanted is None else f'{wanted}%'}"
    if kind not in ("External", "Object", "Pods"):
        return "<unknown type>"
    if "averageValue" in target:
        average = f"{now.get('averageValue', '<unknown>')}/{target['averageValue']}"
        return average if kind == "Pods" else f"{average} (avg)"
    return f"{now.get('value', '<unknown>')}/{target.get('value')}"


def _scaled(obj: Object) -> str:
    target = part(obj, "spec", "scaleTargetRef")
    return f"{target.get('kind')}/{target.get('name')}"


def _least(obj: Object) -> str:
    return str(at(obj, "spec.minReplicas", "<unset>"))


def _amount(path: str) -> Callable[[Object], str]:
    return lambda obj: str(at(obj, path, "N/A"))


WORKLOADS: dict[str, tuple[Column, ...]] = {
    "/podtemplates": (
        NAME, computed("Containers", templates("template.spec.containers", "name")),
        computed("Images", templates("template.spec.containers", "image")),
        computed("Pod Labels", labels("template.metadata.labels")),
    ),
    "/replicationcontrollers": (*_REPLICAS, computed("Selector", labels("spec.selector"), priority=1)),
    "apps/controllerrevisions": (
        NAME, computed("Controller", _controller), number("Revision", "revision", "string"), AGE,
    ),
    "apps/daemonsets": (
        NAME, number("Desired", "status.desiredNumberScheduled"), number("Current", "status.currentNumberScheduled"),
        number("Ready", "status.numberReady"), number("Up-to-date", "status.updatedNumberScheduled"),
        number("Available", "status.numberAvailable"),
        computed("Node Selector", labels("spec.template.spec.nodeSelector")), AGE, *_CONTAINERS, _SELECTOR,
    ),
    "apps/deployments": (
        NAME, computed("Ready", _ratio("status.readyReplicas", "spec.replicas")),
        number("Up-to-date", "status.updatedReplicas", "string"),
        number("Available", "status.availableReplicas", "string"), AGE, *_CONTAINERS, _SELECTOR,
    ),
    "apps/replicasets": (*_REPLICAS, _SELECTOR),
    "apps/statefulsets": (NAME, computed("Ready", _ratio("status.readyReplicas", "spec.replicas")), AGE, *_CONTAINERS),
    "batch/cronjobs": (
        NAME, text("Schedule", "spec.schedule"), text("Timezone", "spec.timeZone", "<none>"),
        computed("Suspend", _suspended, "boolean"),
        computed("Active", lambda obj: len(parts(obj, "status", "active")), "integer"),
        elapsed("Last Schedule", "status.lastScheduleTime", "<none>"), AGE,
        computed("Containers", templates(_JOB_PODS, "name"), priority=1),
        computed("Images", templates(_JOB_PODS, "image"), priority=1),
        computed("Selector", selector("spec.jobTemplate.spec.selector"), priority=1),
    ),
    "batch/jobs": (
        NAME, computed("Status", _job_status), computed("Completions", _completions),
        Column("Duration", _job_duration), AGE, *_CONTAINERS, _SELECTOR,
    ),
    "autoscaling/horizontalpodautoscalers": (
        NAME, computed("Reference", _scaled), computed("Targets", _targets), computed("MinPods", _least),
        number("MaxPods", "spec.maxReplicas", "string"), number("Replicas", "status.currentReplicas", "string"), AGE,
    ),
    "policy/poddisruptionbudgets": (
        NAME, computed("Min Available", _amount("spec.minAvailable")),
        computed("Max Unavailable", _amount("spec.maxUnavailable")),
        number("Allowed Disruptions", "status.disruptionsAllowed"), AGE,
    ),
}  # fmt: skip
