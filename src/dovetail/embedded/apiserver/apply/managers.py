"""``metadata.managedFields``: recording who wrote what, and server-side apply. Pure.

Model. Each manager has at most one entry per (operation, apiVersion, subresource). A plain write moves the fields it
changed to its manager's Update entry and takes them from everybody else. An apply states everything its manager
wishes: fields that it wished before and no longer does are removed, unless another manager has them; fields that
another manager holds with another value are conflicts, unless forced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import ApplyConflict
from ..foreign import part
from ..schema.node import Node
from . import fields as f
from .fields import FieldSet
from .merge import merge, remove

Object = dict[str, Any]

# Fields that are nobody's: identity and bookkeeping.
_IGNORED: FieldSet = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        f"f:{name}": {}
        for name in (
            "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
            "resourceVersion", "generateName", "deletionTimestamp", "deletionGracePeriodSeconds",
        )
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: manager name, apiVersion of the request, subresource, and the time for the record (RFC 3339)."""

    manager: str
    api_version: str
    subresource: str
    now: str
    reset: tuple[str, ...] = ()

    def entry(self, operation: str, owned: FieldSet) -> Object:
        entry: Object = {"manager": self.manager, "operation": operation, "apiVersion": self.api_version}
        entry |= {"time": self.now, "fieldsType": "FieldsV1", "fieldsV1": owned}
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry

    def same(self, entry: Mapping[str, Any], operation: str) -> bool:
        return (
            entry.get("manager") == self.manager
            and entry.get("operation") == operation
            and entry.get("subresource", "") == self.subresource
            and (operation == "Apply" or entry.get("apiVersion") == self.api_version)
        )


def entries_of(obj: Mapping[str, Any]) -> list[Object]:
    return list(obj.get("metadata", {}).get("managedFields") or [])


def _plain(obj: Mapping[str, Any]) -> Object:
    """The object without what is nobody's."""
    meta = {k: v for k, v in part(obj, "metadata").items() if f"f:{k}" not in _IGNORED["f:metadata"]}
    rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind", "metadata")}
    return ({"metadata": meta} if meta else {}) | rest


def _reset(owned: FieldSet, writer: Writer) -> FieldSet:
    """Fields of the other endpoint (status on the main one, the rest on /status) cannot be owned through this one."""
    result = {key: entry for key, entry in owned.items() if key.removeprefix("f:") not in writer.reset}
    return f.without(result, _IGNORED)


def record_update(node: Node, old: Mapping[str, Any] | None, new: Object, writer: Writer) -> list[Object]:
    """The managedFields of ``new`` after a plain write. Clients may clear them by sending ``[{}]`` or ``[]``."""
    claimed = new.get("metadata", {}).get("managedFields")
    entries = entries_of(old) if old is not None and not _cleared(claimed) else []
    before, after = _plain(old or {}), _plain(new)
    changed, removed = f.compare(node, before, after)
    changed = _reset(changed, writer)
    if not changed and not removed:
        return entries
    result: list[Object] = []
    mine: FieldSet = {}
    time = writer.now
    for entry in entries:
        owned: FieldSet = part(entry, "fieldsV1")
        if writer.same(entry, "Update"):
            mine = owned
            time = time if changed else str(entry.get("time", time))
            continue
        left = f.difference(f.without(owned, removed), changed)
        if left:
            result.append(entry if left == owned else {**entry, "fieldsV1": left})
    mine = f.union(f.without(mine, removed), changed)
    if mine:
        result.append({**writer.entry("Update", mine), "time": time})
    return _sorted(result)


def _cleared(claimed: Any) -> bool:
    return claimed == [] or claimed == [{}]


def apply(node: Node, live: Object | None, wish: Object, writer: Writer, force: bool) -> tuple[Object, list[Object]]:
    """The object after the apply (without managedFields) and its managedFields. Raises ApplyConflict."""
    current = live or {}
    entries = entries_of(current)
    wished = _reset(f.field_set(node, _plain(wish)), writer)
    merged: Object = merge(node, current, wish)
    none: FieldSet = {}
    previous = next((part(e, "fieldsV1") for e in entries if writer.same(e, "Apply")), none)
    others = [entry for entry in entries if not writer.same(entry, "Apply")]
    merged = _drop_unwished(node, merged, previous, wished, others)
    changed, removed = f.compare(node, _plain(current), _plain(merged))
    conflicts = _conflicts(others, changed, wished)
    if conflicts and not force:
        raise _conflict_error(conflicts)
    kept = _take(others, f.intersection(changed, wished), removed)
    if wished:
        kept.append(_entry(entries, writer, wished))
    return merged, _sorted(kept)


def _entry(entries: Sequence[Object], writer: Writer, wished: FieldSet) -> Object:
    """The manager's entry; its time moves only when the fields do."""
    entry = writer.entry("Apply", wished)
    old = next((e for e in entries if writer.same(e, "Apply")), None)
    if old is not None and old.get("fieldsV1") == wished and old.get("apiVersion") == writer.api_version:
        entry["time"] = old.get("time", writer.now)
    return entry


def _drop_unwished(
    node: Node, merged: Object, previous: FieldSet, wished: FieldSet, others: Sequence[Object]
) -> Object:
    gone = f.difference(previous, wished)
    for entry in others:
        gone = f.difference(gone, part(entry, "fieldsV1"))
    gone = _not_above(gone, wished, others)
    return remove(node, merged, gone) if gone else merged


def _not_above(gone: FieldSet, wished: FieldSet, others: Sequence[Object]) -> FieldSet:
    """An item or container stays while somebody holds something inside it."""
    held = wished
    for entry in others:
        held = f.union(held, part(entry, "fieldsV1"))
    return _prune_above(gone, held)


def _prune_above(gone: FieldSet, held: FieldSet) -> FieldSet:
    result: FieldSet = {}
    for key, entry in gone.items():
        if key == ".":
            continue
        inside = {k: v for k, v in held.get(key, {}).items() if k != "."}
        if not inside:
            result[key] = entry
            continue
        below = _prune_above(entry, held[key])
        if below:
            result[key] = below
    return result


def _take(others: Sequence[Object], taken: FieldSet, removed: FieldSet) -> list[Object]:
    result: list[Object] = []
    for entry in others:
        owned: FieldSet = part(entry, "fieldsV1")
        left = f.difference(f.without(owned, removed), taken)
        if left:
            result.append(entry if left == owned else {**entry, "fieldsV1": left})
    return result


def _conflicts(others: Sequence[Object], changed: FieldSet, wished: FieldSet) -> list[tuple[Object, FieldSet]]:
    contested = f.intersection(changed, wished)
    found = [(entry, f.intersection(part(entry, "fieldsV1"), contested)) for entry in others]
    return [(entry, shared) for entry, shared in found if shared]


def _conflict_error(conflicts: Sequence[tuple[Object, FieldSet]]) -> ApplyConflict:
    causes: list[dict[str, str]] = []
    lines: list[str] = []
    for entry, shared in conflicts:
        who = _who(entry)
        paths = list(paths_of(shared))
        causes += [{"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": p} for p in paths]
        lines.append(f"conflicts with {who}:\n" + "\n".join(f"- {p}" for p in paths))
    total = len(causes)
    if total == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        message = f"Apply failed with {total} conflicts: " + "\n".join(lines)
    return ApplyConflict(message, causes)


def _who(entry: Mapping[str, Any]) -> str:
    who = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    if entry.get("operation") == "Update":
        who += f" using {entry.get('apiVersion', '')}"
    return who


def paths_of(members: FieldSet, prefix: str = "") -> list[str]:
    """Dotted paths of a set's members, as in conflict messages (``.spec.containers[name="a"].image``)."""
    found: list[str] = []
    for key, entry in members.items():
        if key == ".":
            continue
        path = prefix + _shown(key)
        if f.is_member(entry):
            found.append(path)
        found += paths_of(entry, path)
    return found


def _shown(key: str) -> str:
    kind, _, rest = key.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "k":
        pairs = orjson.loads(rest)
        return "[" + ",".join(f"{k}={orjson.dumps(v).decode()}" for k, v in pairs.items()) + "]"
    return f"[={rest}]" if kind == "v" else f"[{rest}]"


def _sorted(entries: list[Object]) -> list[Object]:
    """Apply entries before Update entries, then by time: the order of kube-apiserver."""
    return sorted(entries, key=lambda e: (e.get("operation") != "Apply", e.get("time", ""), e.get("manager", "")))
