"""Eyes of the garbage collector: a metadata-only informer for each resource that can be listed, watched and deleted.

Which resources there are is asked again when a CRD changes and once a minute. The informers start a few at a time,
after the cluster is ready: garbage may wait, users may not. Events are left out, as in Kubernetes: they are many, own
nothing, and expire.
"""

import asyncio
import logging

from dovetail.embedded.controllers.garbage.collector import Collector
from dovetail.embedded.controllers.garbage.graph import Graph, node_of
from dovetail.kube import (
    CRDS,
    Controller,
    ControllerRuntime,
    Informer,
    Key,
    NotSynced,
    Object,
    RequeueAfter,
    Resource,
    metadata,
    preferred_resources,
    uid_of,
)

log = logging.getLogger(__name__)

IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
REFRESH = 60.0
HEAD_START = 3.0  # seconds for the rest of the platform to start in, before the many first lists
SETTLE = 0.2  # seconds after a CRD's change: several mostly come together
STARTING_AT_ONCE = 4
SYNC_TIMEOUT = 30.0
_KEPT = ("name", "namespace", "uid", "resourceVersion", "ownerReferences", "finalizers", "deletionTimestamp")
_REFRESH_KEY = Key("", "resources")


def collect_garbage(runtime: ControllerRuntime) -> None:
    """Add garbage collection to the runtime."""
    monitors = Monitors(runtime)
    runtime.add(monitors.collector.controller)
    runtime.add(monitors.controller)


def slim(obj: Object) -> Object:
    """What the graph needs of an object's metadata."""
    meta = metadata(obj)
    return {"metadata": {name: meta[name] for name in _KEPT if name in meta}}


class Monitors:
    """The informers, kept in line with what the cluster serves."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self._runtime = runtime
        self._graph = Graph()
        self._informers: dict[Resource, Informer] = {}
        self._started = False
        self.collector = Collector(runtime.client, self._graph)
        self.controller = Controller("garbage-monitors", self._refresh)
        runtime.informer(CRDS).add_handler(self._crd_changed)
        self.controller.enqueue(_REFRESH_KEY, after=HEAD_START)

    def _crd_changed(self, type: str, old: Object | None, new: Object, /) -> None:
        if self._started:
            self.controller.enqueue(_REFRESH_KEY, after=SETTLE)

    async def _refresh(self, key: Key) -> RequeueAfter:
        self._started = True
        served = preferred_resources(await self._runtime.client.discover_all(), ("list", "watch", "delete"))
        wanted = {s.resource for s in served if (s.resource.group, s.resource.plural) not in IGNORED}
        for resource in set(self._informers) - wanted:
            self._stop(resource)
        slots = asyncio.Semaphore(STARTING_AT_ONCE)
        await asyncio.gather(*(self._start(resource, slots) for resource in wanted - set(self._informers)))
        self.collector.filled = True
        self.collector.enqueue(self._graph.with_unseen_owners())
        return RequeueAfter(REFRESH)

    async def _start(self, resource: Resource, slots: asyncio.Semaphore) -> None:
        async with slots:
            informer = self._runtime.informer(resource, metadata_only=True, transform=slim, optional=True, resync=0.0)
            self._informers[resource] = informer

            def handler(type: str, old: Object | None, new: Object, /) -> None:
                self._changed(resource, type, new)

            informer.add_handler(handler)
            try:
                await informer.wait_synced(SYNC_TIMEOUT)
            except NotSynced as error:  # it goes on trying; meanwhile its owners are asked for one by one
                log.warning("garbage collection starts without %s: %s", resource.plural, error)

    def _stop(self, resource: Resource) -> None:
        informer = self._informers.pop(resource)
        self._runtime.drop(informer)
        for obj in informer.lister:
            self.collector.enqueue(self._graph.forget(uid_of(obj)))

    def _changed(self, resource: Resource, type: str, obj: Object) -> None:
        if type == "DELETED":
            self.collector.enqueue(self._graph.forget(uid_of(obj)))
        else:
            self.collector.enqueue(self._graph.observe(node_of(resource, obj)))
