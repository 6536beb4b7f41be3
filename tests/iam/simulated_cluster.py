"""A cluster as a value: just enough of the API's rules to let planners run against it, and to break off in between.

Objects are kept by resource and key. Versions, uids, finalizers, label removal by null in merge patches, preconditions:
as the API has them. `carry_out` does the first `steps` actions and stops, as a process that is killed.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from dovetail.iam.tenancy.actions import Action, Create, Delete, Patch
from dovetail.kube.objects import Key, key_of, labels_of
from dovetail.kube.resources import ResourceLike

Object = dict[str, Any]
NOW = "2026-11-21T20:00:00Z"


class Cluster:
    """Objects, and what may be done with them."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, Key], Object] = {}
        self._numbers = itertools.count(1)

    def get(self, resource: ResourceLike, name: str, namespace: str = "") -> Object | None:
        return self._objects.get((resource.group, resource.plural, Key(namespace, name)))

    def list(self, resource: ResourceLike, labels: Mapping[str, str] | None = None) -> list[Object]:
        wanted = (labels or {}).items()
        found = [obj for (group, plural, _), obj in self._objects.items() if (group, plural) == _of(resource)]
        return [obj for obj in found if wanted <= labels_of(obj).items()]

    def create(self, resource: ResourceLike, obj: Mapping[str, Any]) -> bool:
        """False when the name is taken."""
        place = (*_of(resource), key_of(obj))
        if place in self._objects:
            return False
        made = deepcopy(dict(obj))
        made["metadata"] |= {"uid": f"uid-{next(self._numbers)}", "resourceVersion": str(next(self._numbers))}
        self._objects[place] = made
        return True

    def patch(self, resource: ResourceLike, key: Key, patch: Mapping[str, Any]) -> bool:
        """False when it is not there, or not in the version that the patch names."""
        obj = self._objects.get((*_of(resource), key))
        said = patch.get("metadata", {})
        if obj is None or any(
            said.get(n, obj["metadata"][n]) != obj["metadata"][n] for n in ("uid", "resourceVersion")
        ):
            return False
        merged = _merged(obj, patch)
        merged["metadata"]["resourceVersion"] = str(next(self._numbers))
        self._objects[(*_of(resource), key)] = merged
        self._end(resource, key)
        return True

    def delete(self, resource: ResourceLike, key: Key, uid: str = "") -> None:
        obj = self._objects.get((*_of(resource), key))
        if obj is None or (uid and obj["metadata"]["uid"] != uid):
            return
        obj["metadata"].setdefault("deletionTimestamp", NOW)
        self._end(resource, key)

    def carry_out(self, actions: Sequence[Action], steps: int | None = None) -> None:
        """The first `steps` of the actions; like the real thing it stops where something is refused."""
        for action in itertools.islice(actions, steps):
            match action:
                case Create(resource, obj):
                    done = self.create(resource, obj)
                case Patch(resource, key, patch):
                    done = self.patch(resource, key, patch) or self.get(resource, key.name, key.namespace) is None
                case Delete(resource, key, uid):
                    self.delete(resource, key, uid)
                    done = True
            if not done:
                return

    def _end(self, resource: ResourceLike, key: Key) -> None:
        obj = self._objects[(*_of(resource), key)]
        if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
            del self._objects[(*_of(resource), key)]


def _of(resource: ResourceLike) -> tuple[str, str]:
    return resource.group, resource.plural


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping) or not isinstance(old, Mapping):
        return deepcopy(patch)
    result = {key: value for key, value in old.items() if patch.get(key, key) is not None}
    return result | {key: _merged(old.get(key, {}), value) for key, value in patch.items() if value is not None}


def names(objects: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key_of(obj).name for obj in objects}
