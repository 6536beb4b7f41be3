"""Uninstall with a receipt: what belonged to the extension is written down first, and looked for at the end.

`begin` is called before anything is taken away and writes the list; it does nothing when the list exists. `finish`
looks for every object of the list and writes what came of it; it may be called again. So an uninstall that is killed
anywhere goes on with the list of its beginning and ends with one receipt. `ReceiptKeeper` completes the receipts that
objects were still leaving for, and ends those whose plan vanished by hand.

A receipt is the ConfigMap `uninstall-receipt-<extension>-<plan's uid>` in kubesphere-system; the last few of each
extension are kept.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import (
    CONFIGMAPS,
    NAMESPACES,
    AlreadyExists,
    ApiError,
    Client,
    Controller,
    ControllerRuntime,
    Key,
    NotFound,
    RequeueAfter,
    Resource,
    key_of,
    labels_of,
    metadata,
    preferred_resources,
    resource_version_of,
    uid_of,
)
from dovetail.kube.discovery import split_api_version
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now, rfc3339
from dovetail.lifecycle.belongings import PARALLEL, Belongings, Target
from dovetail.lifecycle.receipt import Entry, Receipt, finished, judged, packed, unpacked
from dovetail.lifecycle.releases import NO_RECORDS, Records

OF: Final = "dovetail.dev/receipt-of"
"""Label of a receipt: its extension."""
OPEN: Final = "dovetail.dev/receipt-open"
"""Label of a receipt that is not complete."""
KEPT_RECEIPTS: Final = 5
_MANAGER: Final = "dovetail"
_FEW: Final = 3
_SOON: Final = 2.0
_LATER: Final = 60.0


def receipt_name(extension: str, plan_uid: str) -> str:
    return f"uninstall-receipt-{extension}-{plan_uid[:8]}"


class Receipts:
    """Writing receipts."""

    def __init__(self, client: Client, clock: Callable[[], datetime] = now) -> None:
        self._client = client
        self._belongings = Belongings(client)
        self._clock = clock

    async def begin(
        self,
        *,
        extension: str,
        plan_uid: str,
        version: str,
        namespace: str,
        records: Records = NO_RECORDS,
        shared: bool = False,
        requested_by: str = "",
        release: str = "",
    ) -> None:
        """Write down what there is, unless that is done. `shared`: others are installed in the namespace."""
        if await self._find(extension, plan_uid) is not None:
            return
        target = Target(extension, namespace, release or extension, shared)
        entries, notes = await self._belongings.gather(target, records)
        receipt = Receipt(
            extension=extension, version=version, namespace=namespace, plan_uid=plan_uid, requested_by=requested_by,
            begun_at=rfc3339(self._clock()), notes=tuple(notes), objects=tuple(entries),
        )  # fmt: skip
        await self._create(_configmap(receipt))

    async def finish(self, *, extension: str, plan_uid: str, forced: bool = False, kept: Mapping[str, str] = {}) -> str:
        """Look for everything that was written down; the ConfigMap's name, or "" when nothing was begun.

        `kept` are member clusters that could not be reached, and why.
        """
        obj = await self._find(extension, plan_uid)
        if obj is None:
            return ""
        clusters = [Entry(kind="Cluster", name=name, origin="Cluster", reason=why) for name, why in kept.items()]
        await self.look_again(obj, forced=forced, more=clusters)
        await self._prune(extension, key_of(obj).name)
        return key_of(obj).name

    async def look_again(self, obj: Object, *, forced: bool = False, more: Sequence[Entry] = ()) -> Receipt:
        """Bring a receipt up to date. Raises Conflict when somebody else does, ValueError when it is none."""
        receipt = unpacked(obj)
        objects = [entry for entry in receipt.objects if entry.origin != "Cluster"]
        clusters = list(more) or [entry for entry in receipt.objects if entry.origin == "Cluster"]
        told = [msgspec.structs.replace(one, outcome="Kept", why=one.reason) for one in clusters]
        looked = await self._look(objects, forced=forced or receipt.forced)
        result = finished(receipt, [*looked, *told], rfc3339(self._clock()), forced=forced)
        if receipt.finished_at and msgspec.structs.replace(result, finished_at=receipt.finished_at) == receipt:
            return receipt  # nothing new: a write would only wake whoever watches, us first
        await self._client.update(CONFIGMAPS, _configmap(result, resource_version_of(obj)), field_manager=_MANAGER)
        return result

    async def _look(self, entries: Sequence[Entry], *, forced: bool) -> list[Entry]:
        """Ask the API for every object, a whole kind of a namespace at once where there are many."""
        self._client.forget_discovery()
        served = preferred_resources(await self._client.discover_all(), ("get",))
        resources = {(one.resource.group, one.resource.kind): one.resource for one in served}
        groups: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in entries:
            group, _ = split_api_version(entry.api_version)
            groups.setdefault((group, entry.kind, entry.namespace), []).append(entry)
        limit = asyncio.Semaphore(PARALLEL)

        async def one(place: tuple[str, str, str], wanted: list[Entry]) -> dict[str, Object]:
            resource = resources.get(place[:2])
            if resource is None:  # its definition is gone, and all of its objects with it
                return {}
            async with limit:
                return await self._live(resource, place[2], wanted)

        async with asyncio.TaskGroup() as tasks:
            looks = {place: tasks.create_task(one(place, wanted)) for place, wanted in groups.items()}
        live = {(place, name): obj for place, look in looks.items() for name, obj in look.result().items()}
        return [judged(e, live.get(((split_api_version(e.api_version)[0], e.kind, e.namespace), e.name)), forced=forced)
                for e in entries]  # fmt: skip

    async def _live(self, resource: Resource, namespace: str, entries: Iterable[Entry]) -> dict[str, Object]:
        names = {entry.name for entry in entries}
        if len(names) > _FEW:
            try:
                found = await self._client.list(resource, namespace or None, metadata_only=True)
            except ApiError as error:
                if error.code != 405:
                    raise
            else:
                return {key_of(obj).name: obj for obj in found.items if key_of(obj).name in names}
        live: dict[str, Object] = {}
        for name in names:
            try:
                live[name] = await self._client.get(resource, name, namespace or None, metadata_only=True)
            except NotFound:
                continue
        return live

    async def _find(self, extension: str, plan_uid: str) -> Object | None:
        try:
            return await self._client.get(CONFIGMAPS, receipt_name(extension, plan_uid), labels.SYSTEM_NAMESPACE)
        except NotFound:
            return None

    async def _create(self, obj: Object) -> None:
        try:
            await self._client.create(CONFIGMAPS, obj, field_manager=_MANAGER)
        except AlreadyExists:
            return
        except NotFound:
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": labels.SYSTEM_NAMESPACE}}
            await self._client.create(NAMESPACES, namespace, field_manager=_MANAGER)
            await self._client.create(CONFIGMAPS, obj, field_manager=_MANAGER)

    async def _prune(self, extension: str, newest: str) -> None:
        known = await stored(self._client, extension, metadata_only=True)
        for obj in [obj for obj in known if key_of(obj).name != newest][KEPT_RECEIPTS - 1 :]:
            try:
                await self._client.delete(CONFIGMAPS, key_of(obj).name, labels.SYSTEM_NAMESPACE, uid=uid_of(obj))
            except ApiError:
                continue  # the next uninstall tries again


async def stored(client: Client, extension: str, *, metadata_only: bool = False) -> list[Object]:
    """The receipts of an extension, the newest first."""
    selector = f"{OF}={extension}"
    found = await client.list(CONFIGMAPS, labels.SYSTEM_NAMESPACE, label_selector=selector, metadata_only=metadata_only)
    return sorted(found.items, key=lambda obj: str(metadata(obj).get("creationTimestamp") or ""), reverse=True)


def _configmap(receipt: Receipt, resource_version: str = "") -> Object:
    marks = {OF: receipt.extension, **({} if receipt.complete else {OPEN: "true"})}
    meta: Object = {
        "name": receipt_name(receipt.extension, receipt.plan_uid),
        "namespace": labels.SYSTEM_NAMESPACE,
        "labels": marks,
    }
    if resource_version:
        meta["resourceVersion"] = resource_version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **packed(receipt)}


class ReceiptKeeper:
    """Completes receipts that are open."""

    def __init__(self, client: Client, receipts: Receipts) -> None:
        self._client = client
        self._receipts = receipts
        self._looks: dict[str, int] = {}

    def controller(self, runtime: ControllerRuntime) -> Controller:
        """The controller, on the open receipts only."""
        controller = Controller("receipts", self.reconcile)
        controller.watches(
            runtime.informer(CONFIGMAPS, namespace=labels.SYSTEM_NAMESPACE, label_selector=OPEN, metadata_only=True)
        )
        return controller

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        try:
            obj = await self._client.get(CONFIGMAPS, key.name, key.namespace)
            receipt = unpacked(obj)
        except (NotFound, ValueError):
            return self._rest(key.name)
        if OPEN not in labels_of(obj):
            return self._rest(key.name)
        if await self._is_under_way(receipt):
            return RequeueAfter(_LATER)
        result = await self._receipts.look_again(obj)
        if result.complete:
            return self._rest(key.name)
        looks = self._looks[key.name] = self._looks.get(key.name, 0) + 1
        return RequeueAfter(min(_SOON * 2.0 ** (looks - 1), _LATER))

    def _rest(self, name: str) -> None:
        self._looks.pop(name, None)

    async def _is_under_way(self, receipt: Receipt) -> bool:
        """Whether its uninstall runs still and will finish it."""
        if receipt.finished_at:
            return False
        try:
            plan: Mapping[str, Any] = await self._client.get(INSTALLPLANS, receipt.extension, metadata_only=True)
        except NotFound:
            return False
        return uid_of(plan) == receipt.plan_uid
