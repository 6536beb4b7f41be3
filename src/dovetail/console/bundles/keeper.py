"""The controller of the bundle store: JSBundles of both groups in, what is served and their status out.

A pass over one bundle reads its object, finds out which public paths are its own, reads its sources, puts the outcome
into the store and tells the object. It is level triggered: a change of the object, of a referenced ConfigMap or Secret,
or of another bundle that wants the same path leads to a pass. Status is written with the version that was read, so a
`Disabled` that arrives in between makes the write fail and the pass start again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dovetail.apis.dialects import Backend
from dovetail.apis.errors import InvalidObject
from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.apis.kubesphere_v1alpha1 import SEED_JSBUNDLES
from dovetail.console.bundles.fetching import fetch
from dovetail.console.bundles.model import BundleId, File, Missing, Outcome, Part, Plan
from dovetail.console.bundles.planning import DISABLED, owner_of, plan_of, references
from dovetail.console.bundles.references import RETRY, References
from dovetail.console.bundles.resolving import read_key, serve_part, taken
from dovetail.console.bundles.status import wanted_status
from dovetail.console.bundles.store import BundleStore
from dovetail.console.errors import FetchFailed
from dovetail.console.reading import state_of
from dovetail.kube import (
    Controller,
    ControllerRuntime,
    Informer,
    Key,
    NotFound,
    Object,
    RequeueAfter,
    is_deleting,
    key_of,
    now,
    resource_version_of,
)

BY_LINK: Final = "link"
REFRESH: Final = 300.0
"""Seconds until a bundle that came from a backend is fetched again."""

_RESOURCES: Final = {resource.group: resource for resource in (JSBUNDLES, SEED_JSBUNDLES)}


def links_of(obj: Object) -> Iterable[str]:
    """The public paths that an object asks for; none if it cannot be read."""
    try:
        return plan_of(obj).links
    except InvalidObject:
        return ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What came from a backend, when it was last known to be that, and its entity tag there."""

    part: Part
    at: float
    file: File
    etag: str


class BundleKeeper:
    """Add it to a runtime before that runs; `settled` tells when every bundle that was there has had its first pass."""

    def __init__(self, runtime: ControllerRuntime, store: BundleStore, clock: Callable[[], datetime] = now) -> None:
        self._client, self._store, self._clock = runtime.client, store, clock
        self._fetched: dict[BundleId, dict[str, _Kept]] = {}
        self._passed: set[BundleId] = set()
        self._settled = False
        self._controller = Controller("bundles", self._reconcile, workers=4)
        self._references = References(runtime, lambda bundle: self._controller.enqueue(Key(bundle.group, bundle.name)))
        self._informers: dict[str, Informer] = {}
        for group, resource in _RESOURCES.items():
            informer = runtime.informer(resource, indexers={BY_LINK: links_of}, optional=True)
            self._informers[group] = informer
            self._controller.watches(informer, lambda obj, group=group: self._concerned(group, obj))
        runtime.add(self._controller)

    @property
    def settled(self) -> bool:
        """Whether the store is as complete as the cluster lets it be."""
        if not self._settled and all(informer.synced for informer in self._informers.values()):
            known = {BundleId(group, key_of(obj).name) for group, it in self._informers.items() for obj in it.lister}
            self._settled = known <= self._passed
        return self._settled

    def _concerned(self, group: str, obj: Object) -> Iterable[Key]:
        """The bundle itself and all that want one of its paths."""
        yield Key(group, key_of(obj).name)
        for link in links_of(obj):
            for plan in self._claimants(link):
                yield Key(plan.id.group, plan.id.name)

    def _claimants(self, link: str) -> list[Plan]:
        found = (obj for informer in self._informers.values() for obj in informer.lister.by_index(BY_LINK, link))
        return [plan_of(obj) for obj in found]

    async def _reconcile(self, key: Key) -> RequeueAfter | None:
        bundle = BundleId(key.namespace, key.name)
        try:
            return await self._pass(bundle)
        finally:
            if not self._settled:
                self._passed.add(bundle)

    async def _pass(self, bundle: BundleId) -> RequeueAfter | None:
        obj = self._informers[bundle.group].lister.get(bundle.name)
        if obj is None or is_deleting(obj) or state_of(obj) == DISABLED:
            self._forget(bundle)
            return None
        try:
            plan = plan_of(obj)
        except InvalidObject as error:
            self._forget(bundle)
            await self._tell(bundle, obj, Missing("Invalid", str(error)))
            return None
        outcome, again = await self._resolve(plan)
        if self._informers[bundle.group].lister.get(bundle.name) is obj:  # else a pass with the newer object follows
            self._store.put(outcome)
            await self._tell(bundle, obj, outcome)
        return RequeueAfter(again) if again else None

    async def _resolve(self, plan: Plan) -> tuple[Outcome, float]:
        """What becomes of the plan now, and the seconds after which to look again (0: changes are told)."""
        self._references.use(plan.id, references(plan))
        parts: dict[str, File | Missing] = {}
        waits: list[float] = []
        for part in (plan.main, *plan.assets):
            owner = owner_of(self._claimants(part.link))
            if owner is not None and owner.id != plan.id:
                parts[part.link] = taken(part, owner.id)
            else:
                parts[part.link], again = await self._read(plan.id, part)
                waits.append(again)
        return Outcome(plan, parts), min((wait for wait in waits if wait), default=0.0)

    async def _read(self, bundle: BundleId, part: Part) -> tuple[File | Missing, float]:
        source = part.source
        if isinstance(source, bytes):
            return serve_part(part, source), 0.0
        if isinstance(source, Backend):
            served = await self._fetch(bundle, part)
            return served, REFRESH if isinstance(served, File) else RETRY
        reading = await self._references.read(source)
        if isinstance(reading.found, Missing):
            return reading.found, reading.again
        return serve_part(part, read_key(reading.found, source)), reading.again

    async def _fetch(self, bundle: BundleId, part: Part) -> File | Missing:
        """From the backend, or what came from it lately; an old copy is better than none when it does not answer."""
        kept = self._fetched.setdefault(bundle, {}).get(part.link)
        known = kept if kept and kept.part == part else None
        time = self._clock().timestamp()
        if known and time - known.at < REFRESH:
            return known.file
        assert isinstance(part.source, Backend)  # by `_read`
        try:
            fetched = await fetch(self._client, part.source, known.etag if known else "")
        except FetchFailed as error:
            return known.file if known else Missing("FetchFailed", str(error))
        if known and (fetched is None or fetched.content == known.file.content):
            self._fetched[bundle][part.link] = replace(known, at=time, etag=fetched.etag if fetched else known.etag)
            return known.file
        assert fetched is not None  # nothing was known that it could be the same as
        served = serve_part(part, fetched.content)
        if isinstance(served, File):
            self._fetched[bundle][part.link] = _Kept(part, time, served, fetched.etag)
        return served

    def _forget(self, bundle: BundleId) -> None:
        self._references.use(bundle, ())
        self._fetched.pop(bundle, None)
        self._store.remove(bundle)

    async def _tell(self, bundle: BundleId, obj: Object, outcome: Outcome | Missing) -> None:
        status = wanted_status(obj, outcome, self._clock())
        if status is None:
            return
        patch = {"metadata": {"resourceVersion": resource_version_of(obj)}, "status": status}
        try:
            await self._client.patch(_RESOURCES[bundle.group], bundle.name, patch, subresource="status")
        except NotFound:
            return  # deleted meanwhile; the informer says so next
