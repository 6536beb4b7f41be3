"""Deltas: what a worker must change in the snapshot that it holds to have the next one.

`delta_between` finds it and `applied` carries it out; both are pure, and applied to a snapshot the delta between it
and another gives that other. Everything that did not change stays the same Python object, from which `Matcher` and
`Serving` see what they may keep. The table travels as an edit of its sequence, the policy entry by entry, every other
part whole.

A delta names the generation that it starts from and carries a checksum of the order of the routes it ends in. A worker
that holds something else, or ends in something else, says so and is sent the whole snapshot.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any
from zlib import crc32

import msgspec

from dovetail.gateway.snapshot import LENGTH, Snapshot
from dovetail.iam.policy import Policy, alike
from dovetail.routing.edits import RouteEdit, edit_between, edited
from dovetail.routing.model import RouteTable, Upstream

_LARGE = 4
"""An edit of more than this part of a table is sent as a whole table."""


class DeltaMismatch(Exception):
    """A delta does not fit the snapshot it was applied to."""


class TableEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What changed about the routes and their upstreams."""

    routes: RouteEdit
    upstreams: dict[str, Upstream]
    gone: tuple[str, ...]
    checksum: int


class PolicyEdit(msgspec.Struct, frozen=True, kw_only=True):
    """`changed` holds new and changed entries only, `gone` the keys that are no more, by field."""

    changed: Policy
    gone: dict[str, tuple[str, ...]]


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", omit_defaults=True):
    """From the snapshot of generation `base` to the one of `snapshot.generation`.

    Of `snapshot` only the fields that `whole` names count.
    """

    base: int
    snapshot: Snapshot
    whole: tuple[str, ...]
    table: TableEdit | None = None
    policy: PolicyEdit | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot | Delta)
_order = attrgetter("id")
_leads = attrgetter("upstream")


def encode_delta(delta: Delta) -> bytes:
    """The frame for a delta, length first."""
    body = _encoder.encode(delta)
    return LENGTH.pack(len(body)) + body


def decode_frame(body: bytes) -> Snapshot | Delta:
    """What is in a frame's body. Raises msgspec.DecodeError on anything else."""
    return _decoder.decode(body)


def delta_between(before: Snapshot, after: Snapshot) -> Delta:
    """The delta that leads from one snapshot to another."""
    names = [name for name in after.__struct_fields__ if name != "generation"]
    differing = [name for name in names if not _same(getattr(before, name), getattr(after, name))]
    table = _table_edit(before.table, after.table) if "table" in differing else None
    policy = _policy_edit(before.policy, after.policy) if "policy" in differing else None
    apart = {"table"} if table else set[str]()
    whole = tuple(name for name in differing if name not in apart | ({"policy"} if policy else set()))
    values: dict[str, Any] = {name: getattr(after, name) for name in whole}
    carried = Snapshot(generation=after.generation, **values)
    return Delta(base=before.generation, snapshot=carried, whole=whole, table=table, policy=policy)


def applied(before: Snapshot, delta: Delta) -> Snapshot:
    """The snapshot that a delta leads to. Raises DeltaMismatch where it does not start here."""
    if before.generation != delta.base:
        raise DeltaMismatch(f"it starts from generation {delta.base}, in force is {before.generation}")
    values: dict[str, Any] = {name: getattr(delta.snapshot, name) for name in delta.whole}
    if delta.table is not None:
        values["table"] = _edited_table(before.table, delta.table)
    if delta.policy is not None:
        values["policy"] = _edited_policy(before.policy, delta.policy)
    return msgspec.structs.replace(before, generation=delta.snapshot.generation, **values)


def checksum(table: RouteTable) -> int:
    """Of the routes' names and backends, in their order."""
    names = "\n".join(map(_order, table.routes))
    return crc32("\n".join(map(_leads, table.routes)).encode(), crc32(names.encode())) ^ len(table.upstreams)


def _same(first: object, second: object) -> bool:
    if isinstance(first, Policy) and isinstance(second, Policy):
        return alike(first, second)
    return first is second or first == second


def same_but_for_generation(before: Snapshot, after: Snapshot) -> bool:
    """Whether two snapshots say the same."""
    names = (name for name in after.__struct_fields__ if name != "generation")
    return all(_same(getattr(before, name), getattr(after, name)) for name in names)


def _table_edit(before: RouteTable, after: RouteTable) -> TableEdit | None:
    routes = edit_between(before.routes, after.routes)
    if routes.size > 1 + len(after.routes) // _LARGE:
        return None
    upstreams, gone = _entries(before.upstreams, after.upstreams)
    return TableEdit(routes=routes, upstreams=upstreams, gone=gone, checksum=checksum(after))


def _edited_table(before: RouteTable, edit: TableEdit) -> RouteTable:
    try:
        routes = edited(before.routes, edit.routes)
        after = RouteTable(routes=routes, upstreams=_updated(before.upstreams, edit.upstreams, edit.gone))
    except (IndexError, KeyError) as error:
        raise DeltaMismatch(f"the table has no {error}") from error
    if checksum(after) != edit.checksum:
        raise DeltaMismatch("the table that it leads to is another")
    return after


def _policy_edit(before: Policy, after: Policy) -> PolicyEdit | None:
    changed: dict[str, Any] = {}
    gone: dict[str, tuple[str, ...]] = {}
    for name in after.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, dict) and isinstance(new, dict):
            changed[name], gone[name] = _entries(old, new)  # pyright: ignore[reportUnknownArgumentType]
        elif old != new:
            return None
    return PolicyEdit(changed=Policy(**changed), gone={name: keys for name, keys in gone.items() if keys})


def _edited_policy(before: Policy, edit: PolicyEdit) -> Policy:
    values: dict[str, Any] = {}
    for name in before.__struct_fields__:
        old, changed = getattr(before, name), getattr(edit.changed, name)
        if isinstance(old, dict) and (changed or name in edit.gone):
            values[name] = _updated(old, changed, edit.gone.get(name, ()))  # pyright: ignore[reportUnknownArgumentType]
    return msgspec.structs.replace(before, **values)


def _entries(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The entries that are new or changed, and the keys that are gone."""
    if before is after:
        return {}, ()
    other = [key for key, value in after.items() if before.get(key) is not value]
    changed = {key: after[key] for key in other if key not in before or before[key] != after[key]}
    added = sum(key not in before for key in changed)
    gone = len(before) + added - len(after)
    return changed, tuple(key for key in before if key not in after) if gone else ()


def _updated(before: Mapping[str, Any], changed: Mapping[str, Any], gone: Iterable[str]) -> dict[str, Any]:
    after = {**before, **changed}
    for key in gone:
        del after[key]
    return after
