"""The rules that ``restricted`` adds: what a careful pod states about itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....foreign import part, parts
from .findings import (
    Finding,
    Object,
    containers,
    context,
    in_user_namespace,
    is_windows,
    named,
    names_where,
    plural,
    quoted,
    setters,
)

Meta = Mapping[str, Any]

_ALLOWED_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_KNOWN_VOLUMES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd",
    "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
    "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip


def allow_privilege_escalation(meta: Meta, spec: Object) -> Finding | None:
    names = names_where(spec, lambda container: context(container).get("allowPrivilegeEscalation") is not False)
    if not names:
        return None
    text = f"{named(names)} must set securityContext.allowPrivilegeEscalation=false"
    return Finding("allowPrivilegeEscalation != false", text)


def allow_privilege_escalation_1_25(meta: Meta, spec: Object) -> Finding | None:
    return None if is_windows(spec) else allow_privilege_escalation(meta, spec)


def capabilities_1_22(meta: Meta, spec: Object) -> Finding | None:
    keeping: list[str] = []
    adding: list[str] = []
    added: set[str] = set()
    for container in containers(spec):
        chosen = part(context(container), "capabilities")
        if "ALL" not in parts(chosen, "drop"):
            keeping.append(str(container.get("name", "")))
        beyond = set(parts(chosen, "add")) - {"NET_BIND_SERVICE"}
        if beyond:
            adding.append(str(container.get("name", "")))
            added |= beyond
    told: list[str] = []
    if keeping:
        told.append(f'{named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        told.append(f"{named(adding)} must not include {quoted(sorted(added))} in securityContext.capabilities.add")
    return Finding("unrestricted capabilities", "; ".join(told)) if told else None


def capabilities_1_25(meta: Meta, spec: Object) -> Finding | None:
    return None if is_windows(spec) else capabilities_1_22(meta, spec)


def volumes(meta: Meta, spec: Object) -> Finding | None:
    bad = [volume for volume in parts(spec, "volumes") if not _ALLOWED_VOLUMES & volume.keys()]
    if not bad:
        return None
    names = [str(volume.get("name", "")) for volume in bad]
    kinds = sorted({next((kind for kind in _KNOWN_VOLUMES if kind in volume), "unknown") for volume in bad})
    text = (
        f"{plural('volume', 'volumes', len(names))} {quoted(names)} {plural('uses', 'use', len(names))} "
        f"{plural('restricted volume type', 'restricted volume types', len(kinds))} {quoted(kinds)}"
    )
    return Finding("restricted volume types", text)


def run_as_non_root(meta: Meta, spec: Object) -> Finding | None:
    whole = context(spec).get("runAsNonRoot")
    explicit = names_where(spec, lambda container: context(container).get("runAsNonRoot") is False)
    if who := setters(whole is False, explicit):
        return Finding("runAsNonRoot != true", f"{who} must not set securityContext.runAsNonRoot=false")
    implicit = names_where(spec, lambda c: context(c).get("runAsNonRoot") is None and not whole)
    text = f"pod or {named(implicit)} must set securityContext.runAsNonRoot=true"
    return Finding("runAsNonRoot != true", text) if implicit else None


def run_as_non_root_1_35(meta: Meta, spec: Object) -> Finding | None:
    return None if in_user_namespace(spec) else run_as_non_root(meta, spec)


def run_as_user_1_23(meta: Meta, spec: Object) -> Finding | None:
    explicit = names_where(spec, lambda container: context(container).get("runAsUser") == 0)
    who = setters(context(spec).get("runAsUser") == 0, explicit)
    return Finding("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def run_as_user_1_35(meta: Meta, spec: Object) -> Finding | None:
    return None if in_user_namespace(spec) else run_as_user_1_23(meta, spec)


def seccomp_1_19(meta: Meta, spec: Object) -> Finding | None:
    def kind(holder: Object) -> str:
        return str(part(context(holder), "seccompProfile").get("type", ""))

    def is_set(holder: Object) -> bool:
        return "seccompProfile" in context(holder)

    def bad(holder: Object) -> bool:
        return is_set(holder) and kind(holder) not in ("RuntimeDefault", "Localhost")

    if who := setters(bad(spec), names_where(spec, bad)):
        kinds = sorted({kind(holder) for holder in (spec, *containers(spec)) if bad(holder)})
        return Finding("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(kinds)}")
    implicit = names_where(spec, lambda container: not is_set(container) and not is_set(spec))
    text = f'pod or {named(implicit)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Finding("seccompProfile", text) if implicit else None


def seccomp_1_25(meta: Meta, spec: Object) -> Finding | None:
    return None if is_windows(spec) else seccomp_1_19(meta, spec)
