"""Log-ins in figures: what one hash costs, how many log-ins a second the platform takes, and what others feel of it.

First the hash alone, for the parameters in force and some others, one at a time and two at a time as control computes
them. Then a real `dovetail up` on this machine: several clients log in without a pause while another one reads, whose
latency with and without that load is told. The last line is one JSON object.

    python bench/bench_login.py [--seconds 6] [--clients 8] [--hash-only]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import argon2
from processes import free_port

from dovetail.iam.passwords import MEMORY_KIB, PARALLELISM, TIME_COST, Passwords, hash_password

PASSWORD = "Correct-horse1"
OTHERS = ((19 * 1024, 2, 1), (46 * 1024, 1, 1), (64 * 1024, 3, 4))
_CHECKS = 20


def milliseconds(work: Callable[[], object], times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) * 1000 / times


def hash_costs() -> dict[str, float]:
    """Milliseconds of one check, by parameters."""
    costs: dict[str, float] = {}
    for memory, passes, lanes in OTHERS:
        hasher = argon2.PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes)
        stored = hasher.hash(PASSWORD)
        costs[f"m={memory},t={passes},p={lanes}"] = round(
            milliseconds(lambda hasher=hasher, stored=stored: hasher.verify(stored, PASSWORD), _CHECKS), 1
        )
    return costs


async def checks_a_second() -> float:
    """As control computes them: two at a time, on threads."""
    passwords, stored = Passwords(), hash_password(PASSWORD)
    begun = time.perf_counter()
    await asyncio.gather(*(passwords.verify("x", stored, PASSWORD) for _ in range(4 * _CHECKS)))
    return 4 * _CHECKS / (time.perf_counter() - begun)


@asynccontextmanager
async def platform() -> AsyncGenerator[dict[str, Any]]:
    """`dovetail up`, ready."""
    with tempfile.TemporaryDirectory(prefix="dovetail-bench-") as directory:
        command = [str(Path(sys.executable).with_name("dovetail")), "up", "--data-dir", directory + "/data"]
        command += ["--port", str(free_port()), "--kube-port", str(free_port()), "--output", "json"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert process.stdout is not None
        try:
            yield json.loads(await process.stdout.readline())
        finally:
            process.terminate()
            await process.wait()


async def log_ins(
    http: aiohttp.ClientSession, url: str, form: dict[str, str], until: float, times: list[float]
) -> None:
    while time.perf_counter() < until:
        begun = time.perf_counter()
        async with http.post(url + "/oauth/token", data=form) as answer:
            assert answer.status == 200, await answer.text()
            await answer.read()
        times.append(time.perf_counter() - begun)


async def reads(http: aiohttp.ClientSession, url: str, token: str, until: float) -> list[float]:
    times: list[float] = []
    while time.perf_counter() < until:
        begun = time.perf_counter()
        async with http.get(url + "/api/v1/namespaces", headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 200
            await answer.read()
        times.append(time.perf_counter() - begun)
        await asyncio.sleep(0.01)
    return times


async def under_load(seconds: float, clients: int) -> dict[str, float]:
    """Log-ins a second, and what a reader feels."""
    async with platform() as facts, aiohttp.ClientSession() as http:
        url = str(facts["console"])
        form = {"grant_type": "password", "client_id": "kubesphere", "username": "admin", "password": facts["password"]}
        async with http.post(url + "/oauth/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        before = await reads(http, url, token, time.perf_counter() + seconds / 2)
        until, times = time.perf_counter() + seconds, list[float]()
        load = [log_ins(http, url, form, until, times) for _ in range(clients)]
        during, *_ = await asyncio.gather(reads(http, url, token, until), *load)
    return {
        "log_ins_a_second": round(len(times) / seconds, 1),
        "log_in_p50_ms": round(statistics.median(times) * 1000, 1),
        "log_in_p95_ms": round(statistics.quantiles(times, n=20)[-1] * 1000, 1),
        "read_p95_ms_idle": round(statistics.quantiles(before, n=20)[-1] * 1000, 1),
        "read_p95_ms_during_log_ins": round(statistics.quantiles(during, n=20)[-1] * 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--hash-only", action="store_true")
    asked = parser.parse_args()
    figures: dict[str, Any] = {
        "parameters": f"argon2id m={MEMORY_KIB},t={TIME_COST},p={PARALLELISM}",
        "check_ms": hash_costs(),
        "checks_a_second_two_threads": round(asyncio.run(checks_a_second()), 1),
    }
    for name, value in figures.items():
        print(f"{name:30} {value}")
    if not asked.hash_only:
        measured = asyncio.run(under_load(asked.seconds, asked.clients))
        for name, value in measured.items():
            print(f"{name:30} {value}")
        figures |= measured
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
