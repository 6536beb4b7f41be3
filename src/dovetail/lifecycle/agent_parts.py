"""What works on one member cluster, wired together: the host's parts with the member's client and settings.

Every member has a Helm process of its own, started when it is needed: one that hangs on a black hole takes nobody
else's operation with it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from dovetail.helm import HelmWorker
from dovetail.kube import Client, ControllerRuntime, EventRecorder
from dovetail.lifecycle.agent_observing import AgentObserver
from dovetail.lifecycle.agents import AgentReconciler
from dovetail.lifecycle.clusters import Clusters, Member
from dovetail.lifecycle.deployment import Deployer
from dovetail.lifecycle.interrupts import Interrupts, agent_essence
from dovetail.lifecycle.observing import Observer
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.pauses import Pauses
from dovetail.lifecycle.receipting import Receipting
from dovetail.lifecycle.receipts import Receipts
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.sites import Site
from dovetail.lifecycle.switching import Switchboard
from dovetail.lifecycle.turns import Turns
from dovetail.lifecycle.warming import Warming
from dovetail.lifecycle.workloads import Workloads


@dataclass
class AgentParts:
    """What all members share; `make` is called for each, and again when one is reached in another way."""

    client: Client
    known: Clusters
    settings: LifecycleSettings
    packages: PackageSource
    recorder: EventRecorder
    host: Observer
    cached: Callable[[str], Any]
    workers: dict[str, HelmWorker] = field(default_factory=dict[str, HelmWorker])
    _ending: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def make(self, member: Member) -> AgentReconciler:
        """The reconciler of the agents there."""
        settings = replace(
            self.settings,
            kubeconfig=member.kubeconfig,
            context=member.context,
            cluster_name=member.name,
            cluster_role="member",
        )
        helm, pauses = HelmWorker(idle_seconds=settings.worker_idle), Pauses()
        if former := self.workers.pop(member.name, None):
            task = asyncio.create_task(former.close(), name=f"end of the helm worker of {member.name}")
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        self.workers[member.name] = helm
        reconciler = AgentReconciler(
            self.client,
            self._site(member, helm, settings),
            self.recorder,
            pauses,
            Interrupts(self.cached, agent_essence(member.name)),
            Receipting(Receipts(self.client), self.recorder),
            Turns(),
            Warming(helm),
        )
        reconciler.cluster = member.name
        reconciler.observer = AgentObserver(self.client, self.host, self.known, member, settings, pauses.is_over)
        return reconciler

    def _site(self, member: Member, helm: HelmWorker, settings: LifecycleSettings) -> Site:
        remote = ControllerRuntime(member.client)  # never run: members are not watched
        deployer = Deployer(member.client, helm, self.packages, settings)
        return Site(member.client, deployer, Switchboard(remote), Workloads(remote))

    async def close(self) -> None:
        """End the Helm processes."""
        for helm in self.workers.values():
            await helm.close()
        if self._ending:
            await asyncio.wait(self._ending)
