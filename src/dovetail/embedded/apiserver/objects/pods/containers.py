"""Containers of a pod: regular, init and ephemeral ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ..names import dns_label, port_name, port_number
from .environment import variable_errors
from .formats import each, not_found
from .handlers import handler_errors
from .mounts import mount_errors
from .resources import is_sidecar, requirement_errors
from .security import container_context_errors
from .volumes import pull_policy_errors

Object = dict[str, Any]

_PROTOCOLS = ["SCTP", "TCP", "UDP"]
_MESSAGES = ["File", "FallbackToLogsOnError"]
_POLICIES = ["Always", "Never", "OnFailure"]
_PROBES = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
# in the order in which Go's struct has them
_NOT_EPHEMERAL = ("ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules")
_NOT_EPHEMERAL_EITHER = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules of a container need to know of its pod. ``volumes`` are the sound ones."""

    volumes: dict[str, Object]
    claims: frozenset[str]
    grace: int | None
    restart: str
    host_users: bool


def container_errors(spec: Object, around: Surroundings, field: str) -> Iterator[FieldError]:
    yield from _regular(parts(spec, "containers"), around, f"{field}.containers")
    yield from _init(spec, around, f"{field}.initContainers")
    yield from _ephemeral(spec, around, f"{field}.ephemeralContainers")


def _regular(containers: list[Object], around: Surroundings, field: str) -> Iterator[FieldError]:
    if not containers:
        yield fe.required(field)
        return
    seen: set[str] = set()
    for index, container in enumerate(containers):
        where, name = f"{field}[{index}]", str(container.get("name", ""))
        yield from _common(container, around, where)
        if name in seen:
            yield fe.duplicate(f"{where}.name", name)
        seen.add(name)
        yield from handler_errors(container, around.grace, where)
        yield from _restart_errors(container, where)
    yield from _host_port_errors(containers, field)


def _init(spec: Object, around: Surroundings, field: str) -> Iterator[FieldError]:
    seen = {str(container.get("name", "")) for container in parts(spec, "containers")}
    for index, container in enumerate(parts(spec, "initContainers")):
        where, name = f"{field}[{index}]", str(container.get("name", ""))
        yield from _common(container, around, where)
        yield from _restart_errors(container, where)
        if name in seen:
            yield fe.duplicate(f"{where}.name", name)
        elif name:
            seen.add(name)
        yield from _host_port_errors([container], field)
        if is_sidecar(container):
            yield from handler_errors(container, around.grace, where)
        else:
            text = "may not be set for init containers without restartPolicy=Always"
            for forbidden in _PROBES:
                if container.get(forbidden) is not None:
                    yield fe.forbidden(f"{where}.{forbidden}", text)


def _ephemeral(spec: Object, around: Surroundings, field: str) -> Iterator[FieldError]:
    others = {str(c.get("name", "")) for c in [*parts(spec, "containers"), *parts(spec, "initContainers")]}
    seen = set(others)
    text = "cannot be set for an Ephemeral Container"
    for index, container in enumerate(parts(spec, "ephemeralContainers")):
        where, name = f"{field}[{index}]", str(container.get("name", ""))
        yield from _common(container, around, where)
        yield from padded_image_errors(container, where)
        if name in seen:
            yield fe.duplicate(f"{where}.name", name)
        seen.add(name)
        target = str(container.get("targetContainerName", ""))
        if target and target not in others:
            yield not_found(f"{where}.targetContainerName", target)
        for forbidden in (*_NOT_EPHEMERAL, *_NOT_EPHEMERAL_EITHER):
            if container.get(forbidden):
                yield fe.forbidden(f"{where}.{forbidden}", text)
        for at, mount in enumerate(parts(container, "volumeMounts")):
            for forbidden in ("subPath", "subPathExpr"):
                if mount.get(forbidden):
                    yield fe.forbidden(f"{where}.volumeMounts[{at}].{forbidden}", text)


def padded_image_errors(container: Object, field: str) -> Iterator[FieldError]:
    """Only pods refuse these: in a template " " may stand for an image that somebody fills in."""
    image = str(container.get("image", ""))
    if image != image.strip():
        yield fe.invalid(f"{field}.image", image, "must not have leading or trailing whitespace")


def _common(container: Object, around: Surroundings, field: str) -> Iterator[FieldError]:
    name = str(container.get("name", ""))
    yield from each(f"{field}.name", name, dns_label(name)) if name else [fe.required(f"{field}.name")]
    if not container.get("image"):
        yield fe.required(f"{field}.image")
    policy = str(container.get("terminationMessagePolicy", ""))
    if not policy:
        yield fe.required(f"{field}.terminationMessagePolicy")
    elif policy not in _MESSAGES:
        yield fe.not_supported(f"{field}.terminationMessagePolicy", policy, _MESSAGES)
    yield from _port_errors(parts(container, "ports"), f"{field}.ports")
    yield from variable_errors(container, field)
    yield from mount_errors(container, around.volumes, field)
    yield from pull_policy_errors(str(container.get("imagePullPolicy", "")), f"{field}.imagePullPolicy")
    yield from requirement_errors(part(container, "resources"), around.claims, f"{field}.resources")
    yield from _resize_errors(parts(container, "resizePolicy"), around.restart, f"{field}.resizePolicy")
    context = container.get("securityContext")
    yield from container_context_errors(context, f"{field}.securityContext", host_users=around.host_users)


def _port_errors(ports: list[Object], field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where, name = f"{field}[{index}]", str(port.get("name", ""))
        if name and (problems := port_name(name)):
            yield from each(f"{where}.name", name, problems)
        elif name in seen:
            yield fe.duplicate(f"{where}.name", name)
        elif name:
            seen.add(name)
        number, host = port.get("containerPort", 0), port.get("hostPort", 0)
        if not number:
            yield fe.required(f"{where}.containerPort")
        else:
            yield from each(f"{where}.containerPort", number, port_number(number))
        if host:
            yield from each(f"{where}.hostPort", host, port_number(host))
        protocol = str(port.get("protocol", ""))
        if not protocol:
            yield fe.required(f"{where}.protocol")
        elif protocol not in _PROTOCOLS:
            yield fe.not_supported(f"{where}.protocol", protocol, _PROTOCOLS)


def _host_port_errors(containers: list[Object], field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, container in enumerate(containers):
        for at, port in enumerate(parts(container, "ports")):
            if not port.get("hostPort"):
                continue
            key = f"{port.get('protocol', '')}/{port.get('hostIP', '')}/{port['hostPort']}"
            if key in seen:
                yield fe.duplicate(f"{field}[{index}].ports[{at}].hostPort", key)
            seen.add(key)


def _resize_errors(policies: list[Object], restart: str, field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, item in enumerate(policies):
        resource, policy = str(item.get("resourceName", "")), str(item.get("restartPolicy", ""))
        if resource in seen:
            yield fe.duplicate(f"{field}[{index}]", resource)
        seen.add(resource)
        for text, allowed in ((resource, ["cpu", "memory"]), (policy, ["NotRequired", "RestartContainer"])):
            if not text:
                yield fe.required(field)
            elif text not in allowed:
                yield fe.not_supported(field, text, allowed)
        if restart == "Never" and policy != "NotRequired":
            yield fe.invalid(field, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'")


def _restart_errors(container: Object, field: str) -> Iterator[FieldError]:
    policy, rules = container.get("restartPolicy"), parts(container, "restartPolicyRules")
    if policy is None and rules:
        yield fe.required(f"{field}.restartPolicy", "must specify restartPolicy when restart rules are used")
    elif policy is not None and policy not in _POLICIES:
        yield fe.not_supported(f"{field}.restartPolicy", policy, _POLICIES)
    if len(rules) > 20:
        yield fe.too_many(f"{field}.restartPolicyRules", len(rules), 20)
    for index, rule in enumerate(rules):
        where = f"{field}.restartPolicyRules[{index}]"
        if rule.get("action") != "Restart":
            yield fe.not_supported(f"{where}.action", rule.get("action", ""), ["Restart"])
        codes = rule.get("exitCodes")
        if not is_object(codes):
            yield fe.required(f"{where}.exitCodes", "must be specified")
            continue
        if codes.get("operator") not in ("In", "NotIn"):
            yield fe.not_supported(f"{where}.exitCodes.operator", codes.get("operator", ""), ["In", "NotIn"])
        if len(parts(codes, "values")) > 255:
            yield fe.too_many(f"{where}.exitCodes.values", len(parts(codes, "values")), 255)
