"""``metadata.managedFields``: recording who wrote what, and server-side apply. Pure.

Model. Each manager has at most one entry per (operation, apiVersion, subresource). A plain write moves the fields it
changed to its manager's Update entry and takes them from everybody else. An apply states everything its manager
wishes: fields that it wished before and no longer does are removed, unless another manager has them; fields that
another manager holds with another value are conflicts, unless forced.

Both work on the object as the client sent it, defaulted but before admission: what admission and the server add
belongs to nobody, as in kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from ..foreign import part
from ..schema import node as n
from ..schema.conform import conform
from ..schema.node import Node
from . import fields as f
from .comparison import compare, field_set, with_named
from .conflicts import Conflict, conflict_error
from .entries import (
    Writer,
    arranged,
    capped,
    entries_of,
    identity,
    is_reset,
    owned,
    plain,
    readable,
    stated,
    with_fields,
)
from .fields import FieldSet
from .merge import merge, remove

__all__ = ["Writer", "apply", "entries_of", "record_update"]

Object = dict[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


# -- plain writes


def record_update(node: Node, old: Mapping[str, Any] | None, new: Mapping[str, Any], writer: Writer) -> list[Object]:
    """The managedFields of ``new`` after a plain write; ``new`` holds those that the client sent.

    An object without a record stays without one until somebody applies. Clients clear the record with ``[{}]``.
    """
    entries = _base(old, new, writer)
    if old is not None and not entries:
        return []
    if old is not None and entries is old["metadata"].get("managedFields") and plain(old) == plain(new):
        return entries
    return _recorded(node, entries, _nothing(node) if old is None else old, new, writer)


def _recorded(
    node: Node, entries: Sequence[Object], old: Mapping[str, Any], new: Mapping[str, Any], writer: Writer
) -> list[Object]:
    changed, removed = map(writer.without_reset, compare(node, plain(old), plain(new)))
    result: list[Object] = []
    mine: FieldSet = {}
    time, own = writer.now, writer.identity("Update")
    for entry in entries:
        left = _left(entry, changed, removed)
        if identity(entry) == own:
            mine, time = left, str(entry.get("time") or time)
        elif left:
            result.append(with_fields(entry, left))
    entry = stated({**writer.entry("Update", {}), "time": writer.now if changed else time}, f.union(mine, changed))
    return arranged(capped([*result, entry] if entry else result))


def _base(old: Mapping[str, Any] | None, new: Mapping[str, Any], writer: Writer) -> list[Object]:
    """The record on which a write builds: the client's, when it sent a readable one, else that of the live object."""
    live: list[Object] = part(old, "metadata").get("managedFields") or [] if old is not None else []
    claimed = part(new, "metadata").get("managedFields")
    if writer.subresource or not claimed or claimed == live:
        return [] if claimed == [] and not writer.subresource else live
    if is_reset(claimed):
        return []
    return claimed if readable(claimed) else live


def _nothing(node: Node) -> Object:
    """The object before its creation: in Go, a struct whose inner structs are there already."""
    return conform(node, {}, []) if node.kind == n.STRUCT and node.go is not None else {}


# -- apply


def apply(node: Node, live: Object | None, wish: Object, writer: Writer, force: bool) -> tuple[Object, list[Object]]:
    """The object after the apply (without managedFields) and its managedFields. Raises ApplyConflict.

    kubectl may take over what it applied from the client's side before: fields that its annotation on the live object
    states are no conflicts for it, and the annotation follows the wish.
    """
    entries = entries_of(live or {})
    if live is not None and not entries:
        entries = _recorded(node, [], _nothing(node), live, writer.before_apply())
    current = plain(live or {})
    merged, managed, conflicts = _applied(node, current, wish, entries, writer)
    if conflicts and not force:
        if writer.manager == "kubectl":
            conflicts = _beyond(conflicts, _last_applied(node, current))
        if conflicts:
            raise conflict_error(conflicts)
    if writer.manager == "kubectl":
        _state_last_applied(merged, wish)
    return merged, managed


def _applied(
    node: Node, live: Object, wish: Object, entries: Sequence[Object], writer: Writer
) -> tuple[Object, list[Object], list[Conflict]]:
    who = writer.identity("Apply")
    own = next((entry for entry in entries if identity(entry) == who), None)
    others = [entry for entry in entries if entry is not own]
    wished = writer.without_reset(field_set(node, wish))
    merged: Object = merge(node, live, wish)
    if own is not None and f.difference(owned(own), wished):
        held = [wished, *(owned(entry) for entry in others)]
        merged = _pruned(node, merged, with_named(node, owned(own)), held)
    changed, removed = map(writer.without_reset, compare(node, live, merged))
    conflicts: list[Conflict] = [(entry, both) for entry in others if (both := f.intersection(owned(entry), changed))]
    result = [with_fields(entry, left) for entry in others if (left := _left(entry, changed, removed))]
    if mine := stated(writer.entry("Apply", {}), wished):
        result.append(mine)
    if own is not None and mine is not None and not changed and not removed:
        untimed = [{**entry, "time": ""} for entry in arranged(result)]
        if untimed == [{**entry, "time": ""} for entry in arranged(entries)]:
            mine["time"] = own.get("time", writer.now)
    return merged, arranged(result), conflicts


def _left(entry: Object, changed: FieldSet, removed: FieldSet) -> FieldSet:
    """What stays of an entry when others take ``changed`` and ``removed`` is gone."""
    left = owned(entry)
    if changed:
        left = f.difference(left, changed)
    return f.difference(left, removed) if removed else left


def _pruned(node: Node, merged: Object, last: FieldSet, held: Sequence[FieldSet]) -> Object:
    """``merged`` without what the manager wished last time and nobody (itself included) holds now."""
    everything = with_named(node, field_set(node, merged))
    kept = with_named(node, field_set(node, remove(node, merged, last)))
    for members in held:
        kept = f.union(kept, with_named(node, members))
    kept = with_named(node, field_set(node, remove(node, merged, f.difference(everything, kept))))
    gone = f.intersection(f.difference(everything, kept), last)
    return remove(node, merged, gone) if gone else merged


# -- from client-side apply to server-side apply


def _annotation(obj: Mapping[str, Any]) -> str:
    return str(part(obj, "metadata", "annotations").get(LAST_APPLIED) or "")


def _last_applied(node: Node, live: Object) -> FieldSet:
    """What kubectl applied from the client's side and is still as it was."""
    try:
        last = orjson.loads(_annotation(live) or b"{}")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(last, dict) or not last:
        return {}
    changed, removed = compare(node, last, live)
    return f.difference(f.difference(field_set(node, last), changed), removed)


def _beyond(conflicts: Sequence[Conflict], allowed: FieldSet) -> list[Conflict]:
    return [(entry, left) for entry, shared in conflicts if (left := f.difference(shared, allowed))]


def _state_last_applied(merged: Object, wish: Object) -> None:
    if not _annotation(merged):
        return
    meta = part(merged, "metadata")
    stated_meta = dict(part(wish, "metadata"))
    annotations = {k: v for k, v in part(stated_meta, "annotations").items() if k != LAST_APPLIED}
    stated_meta.pop("annotations", None)
    if annotations:
        stated_meta["annotations"] = annotations
    text = orjson.dumps({**wish, "metadata": stated_meta}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    merged["metadata"] = {**meta, "annotations": {**part(meta, "annotations"), LAST_APPLIED: text}}
