"""Cron jobs. Source: ``pkg/apis/batch/validation``, ``pkg/registry/batch/cronjob/strategy.go``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part
from ..names import dns_label
from ..pods.formats import not_negative
from ..strategy import Context, Strategy
from .jobs import spec_errors, spec_warnings
from .schedules import ScheduleMalformed, check, zone_errors

Object = dict[str, Any]

_POLICIES = ["Allow", "Forbid", "Replace"]
_LONGEST_NAME = 52  # a job's name has 63 characters; the controller appends 11


class CronJobStrategy(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        if context.subresource:
            return []
        name = str(part(obj, "metadata").get("name", ""))
        found = list(_spec_errors(part(obj, "spec"), part(old, "spec") if old is not None else None))
        if old is None and len(name) > _LONGEST_NAME:
            found.append(fe.invalid("metadata.name", name, "must be no more than 52 characters"))
        return found

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        if context.subresource:
            return []
        found: list[str] = []
        spec = part(obj, "spec")
        if old is None and (problems := dns_label(str(obj["metadata"].get("name", "")))):
            why = "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is"
            found.append(f"metadata.name: {why} recommended: [{' '.join(problems)}]")
        found += spec_warnings(part(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec")
        if "TZ" in str(spec.get("schedule", "")):
            why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            found.append(f"spec.schedule: {why}")
        return found


def _spec_errors(spec: Object, old: Object | None) -> Iterator[FieldError]:
    schedule = str(spec.get("schedule", ""))
    if not schedule:
        yield fe.required("spec.schedule")
    else:
        had = "TZ" in str((old or {}).get("schedule", ""))
        yield from _schedule_errors(schedule, spec.get("timeZone"), had_zone=had)
    yield from not_negative("spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds"))
    if old is None or old.get("timeZone") != spec.get("timeZone"):
        yield from zone_errors(spec.get("timeZone"), "spec.timeZone")
    policy = spec.get("concurrencyPolicy", "")
    if not policy:
        yield fe.required("spec.concurrencyPolicy")
    elif policy not in _POLICIES:
        yield fe.not_supported("spec.concurrencyPolicy", policy, _POLICIES)
    job, field = part(spec, "jobTemplate", "spec"), "spec.jobTemplate.spec"
    yield from spec_errors(job, field)
    if job.get("selector") is not None:
        yield fe.invalid(f"{field}.selector", job["selector"], "`selector` will be auto-generated")
    if job.get("manualSelector"):
        yield fe.not_supported(f"{field}.manualSelector", job["manualSelector"], ["nil", "false"])
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        yield from not_negative(f"spec.{name}", spec.get(name))


def _schedule_errors(schedule: str, zone: Any, *, had_zone: bool) -> Iterator[FieldError]:
    field = "spec.schedule"
    try:
        check(schedule)
    except ScheduleMalformed as error:
        yield fe.invalid(field, schedule, str(error))
    if "TZ" not in schedule:
        return
    if not had_zone:
        yield fe.invalid(field, schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")
    elif zone is not None:
        yield fe.invalid(field, schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule")
