"""Pods and what makes pods: required fields, selectors that match their template, what may not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..selecting.labels import from_object
from .metadata import validate_labels
from .strategy import Context, Strategy

Object = dict[str, Any]


class PodStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj.get("spec") or {})}

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(pod_errors(obj.get("spec") or {}, "spec"))


def pod_errors(spec: Object, field: str) -> Iterator[FieldError]:
    containers = spec.get("containers") or []
    if not containers:
        yield fe.required(f"{field}.containers")
    seen: set[str] = set()
    for index, container in enumerate(containers):
        where = f"{field}.containers[{index}]"
        name = container.get("name")
        if not name:
            yield fe.required(f"{where}.name")
        elif name in seen:
            yield fe.duplicate(f"{where}.name", name)
        seen.add(name)
        if not container.get("image"):
            yield fe.required(f"{where}.image")


def qos_class(spec: Object) -> str:
    """BestEffort, Burstable or Guaranteed."""
    resources = [c.get("resources") or {} for c in spec.get("containers") or []]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    for resource in resources:
        limits, requests = resource.get("limits") or {}, resource.get("requests") or {}
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"


class TemplateStrategy(Strategy):
    """Deployments, replica sets, stateful sets, daemon sets."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(self._errors(obj, old))

    def _errors(self, obj: Object, old: Object | None) -> Iterator[FieldError]:
        spec: Object = obj.get("spec") or {}
        template: Object = spec.get("template") or {}
        labels = (template.get("metadata") or {}).get("labels") or {}
        selector = spec.get("selector")
        if not selector:
            yield fe.required("spec.selector")
        if not selector or not from_object(selector).matches(labels):
            yield fe.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        if (spec.get("replicas") or 0) < 0:
            yield fe.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
        yield from validate_labels(labels, "spec.template.labels")
        yield from pod_errors(template.get("spec") or {}, "spec.template.spec")
        if old is not None and selector != (old.get("spec") or {}).get("selector"):
            yield fe.invalid("spec.selector", selector, "field is immutable")


class ReplicationControllerStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
        if labels:
            spec.setdefault("selector", dict(labels))


class JobStrategy(Strategy):
    """A job selects its pods by its own uid, unless told otherwise."""

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        if old is not None:
            if "selector" not in spec and "selector" in (old.get("spec") or {}):
                spec["selector"] = old["spec"]["selector"]
            return
        if spec.get("manualSelector"):
            return
        uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
        ours = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name}
        labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
        labels |= {**ours, "controller-uid": uid, "job-name": name}
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec: Object = obj.get("spec") or {}
        pod: Object = (spec.get("template") or {}).get("spec") or {}
        errors = list(pod_errors(pod, "spec.template.spec"))
        if pod.get("restartPolicy") not in ("OnFailure", "Never"):
            text = 'Required value: valid values: "OnFailure", "Never"'
            errors.append(fe.FieldError("FieldValueRequired", text, "spec.template.spec.restartPolicy"))
        if old is not None and spec.get("selector") != (old.get("spec") or {}).get("selector"):
            errors.append(fe.invalid("spec.selector", spec.get("selector"), "field is immutable"))
        return errors


class CronJobStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec: Object = obj.get("spec") or {}
        errors: list[FieldError] = []
        if not spec.get("schedule"):
            errors.append(fe.required("spec.schedule"))
        template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
        return errors + list(pod_errors(template.get("spec") or {}, "spec.jobTemplate.spec.template.spec"))
