"""Controllers: who is called when, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dovetail.kube import BackoffPolicy, Conflict, Controller, Key, RequeueAfter, Unreachable, owner_key
from tests.kube.canned import configmap

pytestmark = pytest.mark.looptime
A, B = Key("n", "a"), Key("n", "b")


class Source:
    """An informer as far as a controller sees it: something that takes handlers."""

    def __init__(self) -> None:
        self.handlers: list[Any] = []

    def add_handler(self, handler: Any) -> None:
        self.handlers.append(handler)

    def tell(self, type: str, old: Any, new: Any) -> None:
        for handler in self.handlers:
            handler(type, old, new)


@asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[None]:
    task = asyncio.create_task(controller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Reconciler:
    """Plays a list of outcomes, then succeeds; remembers when it was called with what."""

    def __init__(self, *outcomes: Any, takes: float = 0.0) -> None:
        self.outcomes, self.takes = list(outcomes), takes
        self.calls: list[tuple[Key, float]] = []

    async def __call__(self, key: Key) -> RequeueAfter | None:
        self.calls.append((key, round(asyncio.get_running_loop().time() - self.zero, 2)))
        await asyncio.sleep(self.takes)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def start(self) -> "Reconciler":
        self.zero = asyncio.get_running_loop().time()
        return self


RETRY = BackoffPolicy(initial=1, factor=2, maximum=10, jitter=0)


async def test_failures_are_retried_later_and_later_and_success_resets(caplog: pytest.LogCaptureFixture) -> None:
    conflict = Conflict({"code": 409, "reason": "Conflict"})
    reconcile = Reconciler(
        ValueError("bug"), conflict, Unreachable("s", "down"), RequeueAfter(5), KeyError("x")
    ).start()
    controller = Controller("c", reconcile, retry=RETRY)
    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(60)
    assert [at for _, at in reconcile.calls] == [0, 1, 3, 7, 12, 13]
    assert "c n/a failed (1 in a row)" in caplog.text


async def test_a_reconciliation_without_end_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    reconcile = Reconciler(takes=1000).start()
    controller = Controller("c", reconcile, retry=RETRY, timeout=30)
    async with running(controller):
        controller.enqueue(A)
        await asyncio.sleep(40)
    assert [at for _, at in reconcile.calls] == [0, 31]
    assert "no end within 30 s" in caplog.text


async def test_workers_take_different_keys_at_once_and_the_same_key_never() -> None:
    reconcile = Reconciler(takes=10).start()
    controller = Controller("c", reconcile, workers=3)
    async with running(controller):
        controller.enqueue(A)
        controller.enqueue(B)
        await asyncio.sleep(1)
        controller.enqueue(A)
        controller.enqueue(A)
        await asyncio.sleep(50)
    assert reconcile.calls == [(A, 0), (B, 0), (A, 10)]


async def test_handlers_queue_the_keys_of_the_old_and_the_new_state() -> None:
    reconcile = Reconciler().start()
    controller, source = Controller("c", reconcile), Source()
    controller.watches(source, owner_key("Deployment"))  # type: ignore[arg-type]

    def owned(name: str) -> Any:
        obj = configmap("x", 1, "n")
        obj["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": name, "controller": True}]
        return obj

    async with running(controller):
        source.tell("MODIFIED", owned("a"), owned("b"))
        source.tell("ADDED", None, configmap("free", 1))
        await asyncio.sleep(1)
        assert {key for key, _ in reconcile.calls} == {A, B}
        reconcile.calls.clear()
        source.tell("MODIFIED", owned("a"), owned("a"))
        source.tell("DELETED", owned("a"), owned("a"))
        await asyncio.sleep(1)
    assert [key for key, _ in reconcile.calls] == [A]


async def test_observed() -> None:
    told: list[tuple[str, str]] = []

    def observer(name: str, outcome: str, seconds: float, waiting: int) -> None:
        told.append((outcome, f"{seconds:g}/{waiting}"))

    outcomes = (RequeueAfter(1), Conflict({}), KeyError("x"))
    controller = Controller("c", Reconciler(*outcomes, takes=2).start(), retry=RETRY, observer=observer)
    async with running(controller):
        controller.enqueue(A)
        controller.enqueue(B, after=100)
        await asyncio.sleep(50)
    assert told == [("requeue", "2/0"), ("conflict", "2/0"), ("error", "2/0"), ("success", "2/0")]
