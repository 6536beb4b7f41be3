"""DeleteOptions: read from the body or the query, checked, and turned into wishes. Pure but for reading the call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ..errors import BadRequest, Conflict, Invalid
from ..fielderrors import FieldError, invalid, not_supported
from ..foreign import part
from .call import Call
from .decoding import Object, parse

_POLICIES = ("Foreground", "Background", "Orphan")
_FINALIZERS = {"Orphan": "orphan", "Foreground": "foregroundDeletion"}
_GC = ("orphan", "foregroundDeletion")
_UNREADABLE = "ignoreStoreReadErrorWithClusterBreakingPotential"
_KNOWN = ("gracePeriodSeconds", "preconditions", "orphanDependents", "propagationPolicy", "dryRun", _UNREADABLE)

_TYPES = {"gracePeriodSeconds": int, "orphanDependents": bool, "propagationPolicy": str, _UNREADABLE: bool}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a deletion asks for; None means not said. ``stated`` is the wire form."""

    grace: int | None
    uid: str | None
    version: str | None
    orphan: bool | None
    policy: str
    dry_run: bool
    stated: Object

    def wire(self) -> Object:
        return {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", **self.stated}

    def finalizers(self, present: list[str]) -> list[str]:
        """The finalizers of an object after this deletion: those of garbage collection are set or taken away."""
        wanted = [] if self.policy or self.orphan is not None else [name for name in present if name in _GC]
        if self.orphan or self.policy in _FINALIZERS:
            wanted = ["orphan" if self.orphan else _FINALIZERS[self.policy]]
        kept = [name for name in present if name not in _GC or name in wanted]
        return kept + [name for name in wanted if name not in kept]


def wishes_of(call: Call) -> Wishes:
    """The options of this request. Raises BadRequest, Invalid."""
    stated = _body(call) if call.body else _query(call)
    return read_wishes(stated)


def read_wishes(stated: Object) -> Wishes:
    """From the wire form. Raises Invalid."""
    if errors := list(_errors(stated)):
        raise Invalid("meta.k8s.io", "DeleteOptions", "", errors)
    conditions = part(stated, "preconditions")
    grace = stated.get("gracePeriodSeconds")
    return Wishes(
        grace=None if grace is None else max(int(grace), 0) or (1 if int(grace) < 0 else 0),
        uid=conditions.get("uid"), version=conditions.get("resourceVersion"), orphan=stated.get("orphanDependents"),
        policy=str(stated.get("propagationPolicy") or ""), dry_run=bool(stated.get("dryRun")), stated=stated,
    )  # fmt: skip


def _body(call: Call) -> Object:
    body: Any = parse(call.body, call.content_type)
    if body is None:
        body = {}
    if not isinstance(body, dict):
        raise BadRequest("couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value")
    obj = cast("Object", body)
    kind, version = obj.get("kind") or "DeleteOptions", obj.get("apiVersion") or "meta.k8s.io/v1"
    if kind != "DeleteOptions":
        scheme = "pkg/apis/meta/internalversion/scheme/register.go:29"
        raise BadRequest(f'no kind "{kind}" is registered for version "{version}" in scheme "{scheme}"')
    for name, of in _TYPES.items():
        value = obj.get(name)
        if value is not None and value.__class__ is not of:
            raise BadRequest(
                f'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: cannot unmarshal into Go '
                f"struct field DeleteOptions.{name}"
            )
    return {name: obj[name] for name in _KNOWN if obj.get(name) is not None}


def _query(call: Call) -> Object:
    query, stated = call.query, dict[str, Any]()
    if query.has("gracePeriodSeconds"):
        stated["gracePeriodSeconds"] = query.number("gracePeriodSeconds")
    if query.has("orphanDependents"):
        stated["orphanDependents"] = query.flag("orphanDependents")
    if query.get("propagationPolicy"):
        stated["propagationPolicy"] = query.get("propagationPolicy")
    if query.has(_UNREADABLE):
        stated[_UNREADABLE] = query.flag(_UNREADABLE)
    if dry_run := query.all("dryRun"):
        stated["dryRun"] = dry_run
    return stated


def _errors(stated: Object) -> Iterator[FieldError]:
    policy = stated.get("propagationPolicy")
    if policy is not None and stated.get("orphanDependents") is not None:
        yield invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
    if policy is not None and policy not in _POLICIES:
        yield not_supported("propagationPolicy", policy, [*_POLICIES, "nil"])
    if stated.get(_UNREADABLE):
        # There are no such objects here. A gated kube-apiserver deletes them so, and says this of all others.
        text = "it is exclusively used to delete corrupt object(s), try again by removing this option"
        yield invalid(_UNREADABLE, True, text)
    dry_run = stated.get("dryRun")
    if dry_run and any(value != "All" for value in cast("list[Any]", dry_run)):
        yield not_supported("dryRun", dry_run, ["All"])


def check_preconditions(call: Call, name: str, uid: str, version: str, wishes: Wishes) -> None:
    """Raises Conflict."""
    if wishes.uid is not None and wishes.uid != uid:
        why = (
            f"the UID in the precondition ({wishes.uid}) does not match the UID in record ({uid}). The object might "
            "have been deleted and then recreated"
        )
    elif wishes.version is not None and wishes.version != version:
        why = (
            f"the ResourceVersion in the precondition ({wishes.version}) does not match the ResourceVersion in record "
            f"({version}). The object might have been modified"
        )
    else:
        return
    raise Conflict(call.resource.group, call.resource.kind, name, why)
