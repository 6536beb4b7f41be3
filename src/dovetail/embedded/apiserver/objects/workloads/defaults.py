"""Defaults of the kinds that make pods. In place.

Source: Kubernetes ``pkg/apis/apps/v1/defaults.go`` and ``pkg/apis/batch/v1/defaults.go``.
"""

from __future__ import annotations

from typing import Any

from ...foreign import part
from ..pods.defaults import fill, pod_spec

Object = dict[str, Any]


def _template(obj: Object) -> Object:
    spec: Object = obj.setdefault("spec", {})
    if pod := part(spec, "template", "spec"):
        pod_spec(pod)
    return spec


def deployment(obj: Object) -> None:
    spec = _template(obj)
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        spec.setdefault(name, value)
    strategy = spec.setdefault("strategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def replicas(obj: Object) -> None:
    _template(obj).setdefault("replicas", 1)


def stateful_set(obj: Object) -> None:
    spec = _template(obj)
    fill(spec, podManagementPolicy="OrderedReady")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)


def daemon_set(obj: Object) -> None:
    spec = _template(obj)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def job(obj: Object) -> None:
    spec = _template(obj)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    for name, value in (("parallelism", 1), ("backoffLimit", 6), ("suspend", False)):
        spec.setdefault(name, value)
    fill(spec, completionMode="NonIndexed", podReplacementPolicy="TerminatingOrFailed")


def cron_job(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    fill(spec, concurrencyPolicy="Allow")
    for name, value in (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
        spec.setdefault(name, value)
    if pod := part(spec, "jobTemplate", "spec", "template", "spec"):
        pod_spec(pod)
