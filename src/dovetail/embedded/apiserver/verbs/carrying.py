"""What of an update counts: the part that its endpoint writes, and whether it differs from what is stored. Pure.

Every endpoint of an object takes and gives the whole object; /status writes the status of it, a pod's /resize the
sizes of its containers, the main endpoint everything else. The rest is carried over from the stored version.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..foreign import parts
from ..objects import metadata
from ..objects.strategies import strategy_of
from ..registry.resource import ResourceType
from .call import Call
from .decoding import Object
from .update_rules import status_keeps_metadata

_NOT_SPEC = ("apiVersion", "kind", "metadata", "status")


def carry(resource: ResourceType, obj: Object, old: Object, subresource: str) -> None:
    """Each endpoint writes its own part: /status the status, the main one everything else."""
    meta = obj["metadata"]
    if subresource == "status" or (subresource and resource.store == "/pods"):
        sent = dict(obj)
        obj.clear()
        obj.update(orjson.loads(orjson.dumps(old)))
        if not status_keeps_metadata(resource):
            metadata.carry(meta, old["metadata"])
            if resource.store == "apps/deployments":
                _carry_labels(meta, old["metadata"])
            obj["metadata"] = meta
        set_managed(obj["metadata"], parts(meta, "managedFields"))
        _carry_part(obj, sent, subresource)
        return
    metadata.carry(meta, old["metadata"])
    if resource.has_status and not strategy_of(resource).keeps_status:
        resource.clear_status(obj)
        if "status" in old:
            obj["status"] = old["status"]


def _carry_labels(meta: Object, old: Object) -> None:
    """The one kind whose labels /status leaves alone."""
    meta.pop("labels", None)
    if "labels" in old:
        meta["labels"] = old["labels"]


def _carry_part(obj: Object, sent: Object, subresource: str) -> None:
    """The part that a subresource is for."""
    if subresource == "status":
        obj.pop("status", None)
        if sent.get("status") is not None:
            obj["status"] = sent["status"]
    elif subresource == "ephemeralcontainers":
        obj["spec"]["ephemeralContainers"] = parts(sent, "spec", "ephemeralContainers")
    elif subresource == "resize":
        _carry_sizes(obj, sent)


def _carry_sizes(obj: Object, sent: Object) -> None:
    """Resources and resize policies. Other containers than before are left to validation, which refuses them."""
    for name in ("containers", "initContainers"):
        old, new = parts(obj, "spec", name), parts(sent, "spec", name)
        if [c.get("name") for c in old] != [c.get("name") for c in new]:
            obj["spec"] = sent.get("spec")
            return
        for before, after in zip(old, new, strict=True):
            for field in ("resources", "resizePolicy"):
                before.pop(field, None)
                if field in after:
                    before[field] = after[field]


def set_managed(meta: Object, managed: list[Object]) -> None:
    meta.pop("managedFields", None)
    if managed:
        meta["managedFields"] = managed


def drop_repeated_owners(call: Call, meta: Object, when: str) -> None:
    """Equal owner references count once; the client is warned."""
    owners = parts(meta, "ownerReferences")
    if len(owners) < 2:
        return
    kept: list[Any] = []
    repeated: list[str] = []
    for owner in owners:
        if owner in kept:
            repeated.append(str(owner.get("uid")))
        else:
            kept.append(owner)
    if repeated:
        meta["ownerReferences"] = kept
        call.warnings.append(
            f".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, "
            "and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
            + ", ".join(repeated)
        )


def spec_changed(obj: Object, old: Object, resource: ResourceType) -> bool:
    ignored = _NOT_SPEC if resource.has_status else _NOT_SPEC[:3]
    return any(obj.get(name) != old.get(name) for name in {*obj, *old} if name not in ignored)


def same(obj: Object, old: Object) -> bool:
    """Equal but for the times of managed fields: such a write changes nothing."""
    if obj == old:
        return True
    left, right = parts(obj["metadata"], "managedFields"), parts(old["metadata"], "managedFields")
    if [{**e, "time": ""} for e in left] != [{**e, "time": ""} for e in right]:
        return False
    meta = {**obj["metadata"], "managedFields": None}
    return {**obj, "metadata": meta} == {**old, "metadata": {**old["metadata"], "managedFields": None}}
