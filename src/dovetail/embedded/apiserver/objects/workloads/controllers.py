"""Deployments, replica sets, daemon sets, replication controllers: their rules.

Source: ``pkg/apis/apps/validation``, ``pkg/apis/core/validation``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part
from ..pods.formats import not_negative, selector
from ..pods.spec import template_errors
from ..pods.warnings import template_warnings
from ..strategy import Context, Strategy
from .amounts import amount_errors, counter_errors, number, whole_errors
from .selection import immutable, match_errors, parsed, selector_errors

Object = dict[str, Any]

_REPLICAS = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration")
_DEPLOYED = (
    "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
    "collisionCount",
)  # fmt: skip
_SCHEDULED = (
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration",
    "updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount",
)  # fmt: skip


class TemplateStrategy(Strategy, ABC):
    """What the kinds with a pod template have in common: a rule for the spec, one for the status, warnings."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        if context.subresource == "status" and old is not None:
            return list(self.status_errors(obj, old))
        return list(self.spec_errors(part(obj, "spec"), part(old, "spec") if old is not None else None))

    @abstractmethod
    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        """What is wrong with the spec; ``old`` is the spec before an update, None for a new object."""

    @abstractmethod
    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        """What is wrong with a written status; both are whole objects."""

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        template = part(obj, "spec", "template")
        if context.subresource or (old is not None and template == part(old, "spec", "template")):
            return []
        return list(template_warnings(template, "spec.template"))


def running_errors(spec: Object, kind: str, field: str = "spec.template") -> Iterator[FieldError]:
    """Pods that are kept alive always restart, and have no deadline."""
    pod = part(spec, "template", "spec")
    if pod.get("restartPolicy") != "Always":
        yield fe.not_supported(f"{field}.spec.restartPolicy", pod.get("restartPolicy", ""), ["Always"])
    if pod.get("activeDeadlineSeconds") is not None:
        text = f"activeDeadlineSeconds in {kind} is not Supported"
        yield fe.forbidden(f"{field}.spec.activeDeadlineSeconds", text)


def _replicated(spec: Object) -> Iterator[FieldError]:
    if spec.get("selector") is None or parsed(spec["selector"]) is not None:
        yield from match_errors(spec, "spec")
        yield from template_errors(part(spec, "template"), "spec.template")
        yield from running_errors(spec, "ReplicaSet")


class ReplicaSetStrategy(TemplateStrategy):
    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        yield from not_negative("spec.replicas", spec.get("replicas"))
        yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        empty = "empty selector is invalid for deployment"
        yield from selector_errors(spec, "spec", empty, "invalid label selector")
        yield from _replicated(spec)
        if old is not None:
            yield from immutable("spec.selector", spec.get("selector"), old.get("selector"))

    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        return counter_errors(obj, None, _REPLICAS, within=_REPLICAS[1:4], ready="readyReplicas")


class DeploymentStrategy(TemplateStrategy):
    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        yield from not_negative("spec.replicas", spec.get("replicas"))
        empty = "empty selector is invalid for deployment"
        yield from selector_errors(spec, "spec", empty, "invalid label selector")
        yield from _replicated(spec)
        yield from _strategy_errors(part(spec, "strategy"))
        yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        yield from not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
        deadline = spec.get("progressDeadlineSeconds")
        if deadline is not None:
            yield from not_negative("spec.progressDeadlineSeconds", deadline)
            if deadline <= spec.get("minReadySeconds", 0):
                yield fe.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
        if old is not None:
            yield from immutable("spec.selector", spec.get("selector"), old.get("selector"))

    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        return counter_errors(obj, old, _DEPLOYED, within=_DEPLOYED[2:5], ready="readyReplicas")


def _strategy_errors(strategy: Object) -> Iterator[FieldError]:
    kind, rolling, field = strategy.get("type", ""), strategy.get("rollingUpdate"), "spec.strategy.rollingUpdate"
    if kind == "Recreate":
        if rolling is not None:
            yield fe.forbidden(field, "may not be specified when strategy `type` is 'Recreate'")
    elif kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        yield fe.not_supported("spec.strategy", shown, ["Recreate", "RollingUpdate"])
    elif not is_object(rolling):
        yield fe.required(field, "this should be defaulted and never be nil")
    else:
        unavailable, surge = rolling.get("maxUnavailable", 0), rolling.get("maxSurge", 0)
        yield from amount_errors(unavailable, f"{field}.maxUnavailable")
        yield from amount_errors(surge, f"{field}.maxSurge")
        if number(unavailable) == 0 and number(surge) == 0:
            text = "may not be 0 when `maxSurge` is 0"
            yield fe.invalid(f"{field}.maxUnavailable", unavailable, text)
        yield from whole_errors(unavailable, f"{field}.maxUnavailable")


class DaemonSetStrategy(TemplateStrategy):
    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        yield from selector(spec.get("selector"), "spec.selector")
        yield from match_errors(spec, "spec")
        wanted = spec.get("selector")
        if wanted is not None and not any(wanted.get(name) for name in ("matchLabels", "matchExpressions")):
            yield fe.invalid("spec.selector", wanted, "empty selector is invalid for daemonset")
        yield from template_errors(part(spec, "template"), "spec.template")
        yield from running_errors(spec, "DaemonSet")
        yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        yield from _daemon_strategy_errors(part(spec, "updateStrategy"))
        yield from not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
        if old is not None:
            yield from immutable("spec.selector", spec.get("selector"), old.get("selector"))

    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        return counter_errors(obj, old, _SCHEDULED, within=())


def _daemon_strategy_errors(strategy: Object) -> Iterator[FieldError]:
    kind, rolling, field = strategy.get("type", ""), strategy.get("rollingUpdate"), "spec.updateStrategy.rollingUpdate"
    if kind == "OnDelete":
        return
    if kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        yield fe.not_supported("spec.updateStrategy", shown, ["RollingUpdate", "OnDelete"])
    elif not is_object(rolling):
        yield fe.required(field)
    else:
        amounts = {name: rolling.get(name, 0) for name in ("maxUnavailable", "maxSurge")}
        for rule in (amount_errors, whole_errors):
            for name, amount in amounts.items():
                yield from rule(amount, f"{field}.{name}")
        if number(amounts["maxUnavailable"]) and number(amounts["maxSurge"]):
            text = "may not be set when maxUnavailable is non-zero"
            yield fe.invalid(f"{field}.maxSurge", amounts["maxSurge"], text)
        elif not number(amounts["maxUnavailable"]) and not number(amounts["maxSurge"]):
            yield fe.required(f"{field}.maxUnavailable", "cannot be 0 when maxSurge is 0")


class ReplicationControllerStrategy(TemplateStrategy):
    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        wanted, template = part(spec, "selector"), spec.get("template")
        if not wanted:
            yield fe.required("spec.selector")
        yield from not_negative("spec.replicas", spec.get("replicas"))
        if not is_object(template):
            yield fe.required("spec.template")
            return
        labels = part(template, "metadata", "labels")
        if wanted.items() - labels.items():
            text = "`selector` does not match template `labels`"
            yield fe.invalid("spec.template.metadata.labels", labels or None, text)
        yield from template_errors(template, "spec.template")
        yield from running_errors(spec, "ReplicationController")

    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        return counter_errors(obj, None, _REPLICAS, within=_REPLICAS[1:4], ready="readyReplicas")
