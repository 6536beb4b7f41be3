"""What is wrong with an event: loose rules for core/v1, strict ones for events.k8s.io/v1. Pure.

Events are checked in their core shape. Source: Kubernetes ``pkg/apis/core/validation/events.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part
from . import names

Object = dict[str, Any]

_LIMIT, _NOTE_LIMIT = 128, 1024
_IMMUTABLE = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "reason", "type",
    "eventTime", "action", "related", "reportingController", "reportingInstance",
)  # fmt: skip


def event_errors(obj: Object, old: Object | None, strict: bool) -> Iterator[FieldError]:
    yield from _loose(obj)
    if not strict:
        return
    if old is None:
        yield from _series_errors(obj)
        yield from _strict(obj)
        return
    if obj.get("series") != old.get("series"):
        yield from _series_errors(obj)
    for name in _IMMUTABLE:
        stored = "reportingComponent" if name == "reportingController" else name
        if obj.get(stored) != old.get(stored):
            yield fe.invalid(name, obj.get(stored), "field is immutable")


def _loose(obj: Object) -> Iterator[FieldError]:
    namespace, about = obj["metadata"].get("namespace", ""), part(obj, "involvedObject").get("namespace", "")
    allowed = (namespace,) if about else ("default", "kube-system") if obj.get("eventTime") else ("default",)
    if (about or namespace) not in allowed:
        yield fe.invalid("involvedObject.namespace", about, "does not match event.namespace")
    if not obj.get("eventTime"):
        return
    controller = obj.get("reportingComponent", "")
    if not controller:
        yield fe.required("reportingController")
    yield from fe.every("reportingController", controller, names.qualified(controller))
    for name in ("reportingInstance", "action", "reason"):
        text = obj.get(name, "")
        if not text:
            yield fe.required(name)
        if len(text) > _LIMIT:
            yield fe.invalid(name, "", f"can have at most {_LIMIT} characters")
    if len(obj.get("message", "")) > _NOTE_LIMIT:
        yield fe.invalid("message", "", f"can have at most {_NOTE_LIMIT} characters")


def _series_errors(obj: Object) -> Iterator[FieldError]:
    if "series" not in obj:
        return
    series = part(obj, "series")
    if series.get("count", 0) < 2:
        yield fe.invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield fe.required("series.lastObservedTime")


def _strict(obj: Object) -> Iterator[FieldError]:
    if not obj.get("eventTime"):
        yield fe.required("eventTime")
    if obj.get("type") not in ("Normal", "Warning"):
        yield fe.invalid("type", "", f"has invalid value: {obj.get('type', '')}")
    for name in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if obj.get(name):
            yield fe.invalid(name, "", "needs to be unset")
