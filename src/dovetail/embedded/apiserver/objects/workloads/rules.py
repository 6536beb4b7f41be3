"""Pods and what makes pods: required fields, selectors that match their template, what may not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from ...selecting.labels import from_object
from ..metadata import validate_labels
from ..strategy import Context, Strategy

Object = dict[str, Any]


class PodStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {"phase": "Pending", "qosClass": qos_class(part(obj, "spec"))}

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(pod_errors(part(obj, "spec"), "spec"))


def pod_errors(spec: Object, field: str) -> Iterator[FieldError]:
    containers = parts(spec, "containers")
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
    resources = [part(c, "resources") for c in parts(spec, "containers")]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    for resource in resources:
        limits, requests = part(resource, "limits"), part(resource, "requests")
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"


class TemplateStrategy(Strategy):
    """Deployments, replica sets, stateful sets, daemon sets."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(self._errors(obj, old))

    def _errors(self, obj: Object, old: Object | None) -> Iterator[FieldError]:
        spec: Object = part(obj, "spec")
        template: Object = part(spec, "template")
        labels = part(template, "metadata", "labels")
        selector = spec.get("selector")
        if not selector:
            yield fe.required("spec.selector")
        if not selector or not from_object(selector).matches(labels):
            yield fe.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
        if (spec.get("replicas") or 0) < 0:
            yield fe.invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
        yield from validate_labels(labels, "spec.template.labels")
        yield from pod_errors(part(template, "spec"), "spec.template.spec")
        if old is not None and selector != part(old, "spec").get("selector"):
            yield fe.invalid("spec.selector", selector, "field is immutable")


class ReplicationControllerStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        labels = (part(spec, "template", "metadata")).get("labels")
        if labels:
            spec.setdefault("selector", dict(labels))


class JobStrategy(Strategy):
    """A job selects its pods by its own uid, unless told otherwise."""

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        if old is not None:
            if "selector" not in spec and "selector" in part(old, "spec"):
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
        spec: Object = part(obj, "spec")
        pod: Object = part(spec, "template", "spec")
        errors = list(pod_errors(pod, "spec.template.spec"))
        if pod.get("restartPolicy") not in ("OnFailure", "Never"):
            text = 'Required value: valid values: "OnFailure", "Never"'
            errors.append(fe.FieldError("FieldValueRequired", text, "spec.template.spec.restartPolicy"))
        if old is not None and spec.get("selector") != part(old, "spec").get("selector"):
            errors.append(fe.invalid("spec.selector", spec.get("selector"), "field is immutable"))
        return errors


class CronJobStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec: Object = part(obj, "spec")
        errors: list[FieldError] = []
        if not spec.get("schedule"):
            errors.append(fe.required("spec.schedule"))
        pod = part(spec, "jobTemplate", "spec", "template", "spec")
        return errors + list(pod_errors(pod, "spec.jobTemplate.spec.template.spec"))
