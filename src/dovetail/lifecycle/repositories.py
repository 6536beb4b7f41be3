"""The Repository's reconciler: reads what it lists when it is time, and has `carrying_out` do what `syncing` plans.

When: at the start, when the spec changes, after `interval`, when somebody clears `status.lastSyncTime`, or gives the
annotation `dovetail.dev/retry` another value. Errors shorten the wait and are told in the status; what is known stays.
A synchronisation is bounded by `timeout`; what it does not reach the next one does. Nothing is remembered that a
restart could not lose.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.dialects import Repository, extension_version, repository
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import REPOSITORIES
from dovetail.kube import (
    Client,
    EventRecorder,
    Informer,
    Key,
    NotFound,
    RequeueAfter,
    annotations_of,
    finalizers_of,
    is_deleting,
    labels_of,
)
from dovetail.kube.resources import Object
from dovetail.lifecycle import repository_status, sharing
from dovetail.lifecycle.carrying_out import Job, Publisher, Refusals
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.image_repositories import ImageRepositories
from dovetail.lifecycle.interrupts import RETRY
from dovetail.lifecycle.listings import Stamps, read_listing
from dovetail.lifecycle.objects import conditions_of, generation_of, mapping, spec_of, status_of
from dovetail.lifecycle.sharing import Offer
from dovetail.lifecycle.sources import SecretUnusable, Sources
from dovetail.lifecycle.syncing import Index, Known, SyncPlan, plan_sync

_FIRST_RETRY: Final = 10.0
_NOTHING: Final = "NothingToRead"
_LOOK_TWICE: Final = 30.0
"""At the latest so long after a version was missed the index is read again."""


@dataclass
class _Schedule:
    """What this process remembers of a repository. Times are monotonic."""

    due: float = 0.0
    generation: int = 0
    retry: str = ""
    failures: int = 0
    had_time: bool = False
    stamps: Stamps = field(default_factory=Stamps)
    """Of the listing that was carried out without any failure; empty otherwise."""
    left: frozenset[str] = frozenset()
    """The ExtensionVersions that are listed and were there then."""
    offered: frozenset[str] | None = None
    missed: frozenset[str] = frozenset()
    refused: Refusals = field(default_factory=dict[Any, str])


class RepositoryReconciler:
    """See the module."""

    def __init__(
        self,
        client: Client,
        sources: Sources,
        publisher: Publisher,
        recorder: EventRecorder,
        images: ImageRepositories,
        *,
        repositories: Informer,
        versions: Informer,
        extensions: Informer,
        plans: Informer,
    ) -> None:
        self._client = client
        self._sources = sources
        self._publisher = publisher
        self._recorder = recorder
        self._images = images
        self._repositories = repositories
        self._versions = versions
        self._extensions = extensions
        self._plans = plans
        self._schedules: dict[str, _Schedule] = {}

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        obj = self._repositories.lister.get(key.name)
        if obj is None or is_deleting(obj):
            self._schedules.pop(key.name, None)
            await self._release(obj)
            return None
        schedule = self._schedules.setdefault(key.name, _Schedule())
        left = self._left(obj, schedule)
        if left > 0:
            return RequeueAfter(left)
        pause = await self._sync_and_tell(obj, schedule)
        return None if pause is None else RequeueAfter(pause)

    def find(self, name: str) -> Repository | None:
        """A repository by name, for its credentials."""
        obj = self._repositories.lister.get(name)
        with contextlib.suppress(InvalidObject):
            return repository(obj) if obj is not None else None
        return None

    def _left(self, obj: Object, schedule: _Schedule) -> float:
        """Seconds until it is time. What somebody asks for by hand is looked at afresh."""
        has_time = bool(status_of(obj).get("lastSyncTime"))
        retry = annotations_of(obj).get(RETRY, "")
        asked = (schedule.had_time and not has_time) or retry != schedule.retry
        schedule.had_time, schedule.retry = has_time, retry
        if asked or schedule.generation != generation_of(obj):
            schedule.stamps = Stamps()
            schedule.refused.clear()
            return 0.0
        return schedule.due - asyncio.get_running_loop().time()

    async def _sync_and_tell(self, obj: Object, schedule: _Schedule) -> float | None:
        """Synchronise and write the status. Seconds until the next time; None when only a change can help."""
        is_new = schedule.generation != generation_of(obj)
        schedule.generation = generation_of(obj)
        try:
            model = await self._at_its_address(repository(obj), obj, schedule, is_new)
            plan, digest = await self._sync(obj, model, schedule)
        except InvalidObject as error:
            await self._failed(obj, schedule, "InvalidRepository", str(error))
            return None
        except (SyncFailed, SecretUnusable) as error:
            reason = error.reason if isinstance(error, SyncFailed) else "SecretUnusable"
            await self._failed(obj, schedule, reason, str(error))
            if reason == _NOTHING:
                return None
            return _pause(schedule, failed=True, interval=_interval(obj))
        await self._succeeded(obj, schedule, plan, digest)
        return self._next(schedule, plan, model.interval)

    async def _at_its_address(self, model: Repository, obj: Object, schedule: _Schedule, is_new: bool) -> Repository:
        """The repository with a url: its own, or that of what its image serves. Raises SyncFailed."""
        if model.url:
            if is_new:
                await self._images.withdraw(obj)
            return model
        if not model.image:
            raise SyncFailed(_NOTHING, "the repository has no url; give the address of a Helm repository")
        return await self._images.served(model, obj, pull=not is_new and schedule.failures == 0)

    def _next(self, schedule: _Schedule, plan: SyncPlan | None, interval: float) -> float:
        if plan is not None and plan.missing.difference(plan.remove):
            interval = min(interval, _LOOK_TWICE)
        return _pause(schedule, failed=plan is not None and bool(plan.failures), interval=interval)

    async def _sync(self, obj: Object, model: Repository, schedule: _Schedule) -> tuple[SyncPlan | None, str]:
        """The plan as it was carried out (None: nothing changed), and the digest of what is listed."""
        deadline = asyncio.get_running_loop().time() + model.timeout
        origin = await self._sources.origin(model)
        keyring = await self._sources.keyring(model)
        before = schedule.stamps if self._is_whole(obj, schedule) else Stamps()
        listing = await _in_time(read_listing(self._sources, model, origin, before), model.timeout)
        if listing.index is None:
            schedule.stamps = listing.stamps
            return None, listing.stamps.digest
        plan = self._plan(listing.index, model, schedule)
        plan = await self._publisher.carry_out(Job(obj, origin, keyring, deadline), plan, schedule.refused)
        settled = not (plan.failures or plan.conflicts or plan.missing.difference(plan.remove))
        schedule.stamps = listing.stamps if settled else Stamps(files=listing.stamps.files)
        schedule.left = frozenset(entry.object_name for entry in (*plan.fetch, *plan.unchanged))
        return plan, listing.stamps.digest

    def _plan(self, index: Index, model: Repository, schedule: _Schedule) -> SyncPlan:
        schedule.offered = frozenset(index.entries)
        plan = plan_sync(
            index,
            self._known(),
            repository=model.meta.name,
            depth=model.depth,
            owners=sharing.owners(self._offers(), self._giving()),
            in_use=set(self._in_use()),
            missed=schedule.missed,
        )
        schedule.missed = plan.missing
        listed = {entry for entries in index.entries.values() for entry in entries}
        for entry in schedule.refused.keys() - listed:
            del schedule.refused[entry]
        return plan

    def _known(self) -> Iterable[Known]:
        for obj in self._versions.lister:
            source, spec = labels_of(obj).get(labels.REPOSITORY_REF, ""), spec_of(obj)
            extension = labels_of(obj).get(labels.EXTENSION_REF, "")
            if not extension:
                with contextlib.suppress(InvalidObject):
                    extension = extension_version(obj).extension
            digest = str(spec.get("digest") or "").lower().removeprefix("sha256:")
            url, created = str(spec.get("chartURL") or ""), str(spec.get("created") or "")
            yield Known(obj["metadata"]["name"], extension, source, digest, url, created)

    def _is_whole(self, obj: Object, schedule: _Schedule) -> bool:
        """Whether the cluster still has every version that the last synchronisation left there."""
        name = obj["metadata"]["name"]
        there = {
            version["metadata"]["name"]
            for version in self._versions.lister
            if labels_of(version).get(labels.REPOSITORY_REF) == name
        }
        return schedule.left <= there

    def _offers(self) -> dict[str, Offer]:
        """What every repository that is there offers, as far as it was read."""
        offers: dict[str, Offer] = {}
        for obj in self._repositories.lister:
            name = obj["metadata"]["name"]
            schedule, priority = self._schedules.get(name), spec_of(obj).get("priority")
            offers[name] = Offer(priority if isinstance(priority, int) else 0, schedule.offered if schedule else None)
        return offers

    def _giving(self) -> dict[str, str]:
        return {
            extension["metadata"]["name"]: source
            for extension in self._extensions.lister
            if (source := labels_of(extension).get(labels.REPOSITORY_REF))
        }

    def _in_use(self) -> Iterable[str]:
        """Versions that a plan has, or wants."""
        for plan in self._plans.lister:
            wanted = mapping(spec_of(plan).get("extension"))
            for version in (wanted.get("version"), status_of(plan).get("version")):
                yield f"{wanted.get('name')}-{version}"

    async def _succeeded(self, obj: Object, schedule: _Schedule, plan: SyncPlan | None, digest: str) -> None:
        schedule.had_time = True
        await self._write(obj, repository_status.succeeded(obj, plan, digest))
        if plan is None:
            return
        await self._tell_conflicts(obj["metadata"]["name"])
        for failure in plan.failures[:5]:
            which = f"{failure.extension} {failure.version}".strip()
            await self._recorder.record(obj, "Warning", "PackageRefused", f"{which}: {failure.message}")

    async def _tell_conflicts(self, name: str) -> None:
        """In the conditions of every repository that shares extensions with this one, or did."""
        offers, giving = self._offers(), self._giving()
        given = sharing.owners(offers, giving)
        for obj in self._repositories.lister:
            other = obj["metadata"]["name"]
            told = any(condition.get("type") == repository_status.CONFLICT for condition in conditions_of(obj))
            sentences = sharing.conflicts(other, offers, given)
            if sentences or told or other == name:
                fresh = await self._client.get(REPOSITORIES, other)
                await self._write(fresh, {"conditions": repository_status.conflicting(fresh, sentences)})

    async def _failed(self, obj: Object, schedule: _Schedule, reason: str, message: str) -> None:
        schedule.had_time = True
        await self._write(obj, repository_status.failed(obj, reason, message))
        await self._recorder.record(obj, "Warning", reason, message)

    async def _write(self, obj: Object, status: dict[str, Any]) -> None:
        if any(status_of(obj).get(name) != wanted for name, wanted in status.items()):
            with contextlib.suppress(NotFound):
                name = obj["metadata"]["name"]
                await self._client.patch(REPOSITORIES, name, {"status": status}, subresource="status")

    async def _release(self, obj: Object | None) -> None:
        """Another platform's finalizer would hold the object for ever; owners' references do the rest."""
        if obj is not None and labels.REPOSITORY_PROTECTION in finalizers_of(obj):
            kept = [name for name in finalizers_of(obj) if name != labels.REPOSITORY_PROTECTION]
            with contextlib.suppress(NotFound):
                await self._client.patch(REPOSITORIES, obj["metadata"]["name"], {"metadata": {"finalizers": kept}})


async def _in_time(reading: Any, timeout: float) -> Any:
    try:
        async with asyncio.timeout(timeout):
            return await reading
    except TimeoutError as error:
        message = f"what it lists could not be read within {timeout:g} s; raise updateStrategy.timeout"
        raise SyncFailed("Timeout", message) from error


def _pause(schedule: _Schedule, *, failed: bool, interval: float) -> float:
    schedule.failures = schedule.failures + 1 if failed else 0
    retry = _FIRST_RETRY * 2.0 ** min(schedule.failures - 1, 10)
    pause = min(interval, retry) if failed else interval
    schedule.due = asyncio.get_running_loop().time() + pause
    return pause


def _interval(obj: Object) -> float:
    try:
        return repository(obj).interval
    except InvalidObject:
        return 900.0
