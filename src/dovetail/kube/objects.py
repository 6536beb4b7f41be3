"""Reading the few fields that every Kubernetes object has.

`Key` is how controllers name an object: namespace and name, nothing else. The functions are total: an object without
metadata answers with empty values, because a foreign object must never be able to crash a controller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

_NOTHING: Mapping[str, Any] = {}


class Key(NamedTuple):
    """Which object: `namespace` is "" for cluster-scoped ones. A tuple, because caches make and hash very many."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """What a reconciler returns to be called again after `seconds` though nothing failed."""

    seconds: float


def metadata(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """`metadata`, or an empty mapping."""
    return _mapping(obj.get("metadata"))


def key_of(obj: Mapping[str, Any]) -> Key:
    """The object's own key."""
    meta = metadata(obj)
    return Key(meta.get("namespace") or "", meta.get("name") or "")


def uid_of(obj: Mapping[str, Any]) -> str:
    """`metadata.uid`, or ""."""
    return str(metadata(obj).get("uid") or "")


def resource_version_of(obj: Mapping[str, Any]) -> str:
    """`metadata.resourceVersion`, or ""."""
    return str(metadata(obj).get("resourceVersion") or "")


def labels_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.labels`, or an empty mapping."""
    return _mapping(metadata(obj).get("labels"))


def annotations_of(obj: Mapping[str, Any]) -> Mapping[str, str]:
    """`metadata.annotations`, or an empty mapping."""
    return _mapping(metadata(obj).get("annotations"))


def finalizers_of(obj: Mapping[str, Any]) -> Sequence[str]:
    """`metadata.finalizers`, or empty."""
    return cast("Sequence[str]", metadata(obj).get("finalizers") or ())


def owners_of(obj: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """`metadata.ownerReferences`, or empty."""
    return cast("Sequence[Mapping[str, Any]]", metadata(obj).get("ownerReferences") or ())


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether a deletionTimestamp is set: the object only waits for its finalizers."""
    return bool(metadata(obj).get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any], kind: str) -> Key | None:
    """The key of the controlling owner if it is of this kind (in the object's own namespace)."""
    for owner in owners_of(obj):
        if owner.get("controller") is True and owner.get("kind") == kind:
            return Key(key_of(obj).namespace, str(owner.get("name") or ""))
    return None


def owner_reference(owner: Mapping[str, Any], *, controller: bool = True) -> dict[str, Any]:
    """An entry for `metadata.ownerReferences` that points at `owner` (which must carry apiVersion, kind and uid)."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": key_of(owner).name,
        "uid": uid_of(owner),
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def _mapping(value: object) -> Mapping[str, Any]:
    # dict, not Mapping: what comes from JSON is one, and the check runs several times an event.
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else _NOTHING
