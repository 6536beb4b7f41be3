"""The names of a CustomResourceDefinition and its conditions, as kube-apiserver's controllers set them.

A definition's names are accepted one by one against the accepted names of the others of its group (plural, singular and
short names share one space, kind and listKind another). The first time all are accepted, it is established, for good.
Pure: ``status_of`` gives the status, ``objects.definitions`` stores it. (Source: apiextensions ``controller/status``.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..foreign import part, parts

Object = dict[str, Any]
APPROVAL = "api-approved.kubernetes.io"
_PULL = "see https://github.com/kubernetes/enhancements/pull/1111"
_ACCEPTED = ("True", "NoConflicts", "no conflicts found")
_ESTABLISHED = ("True", "InitialNamesAccepted", "the initial names have been accepted")
_NOT_ESTABLISHED = ("False", "NotAccepted", "not all names are accepted")
TERMINATING = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
_ORDER = ("KubernetesAPIApprovalPolicyConformant", "NamesAccepted", "Established")
Condition = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """The accepted names of the other definitions of a group."""

    resources: frozenset[str]
    kinds: frozenset[str]


def taken_by(others: Iterable[Object]) -> Taken:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        names = part(other, "status", "acceptedNames")
        resources |= {str(names.get("plural") or ""), str(names.get("singular") or ""), *parts(names, "shortNames")}
        kinds |= {str(names.get("kind") or ""), str(names.get("listKind") or "")}
    return Taken(frozenset(resources - {""}), frozenset(kinds - {""}))


def status_of(crd: Object, status: Object, taken: Taken, now: str) -> Object:
    """The status that follows from ``status`` (the one of before) and the names of the others."""
    names, accepted = part(crd, "spec", "names"), part(status, "acceptedNames")
    found = {c["type"]: c for c in parts(status, "conditions")}
    wanted: dict[str, Condition] = {}
    if protected(str(part(crd, "spec").get("group") or "")):
        wanted["KubernetesAPIApprovalPolicyConformant"] = _conformant(crd)
    new, problem = _negotiated(names, accepted, taken)
    wanted["NamesAccepted"] = ("False", *problem) if problem else _ACCEPTED
    established = part(found, "Established").get("status") == "True"
    if not established:
        wanted["Established"] = _NOT_ESTABLISHED if problem else _ESTABLISHED
    conditions = list(found.values())
    for kind in _ORDER:
        if kind in wanted:
            _set(conditions, kind, wanted[kind], now)
    versions = [str(version) for version in parts(status, "storedVersions")]
    storage = next((str(v.get("name")) for v in parts(crd, "spec", "versions") if v.get("storage")), "")
    if storage and storage not in versions:
        versions.append(storage)
    return {**status, "conditions": conditions, "acceptedNames": new, "storedVersions": versions}


def _negotiated(names: Object, accepted: Object, taken: Taken) -> tuple[Object, tuple[str, str] | None]:
    """(the names accepted now, the reason and message of the last conflict)."""
    new = dict(accepted)
    problem: tuple[str, str] | None = None
    for name, reason, used in (
        ("plural", "PluralConflict", taken.resources),
        ("singular", "SingularConflict", taken.resources),
        ("shortNames", "ShortNamesConflict", taken.resources),
        ("kind", "KindConflict", taken.kinds),
        ("listKind", "ListKindConflict", taken.kinds),
    ):
        conflicts = _conflicts(name, names, accepted, used)
        if conflicts:
            problem = (reason, conflicts)
        elif names.get(name):
            new[name] = names[name]
        else:
            new.pop(name, None)
    new.pop("categories", None)
    if names.get("categories"):
        new["categories"] = names["categories"]
    return {"plural": "", "kind": "", **new}, problem


def _conflicts(name: str, names: Object, accepted: Object, used: frozenset[str]) -> str:
    wanted, known = names.get(name), accepted.get(name)
    if wanted == known:
        return ""
    if name != "shortNames":
        return f'"{wanted}" is already in use' if wanted in used else ""
    ours = {*parts(accepted, "shortNames"), accepted.get("plural"), accepted.get("singular")}
    found = [
        f'"{short}" is already in use' for short in parts(names, "shortNames") if short not in ours and short in used
    ]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]" if found else ""


def _set(conditions: list[Object], kind: str, wanted: Condition, now: str) -> None:
    """Set a condition where it stands, or at the end."""
    status, reason, message = wanted
    fresh = {"lastTransitionTime": now, "message": message, "reason": reason, "status": status, "type": kind}
    for index, old in enumerate(conditions):
        if old["type"] == kind:
            if old.get("status") == status:
                fresh["lastTransitionTime"] = old.get("lastTransitionTime", now)
            conditions[index] = {**old, **fresh}
            return
    conditions.append(fresh)


def terminating(crd: Object, now: str) -> None:
    """Mark a definition whose instances are being deleted."""
    status = crd.setdefault("status", {})
    conditions = list(parts(status, "conditions"))
    _set(conditions, "Terminating", TERMINATING, now)
    status["conditions"] = conditions


def is_established(crd: Object) -> bool:
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in parts(crd, "status", "conditions"))


# -- the groups of Kubernetes' own community


def protected(group: str) -> bool:
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def approval(crd: Object) -> Condition:
    """(Approved, Unapproved, Invalid or Missing; what is written; why), of the annotation that such groups need."""
    found = str(part(crd, "metadata", "annotations").get(APPROVAL) or "")
    if not found:
        return "Missing", "", f'protected groups must have approval annotation "{APPROVAL}", {_PULL}'
    if found.startswith("unapproved"):
        return "Unapproved", found, f'not approved: "{found}"'
    try:
        url = urlsplit(found)
    except ValueError:
        url = urlsplit("")
    if url.scheme and url.netloc:
        return "Approved", found, f"approved in {found}"
    either = 'with either a URL or a reason starting with "unapproved"'
    return "Invalid", found, f'protected groups must have approval annotation "{APPROVAL}" {either}, {_PULL}'


def _conformant(crd: Object) -> Condition:
    state, _, reason = approval(crd)
    return ("True" if state == "Approved" else "False", f"{state}Annotation", reason)
