"""Circuit breakers and load balancing, with real workers and backends that fail on demand."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dovetail.routing.model import Address, Upstream
from dovetail.routing.traffic import Breaker, Retries, Traffic
from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.client import PATIENCE, Answer, scrape
from tests.gateway_proxy.rig import Gateway, gateway, limits, route, upstream
from tests.gateway_proxy.test_failures import full_listener

GUARDED = Traffic(breaker=True)


@dataclass
class Flaky:
    """A backend that does as it is told."""

    status: str = "200 OK"
    held: asyncio.Event | None = None
    waiting: int = 0
    most_waiting: int = 0
    backend: Backend = field(default_factory=Backend)

    async def start(self) -> "Flaky":
        self.backend.handler = self._answer
        await self.backend.start()
        return self

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)
        if self.held is not None:
            await self.held.wait()
        self.waiting -= 1
        if self.status == "reset":
            writer.transport.abort()
            return True
        writer.write(answer(str(self.backend.port).encode(), self.status))
        return False

    @property
    def port(self) -> int:
        return self.backend.port

    @property
    def asked(self) -> int:
        return len(self.backend.seen)


def guarded(*ports: int, name: str = "proxy", balance: str = "RoundRobin", **rule: Any) -> Upstream:
    addresses = tuple(Address("127.0.0.1", port) for port in ports)
    breaker = Breaker(name=name, **rule)
    return upstream(0, addresses=addresses, breaker=breaker, balance=balance)


def refused_by(got: Answer, limit: str) -> bool:
    return got.is_status(503) and f"circuit breaker ({limit})" in got.json()["message"] and bool(got.get("retry-after"))


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def hold(running: Gateway, number: int) -> "list[asyncio.Task[Answer]]":
    return [asyncio.create_task(running.once("GET", "/")) for _ in range(number)]


@pytest.mark.parametrize("failure", ["500 No", "502 No", "503 No", "504 No", "reset", "refused"])
async def test_failures_in_a_row_open_the_circuit(failure: str) -> None:
    flaky = await Flaky(failure).start()
    port = free_port() if failure == "refused" else flaky.port
    to = guarded(port, consecutive_failures=3, ejection_time=90.0)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        for _ in range(3):
            got = await running.once("GET", "/")
            assert got.status == (int(failure[:3]) if failure[:3].isdigit() else 502)
        before = flaky.asked
        got = await running.once("GET", "/")
        assert refused_by(got, "open"), got
        assert "3 failures in a row" in got.json()["message"]
        assert 60 < int(got.get("retry-after") or 0) <= 91
        assert flaky.asked == before, "an open circuit asks nobody"


async def test_the_log_tells_of_a_circuit_when_it_changes_and_not_of_each_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flaky = await Flaky("500 No").start()
    to = guarded(flaky.port, consecutive_failures=1, ejection_time=0.5)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        with caplog.at_level("INFO"):
            assert (await running.once("GET", "/")).status == 500
            while caplog.text.count("a circuit is") < 2:
                flaky.status = "200 OK"
                got = await running.once("GET", "/")
                assert got.status == 200 or refused_by(got, "open")
    told = [record.getMessage() for record in caplog.records if record.name.startswith("dovetail")]
    assert [text for text in told if "circuit" in text] == ["a circuit is open", "a circuit is closed again"]
    assert "request" not in told


async def recovered(running: Gateway) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await running.once("GET", "/")).status == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_probe_closes_the_circuit() -> None:
    flaky = await Flaky("500 No").start()
    to = guarded(flaky.port, consecutive_failures=1, ejection_time=0.5)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        assert (await running.once("GET", "/")).status == 500
        flaky.status = "200 OK"
        await recovered(running)
        assert flaky.asked == 2
        assert [(await running.once("GET", "/")).status for _ in range(3)] == [200] * 3


async def test_only_one_request_tries_a_backend_again() -> None:
    flaky = await Flaky("500 No").start()
    to = guarded(flaky.port, consecutive_failures=1, ejection_time=2.5)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        assert (await running.once("GET", "/")).status == 500
        flaky.held = asyncio.Event()
        trying = asyncio.create_task(recovered(running))
        await until(lambda: flaky.waiting == 1)
        assert refused_by(await running.once("GET", "/"), "open"), "the probe's outcome is awaited"
        flaky.held.set()
        await trying  # it was answered 500
        got = await running.once("GET", "/")
        assert refused_by(got, "open")
        assert 3 < int(got.get("retry-after") or 0) <= 6, "the second time it lasts twice as long"
        assert flaky.asked == 2


async def test_a_share_of_failures_opens_the_circuit_and_other_errors_do_not_count() -> None:
    flaky = await Flaky().start()
    to = guarded(flaky.port, error_percent=50, minimum_requests=6, ejection_time=30.0, interval=60.0)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        for status in ("404 No", "501 No", "200 OK", "503 No", "503 No"):
            flaky.status = status
            assert (await running.once("GET", "/")).status == int(status[:3])
        assert (await running.once("GET", "/")).status == 503
        got = await running.once("GET", "/")
        assert refused_by(got, "open")
        assert "3 of 6 requests failed" in got.json()["message"]


async def test_a_client_that_goes_away_says_nothing_about_the_backend() -> None:
    flaky = await Flaky().start()
    flaky.held = asyncio.Event()
    to = guarded(flaky.port, consecutive_failures=1, max_requests=1)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        async with await running.client() as client:
            client.request("GET", "/")
            await until(lambda: flaky.waiting == 1)
        flaky.held.set()
        async with asyncio.timeout(PATIENCE):
            while (await running.once("GET", "/")).status != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_an_address_that_fails_is_left_out() -> None:
    good, bad = await Flaky().start(), await Flaky("503 No").start()
    to = guarded(good.port, bad.port, free_port(), consecutive_failures=2, ejection_time=30.0)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        codes = [(await running.once("GET", "/")).status for _ in range(30)]
    assert codes.count(503) == 2
    assert bad.asked == 2
    assert codes[-20:] == [200] * 20


async def test_what_is_known_of_an_address_outlives_a_change_of_the_addresses() -> None:
    good, bad = await Flaky().start(), await Flaky("503 No").start()
    to = guarded(bad.port, consecutive_failures=1, ejection_time=30.0)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        assert (await running.once("GET", "/")).status == 503
        scaled = guarded(bad.port, good.port, consecutive_failures=1, ejection_time=30.0)
        assert scaled.key != to.key
        await running.serve([route("/", scaled, traffic=GUARDED)], [scaled])
        assert [(await running.once("GET", "/")).status for _ in range(6)] == [200] * 6
        assert bad.asked == 1
        eased = guarded(bad.port, consecutive_failures=9)
        await running.serve([route("/", eased, traffic=GUARDED)], [eased])
        assert (await running.once("GET", "/")).status == 503
        assert bad.asked == 2, "a changed rule starts anew"


async def test_requests_are_limited() -> None:
    flaky = await Flaky().start()
    flaky.held = asyncio.Event()
    to = guarded(flaky.port, max_requests=3)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        held = await hold(running, 3)
        await until(lambda: flaky.waiting == 3)
        assert refused_by(await running.once("GET", "/"), "maxRequests")
        flaky.held.set()
        assert [(await task).status for task in held] == [200] * 3
        assert (await running.once("GET", "/")).status == 200


async def test_connections_are_limited_and_requests_wait_for_them() -> None:
    flaky = await Flaky().start()
    flaky.held = asyncio.Event()
    to = guarded(flaky.port, max_connections=2, max_pending_requests=3)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        held = await hold(running, 2)
        await until(lambda: flaky.waiting == 2)
        waiting = await hold(running, 3)
        await asyncio.sleep(0.1)
        assert flaky.waiting == 2
        assert refused_by(await running.once("GET", "/"), "maxPendingRequests")
        waiting.pop().cancel()  # a client that does not wait any longer makes room for another
        await asyncio.sleep(0.05)
        waiting += await hold(running, 1)
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        flaky.held.set()
        assert [(await task).status for task in held + waiting] == [200] * 5
    assert flaky.most_waiting == 2
    assert flaky.backend.connections == 2


async def test_nobody_waits_for_a_connection_for_ever() -> None:
    flaky = await Flaky().start()
    flaky.held = asyncio.Event()
    to = upstream(flaky.port, breaker=Breaker(name="x", max_connections=1, max_pending_requests=9), connect_timeout=0.2)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        (held,) = await hold(running, 1)
        await until(lambda: flaky.waiting == 1)
        assert refused_by(await running.once("GET", "/"), "maxConnections")
        flaky.held.set()
        assert (await held).status == 200


async def test_connections_that_break_make_room() -> None:
    flaky = await Flaky("reset").start()
    to = guarded(flaky.port, max_connections=1, max_pending_requests=50)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        broken = [(await task).status for task in await hold(running, 10)]
        flaky.status = "200 OK"
        whole = [(await task).status for task in await hold(running, 10)]
    assert broken == [502] * 10
    assert whole == [200] * 10
    assert flaky.most_waiting == 1


async def test_an_idle_connection_elsewhere_gives_its_place_up() -> None:
    one, other = await Flaky().start(), await Flaky().start()
    to = guarded(one.port, other.port, max_connections=1, consecutive_failures=1, ejection_time=30.0)
    async with gateway([route("/", to, traffic=GUARDED)], [to]) as running:
        first = (await running.once("GET", "/")).body
        failing, sound = (one, other) if first == str(one.port).encode() else (other, one)
        failing.status = "503 No"
        codes = [(await running.once("GET", "/")).status for _ in range(6)]
        assert codes[-4:] == [200] * 4
        assert sound.asked >= 4


async def test_round_robin_and_least_requests() -> None:
    backends = [await Flaky().start() for _ in range(3)]
    ports = [each.port for each in backends]
    plain = upstream(0, addresses=tuple(Address("127.0.0.1", port) for port in ports))
    least = upstream(0, addresses=plain.addresses, balance="LeastRequests")
    async with gateway([route("/rr", plain), route("/least", least)], [plain, least]) as running:
        async with await running.client() as client:
            for _ in range(30):
                client.request("GET", "/rr")
                assert (await client.answer()).status == 200
        assert [each.asked for each in backends] == [10, 10, 10], "kept connections are taken in turn, too"
        slow = backends[0]
        slow.held = asyncio.Event()
        held = [asyncio.create_task(running.once("GET", "/least")) for _ in range(3)]
        await until(lambda: slow.waiting == 1)
        before = slow.asked
        for _ in range(8):
            assert (await running.once("GET", "/least")).status == 200
        assert slow.asked == before, "the one that is busy gets no more"
        slow.held.set()
        assert [(await task).status for task in held] == [200] * 3


async def test_an_address_that_cannot_be_reached_is_not_waited_for_each_time() -> None:
    sound = [await Flaky().start() for _ in range(2)]
    with full_listener() as silent:
        addresses = tuple(Address("127.0.0.1", port) for port in (silent, sound[0].port, sound[1].port))
        to = upstream(0, addresses=addresses, connect_timeout=9.0)  # three seconds for each
        async with gateway([route("/", to)], [to]) as running:
            begun = asyncio.get_running_loop().time()
            for _ in range(12):
                assert (await running.once("GET", "/")).status == 200
            assert asyncio.get_running_loop().time() - begun < 9.0, "once it is waited for, not four times"
    assert sum(each.asked for each in sound) == 12
    assert min(each.asked for each in sound) >= 4


async def test_an_upgrade_is_a_request_like_any_other() -> None:
    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        writer.write(await reader.readexactly(4))
        return True

    backend = await Backend(handler).start()
    to = guarded(backend.port, max_requests=1, consecutive_failures=1)
    rules = Traffic(breaker=True, request_timeout=0.3)
    async with gateway([route("/", to, traffic=rules)], [to], limits=limits()) as running:
        for _ in range(2):
            async with await running.client() as client:
                client.request("GET", "/", "Connection: Upgrade", "Upgrade: websocket")
                assert (await client.head()).status == 101
                assert refused_by(await running.once("GET", "/"), "maxRequests")
                await asyncio.sleep(0.4)
                client.send(b"ping")
                assert await client.rest() == b"ping", "a tunnel may last longer than a request"


async def test_a_scrape_tells_of_breakers_retries_and_limits(tmp_path: Path) -> None:
    bad, good = await Flaky("503 No").start(), await Flaky().start()
    to = guarded(bad.port, name="proxies/shop", consecutive_failures=1, ejection_time=60.0)
    other = guarded(good.port, name="proxies/other", max_requests=0)
    rules = Traffic(breaker=True, retries=Retries(attempts=1, back_off=0.001, max_back_off=0.001))
    path = tmp_path / "metrics.sock"
    table = [route("/shop", to, traffic=rules), route("/other", other, traffic=GUARDED)]
    async with gateway(table, [to, other], metrics_socket=path) as running:
        assert refused_by(await running.once("GET", "/shop"), "open")
        assert refused_by(await running.once("GET", "/other"), "maxRequests")
        lines = (await scrape(path)).decode().splitlines()
    for line in (
        'dovetail_gateway_backend_requests{backend="proxies/shop"} 0',
        'dovetail_gateway_retries_total{backend="proxies/shop"} 1',
        'dovetail_gateway_ejections_total{backend="proxies/shop"} 1',
        f'dovetail_gateway_circuit_state{{backend="proxies/shop",address="127.0.0.1:{bad.port}"}} 2',
        'dovetail_gateway_breaker_refused_total{backend="proxies/shop",limit="open"} 1',
        'dovetail_gateway_breaker_refused_total{backend="proxies/other",limit="maxRequests"} 1',
        "dovetail_gateway_rate_limit_buckets_evicted_total 0",
    ):
        assert line in lines, line
