"""Stateful sets and controller revisions. Source: ``pkg/apis/apps/validation``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ..names import dns_label, dns_subdomain
from ..pods.formats import each, not_negative
from ..pods.spec import template_errors
from ..pods.volumes import claim_spec_errors
from ..pods.warnings import claim_warnings
from ..strategy import Context, Strategy
from .amounts import amount_errors, counter_errors, number, whole_errors
from .controllers import TemplateStrategy, running_errors
from .selection import match_errors, parsed, selector_errors

Object = dict[str, Any]

_COUNTERS = (
    "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration",
    "collisionCount",
)  # fmt: skip
_MUTABLE = (
    "replicas", "template", "updateStrategy", "minReadySeconds", "ordinals", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
)  # fmt: skip
_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


class StatefulSetStrategy(TemplateStrategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        # MaxUnavailableStatefulSet is off in 1.36: the field is dropped unless it was there before
        rolling = part(obj, "spec", "updateStrategy", "rollingUpdate")
        before = part(old or {}, "spec", "updateStrategy", "rollingUpdate")
        if "maxUnavailable" in rolling and "maxUnavailable" not in before:
            del rolling["maxUnavailable"]

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        name = str(part(obj, "metadata").get("name", ""))
        found = [] if old is not None or dns_subdomain(name) else list(each("metadata.name", name, dns_label(name)))
        return found + super().validate(context, obj, old)

    def spec_errors(self, spec: Object, old: Object | None) -> Iterator[FieldError]:
        policy = str(spec.get("podManagementPolicy", ""))
        if policy not in ("OrderedReady", "Parallel"):
            yield fe.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
        yield from _strategy_errors(part(spec, "updateStrategy"))
        for name in ("whenDeleted", "whenScaled"):
            kept = part(spec, "persistentVolumeClaimRetentionPolicy").get(name, "")
            if kept not in ("Retain", "Delete"):
                where = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
                yield fe.not_supported(where, kept, ["Retain", "Delete"])
        yield from not_negative("spec.replicas", spec.get("replicas"))
        yield from not_negative("spec.minReadySeconds", spec.get("minReadySeconds"))
        yield from not_negative("spec.ordinals.start", part(spec, "ordinals").get("start"))
        if spec.get("serviceName") and old is None:
            yield from each("spec.serviceName", spec["serviceName"], dns_label(spec["serviceName"]))
        yield from not_negative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
        yield from selector_errors(spec, "spec", "empty selector is invalid for statefulset", "")
        yield from _claim_errors(parts(spec, "volumeClaimTemplates") if old is None else [])
        if spec.get("selector") is None or parsed(spec["selector"]) is not None:
            yield from match_errors(spec, "spec")
            yield from template_errors(_with_claims(spec), "spec.template")
        yield from running_errors(spec, "StatefulSet")
        if old is not None and any(spec.get(name) != old.get(name) for name in {*spec, *old} if name not in _MUTABLE):
            yield fe.forbidden("spec", _FORBIDDEN)

    def status_errors(self, obj: Object, old: Object) -> Iterator[FieldError]:
        return counter_errors(obj, old, _COUNTERS, within=_COUNTERS[1:5], ready="status.readyReplicas")

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        found = super().warnings(context, obj, old)
        if context.subresource:
            return found
        for index, claim in enumerate(parts(obj, "spec", "volumeClaimTemplates")):
            found += claim_warnings(part(claim, "spec"), f"spec.volumeClaimTemplates[{index}]")
        if part(obj, "spec").get("revisionHistoryLimit", 0) < 0:
            found.append("spec.revisionHistoryLimit: a negative value retains all historical revisions")
        return found


def _with_claims(spec: Object) -> Object:
    """The template with a volume for each claim template, as its pods will have: containers may mount those."""
    template = part(spec, "template")
    names = [str(part(claim, "metadata").get("name", "")) for claim in parts(spec, "volumeClaimTemplates")]
    volumes: list[Object] = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in names if n]
    pod = part(template, "spec")
    own = [volume for volume in parts(pod, "volumes") if volume.get("name") not in names]
    return {**template, "spec": {**pod, "volumes": [*own, *volumes]}} if volumes else template


def _claim_errors(claims: list[Object]) -> Iterator[FieldError]:
    for index, claim in enumerate(claims):
        where, name = f"spec.volumeClaimTemplates[{index}]", str(part(claim, "metadata").get("name", ""))
        if not name:
            yield fe.required(f"{where}.metadata.name", "name or generateName is required")
        else:
            yield from each(f"{where}.metadata.name", name, dns_subdomain(name))
        yield from claim_spec_errors(part(claim, "spec"), f"{where}.spec")


def _strategy_errors(strategy: Object) -> Iterator[FieldError]:
    kind, rolling, field = strategy.get("type", ""), strategy.get("rollingUpdate"), "spec.updateStrategy"
    if not kind:
        yield fe.required(field)
    elif kind == "OnDelete":
        if rolling is not None:
            shown = {"Partition": part(strategy, "rollingUpdate").get("partition", 0), "MaxUnavailable": None}
            text = "only allowed for updateStrategy 'RollingUpdate'"
            yield fe.invalid(f"{field}.rollingUpdate", shown, text)
    elif kind != "RollingUpdate":
        shown = {"Type": kind, "RollingUpdate": rolling}
        yield fe.invalid(field, shown, "must be 'RollingUpdate' or 'OnDelete'")
    elif is_object(rolling):
        yield from not_negative(f"{field}.rollingUpdate.partition", rolling.get("partition"))
        amount, where = rolling.get("maxUnavailable"), f"{field}.rollingUpdate.maxUnavailable"
        if amount is not None:
            yield from amount_errors(amount, where)
            if number(amount) == 0:
                yield fe.invalid(where, amount, "cannot be 0")
            yield from whole_errors(amount, where)


class ControllerRevisionStrategy(Strategy):
    """A revision is written once: its data never change."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        found: list[FieldError] = []
        if obj.get("data") is None:
            found.append(fe.required("data", "data is mandatory"))
        found += not_negative("revision", obj.get("revision"))
        if old is not None and obj.get("data") != old.get("data"):
            found.append(fe.invalid("data", obj.get("data"), "field is immutable"))
        return found
