"""Defaults of the kinds that make pods. In place.

Source: Kubernetes ``pkg/apis/{core,apps,batch}/v1/defaults.go`` and their ``zz_generated.defaults.go``.
"""

from __future__ import annotations

from typing import Any

from ...foreign import is_object, part, parts
from ..pods.defaults import claim_spec, fill, pod_spec

Object = dict[str, Any]

_MOST = (1 << 31) - 1


def _spec(obj: Object) -> Object:
    """The spec, with the defaults of its template."""
    spec: Object = obj.setdefault("spec", {})
    _template(spec)
    return spec


def _template(spec: Object) -> None:
    template = spec.get("template")
    if is_object(template):
        pod_spec(template.setdefault("spec", {}))


def pod_template(obj: Object) -> None:
    _template(obj)


def replication_controller(obj: Object) -> None:
    spec = _spec(obj)
    labels = part(spec, "template", "metadata", "labels")
    if labels:
        if not spec.get("selector"):
            spec["selector"] = dict(labels)
        if not part(obj, "metadata", "labels"):
            obj.setdefault("metadata", {})["labels"] = dict(labels)
    spec.setdefault("replicas", 1)


def replicas(obj: Object) -> None:
    _spec(obj).setdefault("replicas", 1)


def deployment(obj: Object) -> None:
    spec = _spec(obj)
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        spec.setdefault(name, value)
    strategy: Object = spec.setdefault("strategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def stateful_set(obj: Object) -> None:
    spec = _spec(obj)
    fill(spec, podManagementPolicy="OrderedReady")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    fill(spec.setdefault("persistentVolumeClaimRetentionPolicy", {}), whenDeleted="Retain", whenScaled="Retain")
    strategy: Object = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    for claim in parts(spec, "volumeClaimTemplates"):
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim_spec(claim.setdefault("spec", {}))
        fill(claim.setdefault("status", {}), phase="Pending")


def daemon_set(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy: Object = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def job(obj: Object) -> None:
    spec = _spec(obj)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6 if spec.get("backoffLimitPerIndex") is None else _MOST)
    fill(spec, completionMode="NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    failure = spec.get("podFailurePolicy")
    for rule in parts(spec, "podFailurePolicy", "rules"):
        for pattern in parts(rule, "onPodConditions"):
            fill(pattern, status="True")
    fill(spec, podReplacementPolicy="TerminatingOrFailed" if failure is None else "Failed")
    labels = part(spec, "template", "metadata", "labels")
    if labels and not part(obj, "metadata", "labels"):
        obj.setdefault("metadata", {})["labels"] = dict(labels)


def cron_job(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    fill(spec, concurrencyPolicy="Allow")
    for name, value in (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
        spec.setdefault(name, value)
    job_spec = part(spec, "jobTemplate", "spec")
    _template(job_spec)
    for rule in parts(job_spec, "podFailurePolicy", "rules"):
        for pattern in parts(rule, "onPodConditions"):
            fill(pattern, status="True")
