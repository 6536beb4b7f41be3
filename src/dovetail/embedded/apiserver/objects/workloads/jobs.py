"""Jobs: the selector that the server makes, the rules of the spec, what may change. Source:
``pkg/apis/batch/validation``, ``pkg/registry/batch/job/strategy.go``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from ..names import dns_label
from ..pods.formats import domain_prefixed_path, not_negative, selector
from ..pods.spec import template_errors
from ..pods.warnings import template_warnings
from ..strategy import Context, Strategy
from .job_policies import failure_errors, success_errors
from .job_status import is_true, status_errors
from .selection import immutable, match_errors

Object = dict[str, Any]

_COUNTS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex", "maxFailedIndexes",
)  # fmt: skip
_PARALLEL, _FAILED, _SOFT, _MANY = 100_000, 100_000, 100_000, 10_000
_UID, _NAME = "controller-uid", "job-name"
_GROUP = "batch.kubernetes.io/"


class JobStrategy(Strategy):
    """A job selects its pods by its own uid, unless told otherwise."""

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is not None or part(obj, "spec").get("manualSelector"):
            return
        spec: Object = obj.setdefault("spec", {})
        uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
        ours = {_UID: uid, _NAME: name, f"{_GROUP}{_UID}": uid, f"{_GROUP}{_NAME}": name}
        meta = spec.setdefault("template", {}).setdefault("metadata", {})
        # the labels of a job without any are those of its template: the same map in Kubernetes, so they grow together
        shared = not part(obj, "metadata", "labels") or part(obj, "metadata", "labels") == part(meta, "labels")
        labels: dict[str, str] = meta.setdefault("labels", {})
        for key, text in ours.items():
            labels.setdefault(key, text)
        if shared and not context.dry_run:
            obj["metadata"]["labels"] = dict(labels)
        wanted = spec.setdefault("selector", {}).setdefault("matchLabels", {})
        wanted.setdefault(f"{_GROUP}{_UID}", uid)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        if context.subresource == "status" and old is not None:
            return list(status_errors(obj, old))
        spec = part(obj, "spec")
        if old is None:
            return [*_generated_errors(obj), *_whole_spec_errors(spec), *_name_errors(obj)]
        return [*_whole_spec_errors(spec), *_update_errors(spec, old)]

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        if context.subresource:
            return []
        found: list[str] = []
        if old is None and (problems := dns_label(str(obj["metadata"].get("name", "")))):
            why = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is"
            found.append(f"metadata.name: {why} recommended: [{' '.join(problems)}]")
        found += spec_warnings(part(obj, "spec"), "spec")
        return found


def spec_warnings(spec: Object, field: str) -> Iterator[str]:
    completions, parallelism = spec.get("completions") or 0, spec.get("parallelism") or 0
    if spec.get("completionMode") == "Indexed" and completions > _SOFT and parallelism > _MANY:
        yield (
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, "
            "Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    yield from template_warnings(part(spec, "template"), f"{field}.template")


def _generated_errors(obj: Object) -> Iterator[FieldError]:
    """The labels and the selector are those that the server made."""
    spec, meta = part(obj, "spec"), part(obj, "metadata")
    if spec.get("manualSelector") or spec.get("selector") is None:
        return
    labels, field = part(spec, "template", "metadata", "labels"), "spec.template.metadata.labels"
    expected = {_UID: meta.get("uid"), _NAME: meta.get("name")}
    expected |= {f"{_GROUP}{key}": text for key, text in expected.items()}
    for key, text in expected.items():
        if key not in labels:
            yield fe.required(f"{field}[{key}]", f"must be '{text}'")
        elif labels[key] != text:
            yield fe.invalid(f"{field}[{key}]", labels, f"must be '{text}'")
    wanted = part(spec, "selector")
    if part(wanted, "matchLabels").items() - expected.items():
        yield fe.invalid("spec.selector", wanted, "`selector` not auto-generated")


def _name_errors(obj: Object) -> Iterator[FieldError]:
    spec, name = part(obj, "spec"), str(part(obj, "metadata").get("name", ""))
    completions = spec.get("completions")
    if spec.get("completionMode") == "Indexed" and completions:
        pod = f"{name}-{completions - 1}"
        if dns_label(pod):
            text = f"will not able to create pod with invalid DNS label: {pod}"
            yield fe.invalid("metadata.name", name, text)


def _whole_spec_errors(spec: Object) -> Iterator[FieldError]:
    yield from spec_errors(spec, "spec")
    if spec.get("selector") is None:
        yield fe.required("spec.selector")
    else:
        yield from selector(spec["selector"], "spec.selector")
    yield from match_errors(spec, "spec")


def spec_errors(spec: Object, field: str) -> Iterator[FieldError]:
    """The rules of a job's spec that also hold inside a cron job."""
    for name in _COUNTS:
        yield from not_negative(f"{field}.{name}", spec.get(name))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        yield fe.required(f"{field}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    manager = spec.get("managedBy")
    if manager is not None:
        yield from domain_prefixed_path(f"{field}.managedBy", manager)
        if len(manager) > 63:
            yield fe.too_long(f"{field}.managedBy", 63)
    yield from _mode_errors(spec, field)
    if spec.get("podFailurePolicy") is not None:
        yield from failure_errors(spec, f"{field}.podFailurePolicy")
    if spec.get("successPolicy") is not None:
        if spec.get("completionMode") != "Indexed":
            text = "requires indexed completion mode"
            yield fe.invalid(f"{field}.successPolicy", spec["successPolicy"], text)
        else:
            yield from success_errors(spec, f"{field}.successPolicy")
    replacement = spec.get("podReplacementPolicy")
    allowed = ["Failed"] if spec.get("podFailurePolicy") is not None else ["Failed", "TerminatingOrFailed"]
    if replacement is not None and replacement not in allowed:
        yield fe.not_supported(f"{field}.podReplacementPolicy", replacement, allowed)
    yield from template_errors(part(spec, "template"), f"{field}.template")
    yield from _restart_errors(spec, f"{field}.template.spec.restartPolicy")


def _restart_errors(spec: Object, field: str) -> Iterator[FieldError]:
    policy = part(spec, "template", "spec").get("restartPolicy", "")
    if policy in ("Always", ""):
        yield fe.required(field, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        yield fe.not_supported(field, policy, ["OnFailure", "Never"])
    elif spec.get("podFailurePolicy") is not None and policy != "Never":
        yield fe.invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _mode_errors(spec: Object, field: str) -> Iterator[FieldError]:
    mode = spec.get("completionMode")
    if mode not in (None, "NonIndexed", "Indexed"):
        yield fe.not_supported(f"{field}.completionMode", mode, ["NonIndexed", "Indexed"])
    if mode == "Indexed":
        yield from _indexed_errors(spec, field)
    elif mode in (None, "NonIndexed"):
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                yield fe.invalid(f"{field}.{name}", spec[name], "requires indexed completion mode")


def _indexed_errors(spec: Object, field: str) -> Iterator[FieldError]:
    completions, parallelism, failed = (spec.get(n) for n in ("completions", "parallelism", "maxFailedIndexes"))
    if completions is None:
        yield fe.required(f"{field}.completions", "when completion mode is Indexed")
    if parallelism is not None and parallelism > _PARALLEL:
        text = f"must be less than or equal to {_PARALLEL} when completion mode is Indexed"
        yield fe.invalid(f"{field}.parallelism", parallelism, text)
    if completions is not None and failed is not None and failed > completions:
        yield fe.invalid(f"{field}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > _FAILED:
        yield fe.invalid(f"{field}.maxFailedIndexes", failed, f"must be less than or equal to {_FAILED}")
    if completions is None or completions <= _SOFT or spec.get("backoffLimitPerIndex") is None:
        return
    why = f"when completions are above {_SOFT} and used with backoff limit per index"
    text = f"must be less than or equal to {_MANY} {why}"
    if failed is None:
        yield fe.required(f"{field}.maxFailedIndexes", f"must be specified when completions is above {_SOFT}")
    if parallelism is not None and parallelism > _MANY:
        yield fe.invalid(f"{field}.parallelism", parallelism, text)
    if failed is not None and failed > _MANY:
        yield fe.invalid(f"{field}.maxFailedIndexes", failed, text)


def _update_errors(spec: Object, old: Object) -> Iterator[FieldError]:
    before = part(old, "spec")
    completions = spec.get("completions")
    if spec.get("completionMode") != "Indexed":
        yield from immutable("spec.completions", completions, before.get("completions"))
    elif completions is not None and completions not in (before.get("completions"), spec.get("parallelism")):
        text = "can only be modified in tandem with spec.parallelism"
        yield fe.invalid("spec.completions", completions, text)
    yield from immutable("spec.selector", spec.get("selector"), before.get("selector"))
    yield from _template_errors(part(spec, "template"), part(before, "template"), old)
    for name in ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"):
        yield from immutable(f"spec.{name}", spec.get(name), before.get(name))


def _template_errors(template: Object, before: Object, old: Object) -> Iterator[FieldError]:
    """Where pods of a suspended job that never started will run may still change."""
    status = part(old, "status")
    suspended = part(old, "spec").get("suspend") or is_true(parts(status, "conditions"), "Suspended")
    if suspended and status.get("startTime") is None:
        before = _steered(before, template)
    yield from immutable("spec.template", template, before)


def _steered(before: Object, template: Object) -> Object:
    steered, pod = copy.deepcopy(before), part(template, "spec")
    spec: Object = steered.setdefault("spec", {})
    affinity = part(spec, "affinity")
    affinity.pop("nodeAffinity", None)
    if node := part(pod, "affinity").get("nodeAffinity"):
        affinity["nodeAffinity"] = node
    for name, kept in (("affinity", affinity or None), *((n, pod.get(n)) for n in _STEERING)):
        spec.pop(name, None)
        if kept:
            spec[name] = kept
    meta: Object = steered.setdefault("metadata", {})
    for name in ("annotations", "labels"):
        meta.pop(name, None)
        if part(template, "metadata").get(name):
            meta[name] = template["metadata"][name]
    return steered


_STEERING = ("nodeSelector", "tolerations", "schedulingGates")
