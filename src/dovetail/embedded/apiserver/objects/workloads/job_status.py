"""The rules of a job's status. Source: ``validateJobStatus``, ``ValidateJobStatusUpdate``.

As kube-apiserver does, most rules only hold where the write changes what they are about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from ..pods.formats import not_negative
from .indexes import IndexesMalformed, count, overlap
from .job_policies import without_value

Object = dict[str, Any]

_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_TERMINAL = ("Failed", "Complete", "FailureTarget")


def is_true(conditions: list[Object], kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def status_errors(obj: Object, old: Object) -> Iterator[FieldError]:
    status, before, spec = part(obj, "status"), part(old, "status"), part(obj, "spec")
    for name in _COUNTS:
        yield from not_negative(f"status.{name}", status.get(name))
    yield from _uncounted_errors(status)
    now, earlier = parts(status, "conditions"), parts(before, "conditions")
    changed = {name for name in {*status, *before} if status.get(name) != before.get(name)}
    finished = is_true(now, "Complete") or is_true(now, "Failed")
    just = finished and not (is_true(earlier, "Complete") or is_true(earlier, "Failed"))
    yield from _condition_errors(now, spec)
    yield from _time_errors(status, now, changed, just=just)
    if finished and ("active" in changed or just) and status.get("active", 0) > 0:
        yield fe.invalid("status.active", status["active"], "active>0 is invalid for finished job")
    if just and status.get("startTime") is None:
        yield fe.required("status.startTime", "startTime is required for finished job")
    if finished and "uncountedTerminatedPods" in changed | ({"uncountedTerminatedPods"} if just else set()):
        pods = part(status, "uncountedTerminatedPods")
        if pods.get("failed") or pods.get("succeeded"):
            text = "uncountedTerminatedPods needs to be empty for finished job"
            yield fe.invalid("status.uncountedTerminatedPods", pods, text)
    yield from _index_errors(status, spec, changed)
    if finished and (status.get("terminating") or 0) > 0 and ("terminating" in changed or just):
        yield fe.invalid("status.terminating", status["terminating"], "terminating>0 is invalid for finished job")
    if changed & {"ready", "active"} and (status.get("ready") or 0) > status.get("active", 0):
        yield fe.invalid("status.ready", status["ready"], "cannot set more ready pods than active")
    yield from _transition_errors(status, before, spec)


def _uncounted_errors(status: Object) -> Iterator[FieldError]:
    seen: set[str] = set()
    for side in ("succeeded", "failed"):
        for index, uid in enumerate(parts(status, "uncountedTerminatedPods", side)):
            where = f"status.uncountedTerminatedPods.{side}[{index}]"
            if not uid:
                yield fe.invalid(where, uid, "must not be empty")
            elif uid in seen:
                yield fe.duplicate(where, uid)
            seen.add(uid)


def _condition_errors(now: list[Object], spec: Object) -> Iterator[FieldError]:
    where = "status.conditions"
    complete, failed = is_true(now, "Complete"), is_true(now, "Failed")
    target, met = is_true(now, "FailureTarget"), is_true(now, "SuccessCriteriaMet")
    if complete and failed:
        yield without_value(where, "cannot set Complete=True and Failed=true conditions")
    if complete and target:
        yield without_value(where, "cannot set Complete=True and FailureTarget=true conditions")
    if failed and not target:
        yield without_value(where, "cannot set Failed=True condition without the FailureTarget=true condition")
    if complete and not met:
        text = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        yield without_value(where, text)
    if met and failed:
        yield without_value(where, "cannot set SuccessCriteriaMet=True and Failed=true conditions")
    if met and target:
        yield without_value(where, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
    if spec.get("successPolicy") is not None and complete and not met:
        text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        yield without_value(where, text)


def _time_errors(status: Object, now: list[Object], changed: set[str], *, just: bool) -> Iterator[FieldError]:
    start, end, complete = status.get("startTime"), status.get("completionTime"), is_true(now, "Complete")
    if "completionTime" in changed and end is not None and not complete:
        text = "cannot set completionTime when there is no Complete=True condition"
        yield fe.invalid("status.completionTime", end, text)
    if complete and end is None and (just or "completionTime" in changed):
        yield fe.required("status.completionTime", "completionTime is required for Complete jobs")
    if changed & {"startTime", "completionTime"} and start is not None and end is not None and end < start:
        yield fe.invalid("status.completionTime", end, "completionTime cannot be set before startTime")


def _index_errors(status: Object, spec: Object, changed: set[str]) -> Iterator[FieldError]:
    completions, done, failed = spec.get("completions"), status.get("completedIndexes"), status.get("failedIndexes")
    if completions is not None:
        for name, text in (("completedIndexes", done), ("failedIndexes", failed)):
            if name in changed and text is not None:
                try:
                    count(text, completions)
                except IndexesMalformed as error:
                    yield fe.invalid(f"status.{name}", text, f"error parsing {name}: {error}")
    if "completedIndexes" in changed and done and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        yield fe.invalid("status.completedIndexes", done, text)
    if "failedIndexes" in changed and failed is not None and spec.get("backoffLimitPerIndex") is None:
        text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        yield fe.invalid("status.failedIndexes", failed, text)
    if completions is not None and changed & {"completedIndexes", "failedIndexes"} and done and failed:
        both = overlap(done, failed, completions)
        if both is not None:
            text = f"failedIndexes and completedIndexes overlap at index: {both}"
            yield fe.invalid("status.failedIndexes", failed, text)


def _transition_errors(status: Object, before: Object, spec: Object) -> Iterator[FieldError]:
    now, earlier = parts(status, "conditions"), parts(before, "conditions")
    for kind in _TERMINAL:
        if is_true(earlier, kind) and not is_true(now, kind):
            yield without_value("status.conditions", f"cannot disable the terminal {kind}=True condition")
    for name in ("failed", "succeeded"):
        if status.get(name, 0) < before.get(name, 0):
            yield fe.invalid(f"status.{name}", status.get(name, 0), f"cannot decrease the {name} counter")
    end, ended = status.get("completionTime"), before.get("completionTime")
    if end is not None and ended is not None and end != ended:
        yield fe.invalid("status.completionTime", end, "completionTime cannot be mutated")
    started = before.get("startTime")
    if started is not None and started != status.get("startTime") and not spec.get("suspend"):
        yield fe.required("status.startTime", "startTime cannot be removed for unsuspended job")
    met, had = is_true(now, "SuccessCriteriaMet"), is_true(earlier, "SuccessCriteriaMet")
    if had and not met:
        yield without_value("status.conditions", "cannot disable the SuccessCriteriaMet=True condition")
    if is_true(earlier, "Complete") and not had and met:
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        yield without_value("status.conditions", text)
