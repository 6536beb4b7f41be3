"""What runs controllers: shared informers, their first sync, leader election, and everybody's end.

Two controllers that ask for the same informer get the same one. `run` starts the informers, waits until all have their
first list, calls `on_ready`, and then runs the controllers: at once, or while this replica leads. A replica that waits
for the lease is ready, too, and its caches are warm. Informers that are asked for while all runs are started then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import first_error
from dovetail.kube.informer import Informer, Transform, without_managed_fields
from dovetail.kube.leases import LeaderElector
from dovetail.kube.lister import Indexer
from dovetail.kube.resources import ResourceLike

SYNC_TIMEOUT = 120.0
RESYNC = 600.0

Task = Callable[[], Awaitable[None]]


class ControllerRuntime:
    """See the module. With `elector`, controllers and tasks only run while it leads."""

    def __init__(
        self, client: Client, *, elector: LeaderElector | None = None, sync_timeout: float = SYNC_TIMEOUT
    ) -> None:
        self.client = client
        self._elector = elector
        self._sync_timeout = sync_timeout
        self._informers: dict[tuple[Any, ...], Informer] = {}
        self._controllers: list[Controller] = []
        self._tasks: list[tuple[str, Task]] = []
        self._group: asyncio.TaskGroup | None = None
        self._running: dict[int, asyncio.Task[None]] = {}

    def informer(
        self,
        resource: ResourceLike,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, Indexer] | None = None,
        transform: Transform | None = without_managed_fields,
        optional: bool = False,
        resync: float = RESYNC,
        metadata_only: bool = False,
    ) -> Informer:
        """The informer for this resource and selection; all who ask for the same share it, indexers are added."""
        plain = (resource.group, resource.version, resource.plural, resource.kind, resource.namespaced)
        identity = (*plain, namespace, label_selector, field_selector, transform, optional, metadata_only)
        known = self._informers.get(identity)
        if known is not None:
            known.add_indexers(indexers or {})
            return known
        informer = self._informers[identity] = Informer(
            self.client,
            resource,
            namespace=namespace,
            label_selector=label_selector,
            field_selector=field_selector,
            indexers=indexers,
            transform=transform,
            optional=optional,
            resync=resync,
            metadata_only=metadata_only,
        )
        self._start(informer)
        return informer

    def drop(self, informer: Informer) -> None:
        """Stop an informer that nobody needs any more; its handlers are not called again."""
        self._informers = {identity: kept for identity, kept in self._informers.items() if kept is not informer}
        task = self._running.pop(id(informer), None)
        if task is not None:
            task.cancel()

    @property
    def unsynced(self) -> list[str]:
        """The resources whose informers have not been filled yet."""
        return [informer.resource.plural for informer in self._informers.values() if not informer.synced]

    def add(self, controller: Controller) -> None:
        """Run this controller; before `run` only."""
        self._controllers.append(controller)

    def add_task(self, name: str, task: Task) -> None:
        """Run `task` beside the controllers (while leading); before `run` only. Its end is not the runtime's."""
        self._tasks.append((name, task))

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Run everything until cancelled. Raises NotSynced, LeadershipLost: end the process and start anew."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for informer in list(self._informers.values()):
                    self._start(informer)
                await self._wait_synced()
                on_ready()
                if self._elector is None:
                    await self._work()
                else:
                    await self._elector.run(self._work)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        finally:
            self._group = None
            self._running.clear()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for controller in self._controllers:
                group.create_task(controller.run(), name=f"controller {controller.name}")
            for name, task in self._tasks:
                group.create_task(_awaited(task), name=name)
            await asyncio.Event().wait()

    async def _wait_synced(self) -> None:
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.wait_synced(self._sync_timeout), name=f"sync {informer.resource.plural}")

    def _start(self, informer: Informer) -> None:
        if self._group is not None and id(informer) not in self._running:
            name = f"informer {informer.resource.plural}"
            self._running[id(informer)] = self._group.create_task(informer.run(), name=name)


async def _awaited(task: Task) -> None:
    await task()
