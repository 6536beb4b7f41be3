"""One world: a cluster or two, the outside, and the platform's processes.

`World` is made for one seed and run once. The platform's processes run `assembly.serve` as it is; when one ends or is
killed, the world starts another after a while, as a Deployment would.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from random import Random

from dovetail.helm import HelmWorker
from dovetail.lifecycle.assembly import serve
from dovetail.lifecycle.settings import LifecycleSettings
from tests.simulation.api import Object, Refusal
from tests.simulation.cluster import Cluster
from tests.simulation.helm_world import HelmWorld
from tests.simulation.kinds import Kind
from tests.simulation.loop import SimulatedLoop
from tests.simulation.members import EDGE, EDGE_SERVER, Members
from tests.simulation.network import SERVER
from tests.simulation.processes import PROCESS, Process
from tests.simulation.repositories import Repositories, SimulatedFetcher
from tests.simulation.seams import SimulatedClock

USER = "user"


class World:
    """See the module. `trace` is kept only when somebody wants to read it."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        random.seed(seed)
        self.seed = seed
        self.chance = Random(seed)
        self.loop = SimulatedLoop(Random(seed + 1))
        self.trace: list[str] | None = [] if trace else None
        self.host = Cluster(self.loop, Random(seed + 2), self.kill)
        self.api, self.network = self.host.api, self.host.network
        self.network.trace = self.trace
        self.edge: Cluster | None = None
        self._on_member: list[Callable[[Cluster], None]] = []
        self.helm = HelmWorld({None: (self.api, self.network)}, Random(seed + 3))
        self.repositories = Repositories(Random(seed + 4))
        self.settings = LifecycleSettings()
        self.processes: list[Process] = []
        self.kills = 0
        self.restart = True
        self._started = 0
        SimulatedClock.loop = self.loop
        HelmWorker.world = self.helm  # type: ignore[attr-defined]
        SimulatedFetcher.world = self.repositories
        from tests.simulation.network import SimulatedTransport

        SimulatedTransport.networks = {SERVER: self.network}

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

    def on_member(self, tell: Callable[[Cluster], None]) -> None:
        """Call `tell` when there is a second cluster."""
        self._on_member.append(tell)

    def add_member(self) -> Cluster:
        """A second cluster, for agents."""
        from tests.simulation.network import SimulatedTransport

        edge = self.edge = Cluster(self.loop, Random(self.seed + 6), self.kill, EDGE)
        edge.network.trace = self.trace
        SimulatedTransport.networks[EDGE_SERVER] = edge.network
        self.helm.places[EDGE] = (edge.api, edge.network)
        for tell in self._on_member:
            tell(edge)
        return edge

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
            await serve(self.settings, ready, clusters=Members(self.edge))
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
        for helm in process.helms:
            helm.die()
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
