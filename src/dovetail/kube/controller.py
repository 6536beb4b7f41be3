"""A controller: informers put keys into a queue, workers reconcile them one by one.

The reconciler gets a key and nothing else: it reads the present state from listers and makes the world fit. It is level
triggered: what happened does not matter, only what is. Raising means "failed, again after a growing wait"; returning
RequeueAfter means "fine, look again then".

    async def reconcile(key: Key) -> RequeueAfter | None: ...

    controller = Controller("services", reconcile, workers=2)
    controller.watches(services)                                     # the object's own key
    controller.watches(pods, lambda pod: [Key(namespace_of(pod), app_of(pod))])   # whom a change concerns
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from dovetail.kube.backoff import BackoffPolicy
from dovetail.kube.errors import Conflict, KubeError
from dovetail.kube.informer import Informer
from dovetail.kube.objects import Key, RequeueAfter, controller_of, key_of
from dovetail.kube.resources import Object
from dovetail.kube.workqueue import RETRY, WorkQueue

log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[RequeueAfter | None]]
KeyFunction = Callable[[Object], Iterable[Key]]
RECONCILE_TIMEOUT = 300.0


class ReconcileObserver(Protocol):
    """Told about every reconciliation; for metrics. `outcome` is success, requeue, conflict, error or timeout."""

    def __call__(self, controller: str, outcome: str, seconds: float, waiting: int) -> None: ...


def own_key(obj: Object) -> Iterable[Key]:
    """The object itself: the default of `Controller.watches`."""
    return (key_of(obj),)


def owner_key(kind: str) -> KeyFunction:
    """A key function that yields the controlling owner of this kind."""

    def keys(obj: Object) -> Iterable[Key]:
        owner = controller_of(obj, kind)
        return (owner,) if owner else ()

    return keys


class Controller:
    """See the module. A reconciliation that takes longer than `timeout` seconds is cancelled and counts as failed."""

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 1,
        timeout: float = RECONCILE_TIMEOUT,
        retry: BackoffPolicy = RETRY,
        observer: ReconcileObserver | None = None,
    ) -> None:
        self.name = name
        self.queue: WorkQueue[Key] = WorkQueue(retry=retry)
        self.informers: list[Informer] = []
        self._reconcile, self._workers, self._timeout = reconcile, workers, timeout
        self._observer = observer

    def watches(self, informer: Informer, key_fn: KeyFunction = own_key) -> None:
        """Every change of the informer's resource queues the keys that `key_fn` finds in the old and the new state."""
        self.informers.append(informer)

        def handler(type: str, old: Object | None, new: Object, /) -> None:
            keys = dict.fromkeys(key_fn(new))
            if old is not None and old is not new:
                keys |= dict.fromkeys(key_fn(old))
            for key in keys:
                self.queue.add(key)

        informer.add_handler(handler)

    def enqueue(self, key: Key, after: float = 0.0) -> None:
        """Queue a key from outside, `after` seconds from now."""
        self.queue.add_after(key, after)

    async def run(self) -> None:
        """Work until cancelled. Failures of the reconciler are logged and retried, never raised."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._workers):
                    tasks.create_task(self._work(), name=f"{self.name} worker {number}")
        finally:
            self.queue.close()

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            started = asyncio.get_running_loop().time()
            outcome = "error"
            try:
                outcome = await self._one(key)
            finally:
                self.queue.done(key)
                if self._observer is not None:
                    seconds = asyncio.get_running_loop().time() - started
                    self._observer(self.name, outcome, seconds, len(self.queue))

    async def _one(self, key: Key) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                again = await self._reconcile(key)
        except Exception as error:
            return self._failed(key, error)
        self.queue.forget(key)
        if again is None:
            return "success"
        self.queue.add_after(key, again.seconds)
        return "requeue"

    def _failed(self, key: Key, error: Exception) -> str:
        self.queue.add_rate_limited(key)
        failures = self.queue.failures(key)
        if isinstance(error, Conflict):  # somebody was faster; the next pass sees their version
            log.debug("%s %s: %s", self.name, key, error)
            return "conflict"
        if isinstance(error, TimeoutError):
            log.warning("%s %s: no end within %g s (failure %d)", self.name, key, self._timeout, failures)
            return "timeout"
        if isinstance(error, KubeError):
            log.log(logging.INFO if failures < 5 else logging.WARNING, "%s %s: %s", self.name, key, error)
        else:
            log.error("%s %s failed (%d in a row)", self.name, key, failures, exc_info=error)
        return "error"
