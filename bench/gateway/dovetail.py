"""Dovetail's workers as `dovetail up` starts them; a control publishes one snapshot and takes their reports."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Generator
from pathlib import Path

from dovetail.gateway.audit.entry import KIND
from dovetail.gateway.audit.file_sink import FileSettings
from dovetail.gateway.audit.trail import Trail
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.reports import ReportServer, beside
from dovetail.gateway.snapshot import Snapshot
from gateway.peers import Certificate
from gateway.processes import LOAD_CORE, PROXY_CORE, Actor, free_port, running


async def _control(socket: Path, value: Snapshot) -> None:
    publisher, reports = Publisher(socket), ReportServer(beside(socket))
    trail = Trail(FileSettings(socket.with_name("audit.log"), 100 << 20, 0.0, 1))
    reports.on(KIND, trail.take)
    await publisher.publish(value)
    async with asyncio.TaskGroup() as group:
        group.create_task(trail.run())
        group.create_task(publisher.run())
        group.create_task(reports.run())


def control_process(socket: Path, value: Snapshot) -> None:
    """The target of a process of its own, away from the core of the proxies."""
    os.sched_setaffinity(0, {LOAD_CORE})
    asyncio.run(_control(socket, value))


def command(port: int, socket: Path, tls: Certificate | None = None) -> list[str]:
    """A worker's command line."""
    line = [sys.executable, "-m", "dovetail.cli.dovetail", "gateway-worker", "--port", str(port),
            "--snapshot-socket", str(socket)]  # fmt: skip
    return [*line, "--tls-cert", str(tls.cert), "--tls-key", str(tls.key)] if tls else line


@contextlib.contextmanager
def published(directory: Path, value: Snapshot) -> Generator[Path]:
    """A control in a process of its own; yields its snapshot socket."""
    path = directory / f"control-{time.monotonic_ns()}"
    path.mkdir()
    socket = path / "snapshot.sock"
    process = multiprocessing.get_context("spawn").Process(target=control_process, args=(socket, value), daemon=True)
    process.start()
    try:
        yield socket
    finally:
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(10)


@contextlib.contextmanager
def worker(directory: Path, value: Snapshot, tls: Certificate | None = None) -> Generator[Actor]:
    """One worker on the proxies' core."""
    port = free_port()
    with (
        published(directory, value) as socket,
        running(PROXY_CORE, command(port, socket, tls), port) as process,
    ):
        yield Actor(port, (process.pid,))


@contextlib.contextmanager
def workers(directory: Path, value: Snapshot, count: int) -> Generator[Actor]:
    """Some workers on one port, wherever the scheduler puts them."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        socket = stack.enter_context(published(directory, value))
        processes = [stack.enter_context(running(None, command(port, socket), port)) for _ in range(count)]
        time.sleep(1.0)  # the port answers as soon as the first of them listens
        yield Actor(port, tuple(process.pid for process in processes))
