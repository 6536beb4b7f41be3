"""The cache behind an informer: objects by key, with indexes, and the changes that updates amount to.

`Lister` is what readers see; `Store` adds the writing side and belongs to the informer. Objects are shared with every
reader and must not be mutated. A name that comes back with another uid is a deletion and an addition, not a change:
whoever follows owners by uid would otherwise miss that the old object is gone.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from dovetail.kube.objects import Key, key_of, labels_of, resource_version_of, uid_of
from dovetail.kube.resources import Object
from dovetail.kube.selectors import Selector, matches

log = logging.getLogger(__name__)

Indexer = Callable[[Object], Iterable[str]]
"""The values under which an object is found in one index."""

Objects = list[Object]  # said here because methods are called `list` below

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


class Change(NamedTuple):
    """What happened to one object; `old` is what the cache held. For DELETED `new` is the last known state."""

    type: ChangeType
    old: Object | None
    new: Object


class Lister:
    """Reads from the cache; never a request. Results are not ordered."""

    def __init__(self, indexers: Mapping[str, Indexer] | None = None) -> None:
        self._objects: dict[Key, Object] = {}
        self._namespaces: dict[str, set[Key]] = {}
        self._indexers: dict[str, Indexer] = dict(indexers or {})
        self._indexes: dict[str, dict[str, set[Key]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(list(self._objects.values()))

    def get(self, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None."""
        return self._objects.get(Key(namespace or "", name))

    def by_key(self, key: Key) -> Object | None:
        """The object, or None."""
        return self._objects.get(key)

    def list(self, namespace: str | None = None, selector: Selector | None = None) -> Objects:
        """The objects of a namespace (None: all) whose labels match."""
        if namespace is None:
            found = list(self._objects.values())
        else:
            found = [self._objects[key] for key in self._namespaces.get(namespace, ())]
        return [obj for obj in found if matches(selector, labels_of(obj))] if selector else found

    def by_index(self, index: str, value: str) -> Objects:
        """The objects that the indexer filed under `value`. Raises KeyError for an index nobody declared."""
        return [self._objects[key] for key in self._indexes[index].get(value, ())]


class Store(Lister):
    """The cache with its writing side."""

    def add_indexers(self, indexers: Mapping[str, Indexer]) -> None:
        """Declare more indexes and file what is there; an index that exists already is kept as it is."""
        for name, indexer in indexers.items():
            if name not in self._indexers:
                self._indexers[name] = indexer
                self._indexes[name] = {}
                for key, obj in self._objects.items():
                    self._file(name, key, obj)

    def put(self, obj: Object) -> list[Change]:
        """Take the object in; the changes this amounts to (none if this version is known)."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            self._insert(key, obj)
            return [Change("ADDED", None, obj)]
        if uid_of(old) != uid_of(obj):
            self._remove(key, old)
            self._insert(key, obj)
            return [Change("DELETED", old, old), Change("ADDED", None, obj)]
        version = resource_version_of(obj)
        if version and version == resource_version_of(old):
            return []
        self._exchange(key, old, obj)
        return [Change("MODIFIED", old, obj)]

    def discard(self, obj: Object) -> list[Change]:
        """Take the object out; `obj` is its last state."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is None:
            return []
        self._remove(key, old)
        return [Change("DELETED", old, obj if uid_of(obj) == uid_of(old) else old)]

    def replace(self, objects: Iterable[Object]) -> list[Change]:
        """Make the cache equal to a fresh list; what is not in it was deleted while nobody watched."""
        changes: list[Change] = []
        gone = set(self._objects)
        for obj in objects:
            gone.discard(key_of(obj))
            changes += self.put(obj)
        for key in gone:
            changes += self.discard(self._objects[key])
        return changes

    def _insert(self, key: Key, obj: Object) -> None:
        self._objects[key] = obj
        if key.namespace:
            self._namespaces.setdefault(key.namespace, set()).add(key)
        for name in self._indexers:
            self._file(name, key, obj)

    def _exchange(self, key: Key, old: Object, obj: Object) -> None:
        self._objects[key] = obj
        for name, indexer in self._indexers.items():
            before, after = _values(name, indexer, old), _values(name, indexer, obj)
            if before != after:
                for value in before:
                    _withdraw(self._indexes[name], value, key)
                for value in after:
                    self._indexes[name].setdefault(value, set()).add(key)

    def _remove(self, key: Key, obj: Object) -> None:
        del self._objects[key]
        if key.namespace:
            _withdraw(self._namespaces, key.namespace, key)
        for name, indexer in self._indexers.items():
            for value in _values(name, indexer, obj):
                _withdraw(self._indexes[name], value, key)

    def _file(self, name: str, key: Key, obj: Object) -> None:
        for value in _values(name, self._indexers[name], obj):
            self._indexes[name].setdefault(value, set()).add(key)


def _values(name: str, indexer: Indexer, obj: Object) -> Sequence[str]:
    try:
        return list(indexer(obj))
    except Exception:  # a foreign object of an unforeseen shape is in no index; it must not end the informer
        log.exception("the index %s cannot file %s", name, key_of(obj))
        return ()


def _withdraw(index: dict[str, set[Key]], value: str, key: Key) -> None:
    keys = index.get(value)
    if keys is not None:
        keys.discard(key)
        if not keys:
            del index[value]
