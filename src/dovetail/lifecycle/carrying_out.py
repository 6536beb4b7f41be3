"""Carrying out what `syncing.plan_sync` says: packages are fetched, verified and published, versions removed.

Extensions are taken side by side, a few at a time, the versions of one after each other, newest first. What goes wrong
with a package concerns it alone; what is not reached in the time that the repository has is a failure, too, and the
next synchronisation goes on there.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.helm import HelmWorker
from dovetail.kube import Client, Informer, KubeError, NotFound, labels_of, owner_reference
from dovetail.kube.resources import Object
from dovetail.lifecycle import publishing
from dovetail.lifecycle.errors import Refused, UnusablePackage
from dovetail.lifecycle.fetching import FetchFailed, Origin
from dovetail.lifecycle.packages import FETCH_TIMEOUT, read_verified
from dovetail.lifecycle.signatures import verify
from dovetail.lifecycle.sources import Sources
from dovetail.lifecycle.syncing import Entry, Failure, SyncPlan

_AT_ONCE: Final = 16
Refusals = dict[Entry, str]
"""Entries whose bytes are verified and unusable, and why: they are not fetched again while the index says the same."""


_GOES_WRONG: Final = (FetchFailed, Refused, KubeError, TimeoutError)
_TOGETHER: Final = 8


@dataclass(frozen=True)
class _Fetched:
    """A verified package as the objects that it becomes."""

    entry: Entry
    extension: Object
    version: Object


@dataclass(frozen=True)
class Job:
    """One synchronisation of `repository` (the object); `deadline` is the loop's time."""

    repository: Object
    origin: Origin
    keyring: bytes
    deadline: float

    @property
    def name(self) -> str:
        return str(self.repository["metadata"]["name"])


class Publisher:
    """See the module."""

    def __init__(self, client: Client, sources: Sources, helm: HelmWorker, extensions: Informer) -> None:
        self._client = client
        self._sources = sources
        self._helm = helm
        self._extensions = extensions

    async def carry_out(self, job: Job, plan: SyncPlan, refused: Refusals) -> SyncPlan:
        """Do it; the same plan with the failures that came on top."""
        by_extension: dict[str, list[Entry]] = {}
        for entry in plan.fetch:
            by_extension.setdefault(entry.extension, []).append(entry)
        limit = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._extension(job, entries, plan.newest, refused, limit))
                for entries in by_extension.values()
            ]
        for name in plan.remove:
            with contextlib.suppress(NotFound):
                await self._client.delete(EXTENSIONVERSIONS, name)
        failures = [failure for task in tasks for failure in task.result()]
        return replace(plan, failures=(*plan.failures, *failures))

    async def _extension(
        self, job: Job, entries: list[Entry], newest: Mapping[str, Entry], refused: Refusals, limit: asyncio.Semaphore
    ) -> list[Failure]:
        """Versions of one extension. Those fetched are written together: who watches them has to look once."""
        failures: list[Failure] = []
        async with limit:
            for at in range(0, len(entries), _TOGETHER):
                some = entries[at : at + _TOGETHER]
                fetched: list[_Fetched] = []
                for entry in some:
                    try:
                        fetched.append(await self._fetch(job, entry, refused))
                    except _GOES_WRONG as error:
                        failures.append(_failure(entry, error, refused))
                failures += await self._publish(job, fetched, newest)
        return failures

    async def _fetch(self, job: Job, entry: Entry, refused: Refusals) -> _Fetched:
        from dovetail.packaging.objects import extension_object, version_object

        if entry in refused:
            raise FetchFailed(refused[entry])
        async with asyncio.timeout_at(job.deadline):
            signed = bool(job.keyring)
            parcel = await self._sources.package(entry.url, job.origin, signed=signed, timeout=FETCH_TIMEOUT)
            package = await asyncio.to_thread(read_verified, parcel.data, entry.url, entry.digest)
            if (package.name, package.version) != (entry.extension, entry.version):
                raise UnusablePackage(entry.url, f"it is {package.name} {package.version}, not what the index says")
            if signed:
                await verify(self._helm, parcel, package.name, package.version, entry.url, job.keyring)
        marks = {labels.REPOSITORY_REF: job.name}
        version = version_object(package, entry.created, chartURL=entry.url, repository=job.name)
        return _Fetched(entry, _marked(extension_object(package, entry.created), marks), _marked(version, marks))

    async def _publish(self, job: Job, fetched: list[_Fetched], newest: Mapping[str, Entry]) -> list[Failure]:
        if not fetched:
            return []
        first = fetched[0]
        try:
            is_newest = newest[first.entry.extension] == first.entry
            extension = await self._ensure(job, first.extension, is_newest=is_newest)
        except KubeError as error:
            return [_failure(one.entry, error, {}) for one in fetched]
        writing = [publishing.put_version(self._client, one.version, extension) for one in fetched]
        outcomes = await asyncio.gather(*writing, return_exceptions=True)
        failures: list[Failure] = []
        for one, outcome in zip(fetched, outcomes, strict=True):
            if isinstance(outcome, KubeError):
                failures.append(_failure(one.entry, outcome, {}))
            elif outcome is not None:
                raise outcome
        return failures

    async def _ensure(self, job: Job, shown: Object, *, is_newest: bool) -> Object:
        """The Extension; it shows what this repository says if that gives it, and changes hands if it gave it not."""
        cached = self._extensions.lister.get(shown["metadata"]["name"])
        extension = cached or await publishing.ensure_extension(self._client, shown, owner=job.repository)
        giver = labels_of(extension).get(labels.REPOSITORY_REF)
        if giver and giver != job.name:
            await publishing.hand_over(
                self._client, shown, extension, owner_reference(job.repository, controller=False)
            )
        elif is_newest and giver and cached is not None:
            await publishing.show(self._client, shown)
        return extension


def _failure(entry: Entry, error: Exception, refused: Refusals) -> Failure:
    if isinstance(error, TimeoutError):
        message = "there was no time left for it; the next synchronisation goes on here"
        return Failure(entry.extension, entry.version, message)
    if isinstance(error, UnusablePackage) and entry.digest:
        refused[entry] = str(error)
    return Failure(entry.extension, entry.version, str(error))


def _marked(obj: Object, marks: dict[str, str]) -> Object:
    metadata: dict[str, Any] = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **marks}}}
