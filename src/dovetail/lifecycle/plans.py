"""The InstallPlan's reconciler: look, decide, act, look again, until there is nothing to do.

All decisions are `planner.decide`'s. Each action here is one step that may be repeated; a step that fails for a
reason the user must see is written into the status, everything else is raised and comes back from the queue with a
growing wait. The pause after a written failure is kept on this process's monotonic clock: events do not shorten it, a
changed plan does.
"""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, Protocol

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm.errors import HelmProtocolError
from dovetail.kube import Client, EventRecorder, Key, RequeueAfter, annotations_of, finalizers_of, is_deleting, uid_of
from dovetail.kube.errors import NotFound
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import bookkeeping, planner, progress, states
from dovetail.lifecycle.belongings import Target
from dovetail.lifecycle.deployment import Order, Outcome, RollBack
from dovetail.lifecycle.errors import Interrupted, Refused
from dovetail.lifecycle.facts import Attempt, Problem
from dovetail.lifecycle.interrupts import Interrupts
from dovetail.lifecycle.live_progress import LiveProgress
from dovetail.lifecycle.objects import generation_of, status_of
from dovetail.lifecycle.observing import Seen
from dovetail.lifecycle.pauses import Pauses
from dovetail.lifecycle.receipting import Receipting
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.removal import Removal
from dovetail.lifecycle.sites import Site
from dovetail.lifecycle.sparing import spare
from dovetail.lifecycle.turns import Turns
from dovetail.lifecycle.warming import Warming

_log = logging.getLogger(__name__)

_MAX_STEPS: Final = 20
"""A reconciliation that takes more steps than any path through the machine has is given back to the queue."""
_LOOK_AGAIN: Final = 1.0
_LOOK: Final = "look"
_REST: Final = "rest"
Next = Literal["look", "rest"] | RequeueAfter
"""What follows a step: look again at once, rest until something happens, or look after a while."""


class Looking(Protocol):
    """Whoever sees a plan's world."""

    async def look(self, name: str) -> Seen | None:
        """The plan and its world; None when there is nothing to do about it."""
        ...

    def neighbours(self, name: str, namespace: str) -> list[str]:
        """Other plans whose release is in this namespace."""
        ...


class PlanReconciler:
    """`reconcile` is the controller's function; `observer` is set right after construction (they know each other)."""

    observer: Looking

    def __init__(
        self,
        client: Client,
        site: Site,
        recorder: EventRecorder,
        pauses: Pauses,
        interrupts: Interrupts,
        receipts: Receipting,
        turns: Turns,
        warming: Warming,
    ) -> None:
        self._client = client
        self._site = site
        self._recorder = recorder
        self._pauses = pauses
        self._releases = Releases(site.client)
        self._removal = Removal(site.client)
        self._receipts = receipts
        self._turns = turns
        self._warming = warming
        self.interrupts = interrupts

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        for _ in range(_MAX_STEPS):
            async with self._turns.of(key.name):
                following = await self._step(key.name)
            if following != _LOOK:
                return None if following == _REST else following
        return RequeueAfter(_LOOK_AGAIN)

    async def _step(self, name: str) -> Next:
        """Look, decide, act."""
        seen = await self.observer.look(name)
        if seen is None:
            return _REST
        action = planner.decide(seen.plan, seen.world)
        _log.debug("InstallPlan %s generation %d: %s", name, seen.plan.generation, action)
        if isinstance(action, planner.Wait):
            return RequeueAfter(max(self._pauses.left(uid_of(seen.obj)), _LOOK_AGAIN))
        return await self._perform(action, seen)

    async def _perform(self, action: planner.Action, seen: Seen) -> Next:
        match action:
            case planner.Protect():
                self._warming.begin()
                await self._protect(seen.obj)
            case planner.Enter(state, attempt):
                await self._enter(seen, state, attempt)
            case planner.Deploy():
                return await self._deploy(seen, action)
            case planner.Unlock(_, attempt):
                await self._unlock(seen, attempt)
            case planner.Fail(state, reason, attempt):
                return await self._fail(seen.obj, seen, state, reason, attempt)
            case planner.RollBack():
                return await self._roll_back(seen, action)
            case planner.Recovered(attempt):
                await self._recovered(seen, attempt)
            case planner.Settle():
                await self._settle(seen, action)
                return _REST
            case planner.Switch(enabled):
                await self._switch(seen, enabled)
                return _REST
            case planner.Reject(state, problem):
                await self._reject(seen, state, problem)
                return _REST
            case planner.Hold(problem):
                await self._hold(seen, problem)
                return _REST
            case planner.Pause():
                obj = await self._write(seen.obj, progress.paused(seen.status, seen.plan.generation, now()))
                await self._tell(
                    obj, "Normal", states.COND_PAUSED, "nothing is changed until spec.paused is taken back"
                )
                return _REST
            case planner.Resume():
                await self._write(seen.obj, progress.resumed(seen.status, seen.plan.generation, now()))
            case planner.Uninstall():
                return await self._uninstall(seen)
            case planner.Orphan():
                await self._begin_receipt(seen)
                await self._releases.forget(seen.records)
            case planner.Sweep():
                return await self._sweep(seen)
            case planner.Unprotect():
                await self._unprotect(seen)
                return _REST
            case planner.Wait() | planner.Idle():
                return _REST
        return _LOOK

    async def _protect(self, obj: Object) -> None:
        finalizers = [*finalizers_of(obj), labels.INSTALLPLAN_PROTECTION]
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"], "finalizers": finalizers}
        await self._client.patch(INSTALLPLANS, obj["metadata"]["name"], {"metadata": metadata})

    async def _unprotect(self, seen: Seen) -> None:
        forced = seen.plan.force_delete
        receipt = await self._receipts.finish(seen)
        obj = await self._write(seen.obj, bookkeeping.uninstalled(seen, receipt, forced, now()))
        how = "let go by force, what it installed was left as it is" if forced else "uninstalled"
        where = f"; the receipt is ConfigMap {labels.SYSTEM_NAMESPACE}/{receipt}" if receipt else ""
        await self._tell(obj, "Normal", states.UNINSTALLED, f"{seen.plan.name} is {how}{where}")
        finalizers = [name for name in finalizers_of(obj) if name != labels.INSTALLPLAN_PROTECTION]
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"], "finalizers": finalizers}
        with contextlib.suppress(NotFound):
            await self._client.patch(INSTALLPLANS, seen.plan.name, {"metadata": metadata})
        self._pauses.forget(uid_of(obj))

    async def _enter(self, seen: Seen, state: str, attempt: Attempt) -> None:
        self._warming.begin()
        await self._write(seen.obj, bookkeeping.entered(seen, state, attempt, now()))

    async def _deploy(self, seen: Seen, action: planner.Deploy) -> Next:
        live = self._live(seen.obj)
        release = seen.world.release
        try:
            with self.interrupts.of(seen.obj) as interrupt:
                async with live.running():
                    begun = lambda: self._begun(seen, action, live)  # noqa: E731
                    outcome = await self._site.deployer.deploy(order_of(seen, action), begun, interrupt, live.report)
            await self._note(seen, live.obj, outcome)
        except Interrupted:
            return _LOOK
        except Refused as error:
            in_force = release is not None and release.ever_deployed
            state = states.UPGRADE_FAILED if in_force else states.INSTALL_FAILED
            attempt = bookkeeping.after(seen.plan.recorded.attempt, error)
            return await self._fail(live.obj, seen, state, error.reason, attempt)
        return _LOOK

    async def _note(self, seen: Seen, obj: Object, outcome: Outcome) -> None:
        """What the tests said, and what the user should know although all went well."""
        if outcome.tested:
            await self._write(obj, bookkeeping.tested(seen, self._status(obj), outcome, now()))
        for note in outcome.notes:
            await self._tell(obj, "Warning", "Note", note)

    async def _begun(self, seen: Seen, action: planner.Deploy, live: LiveProgress) -> None:
        """Everything is prepared, Helm comes next."""
        desired = action.desired
        async with live.hold():
            if generation_of(live.obj) != seen.plan.generation or is_deleting(live.obj):
                raise Interrupted(desired.extension)  # a step that was written has brought a changed plan
            status = bookkeeping.begun(seen, self._status(live.obj), action, now())
            live.obj = await self._write(live.obj, status)
        message = f"{desired.extension} {desired.version} into namespace {desired.namespace}"
        await self._tell(live.obj, "Normal", action.state, message + bookkeeping.told_of(status))

    async def _unlock(self, seen: Seen, attempt: Attempt) -> None:
        latest = seen.records.latest
        assert latest is not None
        # First the note, then the deed: a crash in between finds the release still locked and notes it again.
        message = f"revision {latest.revision} was {latest.status} with nobody working on it; going on from it"
        obj = await self._write(seen.obj, bookkeeping.unlocked(seen, attempt, message, now()))
        await self._releases.unlock(latest)
        await self._tell(obj, "Warning", "Unlocked", message)

    async def _roll_back(self, seen: Seen, action: planner.RollBack) -> Next:
        status = bookkeeping.going_back(seen, action.attempt, now())
        obj = await self._write(seen.obj, status)
        message = f"bringing revision {action.revision} back{bookkeeping.told_of(status)}"
        await self._tell(obj, "Warning", "RollingBack", message)
        live = self._live(obj)
        order = RollBack(seen.plan.name, seen.namespace, seen.release, action.revision, seen.policies)
        try:
            with self.interrupts.of(obj) as interrupt:
                async with live.running():
                    await self._site.deployer.roll_back(order, interrupt, live.report)
        except Interrupted:
            return _LOOK
        except Refused as error:
            return await self._fail_back(live.obj, seen, action.attempt, error)
        return _LOOK

    async def _recovered(self, seen: Seen, attempt: Attempt) -> None:
        latest = seen.records.latest
        assert latest is not None
        await self._restore(seen)
        await self._switch_objects(seen, seen.plan.recorded.enabled is not False)
        obj = await self._write(seen.obj, bookkeeping.recovered(seen, attempt, now()))
        await self._tell(obj, "Warning", states.COND_ROLLED_BACK, f"revision {latest.revision} serves as before")

    async def _fail_back(self, obj: Object, seen: Seen, attempt: Attempt, error: Refused) -> RequeueAfter:
        attempt = replace(attempt, back_failures=attempt.back_failures + 1)
        obj = await self._write(obj, bookkeeping.not_recovered(seen, self._status(obj), attempt, error, now()))
        await self._tell(obj, "Warning", "RollbackFailed", str(error))
        return RequeueAfter(self._pauses.begin(uid_of(obj), attempt.back_failures, seen.policies.retry))

    async def _settle(self, seen: Seen, action: planner.Settle) -> None:
        desired = action.desired
        if seen.plan.recorded.state != states.INSTALLED:
            await self._restore(seen)
        await self._switch_objects(seen, desired.enabled)
        status = bookkeeping.settled(seen, desired, now())
        self._pauses.forget(uid_of(seen.obj))
        if status == seen.status:
            return
        obj = await self._write(seen.obj, status)
        word = "enabled" if desired.enabled else "disabled"
        await self._tell(obj, "Normal", states.INSTALLED, f"{desired.extension} {desired.version} is {word}")

    async def _restore(self, seen: Seen) -> None:
        """What the manifest says of its objects' status. A record that does not decode keeps nobody from being done."""
        latest = seen.records.latest
        if latest is None:
            return
        try:
            manifest = await self._releases.manifest(latest)
        except HelmProtocolError as error:
            await self._tell(seen.obj, "Warning", "UnreadableRelease", str(error))
            return
        await self._site.switchboard.restore(manifest)

    async def _switch(self, seen: Seen, enabled: bool) -> None:
        if seen.plan.recorded.version:
            await self._switch_objects(seen, enabled)
        status = bookkeeping.switched(seen, enabled, now())
        if status != seen.status:
            await self._write(seen.obj, status)

    async def _switch_objects(self, seen: Seen, enabled: bool) -> None:
        down = seen.policies.scale_down_when_disabled
        await self._site.switch(seen.plan.name, enabled=enabled, scale_down=down)

    async def _reject(self, seen: Seen, state: str, problem: Problem) -> None:
        obj = await self._write(seen.obj, bookkeeping.rejected(seen, state, problem, now()))
        await self._tell(obj, "Warning", problem.reason, problem.message)

    async def _hold(self, seen: Seen, problem: Problem) -> None:
        obj = await self._write(seen.obj, progress.held(seen.status, problem, seen.plan.generation, now()))
        await self._tell(obj, "Warning", problem.reason, problem.message)

    async def _uninstall(self, seen: Seen) -> Next:
        release = seen.release
        if seen.plan.deleting:
            await self._begin_receipt(seen)
        await spare(self._site.client, Target(seen.plan.name, seen.namespace, release, False), seen.records)
        live = self._live(seen.obj)
        hook_timeout = seen.policies.hook_timeout
        try:
            with self.interrupts.of(seen.obj) as interrupt:
                async with live.running():
                    await self._site.deployer.uninstall(
                        seen.plan.name, seen.namespace, interrupt, live.report, release, hook_timeout
                    )
        except Interrupted:
            return _LOOK
        except Refused as error:
            if not seen.plan.deleting:
                raise
            return await self._fail_uninstall(seen, live.obj, error)
        return _LOOK

    async def _sweep(self, seen: Seen) -> Next:
        await self._begin_receipt(seen)
        heirs = self.observer.neighbours(seen.plan.name, seen.namespace)
        if heirs:
            await self._removal.unlabel_namespace(seen.plan.name, seen.namespace, heirs[0])
        try:
            await self._removal.sweep(seen.remains)
        except Refused as error:
            return await self._fail_uninstall(seen, seen.obj, error)
        return _LOOK

    async def _begin_receipt(self, seen: Seen) -> None:
        """What there is is written down before anything is taken away."""
        shared = bool(self.observer.neighbours(seen.plan.name, seen.namespace))
        await self._receipts.begin(seen, shared=shared)

    async def _fail_uninstall(self, seen: Seen, obj: Object, error: Refused) -> RequeueAfter:
        attempt = bookkeeping.after(seen.plan.recorded.attempt, error)
        return await self._fail(obj, seen, states.UNINSTALL_FAILED, error.reason, attempt)

    async def _fail(self, obj: Object, seen: Seen, state: str, reason: str, attempt: Attempt) -> RequeueAfter:
        obj = await self._write(obj, bookkeeping.failed(seen, self._status(obj), state, reason, attempt, now()))
        pause = self._pauses.begin(uid_of(obj), attempt.count, seen.policies.retry)
        last = state != states.UNINSTALL_FAILED and attempt.is_exhausted(seen.plan.limit)
        what_next = "change the plan to try again" if last else f"next attempt in {pause:g} s"
        await self._tell(obj, "Warning", state, f"{attempt.message} ({what_next})")
        return RequeueAfter(pause)

    def _status(self, obj: Object) -> Mapping[str, Any]:
        """The status that this reconciler keeps."""
        return status_of(obj)

    def _live(self, obj: Object) -> LiveProgress:
        return LiveProgress(self._client, obj)

    async def _write(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replace the status of exactly the version that was looked at. Raises Conflict when the plan changed."""
        return await self._client.update(INSTALLPLANS, {**obj, "status": dict(status)}, subresource="status")

    async def _tell(self, obj: Object, severity: Any, reason: str, message: str) -> None:
        await self._recorder.record(obj, severity, reason, message)


def order_of(seen: Seen, action: planner.Deploy) -> Order:
    """What the deployment is to do."""
    assert seen.version is not None, "the planner does not deploy what is missing"
    return Order(
        action.desired,
        seen.version,
        seen.config,
        upgrade=seen.world.release is not None,
        policies=seen.policies,
        annotations=annotations_of(seen.obj),
        release=seen.release,
        agent=bool(seen.cluster),
    )
