"""The InstallPlan's reconciler: look, decide, act, look again, until there is nothing to do.

All decisions are `planner.decide`'s. Each action here is one step that may be repeated; a step that fails for a
reason the user must see is written into the status, everything else is raised and comes back from the queue with a
growing wait. The pause after a written failure is kept on this process's monotonic clock: events do not shorten it, a
changed plan does.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, Literal

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import HelmWorker
from dovetail.kube import Client, EventRecorder, Key, RequeueAfter, finalizers_of, uid_of
from dovetail.kube.errors import NotFound
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import planner, progress, states
from dovetail.lifecycle.deployment import Deployer, Order
from dovetail.lifecycle.errors import Interrupted, Refused
from dovetail.lifecycle.facts import UNLIMITED, Attempt, fingerprint
from dovetail.lifecycle.interrupts import Interrupts
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.observing import Observer, Seen, release_name
from dovetail.lifecycle.releases import Releases
from dovetail.lifecycle.removal import Removal
from dovetail.lifecycle.switching import Switchboard

_log = logging.getLogger(__name__)

_MAX_STEPS: Final = 20
"""A reconciliation that takes more steps than any path through the machine has is given back to the queue."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_LOOK_AGAIN: Final = 1.0
_LOOK: Final = "look"
_REST: Final = "rest"
Next = Literal["look", "rest"] | RequeueAfter
"""What follows a step: look again at once, rest until something happens, or look after a while."""


class Pauses:
    """When each plan (by uid) may be tried again. In memory only: after a restart everybody may try at once."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def begin(self, uid: str, failures: int) -> float:
        """A pause that doubles with each failure; its length in seconds."""
        seconds = min(_FIRST_PAUSE * 2.0 ** max(0, failures - 1), _LONGEST_PAUSE)
        self._until[uid] = asyncio.get_running_loop().time() + seconds
        return seconds

    def left(self, uid: str) -> float:
        return max(0.0, self._until.get(uid, 0.0) - asyncio.get_running_loop().time())

    def is_over(self, uid: str) -> bool:
        return self.left(uid) <= 0.0

    def forget(self, uid: str) -> None:
        self._until.pop(uid, None)


class PlanReconciler:
    """`reconcile` is the controller's function; `observer` is set right after construction (they know each other)."""

    observer: Observer

    def __init__(
        self,
        client: Client,
        helm: HelmWorker,
        deployer: Deployer,
        switchboard: Switchboard,
        recorder: EventRecorder,
        pauses: Pauses,
        interrupts: Interrupts,
    ) -> None:
        self._client = client
        self._helm = helm
        self._deployer = deployer
        self._switchboard = switchboard
        self._recorder = recorder
        self._pauses = pauses
        self._releases = Releases(client)
        self._removal = Removal(client)
        self.interrupts = interrupts
        self._warming: asyncio.Task[None] | None = None

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        for _ in range(_MAX_STEPS):
            seen = await self.observer.look(key.name)
            if seen is None:
                return None
            action = planner.decide(seen.plan, seen.world)
            _log.debug("InstallPlan %s generation %d: %s", key.name, seen.plan.generation, action)
            if isinstance(action, planner.Idle):
                return None
            if isinstance(action, planner.Wait):
                return RequeueAfter(max(self._pauses.left(uid_of(seen.obj)), _LOOK_AGAIN))
            following = await self._perform(action, seen)
            if following != _LOOK:
                return None if following == _REST else following
        return RequeueAfter(_LOOK_AGAIN)

    async def close(self) -> None:
        """Wait for what was begun beside the reconciliations."""
        if self._warming is not None:
            await asyncio.wait([self._warming])

    async def _perform(self, action: planner.Action, seen: Seen) -> Next:
        match action:
            case planner.Protect():
                self.warm()
                await self._protect(seen.obj)
            case planner.Enter(state, attempt):
                await self._enter(seen, state, attempt)
            case planner.Deploy():
                return await self._deploy(seen, action)
            case planner.Unlock(_, attempt):
                await self._unlock(seen, attempt)
            case planner.Fail(state, reason, attempt):
                return await self._fail(seen.obj, seen, state, reason, attempt)
            case planner.Settle():
                await self._settle(seen, action)
                return _REST
            case planner.Reject(state, problem):
                await self._reject(seen, state, problem.reason, problem.message)
                return _REST
            case planner.Uninstall():
                return await self._uninstall(seen)
            case planner.Orphan():
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
        obj = seen.obj
        if not seen.plan.force_delete:
            status = progress.uninstalled(seen.status, seen.plan.generation, now())
            obj = await self._write(obj, status)
            await self._tell(obj, "Normal", states.UNINSTALLED, f"{seen.plan.name} is uninstalled, nothing is left")
        finalizers = [name for name in finalizers_of(obj) if name != labels.INSTALLPLAN_PROTECTION]
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"], "finalizers": finalizers}
        with contextlib.suppress(NotFound):
            await self._client.patch(INSTALLPLANS, seen.plan.name, {"metadata": metadata})
        self._pauses.forget(uid_of(obj))

    async def _enter(self, seen: Seen, state: str, attempt: Attempt) -> None:
        self.warm()
        status = progress.entered(seen.status, state, attempt, seen.plan.generation, now())
        await self._write(seen.obj, status)

    async def _deploy(self, seen: Seen, action: planner.Deploy) -> Next:
        desired, obj = action.desired, seen.obj

        async def begun() -> None:
            nonlocal obj
            status = progress.begun(
                seen.status,
                action.state,
                release=release_name(seen.obj),
                namespace=desired.namespace,
                config_hash=fingerprint({"config": seen.config})[:16],
                generation=seen.plan.generation,
                now=now(),
            )
            obj = await self._write(obj, status)
            message = f"{desired.extension} {desired.version} into namespace {desired.namespace}"
            await self._tell(obj, "Normal", action.state, message)

        release = seen.world.release
        assert seen.version is not None, "the planner does not deploy what is missing"
        try:
            order = Order(desired, seen.version, seen.config, release is not None)
            with self.interrupts.of(seen.obj) as interrupt:
                await self._deployer.deploy(order, begun, interrupt)
        except Interrupted:
            return _LOOK
        except Refused as error:
            in_force = release is not None and release.ever_deployed
            state = states.UPGRADE_FAILED if in_force else states.INSTALL_FAILED
            attempt = _after_failure(seen.plan.recorded.attempt, error)
            return await self._fail(obj, seen, state, error.reason, attempt)
        return _LOOK

    async def _unlock(self, seen: Seen, attempt: Attempt) -> None:
        latest = seen.records.latest
        assert latest is not None
        # First the note, then the deed: a crash in between finds the release still locked and notes it again.
        status = progress.entered(
            seen.status, seen.plan.recorded.state or states.PREPARING, attempt, seen.plan.generation, now()
        )
        obj = await self._write(seen.obj, status)
        await self._releases.unlock(latest)
        message = f"revision {latest.revision} was {latest.status} with nobody working on it; going on from it"
        await self._tell(obj, "Warning", "Unlocked", message)

    async def _settle(self, seen: Seen, action: planner.Settle) -> None:
        desired, latest = action.desired, seen.records.latest
        if seen.plan.recorded.state != states.INSTALLED and latest is not None:
            await self._switchboard.restore(await self._releases.manifest(latest))
        await self._switchboard.switch(desired.extension, desired.enabled)
        digest = seen.version.digest if seen.version else str(progress.operation_of(seen.status).get("digest") or "")
        status = progress.settled(seen.status, desired, digest, seen.plan.generation, now())
        if not seen.status.get("releaseName"):  # an adopted release: its record is there, our status is not
            status |= {"releaseName": desired.extension, "targetNamespace": desired.namespace}
        self._pauses.forget(uid_of(seen.obj))
        if status == seen.status:
            return
        obj = await self._write(seen.obj, status)
        word = "enabled" if desired.enabled else "disabled"
        await self._tell(obj, "Normal", states.INSTALLED, f"{desired.extension} {desired.version} is {word}")

    async def _reject(self, seen: Seen, state: str, reason: str, message: str) -> None:
        status = progress.rejected(seen.status, state, reason, message, seen.plan.generation, now())
        obj = await self._write(seen.obj, status)
        await self._tell(obj, "Warning", reason, message)

    async def _uninstall(self, seen: Seen) -> Next:
        try:
            with self.interrupts.of(seen.obj) as interrupt:
                await self._deployer.uninstall(seen.plan.name, seen.namespace, interrupt)
        except Interrupted:
            return _LOOK
        except Refused as error:
            if not seen.plan.deleting:
                raise
            return await self._fail_uninstall(seen, error)
        return _LOOK

    async def _sweep(self, seen: Seen) -> Next:
        heirs = self.observer.neighbours(seen.plan.name, seen.namespace)
        if heirs:
            await self._removal.unlabel_namespace(seen.plan.name, seen.namespace, heirs[0])
        try:
            await self._removal.sweep(seen.remains)
        except Refused as error:
            return await self._fail_uninstall(seen, error)
        return _LOOK

    async def _fail_uninstall(self, seen: Seen, error: Refused) -> RequeueAfter:
        attempt = _after_failure(seen.plan.recorded.attempt, error)
        return await self._fail(seen.obj, seen, states.UNINSTALL_FAILED, error.reason, attempt)

    async def _fail(self, obj: Object, seen: Seen, state: str, reason: str, attempt: Attempt) -> RequeueAfter:
        status = progress.failed(status_of(obj), state, reason, attempt, seen.plan.generation, now())
        obj = await self._write(obj, status)
        pause = self._pauses.begin(uid_of(obj), attempt.count)
        last = attempt.exhausted and attempt.patience != UNLIMITED
        what_next = "change the plan to try again" if last else f"next attempt in {pause:g} s"
        await self._tell(obj, "Warning", state, f"{attempt.message} ({what_next})")
        return RequeueAfter(pause)

    async def _write(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replace the status of exactly the version that was looked at. Raises Conflict when the plan changed."""
        return await self._client.update(INSTALLPLANS, {**obj, "status": dict(status)}, subresource="status")

    async def _tell(self, obj: Object, severity: Any, reason: str, message: str) -> None:
        await self._recorder.record(obj, severity, reason, message)

    def warm(self) -> None:
        """Start Helm while the API is still being written to, or when a plan is likely to come."""
        if self._helm.pid is None and (self._warming is None or self._warming.done()):
            self._warming = asyncio.create_task(self._start_helm(), name="helm-worker-warm")

    async def _start_helm(self) -> None:
        try:
            await self._helm.warm()
        except OSError as error:
            _log.warning("the helm worker cannot be started: %s", error)
        await asyncio.to_thread(import_module, "dovetail.packaging.package")


def _after_failure(attempt: Attempt, error: Refused) -> Attempt:
    return Attempt(attempt.target, attempt.token, attempt.count + 1, attempt.base, error.patience, str(error))
