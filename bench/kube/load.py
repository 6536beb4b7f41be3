"""Load that is not the bottleneck: wrk for reads; raw sockets on uvloop, pinned to the other core, for the rest."""

import asyncio
import re
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

from processes import LOAD_CORE, pinned

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Rate:
    """Requests a second; milliseconds within which half and 99 of 100 had their answer."""

    rps: float
    p50: float
    p99: float


def wrk(url: str, connections: int, seconds: float, token: str = "") -> Rate:
    command = pinned(LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency")
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    out = subprocess.run([*command, url], capture_output=True, text=True, timeout=seconds * 3 + 30, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(f"{url} was refused:\n{out}")
    rps = re.search(r"Requests/sec:\s+([\d.]+)", out)
    return Rate(float(rps[1]) if rps else 0.0, _milliseconds("50", out), _milliseconds("99", out))


def _milliseconds(percentile: str, text: str) -> float:
    found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s|m)", text)
    return float(found[1]) * _UNITS[found[2]] if found else float("nan")


class Caller:
    """One connection; requests one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader, self._writer, self._head = reader, writer, head

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None, token: str = "") -> "Caller":
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=name, limit=64 * 1024 * 1024
        )
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        return cls(reader, writer, f"Host: localhost\r\n{authorization}".encode())

    async def __call__(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The body of the answer, which must be a success."""
        head = f"{method} {path} HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
        self._writer.write(head + self._head + b"\r\n" + body)
        start = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: (\d+)", start)
        answer = await self._reader.readexactly(int(found[1])) if found else await self._chunks()
        if start[9:10] != b"2":
            raise RuntimeError(f"{method} {path}: {start[:60]!r} {answer[:300]!r}")
        return answer

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            parts.append(await self._reader.readexactly(size + 2))
        await self._reader.readexactly(2)
        return b"".join(parts)

    def close(self) -> None:
        self._writer.close()


Work = Callable[[Caller, int, int], Coroutine[Any, Any, Any]]


async def rate(callers: list[Caller], seconds: float, work: Work) -> Rate:
    """How often ``work(caller, number of the caller, count)`` is done by all callers together."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def run(caller: Caller, number: int) -> None:
        count = 0
        while (begin := time.perf_counter()) < end:
            await work(caller, number, count)
            times.append(time.perf_counter() - begin)
            count += 1

    begin = time.perf_counter()
    await asyncio.gather(*(run(caller, number) for number, caller in enumerate(callers)))
    took = time.perf_counter() - begin
    return Rate(len(times) / took, statistics.median(times) * 1e3, sorted(times)[int(len(times) * 0.99)] * 1e3)


class Watcher(asyncio.Protocol):
    """Notes when each event arrived; reads nothing of it."""

    MARK = b'{"type":"MODIFIED"'

    def __init__(self, request: bytes) -> None:
        self._request, self._tail = request, b""
        self.arrivals: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._tail + data
        self.arrivals += [now] * data.count(self.MARK)
        self._tail = data[-(len(self.MARK) - 1) :]


async def watch_latency(
    port: int, tls: ssl.SSLContext, token: str, path: str, change: Callable[[Caller, int], Coroutine[Any, Any, Any]],
    *, watchers: int, per_second: int, seconds: float,
) -> list[float]:  # fmt: skip
    """Seconds from each write to its event at each watcher, sorted.

    From the moment when the write is sent: the answer and the events leave the server in the same moment, and which of
    them this process reads first says nothing. So the time that the write itself takes is in it.
    """
    loop = asyncio.get_running_loop()
    request = (
        f"GET {path}?watch=1&resourceVersion=REV HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    caller = await Caller.connect(port, tls, token)
    listed = await caller("GET", f"{path}?limit=1")
    rev = re.search(rb'"resourceVersion":"(\d+)"', listed)
    assert rev is not None
    raw = request.replace("REV", rev[1].decode()).encode()
    found: list[Watcher] = []
    for _ in range(watchers):
        _, watcher = await loop.create_connection(
            lambda: Watcher(raw), "127.0.0.1", port, ssl=tls, server_hostname="localhost"
        )
        found.append(watcher)
    await asyncio.sleep(0.5)
    sent: list[float] = []
    begin = time.perf_counter()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(begin + number / per_second - time.perf_counter(), 0))
        sent.append(time.perf_counter())
        await change(caller, number)
    await asyncio.sleep(1.0)
    for watcher in found:
        watcher.transport.abort()
        if len(watcher.arrivals) != len(sent):
            raise RuntimeError(f"a watcher saw {len(watcher.arrivals)} of {len(sent)} events")
    return sorted(arrival - begun for watcher in found for arrival, begun in zip(watcher.arrivals, sent, strict=True))
