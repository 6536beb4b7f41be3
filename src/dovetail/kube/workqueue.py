"""The work queue of a controller: keys, each at most once, each by at most one worker at a time.

A key that is added while it waits is not queued twice; one that is added while it is worked on comes again when that
work is done. So a burst of changes to an object costs one reconciliation more, not one each, and no change is missed.
Failures come back after a wait that grows with every failure in a row of that key.

Source of the rules: client-go's util/workqueue. Time is the event loop's (or the injected clock's); nothing is polled.
"""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from dovetail.kube.backoff import BackoffPolicy

K = TypeVar("K", bound=Hashable)

RETRY = BackoffPolicy(initial=0.005, factor=2.0, maximum=60.0, jitter=0.0)


class WorkQueue(Generic[K]):
    """See the module. `clock` gives seconds and must run as fast as the event loop's."""

    def __init__(self, *, retry: BackoffPolicy = RETRY, clock: Callable[[], float] | None = None) -> None:
        self._retry = retry
        self._clock = clock
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()  # to be worked on: in `_ready`, or again after `_busy`
        self._busy: set[K] = set()
        self._due: dict[K, float] = {}
        self._timers: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._failures: dict[K, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        """Keys that are ready, delayed ones not counted."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """Keys that wait for their time."""
        return len(self._due)

    def add(self, key: K) -> None:
        """The key needs work, now."""
        self._cancel_delay(key)
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._busy:
            self._put(key)

    def add_after(self, key: K, seconds: float) -> None:
        """The key needs work in a while; of several times the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._now() + seconds
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._timers, (due, next(self._order), key))
        self._set_alarm()

    def add_rate_limited(self, key: K) -> None:
        """The work on the key failed: try again after its back-off."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self.add_after(key, self._retry.delay(failures))

    def forget(self, key: K) -> None:
        """The work on the key succeeded: the next failure is the first again."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """Failures in a row of this key."""
        return self._failures.get(key, 0)

    async def get(self) -> K:
        """The next key; call `done` with it afterwards, whatever happened."""
        while not self._ready:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                self._give_up(getter)
                raise
        key = self._ready.popleft()
        self._busy.add(key)
        self._dirty.discard(key)
        return key

    def done(self, key: K) -> None:
        """The work on the key is over; if it was added meanwhile, it is ready again."""
        self._busy.discard(key)
        if key in self._dirty:
            self._put(key)

    def close(self) -> None:
        """Cancel the timer; nothing delayed comes due any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _put(self, key: K) -> None:
        self._ready.append(key)
        self._wake_one()

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _give_up(self, getter: "asyncio.Future[None]") -> None:
        if getter.done() and not getter.cancelled():
            self._wake_one()  # woken and cancelled at once: pass it on
        elif getter in self._getters:
            self._getters.remove(getter)

    def _cancel_delay(self, key: K) -> None:
        self._due.pop(key, None)  # its entry in the heap is dropped when it comes up

    def _set_alarm(self) -> None:
        while self._timers and self._due.get(self._timers[0][2]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        self.close()
        if self._timers:
            delay = max(0.0, self._timers[0][0] - self._now())
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        now = self._now()
        while self._timers and self._timers[0][0] <= now:
            due, _, key = heapq.heappop(self._timers)
            if self._due.get(key) == due:
                self.add(key)
        self._set_alarm()

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()
