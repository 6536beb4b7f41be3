"""Tells in each routed object's own status whether it works: measured, not believed.

`Availability` gives the prober its targets (every APIService and ReverseProxy that is not Disabled), keeps the latest
verdict of each, and has a controller write `status.state` with two conditions: Healthy (the backend answers) and
Accepted (the object became routes; Conflict, Invalid or Reserved otherwise). What to write is the pure function
`status_of`. Disabled objects are the lifecycle's: they are neither probed nor written to. A write carries the
resource version it was decided on, so that it can never undo a Disabled that came in between.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeGuard

import msgspec

from dovetail.apis.dialects import HealthCheck, ReverseProxy
from dovetail.gateway.health import Health, Prober, Target, unavailable
from dovetail.gateway.objects import ROUTED, Model, Place, Read, RoutingObjects, informer_of
from dovetail.kube import Client, Controller, Key, Object, ResourceLike, now, set_condition, uid_of
from dovetail.kube.conditions import ConditionStatus
from dovetail.kube.errors import NotFound
from dovetail.routing.model import Upstream
from dovetail.routing.problems import Problem
from dovetail.routing.upstreams import build_upstream

DISABLED = "Disabled"
_REFUSED = ("Invalid", "Reserved")
_ACCEPTED_MESSAGE = "the object is part of the route table"


def status_of(
    obj: Mapping[str, Any], health: Health, problems: Sequence[Problem], at: datetime, *, routed: bool
) -> dict[str, Any]:
    """The status that an object should have; equal to the one it has when nothing is new.

    `routed` says that something of it is in the route table: one bad matcher costs that matcher only.
    """
    status: dict[str, Any] = dict(obj.get("status") or {})
    generation = int(obj["metadata"].get("generation") or 0)
    refused = [problem for problem in problems if problem.reason in _REFUSED]
    worst = next(iter([*refused, *(p for p in problems if p.reason in ("Conflict", "Shadowed"))]), None)
    healthy = health.state == "Available"
    conditions = set_condition(
        status.get("conditions") or [], "Healthy", "True" if healthy else "False",
        health.reason, health.message, generation, at,
    )  # fmt: skip
    status["conditions"] = set_condition(
        conditions, "Accepted", "False" if worst else "True", worst.reason if worst else "Accepted",
        "; ".join(_sentence(p) for p in problems) or _ACCEPTED_MESSAGE, generation, at,
    )  # fmt: skip
    status["state"] = "Available" if healthy and routed else "Unavailable"
    return status


def _sentence(problem: Problem) -> str:
    return f"{problem.field}: {problem.message}" if problem.field else problem.message


class Remark(msgspec.Struct, frozen=True):
    """Something more about an object, which becomes a condition of its own. `status` is True, False or Unknown."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


class Availability:
    """Health of all routed objects. Run `prober` and the `controllers` side by side; call `refresh` after a compile."""

    def __init__(self, client: Client, objects: RoutingObjects) -> None:
        self._client = client
        self._objects = objects
        self._verdicts: dict[str, Health] = {}
        self._owners: dict[str, tuple[Controller, Key]] = {}
        self._targets: dict[str, Target] = {}
        self._uids: dict[Place, str] = {}
        self._places: dict[str, Place] = {}
        self._remarks: dict[str, Remark] = {}
        self._listeners: list[Callable[[Place, str], None]] = []
        self.prober = Prober(self._report)
        self._of = {resource: self._controller(resource) for resource in ROUTED}
        self.controllers = list(self._of.values())

    def refresh(self) -> None:
        """Probe what is routed now, and write what the compiler has found; looks only at what it was touched by."""
        for place in self._objects.touched():
            controller = self._of[place.resource]
            obj = informer_of(self._objects, place.resource).lister.by_key(place.key)
            before = self._forget(place, obj)
            if obj is not None:
                self._owners[uid_of(obj)] = (controller, place.key)
                self._uids[place] = uid_of(obj)
                self._places[uid_of(obj)] = place
                controller.queue.add(place.key)
                model = self._objects.read(obj)
                if _probed(model):
                    self._targets[uid_of(obj)] = self._target(model)
            self._tell(place, uid_of(obj) if obj is not None else before)
        self.prober.set_targets(self._targets)

    def on_news(self, listener: Callable[[Place, str], None]) -> None:
        """Call this whenever an object (its place, its uid) or its backend has changed, come or gone."""
        self._listeners.append(listener)

    def _tell(self, place: Place, uid: str) -> None:
        for listener in self._listeners:
            listener(place, uid)

    def upstream_of(self, uid: str) -> Upstream | None:
        """Where an object's backend is reached, while it answers."""
        verdict, target = self._verdicts.get(uid), self._targets.get(uid)
        return target.upstream if target and verdict and verdict.state == "Available" else None

    def remark(self, uid: str, remark: Remark) -> None:
        """Have this in the object's status, until something else is said."""
        if self._remarks.get(uid) != remark:
            self._remarks[uid] = remark
            self._write_soon(uid)

    def _write_soon(self, uid: str) -> None:
        if owner := self._owners.get(uid):
            controller, object_key = owner
            controller.queue.add(object_key)

    def _forget(self, place: Place, obj: Object | None) -> str:
        """Drop what was known of an object; the verdict stays while its backend is to be probed. Its uid, if known."""
        uid = self._uids.pop(place, "")
        self._places.pop(uid, None)
        self._owners.pop(uid, None)
        self._targets.pop(uid, None)
        if obj is None or uid_of(obj) != uid or not _probed(self._objects.read(obj)):
            self._verdicts.pop(uid, None)
            self._remarks.pop(uid, None)
        return uid

    def _target(self, model: Model) -> Target:
        service = model.backend.service
        resolution = self._objects.resolution(service) if service else None
        check: HealthCheck | None = model.health_check if isinstance(model, ReverseProxy) else None
        upstream = build_upstream(model.backend, resolution, certificate=self._objects.certificate)
        nowhere = unavailable(resolution.reason, resolution.message) if resolution and resolution.reason else None
        return Target(upstream=upstream, check=check, unresolved=nowhere)

    async def _report(self, key: str, health: Health) -> None:
        self._verdicts[key] = health
        self._write_soon(key)
        if place := self._places.get(key):
            self._tell(place, key)

    def _controller(self, resource: ResourceLike) -> Controller:
        async def reconcile(key: Key) -> None:
            await self._write(resource, informer_of(self._objects, resource).lister.by_key(key))

        return Controller(f"availability of {resource.plural}.{resource.group}", reconcile)

    async def _write(self, resource: ResourceLike, obj: Object | None) -> None:
        status = self._wanted(obj) if obj else None
        if obj is None or status is None or status == obj.get("status"):
            return
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        with contextlib.suppress(NotFound):
            body = {"metadata": metadata, "status": status}
            await self._client.patch(resource, obj["metadata"]["name"], body, subresource="status")

    def _wanted(self, obj: Object) -> dict[str, Any] | None:
        """The status to write; None while nothing is known, and for what is Disabled."""
        read = self._objects.read(obj)
        if isinstance(read, list):
            told = unavailable("Invalid", "the object cannot be read, see the condition Accepted")
            return None if _state(obj) == DISABLED else status_of(obj, told, read, now(), routed=False)
        verdict = self._verdicts.get(uid_of(obj))
        if verdict is None or read.status.state == DISABLED:
            return None
        problems, routed = self._objects.problems_of(read.meta.id), self._objects.is_routed(read.meta.id)
        status = status_of(obj, verdict, problems, now(), routed=routed)
        return with_remark(status, self._remarks.get(uid_of(obj)), obj, now())


def with_remark(status: dict[str, Any], remark: Remark | None, obj: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The status with one condition more."""
    if remark is None:
        return status
    generation = int(obj["metadata"].get("generation") or 0)
    conditions = set_condition(
        status["conditions"], remark.type, remark.status, remark.reason, remark.message, generation, at
    )  # fmt: skip
    return {**status, "conditions": conditions}


def _probed(read: Read) -> TypeGuard[Model]:
    return not isinstance(read, list) and read.status.state != DISABLED and not read.meta.deleting


def _state(obj: Object) -> str:
    status: dict[str, Any] = obj.get("status") or {}
    return str(status.get("state", ""))
