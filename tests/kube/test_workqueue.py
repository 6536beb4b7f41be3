"""The queue: no key twice, none by two workers, none lost, and time only where it is asked for."""

import asyncio
from collections import Counter

import looptime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import BackoffPolicy, WorkQueue

virtual_time = pytest.mark.looptime


async def take(queue: WorkQueue[str], count: int) -> list[str]:
    keys = []
    for _ in range(count):
        key = await queue.get()
        keys.append(key)
        queue.done(key)
    return keys


async def nothing_within(queue: WorkQueue[str], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await queue.get()
    except TimeoutError:
        return True
    return False


@virtual_time
async def test_a_key_added_often_comes_once_in_order() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in "abacab":
        queue.add(key)
    assert len(queue) == 3
    assert await take(queue, 3) == ["a", "b", "c"]
    assert await nothing_within(queue, 100)


@virtual_time
async def test_a_key_added_during_its_work_comes_again_after_it() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert await nothing_within(queue, 100)
    queue.done("a")
    assert await take(queue, 1) == ["a"]
    assert await nothing_within(queue, 100)


@virtual_time
async def test_delays_and_the_earliest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    start = loop.time()
    queue.add_after("a", 10)
    queue.add_after("b", 5)
    queue.add_after("a", 20)
    queue.add_after("b", 2)
    assert queue.delayed == 2
    assert await take(queue, 1) == ["b"]
    assert loop.time() - start == pytest.approx(2, abs=0.01)
    assert await take(queue, 1) == ["a"]
    assert loop.time() - start == pytest.approx(10, abs=0.01)
    assert await nothing_within(queue, 100)


@virtual_time
async def test_added_now_cancels_the_delay() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 10)
    queue.add("a")
    queue.add_after("b", 0)
    assert await take(queue, 2) == ["a", "b"]
    assert await nothing_within(queue, 100)


@virtual_time
async def test_failures_wait_longer_each_time_until_forgotten() -> None:
    queue: WorkQueue[str] = WorkQueue(retry=BackoffPolicy(initial=1, factor=2, maximum=5, jitter=0))
    loop = asyncio.get_running_loop()
    waits = []
    for _ in range(4):
        before = loop.time()
        queue.add_rate_limited("a")
        await take(queue, 1)
        waits.append(round(loop.time() - before, 1))
    assert waits == [1, 2, 4, 5]
    assert queue.failures("a") == 4
    queue.forget("a")
    before = loop.time()
    queue.add_rate_limited("a")
    await take(queue, 1)
    assert loop.time() - before == pytest.approx(1, abs=0.01)


@virtual_time
async def test_a_cancelled_getter_passes_its_turn_on() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(1):
        assert await second == "a"
    assert first.cancelled()


@virtual_time
async def test_a_cancelled_getter_in_the_middle_leaves_the_others() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    queue.add("a")
    async with asyncio.timeout(1):
        assert await second == "a"


@virtual_time
async def test_a_closed_queue_keeps_no_timer() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 5)
    queue.close()
    assert await nothing_within(queue, 100)


@virtual_time
async def test_the_clock_can_be_held() -> None:
    now = 0.0
    queue: WorkQueue[str] = WorkQueue(clock=lambda: now)
    queue.add_after("a", 5)
    assert await nothing_within(queue, 4)
    now = 5.0
    assert not await nothing_within(queue, 2)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["add", "add_after", "fail"]), st.sampled_from("abc"), st.integers(0, 5)), max_size=40
)


@given(OPERATIONS, st.integers(1, 3))
def test_no_key_by_two_workers_and_none_lost(operations: list[tuple[str, str, int]], workers: int) -> None:
    """In loops of its own: hypothesis gives many examples to one test."""

    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue()
        busy: Counter[str] = Counter()
        finished: dict[str, float] = {}
        asked: dict[str, float] = {}
        loop = asyncio.get_running_loop()

        async def work() -> None:
            while True:
                key = await queue.get()
                started = loop.time()
                busy[key] += 1
                assert busy[key] == 1
                await asyncio.sleep(0.3)
                busy[key] -= 1
                finished[key] = started
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for operation, key, number in operations:
            asked[key] = loop.time()
            if operation == "add":
                queue.add(key)
            elif operation == "fail":
                queue.add_rate_limited(key)
            else:
                queue.add_after(key, number)
            await asyncio.sleep(number / 10)
        await asyncio.sleep(400)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert len(queue) == queue.delayed == 0
        for key, moment in asked.items():  # each key was started after it was last asked for
            assert finished[key] >= moment - 1e-6

    loop = looptime.new_event_loop()
    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()
