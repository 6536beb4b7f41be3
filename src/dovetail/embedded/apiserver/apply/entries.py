"""The entries of ``metadata.managedFields``: who they belong to, their order, and how many are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ..foreign import part
from . import fields as f
from .fields import FieldSet

Object = dict[str, Any]
Identity = tuple[str, str, str, str]
"""manager, operation, apiVersion, subresource"""

UPDATERS = 10
"""So many Update entries are kept; the oldest beyond that become one of ``ancient-changes``."""

_ANCIENT, _BEFORE = "ancient-changes", "before-first-apply"
_NOBODYS: FieldSet = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        **{
            f"f:{name}": {}
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                "managedFields", "resourceVersion",
            )
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: manager name, apiVersion of the request, subresource, and the time for the record (RFC 3339).

    ``reset`` are the top-level fields that this endpoint does not write, and which nobody comes to own through it.
    """

    manager: str
    api_version: str
    subresource: str
    now: str
    reset: tuple[str, ...] = ()

    def entry(self, operation: str, owned: FieldSet) -> Object:
        entry: Object = {"manager": self.manager or "unknown", "operation": operation, "apiVersion": self.api_version}
        entry |= {"time": self.now, "fieldsType": "FieldsV1", "fieldsV1": owned}
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry

    def identity(self, operation: str) -> Identity:
        version = "" if operation == "Apply" else self.api_version
        return self.manager or "unknown", operation, version, self.subresource

    def before_apply(self) -> Writer:
        """In whose name everything is recorded that was there before the first apply."""
        return replace(self, manager=_BEFORE)

    def without_reset(self, members: FieldSet) -> FieldSet:
        return {key: entry for key, entry in members.items() if key[2:] not in self.reset} if self.reset else members


def identity(entry: Mapping[str, Any]) -> Identity:
    """Each manager has at most one entry of this: an applier's is the same in all versions."""
    operation = str(entry.get("operation", ""))
    version = "" if operation == "Apply" else str(entry.get("apiVersion", ""))
    return str(entry.get("manager", "")), operation, version, str(entry.get("subresource", ""))


def entries_of(obj: Mapping[str, Any]) -> list[Object]:
    return list(part(obj, "metadata").get("managedFields") or [])


def owned(entry: Mapping[str, Any]) -> FieldSet:
    return cast("FieldSet", entry.get("fieldsV1") or {})


def is_reset(claimed: Any) -> bool:
    """Clients clear the record by sending an empty list, or one empty entry."""
    return claimed == [] or claimed == [{}]


def readable(entries: Any) -> bool:
    """Whether entries from a client can be the record of an object."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in cast("list[Any]", entries)):
        return False
    return all(
        entry.get("operation") in ("Apply", "Update")
        and entry.get("apiVersion")
        and entry.get("fieldsType") == "FieldsV1"
        and f.is_set(entry.get("fieldsV1") or {})
        for entry in cast("list[Object]", entries)
    )


def plain(obj: Mapping[str, Any]) -> Object:
    """The object without the record itself."""
    meta = {k: v for k, v in part(obj, "metadata").items() if k != "managedFields"}
    return {**obj, "metadata": meta}


def stated(entry: Object, members: FieldSet) -> Object | None:
    """The entry with these fields, less what is nobody's; None when nothing is left."""
    left = f.difference(members, _NOBODYS)
    return with_fields(entry, left) if left else None


def with_fields(entry: Object, members: FieldSet) -> Object:
    return entry if members is entry.get("fieldsV1") else {**entry, "fieldsV1": members}


def arranged(entries: Sequence[Object]) -> list[Object]:
    """In kube-apiserver's order: appliers first, then by time, manager, version and subresource."""
    return sorted(entries, key=_rank)


def _rank(entry: Object) -> tuple[str, ...]:
    names = ("operation", "time", "manager", "apiVersion", "subresource")
    return tuple(str(entry.get(name) or "") for name in names)


def capped(entries: Sequence[Object]) -> list[Object]:
    """With at most UPDATERS Update entries: the oldest of a version are merged."""
    updaters = [entry for entry in entries if entry.get("operation") == "Update"]
    if len(updaters) <= UPDATERS:
        return list(entries)
    kept = {identity(entry): entry for entry in entries}
    first: dict[str, Identity] = {}
    count = len(updaters)
    for entry in sorted(updaters, key=_age):
        if count <= UPDATERS:
            break
        version = str(entry["apiVersion"])
        bucket = (_ANCIENT, "Update", version, "")
        if version not in first:
            first[version] = identity(entry)
            continue
        if bucket not in kept:
            oldest = kept.pop(first[version])
            kept[bucket] = {**{k: v for k, v in oldest.items() if k != "subresource"}, "manager": _ANCIENT}
        union = f.union(owned(entry), owned(kept[bucket]))
        kept.pop(identity(entry), None)
        kept[bucket] = {**kept[bucket], "fieldsV1": union, "time": entry.get("time")}
        count -= 1
    return list(kept.values())


def _age(entry: Object) -> tuple[str, ...]:
    return str(entry.get("time") or ""), *identity(entry)
