"""Watching the ConfigMaps and Secrets that bundles refer to: each one by itself, and nobody else's.

A cluster may have thousands of these; only the few that hold a bundle are worth their memory. So every referenced
object has an informer of its own, selected by name, started with the first bundle that needs it, dropped with the last.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from dovetail.console.bundles.model import BundleId, Missing, ObjectRef
from dovetail.console.reading import metadata_fields
from dovetail.kube import CONFIGMAPS, SECRETS, ControllerRuntime, Informer, NotSynced, Object

SYNC_TIMEOUT: Final = 5.0

_ObjectKey = tuple[str, str, str]


def content_only(obj: Object) -> Object:
    """Keep what is read: the version and the data."""
    kept = metadata_fields(obj, "namespace", "name", "uid", "resourceVersion")
    return {"metadata": kept, "data": obj.get("data"), "binaryData": obj.get("binaryData")}


class References:
    """`on_change` is called with each bundle that refers to an object that changed."""

    def __init__(self, runtime: ControllerRuntime, on_change: Callable[[BundleId], None]) -> None:
        self._runtime = runtime
        self._on_change = on_change
        self._informers: dict[_ObjectKey, Informer] = {}
        self._users: dict[_ObjectKey, set[BundleId]] = {}

    async def read(self, ref: ObjectRef) -> Mapping[str, Any] | Missing | None:
        """The object as it is now, None if it does not exist. It must be among what `use` was told."""
        informer = self._informers[_key(ref)]
        try:
            await informer.wait_synced(SYNC_TIMEOUT)
        except NotSynced as error:
            return Missing("Unreadable", f"{ref} cannot be read: {error.cause or error}", retry=True)
        return informer.lister.get(ref.name, ref.namespace)

    def use(self, bundle: BundleId, refs: Iterable[ObjectRef]) -> None:
        """From now on `bundle` depends on exactly these."""
        wanted = {_key(ref): ref for ref in refs}
        for key, users in list(self._users.items()):
            if bundle in users and key not in wanted:
                self._leave(key, bundle)
        for key, ref in wanted.items():
            if key not in self._informers:
                self._start(key, ref)
            self._users[key].add(bundle)

    def _start(self, key: _ObjectKey, ref: ObjectRef) -> None:
        users = self._users[key] = set()
        informer = self._informers[key] = self._runtime.informer(
            SECRETS if ref.kind == "Secret" else CONFIGMAPS,
            namespace=ref.namespace,
            field_selector=f"metadata.name={ref.name}",
            transform=content_only,
            resync=0.0,
        )

        def changed(type: str, old: Object | None, new: Object, /) -> None:
            for bundle in list(users):
                self._on_change(bundle)

        informer.add_handler(changed)

    def _leave(self, key: _ObjectKey, bundle: BundleId) -> None:
        users = self._users[key]
        users.discard(bundle)
        if not users:
            del self._users[key]
            self._runtime.drop(self._informers.pop(key))


def _key(ref: ObjectRef) -> _ObjectKey:
    return ref.kind, ref.namespace, ref.name
