"""A worker under mixed load for a long time: good backends, failing ones, impatient clients, and routes that change.

Everything here is one loop beside the worker's process: backends that misbehave by path, clients that know what each
path may answer, and a control that publishes another table ten times a second. What must stay flat is the worker's
memory and its descriptors; what must never happen is an answer that was not the one of the path that was asked.
"""

import asyncio
import contextlib
import random
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

import msgspec

from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot
from dovetail.routing.model import Address, Match, Route, RouteTable, Upstream
from gateway import snapshots
from gateway.processes import Actor, free_port

_BODY = b"x" * 700
_RESPONSE_TIMEOUT = 2.0
_RESET = struct.pack("ii", 1, 0)
_GONE = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Seen:
    """What came of the load."""

    answers: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    samples: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """Resident MiB and descriptors, one a second."""


class Backend:
    """Answers by the last segment of the path, well or badly."""

    def __init__(self) -> None:
        self.port = free_port()

    async def run(self) -> None:
        async with await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024):
            await asyncio.Event().wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].partition(b"?")[0].decode()
                await _drain_body(reader, head)
                if not await self._answer(path.rpartition("/")[2], path, reader, writer):
                    return
                await writer.drain()
        except _GONE:
            pass
        finally:
            writer.close()

    async def _answer(self, kind: str, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False ends the connection."""
        body = path.encode() + _BODY
        match kind:
            case "cut":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + body)
            case "garbage":
                writer.write(b"this is not HTTP\r\n\r\n")
            case "reset":
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            case "hang":
                await reader.read()
            case "switch":
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
                while data := await reader.read(4096):
                    writer.write(data)
            case "chunks":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), 200):
                    writer.write(b"%x\r\n%b\r\n" % (len(body[at : at + 200]), body[at : at + 200]))
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
                return True
            case _:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                return True
        return False


async def _drain_body(reader: asyncio.StreamReader, head: bytes) -> None:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))


class Soak:
    """One run."""

    def __init__(self, publisher: Publisher, worker: Actor, backend: int) -> None:
        self._publisher = publisher
        self._worker = worker
        self._backend = backend
        self._tokens = [snapshots.token(f"user-{n}") for n in range(50)]
        self._base = snapshots.snapshot(backend, routes=200, users=50)
        self._pick = random.Random(4)
        self.seen = Seen()

    def snapshot(self, generation: int) -> Snapshot:
        """The table of a turn: a third of the routes comes and goes, and so does a backend that is down."""
        here = Address("127.0.0.1", self._backend)
        key = f"good-{generation % 7}"
        good = Upstream(key=key, authority="good", addresses=(here,), response_timeout=_RESPONSE_TIMEOUT)
        down = Upstream(key=f"down-{generation % 3}", authority="down", addresses=(Address("127.0.0.1", 9),))
        routes = [
            Route(
                id=f"soak/{n}",
                match=Match("prefix", f"/s/{n}"),
                upstream=(down if n == 9 else good).key,
                access="public",
            )
            for n in range(10)
        ]
        routes += [Route(id=f"moving/{n}", match=Match("prefix", f"/moving/{n}"), upstream=good.key)
                   for n in range(generation % 30)]  # fmt: skip
        table = RouteTable(routes=(*self._base.table.routes, *routes),
                           upstreams={**self._base.table.upstreams, good.key: good, down.key: down})  # fmt: skip
        return msgspec.structs.replace(self._base, generation=generation, table=table)

    async def run(self, seconds: float, clients: int) -> Seen:
        """Load the worker and watch it."""
        end = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._change(end))
            group.create_task(self._sample(end))
            for _ in range(clients):
                group.create_task(self._client(end))
        return self.seen

    async def _change(self, end: float) -> None:
        while asyncio.get_running_loop().time() < end:
            await self._publisher.publish(self.snapshot(self._publisher.generation + 1))
            await asyncio.sleep(0.1)

    async def _sample(self, end: float) -> None:
        while asyncio.get_running_loop().time() < end:
            self.seen.samples.append((self._worker.rss_mib, self._worker.descriptors))
            await asyncio.sleep(1.0)

    async def _client(self, end: float) -> None:
        """Connections one after the other, each for some requests."""
        kinds: dict[Callable[[Streams], Awaitable[None]], int] = {
            self._plain: 60, self._upload: 10, self._chunks: 10, self._failing: 12, self._impatient: 5, self._rude: 2,
            self._tunnel: 2,
        }  # fmt: skip
        steps, weights = list(kinds), list(kinds.values())
        while asyncio.get_running_loop().time() < end:
            streams = await asyncio.open_connection("127.0.0.1", self._worker.port)
            try:
                for _ in range(self._pick.randrange(1, 30)):
                    async with asyncio.timeout(20):
                        await self._pick.choices(steps, weights)[0](streams)
                    await asyncio.sleep(self._pick.random() * 0.02)
            except _GONE:
                self.seen.answers["connection ended"] += 1
            except TimeoutError:
                self.seen.wrong.append("no answer within 20 s")
            finally:
                streams[1].close()

    async def _plain(self, streams: Streams) -> None:
        await self._expect(streams, f"/s/{self._pick.randrange(9)}/plain", 200)

    async def _chunks(self, streams: Streams) -> None:
        await self._expect(streams, f"/s/{self._pick.randrange(9)}/chunks", 200)

    async def _upload(self, streams: Streams) -> None:
        await self._expect(streams, f"/s/{self._pick.randrange(9)}/up", 200, body=_BODY * self._pick.randrange(1, 200))

    async def _failing(self, streams: Streams) -> None:
        """What a backend does wrong becomes the answer that says so; what is cut comes cut."""
        kind, status = self._pick.choice((("garbage", 502), ("reset", 502), ("hang", 504), ("down", 502), ("cut", 200)))
        path = "/s/9/down" if kind == "down" else f"/s/{self._pick.randrange(9)}/{kind}"
        await self._expect(streams, path, status)

    async def _impatient(self, streams: Streams) -> None:
        """Goes away in the middle of it."""
        streams[1].write(self._request("POST", "/s/1/hang", 5000) + b"x" * 100)
        await asyncio.sleep(self._pick.random() * 0.1)
        raise ConnectionResetError

    async def _rude(self, streams: Streams) -> None:
        streams[1].write(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        status = (await streams[0].readuntil(b"\r\n\r\n"))[9:12]
        self._note(status == b"400", "rude", f"a bad request got {status!r}")
        raise ConnectionResetError

    async def _tunnel(self, streams: Streams) -> None:
        streams[1].write(b"GET /s/2/switch HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        status = (await streams[0].readuntil(b"\r\n\r\n"))[9:12]
        streams[1].write(_BODY)
        echoed = await streams[0].readexactly(len(_BODY)) if status == b"101" else b""
        self._note(echoed == _BODY, "tunnel", f"a tunnel got {status!r}")
        raise ConnectionResetError

    def _request(self, method: str, path: str, length: int = 0) -> bytes:
        size = f"Content-Length: {length}\r\n" if length else ""
        token = self._pick.choice(self._tokens)
        return f"{method} {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\n{size}\r\n".encode()

    async def _expect(self, streams: Streams, path: str, status: int, body: bytes = b"") -> None:
        reader, writer = streams
        writer.write(self._request("POST" if body else "GET", path, len(body)) + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        got = int(head[9:12])
        content = await _content(reader, head)
        right = got == status and (got != 200 or content == path.encode() + _BODY)
        self._note(right, f"{path.rpartition('/')[2]} {got}", f"{path} got {got}: {content[:80]!r}")
        if b"connection: close" in head.lower():
            raise ConnectionResetError

    def _note(self, right: bool, what: str, otherwise: str) -> None:
        self.seen.answers[what] += 1
        if not right:
            self.seen.wrong.append(otherwise)


async def _content(reader: asyncio.StreamReader, head: bytes) -> bytes:
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    if b"content-length" in lines:
        return await reader.readexactly(int(lines[b"content-length"]))
    pieces: list[bytes] = []
    with contextlib.suppress(ValueError):
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readuntil(b"\r\n")
    return b"".join(pieces)
