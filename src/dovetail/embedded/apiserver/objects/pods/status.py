"""The rules of a pod's status. Source: ``ValidatePodStatusUpdate``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from .. import names
from ..names import dns_subdomain, qualified
from .formats import IMMUTABLE, account_id, each
from .resources import is_sidecar

Object = dict[str, Any]

_SYSTEM = ("PodScheduled", "Ready", "Initialized")
_STATUSES = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


def status_errors(obj: Object, old: Object) -> Iterator[FieldError]:
    status, before, spec = part(obj, "status"), part(old, "status"), part(obj, "spec")
    for index, condition in enumerate(parts(status, "conditions")):
        kind = str(condition.get("type", ""))
        if kind not in _SYSTEM:
            yield from each(f"metadata.conditions[{index}].Type", kind, qualified(kind))
    nominated = str(status.get("nominatedNodeName", ""))
    if nominated and nominated != before.get("nominatedNodeName"):
        yield from each("status.nominatedNodeName", nominated, dns_subdomain(nominated))
    if status.get("qosClass") != before.get("qosClass"):
        yield fe.invalid("status.qosClass", status.get("qosClass", ""), IMMUTABLE)
    yield from _transitions(status, before, spec)
    yield from _claims(parts(status, "resourceClaimStatuses"), parts(spec, "resourceClaims"))
    yield from _addresses(parts(status, "podIPs"), "podIPs")
    hosts = parts(status, "hostIPs")
    if hosts and status.get("hostIP", "") != hosts[0].get("ip", ""):
        yield fe.invalid("status.hostIPs[0].ip", hosts[0].get("ip", ""), "must be equal to `hostIP`")
    yield from _addresses(hosts, "hostIPs")
    yield from _users(status, spec)


def _transitions(status: Object, before: Object, spec: Object) -> Iterator[FieldError]:
    """A container that ended for good stays ended."""
    sidecars = {c.get("name") for c in parts(spec, "initContainers") if is_sidecar(c)}
    for kind in _STATUSES:
        policy = "Never" if kind == "ephemeralContainerStatuses" else str(spec.get("restartPolicy", "Always"))
        if policy == "Always":
            continue
        for index, was in enumerate(parts(before, kind)):
            ended = part(was, "state").get("terminated")
            if not is_object(ended) or (ended.get("exitCode", 0) != 0 and policy == "OnFailure"):
                continue
            if kind == "initContainerStatuses" and was.get("name") in sidecars:
                continue
            for now in parts(status, kind):
                if now.get("name") == was.get("name") and part(now, "state").get("terminated") is None:
                    text = "may not be transitioned to non-terminated state"
                    yield fe.forbidden(f"status.{kind}[{index}].state", text)


def _claims(statuses: list[Object], claims: list[Object]) -> Iterator[FieldError]:
    known, seen = {claim.get("name") for claim in claims}, set[str]()
    for index, status in enumerate(statuses):
        where, name = f"status.resourceClaimStatuses[{index}]", str(status.get("name", ""))
        if name not in known:
            yield fe.invalid(f"{where}.name", name, "must match the name of an entry in `spec.resourceClaims`")
        if name in seen:
            yield fe.duplicate(f"{where}.name", name)
        seen.add(name)
        claim = status.get("resourceClaimName")
        if claim is not None:
            yield from each(f"{where}.name", claim, dns_subdomain(claim))


def _addresses(entries: list[Object], name: str) -> Iterator[FieldError]:
    field, ips = f"status.{name}", [str(entry.get("ip", "")) for entry in entries]
    for index, ip in enumerate(ips):
        yield from each(f"{field}[{index}]", ip, names.ip(ip))
    if len(ips) < 2:
        return
    families = [ipaddress.ip_address(ip).version for ip in ips if not names.ip(ip)]
    if len(ips) > 2 or sorted(families) != [4, 6]:
        yield fe.invalid(field, entries, "may specify no more than one IP for each IP family")
    for index, ip in enumerate(ips):
        if ip in ips[:index]:
            yield fe.duplicate(f"{field}[{index}]", entries[index])


def _users(status: Object, spec: Object) -> Iterator[FieldError]:
    windows = part(spec, "os").get("name") == "windows"
    for kind in _STATUSES:
        for index, container in enumerate(parts(status, kind)):
            user = part(container, "user").get("linux")
            where = f"status.{kind}[{index}].linux"
            if not is_object(user):
                continue
            if windows:
                yield fe.forbidden(where, "cannot be set for a windows pod")
                continue
            for name in ("uid", "gid"):
                yield from each(f"{where}.{name}", user.get(name, 0), account_id(user.get(name, 0)))
            for at, group in enumerate(parts(user, "supplementalGroups")):
                yield from each(f"{where}.supplementalGroups[{at}]", group, account_id(group))


def keep_generations(status: Object, before: Object) -> None:
    """A writer that knows nothing of ``observedGeneration`` does not clear it."""
    if not status.get("observedGeneration") and before.get("observedGeneration"):
        status["observedGeneration"] = before["observedGeneration"]
    kept: dict[str, list[int]] = {}
    for condition in parts(before, "conditions"):
        kept.setdefault(str(condition.get("type")), []).append(condition.get("observedGeneration", 0))
    for condition in parts(status, "conditions"):
        earlier = kept.get(str(condition.get("type")), [])
        generation = earlier.pop(0) if earlier else 0
        if not condition.get("observedGeneration") and generation:
            condition["observedGeneration"] = generation
