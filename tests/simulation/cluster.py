"""A cluster: its API, the way to it, and its own controllers (garbage, namespaces)."""

import contextlib
from datetime import UTC, datetime
from random import Random

from tests.simulation.api import Change, MemoryApi, Refusal
from tests.simulation.kinds import KINDS, NAMESPACE, Kind
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Kill, Network
from tests.simulation.seams import EPOCH

GARBAGE, NAMESPACES = "garbage collector", "namespace controller"


class Cluster:
    """See the module. `chance` is for its controllers, which are late by up to two seconds."""

    def __init__(self, loop: SimulatedLoop, chance: Random, kill: Kill, name: str = "host") -> None:
        self.api = MemoryApi(lambda: datetime.fromtimestamp(EPOCH + loop.time(), UTC), f"{name}-uid")
        self.network = Network(self.api, Random(chance.random()), kill)
        self.was_cut = False
        self._loop, self._chance = loop, chance
        self._owners: set[str] = set()
        self.api.listeners.append(self._collect)

    def cut(self, cut: bool) -> None:
        """Nobody reaches it, or everybody again."""
        self.network.cut = cut
        self.was_cut = self.was_cut or cut
        if cut:
            self.network.drop_watches()

    def _collect(self, change: Change) -> None:
        meta = change.new.meta
        if change.type == "DELETED":
            uid = meta["uid"]
            if uid in self._owners:
                self._owners.discard(uid)
                self._later(self._orphans_of, uid)
            if meta.get("namespace"):
                namespace = self.api.get(NAMESPACE, meta["namespace"])
                if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
                    self._later(self._empty, meta["namespace"])
            return
        for owner in meta.get("ownerReferences") or ():
            self._owners.add(owner["uid"])
        if change.type == "ADDED" and meta.get("ownerReferences"):
            self._later(self._check_owners, change.kind, meta.get("namespace", ""), meta["name"])
        if change.kind is NAMESPACE and meta.get("deletionTimestamp"):
            self._later(self._empty, meta["name"])

    def _later(self, do: object, *arguments: object) -> None:
        self._loop.call_later(self._chance.uniform(0.05, 2.0), do, *arguments)  # type: ignore[arg-type]

    def _live_uids(self) -> set[str]:
        return {stored.meta["uid"] for kind in KINDS for stored in self.api.objects[kind].values()}

    def _orphans_of(self, uid: str) -> None:
        for kind in KINDS:
            for (namespace, name), stored in list(self.api.objects[kind].items()):
                if any(owner["uid"] == uid for owner in stored.meta.get("ownerReferences") or ()):
                    self._check_owners(kind, namespace, name)

    def _check_owners(self, kind: Kind, namespace: str, name: str) -> None:
        stored = self.api.objects[kind].get((namespace, name))
        owners = (stored.meta.get("ownerReferences") or ()) if stored else ()
        if owners and not self._live_uids() & {owner["uid"] for owner in owners}:
            self._delete(GARBAGE, kind, namespace, name)

    def _empty(self, namespace: str) -> None:
        obj = self.api.get(NAMESPACE, namespace)
        if obj is None or not obj["metadata"].get("deletionTimestamp"):
            return
        left = False
        for kind in KINDS:
            for where, name in list(self.api.objects[kind]):
                if kind.namespaced and where == namespace:
                    self._delete(NAMESPACES, kind, namespace, name)
                    left = left or (where, name) in self.api.objects[kind]
        if not left:
            self.api.finalize_namespace(NAMESPACES, namespace)

    def _delete(self, actor: str, kind: Kind, namespace: str, name: str) -> None:
        with contextlib.suppress(Refusal):
            self.api.call(actor, "DELETE", kind, namespace, name)
