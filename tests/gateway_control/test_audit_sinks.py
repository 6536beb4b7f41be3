"""The sinks of the audit: the file that rotates, the webhook that comes back, and what is dropped and counted."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from dovetail.gateway.audit.file_sink import FileSettings, FileSink
from dovetail.gateway.audit.reading import Webhook
from dovetail.gateway.audit.webhook_sink import WebhookSink
from tests.e2e.certificates import Certificate, make_certificate

LINE = orjson.dumps({"kind": "Event", "pad": "x" * 80})


@contextlib.asynccontextmanager
async def running(sink: FileSink | WebhookSink) -> AsyncIterator[None]:
    task = asyncio.create_task(sink.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_the_file_is_put_away_by_size_and_only_so_many_are_kept(tmp_path: Path) -> None:
    sink = FileSink(FileSettings(tmp_path / "audit.log", max_size=1000, max_backups=2))
    async with running(sink):
        for number in range(1, 61):
            sink.put([LINE])
            await until(lambda number=number: sink.written == number)

    kept = sorted(files(tmp_path))
    assert len(kept) == 3
    assert all(file.stat().st_size <= 1000 for file in kept)
    assert all(orjson.loads(line)["kind"] == "Event" for file in kept for line in file.read_bytes().splitlines())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in kept)


async def test_the_file_is_put_away_by_age_and_old_ones_go(tmp_path: Path) -> None:
    now = time.time()
    sink = FileSink(FileSettings(tmp_path / "audit.log", max_age=2.0), clock=lambda: now)
    old = tmp_path / "audit-2020-01-01T00-00-00.000000.log"
    old.write_bytes(LINE)
    os.utime(old, (now - 10 * 86_400, now - 10 * 86_400))
    async with running(sink):
        sink.put([LINE])
        await until(lambda: sink.written == 1)
        now += 86_401
        sink.put([LINE])
        await until(lambda: sink.written == 2)

    assert not old.exists()
    assert len(files(tmp_path)) == 2


async def test_a_file_that_somebody_else_put_away_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    sink = FileSink(FileSettings(file))
    async with running(sink):
        sink.put([LINE])
        await until(lambda: sink.written == 1)
        file.rename(tmp_path / "elsewhere")
        sink.put([LINE])
        await until(lambda: sink.written == 2)

    assert file.read_bytes() == LINE + b"\n"


async def test_a_file_that_cannot_be_written_holds_up_nobody_and_drops_are_counted(tmp_path: Path) -> None:
    (tmp_path / "audit.log").mkdir()
    sink = FileSink(FileSettings(tmp_path / "audit.log"))
    async with running(sink):
        sink.put([LINE])
        await until(lambda: sink.failures > 0)
        for _ in range(400):
            sink.put([b"x" * 100_000])
        assert sink.dropped > 0
        (tmp_path / "audit.log").rmdir()
        await until(lambda: sink.written >= 1)


async def test_what_is_left_at_the_end_is_written(tmp_path: Path) -> None:
    sink = FileSink(FileSettings(tmp_path / "audit.log"))
    async with running(sink):
        await asyncio.sleep(0)
        sink.put([LINE] * 1000)

    assert len((tmp_path / "audit.log").read_bytes().splitlines()) == 1000


async def test_stopping_in_the_middle_of_a_write_loses_nothing_and_writes_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    total = 0
    for pause in (0.0, 0.0005, 0.002, 0.005, 0.02):
        sink = FileSink(FileSettings(file, max_size=0))
        async with running(sink):
            sink.put([b'{"n": %d, "pad": "%s"}' % (number, b"x" * 500) for number in range(total, total + 8000)])
            await asyncio.sleep(pause)
        total += 8000

    assert [orjson.loads(line)["n"] for line in file.read_bytes().splitlines()] == list(range(total))


@dataclass
class Collector:
    """The other end of a webhook: answers with `statuses` first, then with 200."""

    statuses: list[int] = field(default_factory=list)
    batches: list[Any] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        self.tokens.append(request.headers.get("Authorization", ""))
        if status == 200:
            self.batches.append(orjson.loads(await request.read()))
        return web.Response(status=status)

    @property
    def events(self) -> int:
        return sum(len(batch["items"]) for batch in self.batches)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def collector(certificate: Certificate) -> AsyncIterator[Collector]:
    collector = Collector()
    application = web.Application(client_max_size=1 << 24)
    application.router.add_post("/events", collector.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_context())
    await site.start()
    port = runner.addresses[0][1]
    collector.url = f"https://127.0.0.1:{port}/events"
    yield collector
    await runner.cleanup()


def webhook(collector: Collector, certificate: Certificate, **more: Any) -> Webhook:
    return Webhook(url=collector.url, ca_bundle=certificate.authority.read_text(), max_wait=0.05, **more)


async def test_events_come_in_lists_with_the_token(collector: Collector, certificate: Certificate) -> None:
    sink = WebhookSink(webhook(collector, certificate, max_batch=40), "s3cret")
    async with running(sink):
        sink.put([LINE] * 100)
        await until(lambda: sink.sent == 100)

    assert [len(batch["items"]) for batch in collector.batches] == [40, 40, 20]
    assert {(batch["kind"], batch["apiVersion"]) for batch in collector.batches} == {("EventList", "audit.k8s.io/v1")}
    assert set(collector.tokens) == {"Bearer s3cret"}
    assert (sink.sent, sink.dropped, sink.failures) == (100, 0, 0)


async def test_a_batch_is_sent_again_until_it_is_taken(collector: Collector, certificate: Certificate) -> None:
    collector.statuses = [500, 401, 429]
    sink = WebhookSink(webhook(collector, certificate))
    async with running(sink):
        sink.put([LINE] * 3)
        await until(lambda: sink.sent == 3)

    assert (sink.sent, sink.dropped, sink.failures) == (3, 0, 3)


async def test_a_batch_that_is_refused_for_good_is_dropped_and_counted(
    collector: Collector, certificate: Certificate
) -> None:
    collector.statuses = [400, 302]
    sink = WebhookSink(webhook(collector, certificate, max_batch=1))
    async with running(sink):
        sink.put([LINE] * 3)
        await until(lambda: sink.sent == 1)

    assert (sink.sent, sink.dropped, sink.failures) == (1, 2, 2)


async def test_a_stranger_gets_no_events(collector: Collector, certificate: Certificate, tmp_path: Path) -> None:
    other = make_certificate(tmp_path / "other")
    sink = WebhookSink(webhook(collector, other), "s3cret")
    async with running(sink):
        sink.put([LINE])
        await until(lambda: sink.failures > 0)

    assert collector.tokens == []


async def test_what_does_not_fit_is_dropped_and_counted(collector: Collector, certificate: Certificate) -> None:
    sink = WebhookSink(webhook(collector, certificate, max_buffered=10))
    sink.put([LINE] * 25)

    assert (sink.waiting, sink.dropped) == (10, 15)
