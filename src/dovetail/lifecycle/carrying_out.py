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

_AT_ONCE: Final = 6
Refusals = dict[Entry, str]
"""Entries whose bytes are verified and unusable, and why: they are not fetched again while the index says the same."""


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
        self,
        job: Job,
        entries: list[Entry],
        newest: Mapping[str, Entry],
        refused: Refusals,
        limit: asyncio.Semaphore,
    ) -> list[Failure]:
        failures: list[Failure] = []
        async with limit:
            extension: Object | None = None
            for entry in entries:
                known = refused.get(entry)
                try:
                    if known is not None:
                        raise FetchFailed(known)
                    async with asyncio.timeout_at(job.deadline):
                        extension = await self._take(job, entry, extension, is_newest=newest[entry.extension] == entry)
                except TimeoutError:
                    message = "there was no time left for it; the next synchronisation goes on here"
                    failures.append(Failure(entry.extension, entry.version, message))
                except (FetchFailed, Refused, KubeError) as error:
                    if isinstance(error, UnusablePackage) and entry.digest:
                        refused[entry] = str(error)
                    failures.append(Failure(entry.extension, entry.version, str(error)))
        return failures

    async def _take(self, job: Job, entry: Entry, extension: Object | None, *, is_newest: bool) -> Object:
        """Fetch one package and publish what it says; its Extension."""
        from dovetail.packaging.objects import extension_object, version_object

        signed = bool(job.keyring)
        parcel = await self._sources.package(entry.url, job.origin, signed=signed, timeout=FETCH_TIMEOUT)
        package = await asyncio.to_thread(read_verified, parcel.data, entry.url, entry.digest)
        if (package.name, package.version) != (entry.extension, entry.version):
            raise UnusablePackage(entry.url, f"it is {package.name} {package.version}, not what the index says")
        if signed:
            await verify(self._helm, parcel, package.name, package.version, entry.url, job.keyring)
        marks = {labels.REPOSITORY_REF: job.name}
        shown = _marked(extension_object(package, entry.created), marks)
        version = _marked(version_object(package, entry.created, chartURL=entry.url, repository=job.name), marks)
        if extension is None:
            extension = await self._ensure(job, shown, is_newest=is_newest)
        await publishing.put_version(self._client, version, extension)
        return extension

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


def _marked(obj: Object, marks: dict[str, str]) -> Object:
    metadata: dict[str, Any] = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **marks}}}
