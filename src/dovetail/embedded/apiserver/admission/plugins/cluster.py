"""What plugins read of the cluster: stored objects of other kinds, as of this tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from ...foreign import part
from ...storage.records import ObjectKey

if TYPE_CHECKING:
    from ...verbs.call import Api

Object = dict[str, Any]


def find(api: Api, store: str, name: str, namespace: str = "") -> Object | None:
    """``store`` is group/plural."""
    record = api.store.latest(ObjectKey(store, namespace, name))
    return orjson.loads(record.value) if record else None


def every(api: Api, store: str, namespace: str = "") -> Iterator[Object]:
    for record in api.store.latest_all(store, namespace):
        yield orjson.loads(record.value)


def newest(objects: list[Object]) -> Object | None:
    """The latest created; of several in the same second the first by name."""
    if not objects:
        return None
    last = max(str(obj["metadata"].get("creationTimestamp", "")) for obj in objects)
    same = [obj for obj in objects if obj["metadata"].get("creationTimestamp", "") == last]
    return min(same, key=lambda obj: obj["metadata"]["name"])


def annotations_of(obj: Mapping[str, Any]) -> dict[str, str]:
    return part(obj, "metadata", "annotations")
