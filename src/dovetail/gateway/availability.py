"""Tells in each routed object's own status whether it works: measured, not believed.

`Availability` gives the prober its targets (every APIService and ReverseProxy that is not Disabled), keeps the latest
verdict of each, and has a controller write `status.state` with two conditions: Healthy (the backend answers) and
Accepted (the object became routes; Conflict, Invalid or Reserved otherwise). What to write is the pure function
`status_of`. Disabled objects are the lifecycle's: they are neither probed nor written to. A write carries the
resource version it was decided on, so that it can never undo a Disabled that came in between.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dovetail.apis.dialects import HealthCheck, ReverseProxy
from dovetail.gateway.health import Health, Prober, Target, unavailable
from dovetail.gateway.objects import ROUTED, Model, RoutingObjects, informer_of
from dovetail.kube import Client, Controller, Key, Object, ResourceLike, key_of, now, set_condition, uid_of
from dovetail.kube.errors import NotFound
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


class Availability:
    """Health of all routed objects. Run `prober` and the `controllers` side by side; call `refresh` after a compile."""

    def __init__(self, client: Client, objects: RoutingObjects) -> None:
        self._client = client
        self._objects = objects
        self._verdicts: dict[str, Health] = {}
        self._owners: dict[str, tuple[Controller, Key]] = {}
        self.prober = Prober(self._report)
        self.controllers = [self._controller(resource) for resource in ROUTED]

    def refresh(self) -> None:
        """Probe what is routed now, and write what the compiler has found."""
        targets: dict[str, Target] = {}
        owners: dict[str, tuple[Controller, Key]] = {}
        for resource, controller in zip(ROUTED, self.controllers, strict=True):
            for obj in informer_of(self._objects, resource).lister:
                model = self._objects.read(obj)
                owners[uid_of(obj)] = (controller, key_of(obj))
                controller.queue.add(key_of(obj))
                if not isinstance(model, list) and model.status.state != DISABLED and not model.meta.deleting:
                    targets[uid_of(obj)] = self._target(model)
        self._owners = owners
        self._verdicts = {uid: health for uid, health in self._verdicts.items() if uid in targets}
        self.prober.set_targets(targets)

    def _target(self, model: Model) -> Target:
        service = model.backend.service
        resolution = self._objects.resolution(service) if service else None
        check: HealthCheck | None = model.health_check if isinstance(model, ReverseProxy) else None
        upstream = build_upstream(model.backend, resolution, certificate=self._objects.certificate)
        nowhere = unavailable(resolution.reason, resolution.message) if resolution and resolution.reason else None
        return Target(upstream=upstream, check=check, unresolved=nowhere)

    async def _report(self, key: str, health: Health) -> None:
        self._verdicts[key] = health
        if owner := self._owners.get(key):
            controller, object_key = owner
            controller.queue.add(object_key)

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
        problems, routed = self._objects.problems_of(uid_of(obj)), self._objects.is_routed(read.meta.id)
        return status_of(obj, verdict, problems, now(), routed=routed)


def _state(obj: Object) -> str:
    status: dict[str, Any] = obj.get("status") or {}
    return str(status.get("state", ""))
