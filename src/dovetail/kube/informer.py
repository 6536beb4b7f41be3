"""An informer keeps a cache of one resource in step with the API and tells handlers what changed.

The model is client-go's: list, then watch from the list's resourceVersion; a broken watch goes on from the last version
seen (bookmarks move it while nothing happens); 410 means list again, and then the differences to the cache become the
changes that were missed, deletions too. What to do after a stream ended is decided by `resuming.after`.

Handlers are plain functions called in order on the event loop; they must be quick (put a key into a queue) and an
exception in one is logged and hurts nobody else. An `optional` resource may not exist yet, or any more: then the cache
is empty and counts as synced, and the resource is looked for every few seconds.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from dovetail.kube.backoff import Backoff
from dovetail.kube.client import WATCH_TIMEOUT, Client
from dovetail.kube.errors import Forbidden, Gone, KubeError, NotSynced, Unauthorized
from dovetail.kube.lister import Change, Indexer, Lister, Store
from dovetail.kube.objects import key_of, resource_version_of
from dovetail.kube.resources import Object, ResourceLike, api_version_of
from dovetail.kube.resuming import Step, after, went_back
from dovetail.kube.watching import WatchEvent

log = logging.getLogger(__name__)

Transform = Callable[[Object], Object]
ABSENT_POLL = 2.0


class Handler(Protocol):
    """Told about each change: ADDED (old is None), MODIFIED, DELETED (new is the last state). Never mutate objects."""

    def __call__(self, type: str, old: Object | None, new: Object, /) -> None: ...


def without_managed_fields(obj: Object) -> Object:
    """A transform that frees about a third of a typical object; updating an object without the field keeps it."""
    meta = obj.get("metadata")
    if isinstance(meta, dict):
        cast("Object", meta).pop("managedFields", None)
    return obj


class Informer:
    """See the module. `resync` seconds (0: never) after which every cached object is reported as MODIFIED again."""

    def __init__(
        self,
        client: Client,
        resource: ResourceLike,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        indexers: Mapping[str, Indexer] | None = None,
        transform: Transform | None = without_managed_fields,
        optional: bool = False,
        resync: float = 0.0,
        metadata_only: bool = False,
        watch_timeout: float = WATCH_TIMEOUT,
    ) -> None:
        self.resource = resource
        self.optional = optional
        self._client, self._namespace = client, namespace
        self._label_selector, self._field_selector = label_selector, field_selector
        self._transform, self._metadata_only = transform, metadata_only
        self._resync, self._watch_timeout = resync, watch_timeout
        self._store = Store(indexers)
        self._handlers: list[Handler] = []
        self._synced = asyncio.Event()
        self._version: str | None = None
        self._backoff = Backoff()
        self.problem: Exception | None = None
        """What went wrong last; None while all is well."""

    @property
    def lister(self) -> Lister:
        """The cache, to read from."""
        return self._store

    @property
    def synced(self) -> bool:
        """Whether the cache has been complete once."""
        return self._synced.is_set()

    async def wait_synced(self, timeout: float) -> None:
        """Wait for the first complete list. Raises NotSynced, naming the last problem."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError as error:
            raise NotSynced(self.resource.plural, timeout, self.problem) from error

    def add_handler(self, handler: Handler) -> None:
        """Call `handler` for each change from now on, and at once with ADDED for every object that is cached."""
        self._handlers.append(handler)
        for obj in self._store:
            _tell(handler, Change("ADDED", None, obj))

    def add_indexers(self, indexers: Mapping[str, Indexer]) -> None:
        """Declare further indexes; one that exists is kept."""
        self._store.add_indexers(indexers)

    async def run(self) -> None:
        """Keep the cache in step until cancelled; outages are waited out, never raised."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name=f"informer {self.resource.plural}")
            if self._resync > 0:
                tasks.create_task(self._resync_forever(), name=f"resync {self.resource.plural}")

    async def _follow(self) -> None:
        while True:
            started = asyncio.get_running_loop().time()
            error = await self._once()
            lived = asyncio.get_running_loop().time() - started
            await self._pause(error, lived)

    async def _once(self) -> Exception | None:
        try:
            if self._version is None:
                await self._list()
            await self._watch(self._version or "")
        except KubeError as error:
            self._forget_version(after(error, self.optional))
            return error
        return None

    def _forget_version(self, step: Step) -> None:
        if step is Step.WATCH:
            return
        self._version = None
        if step is Step.ABSENT:
            self._tell(self._store.replace([]))
            self._synced.set()

    async def _list(self) -> None:
        listed = await self._client.list(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            metadata_only=self._metadata_only,
        )
        self._tell(self._store.replace(self._shaped(obj) for obj in listed.items))
        self._version = listed.resource_version
        self._succeeded()
        self._synced.set()

    async def _watch(self, version: str) -> None:
        stream = self._client.watch(
            self.resource,
            self._namespace,
            resource_version=version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
            timeout=self._watch_timeout * random.uniform(0.8, 1.0),  # not all watches of a process end at once
            metadata_only=self._metadata_only,
        )
        try:
            async for event in stream:
                self._take(event)
        finally:
            await stream.aclose()  # now, not when the collector finds it

    def _take(self, event: WatchEvent) -> None:
        self._succeeded()
        version = resource_version_of(event.object)
        if event.type == "DELETED":
            self._tell(self._store.discard(self._shaped(event.object)))
        elif event.type != "BOOKMARK":
            self._tell(self._store.put(self._shaped(event.object)))
        elif went_back(self._version or "", version):
            raise Gone({"code": 410, "reason": "Expired", "message": f"the server went back to version {version}"})
        if version:
            self._version = version

    def _shaped(self, obj: Object) -> Object:
        if self._metadata_only:
            obj = {
                "apiVersion": api_version_of(self.resource),
                "kind": self.resource.kind,
                "metadata": obj.get("metadata"),
            }
        if self._transform is None:
            return obj
        try:
            return self._transform(obj)
        except Exception:  # a foreign object of an unforeseen shape may cost its transform, not the whole cache
            log.exception("the transform of %s failed on %s", self.resource.plural, key_of(obj))
            return obj

    async def _pause(self, error: Exception | None, lived: float) -> None:
        step = after(error, self.optional)
        self.problem = None if step is Step.ABSENT else error
        if step is Step.ABSENT:
            self._backoff.reset()
            await asyncio.sleep(ABSENT_POLL * random.uniform(0.75, 1.0))
        elif error is not None and not isinstance(error, Gone):
            delay = self._backoff.next()
            _report(self.resource.plural, error, delay, self._backoff.failures)
            await asyncio.sleep(delay)
        elif lived < 1.0:  # a server that ends every watch at once must not make us spin
            await asyncio.sleep(self._backoff.next())
        else:
            self._backoff.reset()

    def _succeeded(self) -> None:
        if self.problem is not None:
            log.info("watching %s again", self.resource.plural)
            self.problem = None
        self._backoff.reset()

    async def _resync_forever(self) -> None:
        while True:
            await asyncio.sleep(self._resync * random.uniform(1.0, 1.1))
            self._tell([Change("MODIFIED", obj, obj) for obj in self._store])

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            for handler in self._handlers:
                _tell(handler, change)


def _tell(handler: Handler, change: Change) -> None:
    try:
        handler(change.type, change.old, change.new)
    except Exception:
        log.exception("a handler failed on %s %s", change.type, change.new.get("kind"))


def _report(plural: str, error: Exception, delay: float, failures: int) -> None:
    # The first failure is often a restart of the server; a lasting one deserves attention, but not a line a second.
    refused = isinstance(error, Forbidden | Unauthorized)
    level = logging.WARNING if refused or failures in (4, 8) or failures % 16 == 0 else logging.DEBUG
    log.log(level, "watching %s: %s; next try in %.1f s", plural, error, delay)
