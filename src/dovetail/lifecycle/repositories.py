"""The Repository's reconciler: reads its index when it is time, and carries out what `syncing.plan_sync` says.

When: at the start, when the spec changes, after `interval`, or as soon as somebody clears `status.lastSyncTime`.
Errors shorten the wait and are told in the status; what is known stays. The whole synchronisation is bounded by
`timeout`, packages are fetched a few at a time, and each is verified against the digest in the index before anything
is read from it.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.dialects import Repository, extension_version, repository
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, REPOSITORIES
from dovetail.kube import (
    Client,
    EventRecorder,
    Informer,
    Key,
    KubeError,
    NotFound,
    RequeueAfter,
    finalizers_of,
    is_deleting,
    labels_of,
    set_condition,
)
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now, rfc3339
from dovetail.lifecycle import publishing
from dovetail.lifecycle.errors import Refused, SyncFailed, UnusablePackage
from dovetail.lifecycle.fetching import MAX_INDEX, MAX_PACKAGE, Fetcher, FetchFailed
from dovetail.lifecycle.objects import conditions_of, generation_of, mapping, spec_of, status_of
from dovetail.lifecycle.packages import FETCH_TIMEOUT, origin_of, read_verified
from dovetail.lifecycle.syncing import Entry, Failure, Known, SyncPlan, plan_sync, read_index

SYNCED: Final = "Synced"
_PARALLEL: Final = 4
_FIRST_RETRY: Final = 10.0
_MAX_FAILURES: Final = 50


@dataclass
class _Schedule:
    """What this process remembers of a repository: monotonic times, the generation it read, failures in a row."""

    due: float = 0.0
    generation: int = 0
    failures: int = 0
    had_time: bool = False
    complete: str = ""
    """Digest of the index that was carried out without any failure."""


class RepositoryReconciler:
    """See the module."""

    def __init__(
        self,
        client: Client,
        fetcher: Fetcher,
        recorder: EventRecorder,
        *,
        repositories: Informer,
        versions: Informer,
        extensions: Informer,
        plans: Informer,
    ) -> None:
        self._client = client
        self._fetcher = fetcher
        self._recorder = recorder
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
        has_time = bool(status_of(obj).get("lastSyncTime"))
        cleared = schedule.had_time and not has_time
        schedule.had_time = has_time
        if cleared or schedule.generation != generation_of(obj):
            return 0.0
        return schedule.due - asyncio.get_running_loop().time()

    async def _sync_and_tell(self, obj: Object, schedule: _Schedule) -> float | None:
        """Synchronise and write the status. Seconds until the next time; None when only a change can help."""
        schedule.generation = generation_of(obj)
        try:
            model = repository(obj)
            if not model.url:
                await self._failed(obj, "NothingToRead", _without_url(model))
                return None
            async with asyncio.timeout(model.timeout):
                plan, index_digest = await self._sync(obj, model, schedule)
        except InvalidObject as error:
            await self._failed(obj, "InvalidRepository", str(error))
            return None
        except (SyncFailed, TimeoutError) as error:
            reason = error.reason if isinstance(error, SyncFailed) else "Timeout"
            message = str(error) or "the synchronisation did not end in its time; raise updateStrategy.timeout"
            await self._failed(obj, reason, message)
            return self._pause(schedule, failed=True)
        await self._succeeded(obj, plan, index_digest)
        schedule.complete = "" if plan.failures else index_digest
        schedule.had_time = True
        return self._pause(schedule, failed=bool(plan.failures), interval=model.interval)

    def _pause(self, schedule: _Schedule, *, failed: bool, interval: float = 900.0) -> float:
        schedule.failures = schedule.failures + 1 if failed else 0
        retry = _FIRST_RETRY * 2.0 ** min(schedule.failures - 1, 10)
        pause = min(interval, retry) if failed else interval
        schedule.due = asyncio.get_running_loop().time() + pause
        return pause

    async def _sync(self, obj: Object, model: Repository, schedule: _Schedule) -> tuple[SyncPlan, str]:
        url = f"{model.url.rstrip('/')}/index.yaml"
        try:
            data = await self._fetcher.get(url, origin_of(model), limit=MAX_INDEX, timeout=model.timeout)
        except FetchFailed as error:
            raise SyncFailed("IndexUnavailable", f"{url} cannot be read: {error}") from error
        digest = hashlib.sha256(data).hexdigest()
        known = list(self._known())
        if digest == schedule.complete and self._is_whole(obj, known):
            return SyncPlan(), digest
        index = await asyncio.to_thread(read_index, data, url)
        plan = plan_sync(
            index,
            known,
            repository=model.meta.name,
            depth=model.depth,
            owners=self._owners(),
            in_use=set(self._in_use()),
        )
        failures = await self._carry_out(obj, model, plan)
        return SyncPlan(plan.fetch, plan.unchanged, plan.remove, (*plan.failures, *failures), plan.newest), digest

    async def _carry_out(self, obj: Object, model: Repository, plan: SyncPlan) -> list[Failure]:
        limit = asyncio.Semaphore(_PARALLEL)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._take(obj, model, entry, plan, limit)) for entry in plan.fetch]
        for name in plan.remove:
            with contextlib.suppress(NotFound):
                await self._client.delete(EXTENSIONVERSIONS, name)
        return [failure for task in tasks if (failure := task.result()) is not None]

    async def _take(
        self, obj: Object, model: Repository, entry: Entry, plan: SyncPlan, limit: asyncio.Semaphore
    ) -> Failure | None:
        """Fetch one package and publish what it says. What goes wrong with it concerns it alone."""
        async with limit:
            try:
                data = await self._fetcher.get(entry.url, origin_of(model), limit=MAX_PACKAGE, timeout=FETCH_TIMEOUT)
                await self._publish(obj, entry, data, is_newest=plan.newest.get(entry.extension) == entry)
            except (FetchFailed, Refused, KubeError) as error:
                return Failure(entry.extension, entry.version, str(error))
            return None

    async def _publish(self, obj: Object, entry: Entry, data: bytes, *, is_newest: bool) -> None:
        from dovetail.packaging.objects import extension_object, version_object

        package = await asyncio.to_thread(read_verified, data, entry.url, entry.digest)
        if (package.name, package.version) != (entry.extension, entry.version):
            raise UnusablePackage(entry.url, f"it is {package.name} {package.version}, not what the index says")
        name = obj["metadata"]["name"]
        marks = {labels.REPOSITORY_REF: name}
        shown = _marked(extension_object(package, entry.created), marks)
        version = _marked(version_object(package, entry.created, chartURL=entry.url, repository=name), marks)
        extension = await publishing.ensure_extension(self._client, shown, owner=obj)
        if is_newest and labels_of(extension).get(labels.REPOSITORY_REF) == name:
            await publishing.show(self._client, shown)
        await publishing.put_version(self._client, version, extension)

    def _known(self) -> Iterable[Known]:
        for obj in self._versions.lister:
            with contextlib.suppress(InvalidObject):
                version = extension_version(obj)
                source = labels_of(obj).get(labels.REPOSITORY_REF, "")
                digest = version.digest.lower().removeprefix("sha256:")
                yield Known(version.meta.name, version.extension, source, digest, version.chart_url)

    def _is_whole(self, obj: Object, known: Iterable[Known]) -> bool:
        """Whether the cluster still has as many versions as the status says."""
        name = obj["metadata"]["name"]
        return sum(version.repository == name for version in known) == status_of(obj).get("versions")

    def _owners(self) -> dict[str, str]:
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

    async def _succeeded(self, obj: Object, plan: SyncPlan, index_digest: str) -> None:
        failures = plan.failures
        counts: dict[str, Any] = {}
        if plan.fetch or plan.unchanged or plan.failures or plan.remove:
            bad = {(failure.extension, failure.version) for failure in failures}
            good = [e for e in (*plan.fetch, *plan.unchanged) if (e.extension, e.version) not in bad]
            counts = {"extensions": len({entry.extension for entry in good}), "versions": len(good)}
        message = f"{len(failures)} packages could not be used" if failures else "the index and its packages are read"
        told = [{"name": f.extension, "version": f.version, "message": f.message[:1000]} for f in failures]
        status = {
            "state": SYNCED,
            "lastSyncTime": rfc3339(now()),
            "indexDigest": index_digest,
            "failures": told[:_MAX_FAILURES],
            **counts,
        }
        await self._write(obj, status, "True", "PartlySynced" if failures else SYNCED, message)
        for failure in failures[:5]:
            which = f"{failure.extension} {failure.version}".strip()
            await self._recorder.record(obj, "Warning", "PackageRefused", f"{which}: {failure.message}")

    async def _failed(self, obj: Object, reason: str, message: str) -> None:
        await self._write(obj, {"state": "Failed"}, "False", reason, message)
        await self._recorder.record(obj, "Warning", reason, message)

    async def _write(self, obj: Object, status: dict[str, Any], value: Any, reason: str, message: str) -> None:
        generation = generation_of(obj)
        conditions = set_condition(conditions_of(obj), SYNCED, value, reason, message, generation, now())
        status = {**status, "observedGeneration": generation, "conditions": conditions}
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


def _marked(obj: Object, marks: dict[str, str]) -> Object:
    metadata = obj["metadata"]
    return {**obj, "metadata": {**metadata, "labels": {**metadata.get("labels", {}), **marks}}}


def _without_url(model: Repository) -> str:
    if model.image:
        return (
            "image repositories need a cluster that runs pods and are not read yet; give the url of a Helm repository"
        )
    return "the repository has no url; give the address of a Helm repository"
