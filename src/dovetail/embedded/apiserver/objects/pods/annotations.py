"""Annotations that mean something to pods: mirror pods, deletion cost, and the profiles that fields have replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part
from .formats import relative_path
from .security import all_containers

Object = dict[str, Any]

MIRROR = "kubernetes.io/config.mirror"
_COST = "controller.kubernetes.io/pod-deletion-cost"
SECCOMP_POD, SECCOMP = "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_DEFAULTS = ("runtime/default", "docker/default")


def annotation_errors(given: Mapping[str, str], spec: Object, field: str) -> Iterator[FieldError]:
    if MIRROR in given and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        yield fe.invalid(f"{field}[{MIRROR}]", given[MIRROR], text)
    cost = given.get(_COST)
    if cost is not None and not _is_cost(cost):
        yield fe.invalid(f"{field}[{_COST}]", cost, "must be a 32bit integer")
    for key in sorted(given):
        if key == SECCOMP_POD or key.startswith(SECCOMP):
            yield from _seccomp_errors(given[key], f"{field}.{key}")
    names = {str(container.get("name", "")) for container, _ in all_containers(spec, "")}
    for key in sorted(given):
        if key.startswith(APP_ARMOR):
            name, profile = key.removeprefix(APP_ARMOR), given[key]
            if name not in names:
                yield fe.invalid(f"{field}[{key}]", name, "container not found")
            if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
                yield fe.invalid(f"{field}[{key}]", profile, f'invalid AppArmor profile name: "{profile}"')


def _is_cost(text: str) -> bool:
    if not re.match(r"(-?[1-9][0-9]*|0)\Z", text):
        return False
    return -(1 << 31) <= int(text) < 1 << 31


def _seccomp_errors(profile: str, field: str) -> Iterator[FieldError]:
    if profile in (*_DEFAULTS, "unconfined"):
        return
    if profile.startswith("localhost/"):
        yield from relative_path(field, profile.removeprefix("localhost/"))
    else:
        yield fe.invalid(field, profile, "must be a valid seccomp profile")


def profile_match_errors(given: Mapping[str, str], spec: Object, field: str) -> Iterator[FieldError]:
    """Where both an annotation and a field name a profile, they name the same one."""
    whole = part(spec, "securityContext").get("seccompProfile")
    if is_object(whole) and SECCOMP_POD in given:
        yield from _match("seccomp", given[SECCOMP_POD], whole, f"{field}.securityContext.seccompProfile")
    for container, where in all_containers(spec, field):
        own = part(container, "securityContext").get("seccompProfile")
        key = f"{SECCOMP}{container.get('name', '')}"
        if is_object(own) and key in given:
            yield from _match("seccomp", given[key], own, f"{where}.securityContext.seccompProfile")
    if part(spec, "os").get("name") == "windows":
        return
    for container, where in all_containers(spec, field):
        own = part(container, "securityContext").get("appArmorProfile")
        own = own or part(spec, "securityContext").get("appArmorProfile")
        key = f"{APP_ARMOR}{container.get('name', '')}"
        if is_object(own) and key in given:
            yield from _match("apparmor", given[key], own, f"{where}.securityContext.appArmorProfile")


def _match(what: str, annotation: str, profile: Object, field: str) -> Iterator[FieldError]:
    defaults = _DEFAULTS if what == "seccomp" else _DEFAULTS[:1]
    kind = profile.get("type")
    fits = {"Unconfined": annotation == "unconfined", "RuntimeDefault": annotation in defaults}
    if not fits.get(str(kind), kind != "Localhost" or annotation.startswith("localhost/")):
        yield fe.forbidden(f"{field}.type", f"{what} type in annotation and field must match")
    elif kind == "Localhost" and annotation.removeprefix("localhost/") != profile.get("localhostProfile"):
        yield fe.forbidden(f"{field}.localhostProfile", f"{what} profile in annotation and field must match")


def annotation_update_errors(new: Mapping[str, str], old: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for key in sorted({*old, *new}):
        if old.get(key) == new.get(key):
            continue
        verb = "remove or update" if key in old else "add"
        if key.startswith(APP_ARMOR):
            yield fe.forbidden(f"{field}[{key}]", f"may not {verb} AppArmor annotations")
        if key == MIRROR:
            yield fe.forbidden(f"{field}[{key}]", f"may not {verb} mirror pod annotation")


def app_armor_field(annotation: str) -> Object | None:
    """The profile that an annotation means, where it is a valid one."""
    if annotation.startswith("localhost/") and annotation.removeprefix("localhost/").strip():
        path = annotation.removeprefix("localhost/")
        return {"type": "Localhost", "localhostProfile": path} if path == path.strip() else None
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    return {"type": "Unconfined"} if annotation == "unconfined" else None
