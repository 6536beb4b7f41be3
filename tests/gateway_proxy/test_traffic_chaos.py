"""All at once: clients that go away, backends that do anything, every rule in force. Nothing is left at the end."""

import asyncio
import contextlib
import gc
import random
from pathlib import Path
from typing import Any

import pytest

from dovetail.gateway.proxy.exchange import Exchange
from dovetail.gateway.proxy.traffic.attempts import Attempts
from dovetail.routing.model import Address
from dovetail.routing.traffic import Breaker, Retries, Traffic
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.client import PATIENCE, scrape
from tests.gateway_proxy.rig import Gateway, gateway, route, upstream

BEHAVIOURS = ("ok", "ok", "ok", "slow", "503", "500", "reset", "half", "garbage", "hang", "early", "close")


class Chaos:
    """Backends that answer by chance, until they are `calm`."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.calm, self.hanging = chance, False, asyncio.Event()

    async def __call__(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        what = "ok" if self.calm else self.chance.choice(BEHAVIOURS)
        match what:
            case "slow":
                await asyncio.sleep(0.02)
            case "hang":
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.hanging.wait(), 0.5)
                return True
            case "reset":
                writer.transport.abort()
                return True
            case "garbage":
                writer.write(b"\0\0\0\0nonsense\r\n\r\n")
                return True
            case "half":
                writer.write(answer(b"x" * 100)[:-50])
                return True
            case "500" | "503":
                writer.write(answer(b"", f"{what} No"))
                return False
            case _:
                pass
        writer.write(answer(seen.target.encode()))
        return what == "close"


async def one(running: Gateway, number: int, chance: random.Random) -> int:
    """A request by chance: its status; 0 for one that was cut off or given up."""
    async with await running.client() as client:
        body = chance.choice((None, None, b"", b"x" * 100, b"x" * 5000))
        method = chance.choice(("GET", "GET", "HEAD", "POST", "PUT", "DELETE"))
        client.request(method, f"/{number}", body=body)
        if chance.random() < 0.25:
            await asyncio.sleep(chance.random() * 0.05)
            return 0
        try:
            got = await client.answer(head_only=method == "HEAD")
        except (asyncio.IncompleteReadError, OSError):
            return 0
        if got.status == 200 and method != "HEAD":
            assert got.body == f"/{number}".encode(), "nobody gets an answer that is another's"
        return got.status


async def gauges(path: Path) -> dict[str, int]:
    lines = (await scrape(path)).decode().splitlines()
    wanted = "dovetail_gateway_backend_"
    found = [line.removeprefix(wanted).rpartition(" ") for line in lines if line.startswith(wanted)]
    return {name.partition("{")[0]: int(value) for name, _, value in found}


async def _all_answered(running: Gateway) -> bool:
    """As many at once as may be under way and wait."""
    return {got.status for got in await asyncio.gather(*(running.once("GET", f"/{n}") for n in range(24)))} == {200}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("balance", ["RoundRobin", "LeastRequests"])
async def test_nothing_is_lost_mixed_up_or_left_behind(seed: int, balance: Any, tmp_path: Path) -> None:
    chance = random.Random(seed)
    chaos = Chaos(chance)
    backends = [await Backend(chaos).start() for _ in range(3)]
    rule = Breaker(
        name="proxies/chaos", max_connections=6, max_pending_requests=20, max_requests=30, consecutive_failures=4,
        error_percent=60, minimum_requests=10, interval=0.5, ejection_time=0.05,
    )  # fmt: skip
    addresses = tuple(Address("127.0.0.1", each.port) for each in backends)
    to = upstream(0, addresses=addresses, breaker=rule, balance=balance, connect_timeout=0.5)
    retries = Retries(attempts=2, per_try_timeout=0.2, back_off=0.005, max_back_off=0.02, max_body=1000)
    rules = Traffic(breaker=True, retries=retries, request_timeout=1.0)
    metrics = tmp_path / "metrics.sock"
    async with gateway([route("/", to, traffic=rules)], [to], metrics_socket=metrics) as running:
        codes: set[int] = set()
        for first in range(0, 240, 40):
            codes |= set(await asyncio.gather(*(one(running, first + n, chance) for n in range(40))))
        assert codes <= {0, 200, 500, 502, 503, 504}, codes
        assert {200, 503} <= codes
        chaos.calm = True
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await gauges(metrics)
                if not now["requests"] + now["waiting"] + now["retrying"]:
                    break
                await asyncio.sleep(0.02)
        assert now["connections"] <= 6
        async with asyncio.timeout(PATIENCE):  # every circuit closes again, and every place is free
            while not await _all_answered(running):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for backend in backends:
            backend.drop()
        async with asyncio.timeout(PATIENCE):
            while (await gauges(metrics))["connections"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_a_request_with_rules_leaves_nothing_for_the_garbage_collector() -> None:
    """What it left would stop the worker now and then, for longer than all the rules take."""
    backend = await Backend().start()
    to = upstream(backend.port, breaker=Breaker(name="x", consecutive_failures=5, max_connections=5))
    rules = Traffic(breaker=True, retries=Retries(attempts=2, per_try_timeout=5.0), request_timeout=5.0)
    async with gateway([route("/", to, traffic=rules)], [to]) as running, await running.client() as client:
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                client.request("GET", "/")
                assert (await client.answer()).status == 200
            await asyncio.sleep(0.05)
            left = [each for each in gc.get_objects() if isinstance(each, Attempts | Exchange)]
        finally:
            gc.enable()
    assert len(left) <= 2
