"""slowhttptest against a worker of its own: the slow are cut off in time, everybody else is served meanwhile."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.gateway_proxy.backend import Backend, Seen, echo
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import Gateway, gateway_process, limits, route, upstream

pytestmark = pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")

_CONNECTIONS = {"slow heads": 100, "slow bodies": 100, "slow readers": 25}
"""For each reader the kernel takes some MiB, which the test's own backend has to send first."""
_LISTEN, _TIME_WAIT = "0A", "06"
_HASTY = limits(head_timeout=2.5, body_timeout=2.0, write_timeout=2.0, keep_alive=2.5)
_MODES = {
    "slow heads": ("-H", "-i", "1", "-x", "8"),
    "slow bodies": ("-B", "-i", "1", "-x", "8", "-s", "8192"),
    "slow readers": ("-X", "-n", "1", "-z", "5", "-w", "1", "-y", "64", "-k", "3"),
}


async def _handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if seen.target != "/large":
        await echo(seen, reader, writer)
        return
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 << 20))
    for _ in range(512):
        writer.write(bytes(1 << 16))
        await writer.drain()
        await asyncio.sleep(0.001)  # leave the loop to those who are in no hurry


@asynccontextmanager
async def _attack(port: int, mode: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        "slowhttptest", *_MODES[mode], "-c", str(_CONNECTIONS[mode]), "-r", "300", "-l", "60", "-p", "10", "-v", "1",
        "-u", f"http://127.0.0.1:{port}/large", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _open(port: int) -> int:
    """Connections that the kernel still holds for whoever listens there, also those that nobody owns any more."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] not in (_LISTEN, _TIME_WAIT) for row in rows)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(1.5 * PATIENCE):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@asynccontextmanager
async def _others(running: Gateway) -> AsyncIterator[list[float]]:
    """Somebody who is in no hurry and sends as he should; how long each of his requests took."""
    took: list[float] = []

    async def go() -> None:
        while True:
            began = time.monotonic()
            assert (await running.once("POST", "/x", body=b"abc")).json()["length"] == 3
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.02)

    task = asyncio.create_task(go())
    try:
        yield took
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
    assert isinstance(result, asyncio.CancelledError), result


@pytest.mark.parametrize("mode", _MODES)
async def test_slow_clients(mode: str) -> None:
    backend = await Backend(_handler).start()
    to = upstream(backend.port)
    async with gateway_process([route("/", to)], [to], limits=_HASTY) as running:
        before = running.rss()
        async with _others(running) as took, _attack(running.port, mode):
            await _until(lambda: _open(running.port) > _CONNECTIONS[mode] // 5)
            await _until(lambda: _open(running.port) < 5)
        assert running.rss() - before < 64 << 20, "what slow readers do not take is not held for them"
    assert len(took) >= 3
    assert max(took) < PATIENCE
    slow = [seen for seen in backend.seen if seen.target == "/large"]
    assert mode == "slow readers" or len(slow) < 10, "of what never was a whole request only its probes get through"
