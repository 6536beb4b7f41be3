"""Rate limits: who shares a bucket, what the client is told, and that all workers of a gateway count together."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovetail.gateway.proxy.traffic import limiter as limiters
from dovetail.gateway.proxy.traffic.buckets import take
from dovetail.gateway.proxy.traffic.limiter import Limiter
from dovetail.routing.traffic import RateLimit, Traffic
from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import ADMIN, STRANGER, bearer, gateway, gateway_process, route, upstream, worker_process


def limit(burst: int, *, requests: int = 1, per: int = 3600, by: str = "User", name: str = "x") -> RateLimit:
    return RateLimit(name=name, requests=requests, per_seconds=per, burst=burst, by=by)  # type: ignore[arg-type]


async def test_what_a_client_is_told() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=limit(3, requests=60))
    async with gateway([route("/", to, traffic=rules)], [to]) as running, await running.client() as client:
        for left in (2, 1, 0):
            client.request("GET", "/")
            got = await client.answer()
            assert got.status == 200
            assert got.get("ratelimit-policy") == '"default";q=60;w=3600'
            assert got.get("ratelimit") == f'"default";r={left};t={60 * (3 - left)}'
        client.request("GET", "/")
        got = await client.answer()
        assert got.is_status(429)
        assert got.json()["reason"] == "TooManyRequests"
        assert "60 requests a hour" in got.json()["message"]
        assert 58 <= int(got.get("retry-after") or 0) <= 60
        assert (got.get("ratelimit") or "").startswith('"default";r=0;t=1')
        client.request("DELETE", "/")
        assert (await client.answer()).is_status(429), "the connection goes on"
    assert len(backend.seen) == 3


async def test_a_bucket_fills_again() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=limit(1, requests=2, per=1))
    async with gateway([route("/", to, traffic=rules)], [to]) as running, await running.client() as client:
        codes: list[int] = []
        for _ in range(2):
            for _ in range(2):
                client.request("GET", "/")
                codes.append((await client.answer()).status)
            await asyncio.sleep(0.6)
    assert codes[0::2] == [200, 200]
    assert 429 in codes


@pytest.mark.parametrize("by", ["User", "Address", "Global"])
async def test_who_shares_a_bucket(by: str) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=limit(2, by=by))
    routes = [route("/one", to, access="authenticated", traffic=rules), route("/open", to, traffic=rules)]
    callers = {"alice": [bearer(ADMIN)], "bob": [bearer(STRANGER)]}
    async with gateway(routes, [to]) as running:
        got = {name: [(await running.once("GET", "/one", *lines)).status for _ in range(3)]
               for name, lines in callers.items()}  # fmt: skip
        anonymous = [(await running.once("GET", "/open")).status for _ in range(3)]
        again = (await running.once("GET", "/open", bearer(ADMIN))).status
    assert got["alice"] == [200, 200, 429]
    assert got["bob"] == ([200, 200, 429] if by == "User" else [429, 429, 429])
    assert anonymous == ([200, 200, 429] if by == "User" else [429, 429, 429])
    assert again == 429, "all routes of an object share its buckets"


async def test_a_request_that_is_not_let_in_costs_nobody_anything() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=limit(1, by="Global"))
    async with gateway([route("/", to, access="authenticated", traffic=rules)], [to]) as running:
        for _ in range(3):
            assert (await running.once("GET", "/")).is_status(401)
        assert (await running.once("GET", "/", bearer())).status == 200
        assert (await running.once("GET", "/", bearer())).is_status(429)


async def test_a_changed_table_keeps_the_buckets_and_a_changed_rule_does_not() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to, traffic=Traffic(rate_limit=limit(1)))], [to]) as running:
        assert (await running.once("GET", "/")).status == 200
        await running.serve([route("/", to, max_body=5, traffic=Traffic(rate_limit=limit(1)))], [to])
        assert (await running.once("GET", "/")).is_status(429)
        await running.serve([route("/", to, traffic=Traffic(rate_limit=limit(2)))], [to])
        assert (await running.once("GET", "/")).status == 200


async def test_two_workers_count_together() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    rules = Traffic(rate_limit=limit(40, by="Global"))
    async with (
        gateway_process([route("/", to, traffic=rules)], [to]) as running,
        worker_process(running.port, running.control) as second,
    ):
        # each of these connections goes to one of the two, by the kernel's choice
        codes = [(await running.once("GET", "/")).status for _ in range(60)]
        served = [_in_memory(running.pid), _in_memory(second.pid)]
    assert (codes.count(200), codes.count(429)) == (40, 20)
    assert served == [1, 1], "both have the file in memory"


def _in_memory(pid: int) -> int:
    return Path(f"/proc/{pid}/maps").read_text().count("/limits")


Result = tuple[int, int]


def _hammer(path: Path, times: int, start: threading.Barrier, results: "multiprocessing.Queue[Result]") -> None:
    mine = Limiter(path)
    start.wait()
    passed = sum(mine.take(limit(500), f"user-{number % 7}").allowed for number in range(times))
    results.put((passed, mine.unlocked))
    mine.close()


def test_processes_that_take_at_the_same_time_never_take_too_much(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_hammer, args=(tmp_path / "limits", 4000, start, results)) for _ in range(3)]
    for process in processes:
        process.start()
    counts = [results.get(timeout=30) for _ in processes]
    for process in processes:
        process.join(30)
    passed, unlocked = (sum(column) for column in zip(*counts, strict=True))
    if not unlocked:  # as nearly always; a machine that is busy enough makes somebody go on without the lock
        assert passed == 7 * 500
    assert 7 * 500 <= passed < 2 * 7 * 500
    assert (tmp_path / "limits").stat().st_mode & 0o077 == 0


def test_a_worker_that_dies_or_stops_within_a_bucket_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    mine = Limiter(path)
    code = (
        "import fcntl, os, sys; d = os.open(sys.argv[1], os.O_RDWR); fcntl.lockf(d, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    with contextlib.closing(mine), holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert mine.take(limit(2), "a").allowed
        assert mine.unlocked == 1
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        assert mine.take(limit(2), "a").allowed
        assert not mine.take(limit(2), "a").allowed
        assert mine.unlocked == 1


steps = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2), st.floats(0, 3)), max_size=150)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_file_is_a_dictionary_of_buckets(tmp_path: Path, script: list[tuple[int, int, float]]) -> None:
    rules = [limit(2, requests=1, per=1), limit(5, requests=3, per=60), limit(1, name="other")]
    kept: dict[tuple[int, int], float] = {}
    now = 1000.0
    path = tmp_path / "limits"
    path.unlink(missing_ok=True)
    one, two, patch = Limiter(path), Limiter(path), pytest.MonkeyPatch()
    with contextlib.closing(one), contextlib.closing(two), patch.context() as patched:
        patched.setattr(limiters, "monotonic", lambda: now)
        for number, (key, rule, later) in enumerate(script):
            now += later
            expected = take(rules[rule], kept.get((key, rule), 0.0), now)
            kept[key, rule] = expected.full_at
            assert (one, two)[number % 2].take(rules[rule], f"user-{key}") == expected


def test_the_number_of_buckets_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiters, "SETS", 4)
    with contextlib.closing(Limiter(None)) as mine:
        for number in range(5000):
            assert mine.take(limit(1), f"user-{number}").allowed, "a stranger's bucket is full"
        assert mine.evicted > 4900
    monkeypatch.undo()
    with contextlib.closing(Limiter(tmp_path / "limits")) as mine:
        for number in range(5000):
            mine.take(limit(1), f"user-{number}")
        assert mine.evicted == 0
        assert not any(mine.take(limit(1), f"user-{number}").allowed for number in range(5000))


def test_a_file_that_is_none_of_ours_is_replaced_and_one_that_cannot_be_is_done_without(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    path.write_bytes(b"something else")
    for _ in range(2):
        with contextlib.closing(Limiter(path)) as mine:
            mine.take(limit(2), "a")
    with contextlib.closing(Limiter(path)) as mine:
        assert not mine.take(limit(2), "a").allowed, "the file outlives those who used it"
    with contextlib.closing(Limiter(tmp_path / "no" / "such" / "folder")) as mine:
        assert mine.take(limit(1), "a").allowed
        assert not mine.take(limit(1), "a").allowed
