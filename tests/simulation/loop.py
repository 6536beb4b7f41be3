"""An event loop without time and without chance: virtual seconds, and a seeded choice among callbacks that are ready.

Nothing here waits. When no callback is ready, the clock jumps to the next timer; when several are, the seed says which
one runs. There is no I/O: whatever reaches for a socket, a thread or a process finds none (work for a thread is done
between two callbacks instead). So a run is a function of its seed.
"""

import asyncio
import heapq
import itertools
from asyncio import events
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any


class Deadlock(Exception):
    """Nobody is ready and nobody waits for a time: nothing will ever happen again."""


class _InOrder:
    """Enough of a set for a TaskGroup, in the order of insertion: a set of tasks is ordered by their addresses."""

    def __init__(self) -> None:
        self._tasks: dict[int, Any] = {}

    def add(self, task: Any) -> None:
        self._tasks[id(task)] = task

    def discard(self, task: Any) -> None:
        self._tasks.pop(id(task), None)

    def __iter__(self) -> Any:
        return iter(list(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)


def order_task_groups() -> None:
    """Let every TaskGroup cancel its tasks in the order in which they were made; for the whole process."""
    made = asyncio.TaskGroup.__init__

    def ordered(self: Any) -> None:
        made(self)
        self._tasks = _InOrder()

    if not getattr(asyncio.TaskGroup, "_in_order", False):
        asyncio.TaskGroup.__init__ = ordered  # type: ignore[method-assign]
        asyncio.TaskGroup._in_order = True  # type: ignore[attr-defined]


class SimulatedLoop(asyncio.BaseEventLoop):
    """See the module. `steps` counts the callbacks that ran."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self.steps = 0
        self.unhandled: list[str] = []
        self._now = 0.0
        self._random = chance.random
        self._ready: list[events.Handle] = []  # pyright: ignore[reportIncompatibleVariableOverride]
        self._timers: list[tuple[float, int, events.TimerHandle]] = []
        self._order = itertools.count()
        self.set_exception_handler(self._note)

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        handle = events.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # pyright: ignore[reportIncompatibleMethodOverride]
        """There are no threads: the work is done in a callback of its own."""
        future = self.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_soon(work)
        return future

    def _run_once(self) -> None:
        ready, chance = self._ready, self._random
        while not self._stopping:  # type: ignore[attr-defined]
            count = len(ready)
            if count == 0:
                self._advance()
                continue
            handle = ready.pop()
            if count > 1:
                at = int(chance() * count)
                if at < count - 1:
                    handle, ready[at] = ready[at], handle
            if not handle._cancelled:  # type: ignore[attr-defined]
                self.steps += 1
                handle._run()  # type: ignore[attr-defined]

    def _advance(self) -> None:
        timers, ready = self._timers, self._ready
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Deadlock
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            handle = heapq.heappop(timers)[2]
            if not handle.cancelled():
                ready.append(handle)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.unhandled.append(f"{context.get('message')}: {error!r}")
