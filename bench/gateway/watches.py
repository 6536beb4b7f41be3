"""Many idle watches through a proxy: streams on which a line comes every second. What do they cost, and how late is
a line?"""

import asyncio
import time
from dataclasses import dataclass

from gateway.processes import Actor, free_port

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Watched:
    """How many streams were open, what they cost the proxy, and how late lines came."""

    open: int
    mib: float
    cpu: float
    """Of one core."""
    p99_ms: float


class Source:
    """A backend whose every answer is a stream with the time in each line."""

    def __init__(self) -> None:
        self.port = free_port()
        self._writers: set[asyncio.StreamWriter] = set()

    async def run(self) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=4096):
            while True:
                await asyncio.sleep(1.0)
                for number, writer in enumerate(tuple(self._writers)):
                    line = b"%.6f\n" % time.monotonic()
                    writer.write(b"%x\r\n%b\r\n" % (len(line), line))
                    if not number % 50:
                        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_HEAD)
            self._writers.add(writer)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


async def measure(actor: Actor, path: str, token: str, *, count: int, seconds: float) -> Watched:
    """Open `count` streams through a proxy, of which the backend is a running Source, and watch them for a while."""
    before, late = actor.rss_mib, list[float]()
    gate = asyncio.Semaphore(100)
    opened, tasks = 0, list[asyncio.Task[None]]()

    async def watch() -> None:
        nonlocal opened
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", actor.port)
            writer.write(f"GET {path}?watch=true HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            opened += head.startswith(b"HTTP/1.1 200")
        try:
            while line := await reader.readline():
                if b"." in line:
                    late.append(time.monotonic() - float(line))
        finally:
            writer.close()

    tasks = [asyncio.create_task(watch()) for _ in range(count)]
    end = time.monotonic() + _PATIENCE
    while opened < count and time.monotonic() < end and not any(task.done() for task in tasks):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)
    late.clear()
    cpu, begun = actor.cpu_seconds, time.monotonic()
    await asyncio.sleep(seconds)
    used, mib = (actor.cpu_seconds - cpu) / (time.monotonic() - begun), actor.rss_mib - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ordered = sorted(late)
    return Watched(opened, mib, used, ordered[len(ordered) * 99 // 100] * 1000 if ordered else float("nan"))
