"""One world: a cluster, its own controllers (garbage, namespaces), the outside, and the platform's processes in it.

`World` is made for one seed and run once. The platform's processes run `assembly.serve` as it is; when one ends or is
killed, the world starts another after a while, as a Deployment would.
"""

import asyncio
import contextlib
import random
from datetime import UTC, datetime
from random import Random

from dovetail.helm import HelmWorker
from dovetail.lifecycle.assembly import serve
from dovetail.lifecycle.settings import LifecycleSettings
from tests.simulation.api import Change, MemoryApi, Object, Refusal
from tests.simulation.helm_world import HelmWorld
from tests.simulation.kinds import KINDS, NAMESPACE, Kind
from tests.simulation.loop import SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.processes import PROCESS, Process
from tests.simulation.repositories import Repositories, SimulatedFetcher
from tests.simulation.seams import EPOCH, SimulatedClock

GARBAGE, NAMESPACES, USER = "garbage collector", "namespace controller", "user"


class World:
    """See the module. `trace` is kept only when somebody wants to read it."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        random.seed(seed)
        self.seed = seed
        self.chance = Random(seed)
        self.loop = SimulatedLoop(Random(seed + 1))
        self.trace: list[str] | None = [] if trace else None
        self.api = MemoryApi(lambda: datetime.fromtimestamp(EPOCH + self.loop.time(), UTC))
        self.network = Network(self.api, Random(seed + 2), self.kill)
        self.network.trace = self.trace
        self.helm = HelmWorld(self.api, self.network, Random(seed + 3))
        self.repositories = Repositories(Random(seed + 4))
        self.settings = LifecycleSettings()
        self.processes: list[Process] = []
        self.kills = 0
        self.restart = True
        self._started = 0
        self._owners: dict[str, int] = {}
        SimulatedClock.loop = self.loop
        HelmWorker.world = self.helm  # type: ignore[attr-defined]
        SimulatedFetcher.world = self.repositories
        from tests.simulation.network import SimulatedTransport

        SimulatedTransport.network = self.network
        self.api.listeners.append(self._collect)

    @property
    def storm(self) -> float:
        return self.network.storm

    @storm.setter
    def storm(self, value: float) -> None:
        self.network.storm = value
        self.repositories.storm = value

    def say(self, text: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.loop.time():9.3f} -- {text}")

    # The platform's processes.

    def start(self, skew: float = 0.0) -> Process:
        """Another replica of the controllers."""
        self._started += 1
        process = Process(f"controllers-{self._started}", skew)
        self.processes.append(process)
        self.say(f"{process.name} starts, its clock is off by {skew:g} s")
        process.task = self.loop.create_task(self._live(process), name=process.name)
        return process

    async def _live(self, process: Process) -> None:
        PROCESS.set(process)

        def ready() -> None:
            process.ready = True

        why = "ended"
        try:
            await serve(self.settings, ready)
        except asyncio.CancelledError:
            why = "cancelled"
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
        if not process.dead:
            process.dead = True
            self.say(f"{process.name} ended by itself: {why}")
            self._another(process)

    def kill(self, process: Process, why: str) -> None:
        """SIGKILL."""
        if process.dead:
            return
        process.dead = True
        self.kills += 1
        self.say(f"{process.name} is killed {why}")
        if process.helm is not None:
            process.helm.die()
        if process.task is not None:
            process.task.cancel()
        self._another(process)

    def _another(self, process: Process) -> None:
        self.processes.remove(process)
        if self.restart:
            self.loop.call_later(self.chance.uniform(0.1, 3.0), self._come_back)

    def _come_back(self) -> None:
        if not self.restart:
            return
        skew = self.chance.choice((0.0, 0.0, -3600.0, 3600.0, self.chance.uniform(-3600, 3600)))
        process = self.start(skew if self.storm else 0.0)
        if self.storm and self.chance.random() < 0.3:
            process.crash_at, process.crash_after = self.chance.randrange(1, 30), self.chance.random() < 0.5

    async def end(self) -> None:
        """No process is left, and nothing of them."""
        self.restart = False
        tasks = [process.task for process in self.processes if process.task is not None]
        for process in list(self.processes):
            self.kill(process, "at the end")
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.sleep(60)  # whoever was killed before has gone, too

    # The cluster's own controllers.

    def _collect(self, change: Change) -> None:
        meta = change.new.meta
        if change.type == "DELETED":
            uid = meta["uid"]
            if self._owners.pop(uid, 0):
                self._later(self._orphans_of, uid)
            if meta.get("namespace"):
                namespace = self.api.get(NAMESPACE, meta["namespace"])
                if namespace is not None and namespace["metadata"].get("deletionTimestamp"):
                    self._later(self._empty, meta["namespace"])
            return
        for owner in meta.get("ownerReferences") or ():
            self._owners[owner["uid"]] = 1
        if change.type == "ADDED" and meta.get("ownerReferences"):
            self._later(self._check_owners, change.kind, meta.get("namespace", ""), meta["name"])
        if change.kind is NAMESPACE and meta.get("deletionTimestamp"):
            self._later(self._empty, meta["name"])

    def _later(self, do: object, *arguments: object) -> None:
        self.loop.call_later(self.chance.uniform(0.05, 2.0), do, *arguments)  # type: ignore[arg-type]

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

    # Somebody with kubectl.

    def user(
        self, method: str, kind: Kind, name: str, body: Object | None = None, namespace: str = "", **more: str
    ) -> bool:
        """One request as the user; whether the API took it."""
        self.say(f"user: {method} {kind.plural} {namespace}/{name} {body if body is not None else ''}")
        try:
            if method == "POST":
                body = {"apiVersion": kind.api_version, "kind": kind.kind, **(body or {})}
                body["metadata"] = {"name": name, **body.get("metadata", {})}
                self.api.call(USER, method, kind, namespace, body=body, **more)
            else:
                self.api.call(USER, method, kind, namespace, name, body=body, **more)
        except Refusal as refusal:
            self.say(f"user: refused, {refusal}")
            return False
        return True
