"""Reports: bounded, in order, at least once, and never in the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dovetail.gateway.proxy.metrics import Metrics
from dovetail.gateway.reports import Reports, ReportServer

PATIENCE = 10.0


@contextlib.asynccontextmanager
async def running(task: Any) -> AsyncIterator[None]:
    started = asyncio.ensure_future(task)
    try:
        yield
    finally:
        started.cancel()
        await asyncio.wait({started}, timeout=PATIENCE)
        await asyncio.sleep(0.01)  # transports are closed a turn of the loop later


async def until(said: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not said():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def server(socket: Path, into: list[Any], kind: str = "use") -> ReportServer:
    made = ReportServer(socket)
    made.on(kind, into.extend)
    return made


async def test_items_arrive_in_order_by_kind(tmp_path: Path) -> None:
    socket, uses = tmp_path / "reports.sock", []
    records: list[Any] = []
    control, reports = server(socket, uses), Reports()
    control.on("record", records.extend)
    async with running(control.run()), running(reports.run(socket)):
        for number in range(3000):
            reports.put("use", ["s", number])
        reports.put("record", {"verb": "get"})
        reports.put("unheard", 1)
        await until(lambda: len(uses) == 3000 and records)
        assert uses == [["s", number] for number in range(3000)]
        assert records == [{"verb": "get"}]
        await reports.flush(PATIENCE)
    assert not reports.dropped


async def test_what_is_put_while_control_is_away_arrives_when_it_is_back(tmp_path: Path) -> None:
    socket, uses = tmp_path / "reports.sock", []
    reports = Reports(most=4)
    async with running(reports.run(socket)):
        for number in range(6):
            reports.put("use", number)
        await asyncio.sleep(0.3)
        async with running(server(socket, uses).run()):
            await until(lambda: uses == [0, 1, 2, 3])
        reports.put("use", 6)
        await asyncio.sleep(0.3)
        async with running(server(socket, uses).run()):
            await until(lambda: uses == [0, 1, 2, 3, 6])
    assert reports.dropped == {"use": 2}
    assert 'dovetail_gateway_reports_dropped_total{kind="use"} 2' in Metrics(reports.dropped).render()


async def test_a_batch_without_an_acknowledgement_is_sent_again(tmp_path: Path) -> None:
    socket, uses = tmp_path / "reports.sock", []
    reports = Reports()
    heard: list[bytes] = []

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            heard.append(await reader.readexactly(8))

    async with running(reports.run(socket)):
        deaf_server = await asyncio.start_unix_server(deaf, socket)
        async with deaf_server:
            reports.put("use", "once")
            await until(lambda: heard)
        async with running(server(socket, uses).run()):
            await until(lambda: uses == ["once"])


async def test_one_bad_item_and_a_failing_handler_stop_nothing(tmp_path: Path) -> None:
    socket, uses = tmp_path / "reports.sock", []
    control = ReportServer(socket)
    control.on("use", lambda items: [][len(items)])
    control.on("use", uses.extend)
    reports = Reports()
    async with running(control.run()), running(reports.run(socket)):
        for item in (1, object(), 2):
            reports.put("use", item)
        await until(lambda: uses == [1, 2])
    assert reports.dropped == {"use": 1}


async def test_rubbish_ends_the_connection_only(tmp_path: Path) -> None:
    socket, uses = tmp_path / "reports.sock", []
    reports = Reports()
    async with running(server(socket, uses).run()):
        await until(socket.exists)
        assert socket.stat().st_mode & 0o077 == 0
        reader, writer = await asyncio.open_unix_connection(socket)
        with contextlib.closing(writer):
            writer.write(b"\0\0\0\3abc")
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""
        async with running(reports.run(socket)):
            reports.put("use", 1)
            await until(lambda: uses == [1])
