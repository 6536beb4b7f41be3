"""The rules of a pod spec and of a pod template, in the order of Kubernetes' ``ValidatePodSpec``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from ..metadata import validate_annotations, validate_labels
from ..names import dns_label, dns_subdomain
from .annotations import annotation_errors, profile_match_errors
from .containers import Surroundings, container_errors
from .formats import INT32_MAX, between, each
from .resources import pod_level_errors, requirement_errors
from .scheduling import affinity_errors, alias_errors, dns_errors, gate_errors, spread_errors, toleration_errors
from .security import host_process_errors, host_users_errors, os_errors, pod_context_errors
from .volumes import volume_errors

Object = dict[str, Any]

_RESTART = ["Always", "OnFailure", "Never"]
_DNS = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]


def pod_spec_errors(
    spec: Object, field: str, *, pod_name: str = "", is_pod: bool = False, merged: dict[int, set[str]] | None = None
) -> Iterator[FieldError]:
    """``pod_name`` is "" in templates. ``merged``: see ``spread_errors``."""
    grace = spec.get("terminationGracePeriodSeconds")
    if grace is None:
        yield fe.required(f"{field}.terminationGracePeriodSeconds")
    problems, volumes = volume_errors(spec, pod_name, f"{field}.volumes", is_pod=is_pod)
    yield from problems
    claims = frozenset(str(c["name"]) for c in parts(spec, "resourceClaims") if c.get("name"))
    yield from _claim_errors(parts(spec, "resourceClaims"), f"{field}.resourceClaims")
    restart = str(spec.get("restartPolicy", ""))
    around = Surroundings(volumes, claims, grace, restart, host_users=spec.get("hostUsers") is not False)
    yield from container_errors(spec, around, field)
    yield from pod_level_errors(spec, claims, f"{field}.resources")
    yield from _host_network_errors(spec, field, is_pod=is_pod)
    yield from _choice(restart, _RESTART, f"{field}.restartPolicy")
    yield from _choice(str(spec.get("dnsPolicy", "")), _DNS, f"{field}.dnsPolicy")
    yield from validate_labels(part(spec, "nodeSelector"), f"{field}.nodeSelector")
    yield from pod_context_errors(part(spec, "securityContext"), spec, f"{field}.securityContext")
    yield from affinity_errors(spec.get("affinity"), f"{field}.affinity")
    yield from dns_errors(spec, field)
    yield from gate_errors(spec, field)
    constraints = parts(spec, "topologySpreadConstraints")
    yield from spread_errors(constraints, f"{field}.topologySpreadConstraints", merged)
    yield from host_process_errors(spec, field)
    yield from host_users_errors(spec, field)
    yield from _name_errors(spec, field)
    yield from _remaining_errors(spec, field)
    yield from os_errors(spec, field)


def _choice(value: str, allowed: list[str], field: str) -> Iterator[FieldError]:
    if not value:
        yield fe.required(field)
    elif value not in allowed:
        yield fe.not_supported(field, value, allowed)


def _name_errors(spec: Object, field: str) -> Iterator[FieldError]:
    for name in ("serviceAccountName", "nodeName"):
        if spec.get(name):
            yield from each(f"{field}.{name}", spec[name], dns_subdomain(spec[name]))
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= INT32_MAX:
        yield fe.invalid(f"{field}.activeDeadlineSeconds", deadline, between(1, INT32_MAX))
    for name in ("hostname", "subdomain"):
        if spec.get(name):
            yield from each(f"{field}.{name}", spec[name], dns_label(spec[name]))
    yield from _hostname_override_errors(spec, field)


def _hostname_override_errors(spec: Object, field: str) -> Iterator[FieldError]:
    name, where = spec.get("hostnameOverride"), f"{field}.hostnameOverride"
    if name is None:
        return
    yield from each(where, name, dns_subdomain(name))
    if len(name) > 64:
        yield fe.too_long(where, 64)
    if spec.get("setHostnameAsFQDN"):
        yield fe.forbidden(where, "setHostnameAsFQDN and hostnameOverride are mutually exclusive")
    if spec.get("hostNetwork"):
        yield fe.forbidden(where, "hostNetwork and hostnameOverride are mutually exclusive")


def _remaining_errors(spec: Object, field: str) -> Iterator[FieldError]:
    yield from toleration_errors(parts(spec, "tolerations"), f"{field}.tolerations")
    yield from alias_errors(parts(spec, "hostAliases"), f"{field}.hostAliases")
    if spec.get("priorityClassName"):
        name = spec["priorityClassName"]
        yield from each(f"{field}.priorityClassName", name, dns_subdomain(name))
    if spec.get("runtimeClassName") is not None:
        name = spec["runtimeClassName"]
        yield from each(f"{field}.runtimeClassName", name, dns_subdomain(name))
    if spec.get("preemptionPolicy") is not None:
        allowed = ["PreemptLowerPriority", "Never"]
        yield from _choice(str(spec["preemptionPolicy"]), allowed, f"{field}.preemptionPolicy")
    if spec.get("overhead"):
        yield from requirement_errors({"limits": spec["overhead"]}, frozenset(), f"{field}.overhead")


def _claim_errors(claims: list[Object], field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        where, name = f"{field}[{index}]", str(claim.get("name", ""))
        if not name:
            yield fe.required(f"{where}.name")
        elif name in seen:
            yield fe.duplicate(f"{where}.name", name)
        else:
            yield from each(f"{where}.name", name, dns_label(name))
            seen.add(name)
        kinds = ("resourceClaimName", "resourceClaimTemplateName")
        given = [kind for kind in kinds if claim.get(kind) is not None]
        if len(given) != 1:
            both = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            none = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            shown = {"Name": name, **{f"R{kind[1:]}": claim.get(kind) for kind in kinds}}
            yield fe.invalid(where, shown, both if given else none)
        for kind in given:
            yield from each(f"{where}.{kind}", claim[kind], dns_subdomain(claim[kind]))


def _host_network_errors(spec: Object, field: str, *, is_pod: bool) -> Iterator[FieldError]:
    if not spec.get("hostNetwork"):
        return
    for index, container in enumerate(parts(spec, "containers")):
        for at, port in enumerate(parts(container, "ports")):
            host = port.get("hostPort", 0)
            if (is_pod or host) and host != port.get("containerPort", 0):
                where = f"{field}.containers[{index}].ports[{at}].hostPort"
                yield fe.invalid(where, host, "must match `containerPort` when `hostNetwork` is true")


def template_errors(template: Object, field: str) -> Iterator[FieldError]:
    """A ``v1.PodTemplateSpec``."""
    meta, spec = part(template, "metadata"), part(template, "spec")
    yield from validate_labels(part(meta, "labels"), f"{field}.labels")
    yield from validate_annotations(part(meta, "annotations"), f"{field}.annotations")
    yield from annotation_errors(part(meta, "annotations"), spec, f"{field}.annotations")
    yield from pod_spec_errors(spec, f"{field}.spec")
    yield from profile_match_errors(part(meta, "annotations"), spec, f"{field}.spec")
    if parts(spec, "ephemeralContainers"):
        text = "ephemeral containers not allowed in pod template"
        yield fe.forbidden(f"{field}.spec.ephemeralContainers", text)
