"""Reading the ConfigMaps and Secrets that bundles refer to: each one by itself, and nobody else's.

A cluster may have thousands of these; only the few that hold a bundle are worth their memory. So every referenced
ConfigMap has an informer of its own, selected by name, started with the first bundle that needs it, dropped with the
last. Secrets are asked for again and again instead, because the right to watch one is the right to list them all. The
same happens to ConfigMaps where this process may not watch them.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.console.bundles.model import BundleId, Missing, ObjectRef
from dovetail.console.reading import metadata_fields
from dovetail.kube import (
    CONFIGMAPS,
    SECRETS,
    ControllerRuntime,
    Forbidden,
    Informer,
    KubeError,
    NotFound,
    NotSynced,
    Object,
)

log = logging.getLogger(__name__)

SYNC_TIMEOUT: Final = 5.0
SYNC_STEP: Final = 0.1
SECRET_POLL: Final = 10.0
CONFIG_MAP_POLL: Final = 1.0
RETRY: Final = 10.0

_ObjectKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reference leads to now; `again`: seconds after which to look again, 0 where changes are told."""

    found: Mapping[str, Any] | Missing | None
    again: float = 0.0


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
        self._warned = False

    def use(self, bundle: BundleId, refs: Iterable[ObjectRef]) -> None:
        """From now on `bundle` depends on exactly these."""
        wanted = {(ref.namespace, ref.name): ref for ref in refs if ref.kind == "ConfigMap"}
        for key, users in list(self._users.items()):
            if bundle in users and key not in wanted:
                self._leave(key, bundle)
        for key, ref in wanted.items():
            if key not in self._informers:
                self._start(key, ref)
            self._users[key].add(bundle)

    async def read(self, ref: ObjectRef) -> Reading:
        """The object as it is now. A ConfigMap must be among what `use` was told."""
        if ref.kind == "Secret":
            return await self._ask(ref, SECRET_POLL)
        informer = self._informers[ref.namespace, ref.name]
        if await _synced(informer):
            return Reading(informer.lister.get(ref.name, ref.namespace))
        if isinstance(informer.problem, Forbidden):
            self._warn(informer.problem)
            return await self._ask(ref, CONFIG_MAP_POLL)
        return _unreadable(ref, informer.problem)

    async def _ask(self, ref: ObjectRef, again: float) -> Reading:
        resource = SECRETS if ref.kind == "Secret" else CONFIGMAPS
        try:
            return Reading(await self._runtime.client.get(resource, ref.name, ref.namespace), again)
        except NotFound:
            return Reading(None, again)
        except KubeError as error:
            return _unreadable(ref, error)

    def _warn(self, problem: Exception) -> None:
        if not self._warned:
            self._warned = True
            log.warning("ConfigMaps are read every second, as they may not be watched: %s", problem)

    def _start(self, key: _ObjectKey, ref: ObjectRef) -> None:
        users = self._users[key] = set()
        informer = self._informers[key] = self._runtime.informer(
            CONFIGMAPS,
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


async def _synced(informer: Informer) -> bool:
    """Wait for the first list, but not when it is clear that there will be none."""
    for _ in range(int(SYNC_TIMEOUT / SYNC_STEP)):
        try:
            await informer.wait_synced(SYNC_STEP)
        except NotSynced:
            if informer.problem is not None:
                return False
        else:
            return True
    return False


def _unreadable(ref: ObjectRef, problem: Exception | None) -> Reading:
    why = problem or "the cluster does not answer"
    return Reading(Missing("Unreadable", f"{ref} cannot be read: {why}"), RETRY)
