"""A small HTTP/1.1 server that a test scripts: it notes every request it sees and answers with raw bytes."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson


@dataclass
class Seen:
    """One request as it stood on the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    def get(self, name: str) -> str | None:
        """The only value of a header; None when it is not there."""
        found = self.all(name)
        assert len(found) < 2, found
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def names(self) -> set[str]:
        return {key.lower() for key, _ in self.headers}


def answer(body: bytes = b"ok", status: str = "200 OK", *lines: str) -> bytes:
    """A plain answer with a length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


RUNNING: "list[Backend]" = []
"""What a test has started; the fixture in `conftest` stops it."""

Handler = Callable[[Seen, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


async def echo(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell what was seen, as JSON."""
    body = {"method": seen.method, "target": seen.target, "headers": seen.headers, "length": len(seen.body)}
    writer.write(answer(orjson.dumps(body)))


def always(raw: bytes, *, close: bool = False) -> Handler:
    """A handler that gives this answer to everything."""

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(raw)
        return close

    return handler


@dataclass
class Backend:
    """See the module. A handler that returns True has the connection closed after its answer."""

    handler: Handler = echo
    read_bodies: bool = True
    versions: tuple[str, ...] = ("HTTP/1.1",)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    errors: list[BaseException] = field(default_factory=list)
    port: int = 0
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def start(self, *, unix_path: Path | None = None, tls: ssl.SSLContext | None = None) -> "Backend":
        if unix_path is not None:
            self._server = await asyncio.start_unix_server(self._serve, unix_path)
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, backlog=1024)
            self.port = self._server.sockets[0].getsockname()[1]
        RUNNING.append(self)
        return self

    async def stop(self) -> None:
        self._server.close()
        self.drop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports are closed a turn of the loop later

    def drop(self) -> None:
        """Close every connection at once, as a backend does that is killed."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    seen = await self._read(reader, number)
                    self.seen.append(seen)
                    if await self.handler(seen, reader, writer):
                        break
                    await writer.drain()
        except asyncio.CancelledError:
            pass  # `stop`; asyncio's streams report a cancelled handler as an error
        except Exception as error:
            self.errors.append(error)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, number: int) -> Seen:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        method, target, version = first.split(" ")
        assert version in self.versions
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        seen = Seen(method, target, headers, b"", number)
        if self.read_bodies:
            seen.body = await read_body(reader, seen)
        return seen


async def read_body(reader: asyncio.StreamReader, seen: Seen) -> bytes:
    """The body of a request, by its framing."""
    length = seen.get("content-length")
    if (seen.get("transfer-encoding") or "").lower() == "chunked":
        assert length is None
        return await read_chunks(reader)
    return await reader.readexactly(int(length)) if length else b""


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A chunked body, its trailers thrown away. Raises IncompleteReadError when it is cut off."""
    pieces: list[bytes] = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if not size:
            break
        pieces.append(await reader.readexactly(size))
        assert await reader.readexactly(2) == b"\r\n"
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(pieces)
