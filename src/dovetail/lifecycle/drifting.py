"""Drift: what somebody changes or deletes of an extension by hand is told in the plan's status, and mended when asked.

A plan at rest is looked at now and then (`drift_interval`), and soon after a watch shows a change of one of its
workloads, ConfigMaps or API objects. Never while an operation runs: the plan must be Installed and observed, and
mending takes the extension's turn. An object that somebody keeps changing is mended after growing pauses, so that two
controllers never fight at full speed; it is told as drift all the while.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from dovetail.apis.dialects import install_plan
from dovetail.apis.dialects.policies import Policies
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import storage
from dovetail.kube import (
    Client,
    Conflict,
    Controller,
    EventRecorder,
    Informer,
    Key,
    NotFound,
    RequeueAfter,
    annotations_of,
    is_deleting,
    labels_of,
    metadata,
    resource_version_of,
    set_condition,
)
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import history, states
from dovetail.lifecycle.belongings import Target
from dovetail.lifecycle.drift import Drifted, status_of_drift, summary
from dovetail.lifecycle.drift_finding import DriftFinder, Subject
from dovetail.lifecycle.objects import conditions_of, generation_of, status_of
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.switching import extension_of
from dovetail.lifecycle.turns import Turns

_SHORTEST: Final = 30.0
_SETTLING: Final = 2.0
_FIRST_FIGHT: Final = 5.0
_LONGEST_FIGHT: Final = 3600.0
_EACH: Final = 2.0
"""Seconds of an interval for each extension: with very many of them the looks come less often, not more densely."""
_MAX_MESSAGE: Final = 4096


class DriftReconciler:
    """`controller` makes the controller; `interval` is the time between two looks at a quiet extension, in seconds."""

    def __init__(
        self,
        client: Client,
        plans: Informer,
        turns: Turns,
        recorder: EventRecorder,
        *,
        interval: float,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._client = client
        self._plans = plans
        self._turns = turns
        self._recorder = recorder
        self._interval = interval
        self._shortest = min(_SHORTEST, interval / 2)
        self._clock = clock
        self._releases = Releases(client)
        self._finder = DriftFinder(client)
        self._looked: dict[str, tuple[float, int]] = {}  # when, and at which generation of the plan
        self._begun: dict[str, float] = {}
        self._suspects: set[str] = set()
        self._fights: dict[str, tuple[int, float]] = {}

    def controller(self, parts: Iterable[Informer]) -> Controller:
        """The controller; `parts` are caches of the extensions' objects whose changes are worth a look."""
        controller = Controller("drift", self.reconcile, workers=2)
        controller.watches(self._plans)

        def noticed(type: str, old: Object | None, new: Object, /) -> None:
            if type == "ADDED" or (type == "MODIFIED" and old is not None and not matters(old, new)):
                return
            for name in extension_of(new):
                self._suspects.add(name)
                controller.enqueue(Key("", name), _SETTLING)

        for informer in parts:
            informer.add_handler(noticed)
        return controller

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        name = key.name
        cached = self._plans.lister.get(name)
        if cached is None:
            self._forget(name)
            return None
        if (left := self._left(name, generation_of(cached))) > 0:
            return RequeueAfter(left)
        try:
            plan = await self._client.get(INSTALLPLANS, name)
            policies = install_plan(plan).policies
        except (NotFound, InvalidObject):
            return None
        if not is_at_rest(plan):
            return None  # its end is an event
        if self._turns.is_taken(name):
            return RequeueAfter(_SETTLING)
        self._suspects.discard(name)
        self._looked[name] = (asyncio.get_running_loop().time(), generation_of(plan))
        try:
            await self._look(name, plan, policies)
        except (NotFound, Conflict):  # the release or the plan changed meanwhile
            self._suspects.add(name)
            return RequeueAfter(self._shortest)
        return RequeueAfter(self._left(name, generation_of(plan)))

    async def _look(self, name: str, plan: Object, policies: Policies) -> None:
        subject = await self._subject(name, plan, policies)
        if policies.drift == "Ignore" or subject is None:
            await self._tell(plan, [])
            return
        found = await self._finder.find(subject)
        if not found:
            self._fights.pop(name, None)
            await self._tell(plan, [])
        elif policies.drift == "Heal" and not policies.paused and self._may_mend(name):
            await self._mend(name, plan, subject, found)
        else:
            await self._tell(plan, found)

    async def _subject(self, name: str, plan: Object, policies: Policies) -> Subject | None:
        status = status_of(plan)
        namespace, release = str(status.get("targetNamespace") or ""), str(status.get("releaseName") or name)
        if not namespace:
            return None
        latest = (await self._releases.records(namespace, release)).latest
        if latest is None or latest.status != storage.DEPLOYED:
            return None
        return Subject(Target(name, namespace, release, shared=False), latest, policies.drift_ignored)

    async def _mend(self, name: str, plan: Object, subject: Subject, found: Sequence[Drifted]) -> None:
        """In the extension's turn, and only if the plan is still the one that was looked at."""
        async with self._turns.of(name):
            fresh = await self._client.get(INSTALLPLANS, name)
            if resource_version_of(fresh) != resource_version_of(plan):
                self._suspects.add(name)
                return
            failures = [why for one in found if (why := await self._finder.mend(subject, one))]
            left = await self._finder.find(subject)
        mended = [one for one in found if one.identity not in {other.identity for other in left}]
        await self._tell(plan, left, mended, failures)

    def _may_mend(self, name: str) -> bool:
        """Whether the pause after the last mending is over; each one makes the next pause longer."""
        time = asyncio.get_running_loop().time()
        count, until = self._fights.get(name, (0, 0.0))
        if time < until:
            return False
        self._fights[name] = (count + 1, time + min(_FIRST_FIGHT * 2.0**count, _LONGEST_FIGHT))
        return True

    async def _tell(
        self, plan: Object, found: Sequence[Drifted], mended: Sequence[Drifted] = (), failures: Sequence[str] = ()
    ) -> None:
        """Write what was found; a plan that never drifted is never written."""
        status = told(plan, found, mended, failures, self._clock())
        if status is None:
            return
        change = {"metadata": {"resourceVersion": resource_version_of(plan)}, "status": status}
        await self._client.patch(INSTALLPLANS, str(metadata(plan)["name"]), change, subresource="status")
        if mended:
            words = f"mended: {'; '.join(one.told for one in mended[:5])}"
            await self._recorder.record(plan, "Normal", "Healed", words[:1000])
        if found:
            why = f" ({'; '.join(failures[:3])})" if failures else ""
            await self._recorder.record(plan, "Warning", "Drifted", (summary(found) + why)[:1000])
        elif not mended:
            await self._recorder.record(plan, "Normal", "InStep", "everything is as the release says again")

    def _left(self, name: str, generation: int) -> float:
        """Seconds until a look is due. What was never looked at is spread over the interval, unless it is suspect."""
        time = asyncio.get_running_loop().time()
        interval = max(self._interval, min(_EACH, self._interval / 2) * len(self._plans.lister))
        if name not in self._looked:
            begun = self._begun.setdefault(name, time - interval * zlib.crc32(name.encode()) / 2**32)
            return 0.0 if name in self._suspects else max(0.0, begun + interval - time)
        looked, at_generation = self._looked[name]
        if at_generation != generation:  # its policy may be another
            return 0.0
        return max(0.0, looked + (self._shortest if name in self._suspects else interval) - time)

    def _forget(self, name: str) -> None:
        self._finder.forget(name)
        self._suspects.discard(name)
        self._looked.pop(name, None)
        self._begun.pop(name, None)
        self._fights.pop(name, None)


def is_at_rest(plan: Mapping[str, Any]) -> bool:
    """Whether nobody works on the plan, nor is about to."""
    status = status_of(plan)
    seen = status.get("observedGeneration") == generation_of(plan)
    return seen and status.get("state") == states.INSTALLED and not is_deleting(plan)


def matters(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a change of an object can be drift: of what is wanted, not of its status."""
    if "generation" in metadata(new):
        marks = [(labels_of(obj), annotations_of(obj), metadata(obj).get("generation")) for obj in (old, new)]
        return marks[0] != marks[1]
    return resource_version_of(old) != resource_version_of(new)


def told(
    plan: Object, found: Sequence[Drifted], mended: Sequence[Drifted], failures: Sequence[str], time: datetime
) -> dict[str, Any] | None:
    """The fields of the status to write, or None when they say so already. Pure."""
    status = status_of(plan)
    drift, before = status_of_drift(found), cast("list[Any]", status.get("drift") or [])
    known = next((one for one in conditions_of(plan) if one.get("type") == states.COND_DRIFTED), None)
    if not found and not mended and (known is None or known.get("status") == "False") and not before:
        return None
    if found:
        words = summary(found) + (f". Not mended: {'; '.join(failures[:5])}" if failures else "")
        value, reason = "True", "CannotHeal" if failures else "Drifted"
    elif mended:
        value, reason, words = "False", "Healed", f"{len(mended)} objects were mended"
    else:
        value, reason, words = "False", "InStep", "everything is as the release says"
    words = words[:_MAX_MESSAGE]
    said = (known.get("status"), known.get("reason"), known.get("message")) if known is not None else ()
    if drift == before and not mended and said == (value, reason, words):
        return None
    generation = generation_of(plan)
    conditions = set_condition(
        conditions_of(plan), states.COND_DRIFTED, cast("Any", value), reason, words, generation, time
    )
    result: dict[str, Any] = {"drift": drift, "conditions": conditions}
    if mended:
        outcome = history.FAILED if failures else history.SUCCEEDED
        version = str(status.get("version") or "")
        message = "; ".join(one.told for one in mended[:10])
        happened = history.happened(status, history.HEAL, version, outcome, time, message=message)
        result["history"] = happened.get("history")
    return result
