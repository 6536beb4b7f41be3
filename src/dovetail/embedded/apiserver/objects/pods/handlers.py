"""Probes and lifecycle hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, parts
from ..names import port_number
from .formats import each, header_name, not_negative, port

Object = dict[str, Any]

_PROBE = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK = ("exec", "httpGet", "tcpSocket", "sleep")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")


def handler_errors(container: Object, grace: int | None, field: str) -> Iterator[FieldError]:
    """The hooks and probes of a container that runs as long as its pod."""
    lifecycle = container.get("lifecycle")
    if is_object(lifecycle):
        for hook in ("postStart", "preStop"):
            if is_object(lifecycle.get(hook)):
                yield from _action_errors(lifecycle[hook], _HOOK, grace, f"{field}.lifecycle.{hook}")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if is_object(probe):
            yield from _probe_errors(probe, name, grace, f"{field}.{name}")


def _probe_errors(probe: Object, name: str, grace: int | None, field: str) -> Iterator[FieldError]:
    yield from _action_errors(probe, _PROBE, grace, field)
    for count in _COUNTS:
        yield from not_negative(f"{field}.{count}", probe.get(count))
    period = probe.get("terminationGracePeriodSeconds")
    if period is not None and period <= 0:
        yield fe.invalid(f"{field}.terminationGracePeriodSeconds", period, "must be greater than 0")
    if name == "readinessProbe":
        if period is not None:
            text = "must not be set for readinessProbes"
            yield fe.invalid(f"{field}.terminationGracePeriodSeconds", period, text)
    elif probe.get("successThreshold") != 1:
        yield fe.invalid(f"{field}.successThreshold", probe.get("successThreshold"), "must be 1")


def _action_errors(action: Object, kinds: tuple[str, ...], grace: int | None, field: str) -> Iterator[FieldError]:
    given = [kind for kind in kinds if is_object(action.get(kind))]
    for kind in given[:1]:
        yield from _one_errors(kind, action[kind], grace, f"{field}.{kind}")
    for kind in given[1:]:
        yield fe.forbidden(f"{field}.{kind}", "may not specify more than 1 handler type")
    if not given:
        yield fe.required(field, "must specify a handler type")


def _one_errors(kind: str, action: Object, grace: int | None, field: str) -> Iterator[FieldError]:
    if kind == "exec":
        if not action.get("command"):
            yield fe.required(f"{field}.command")
    elif kind == "httpGet":
        yield from _http_errors(action, field)
    elif kind == "tcpSocket":
        yield from each(f"{field}.port", action.get("port", 0), port(action.get("port", 0)))
    elif kind == "grpc":
        yield from each(f"{field}.port", action.get("port", 0), port_number(action.get("port", 0)))
    else:
        seconds = action.get("seconds", 0)
        if grace is not None and not 0 <= seconds <= grace:
            text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            yield fe.invalid(field, seconds, text)


def _http_errors(action: Object, field: str) -> Iterator[FieldError]:
    if not action.get("path"):
        yield fe.required(f"{field}.path")
    yield from each(f"{field}.port", action.get("port", 0), port(action.get("port", 0)))
    if action.get("scheme") not in ("HTTP", "HTTPS"):
        yield fe.not_supported(f"{field}.scheme", action.get("scheme", ""), ["HTTP", "HTTPS"])
    for header in parts(action, "httpHeaders"):
        name = str(header.get("name", ""))
        yield from each(f"{field}.httpHeaders", name, header_name(name))
