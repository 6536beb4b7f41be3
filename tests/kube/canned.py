"""A real HTTP server that answers what a test tells it to, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from dovetail.kube import Client, ClusterConfig


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def json(self) -> Any:
        return orjson.loads(self.body)


class Answer:
    """The server's side of one exchange."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.closed = False

    async def json(self, body: Any, status: int = 200, **headers: str) -> None:
        await self.raw(orjson.dumps(body), status, **headers)

    async def raw(self, body: bytes, status: int = 200, **headers: str) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def start(self) -> None:
        self._writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self._writer.drain()

    async def event(self, type: str, obj: Any) -> None:
        await self.chunk(orjson.dumps({"type": type, "object": obj}) + b"\n")

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def cut(self) -> None:
        """Reset the connection in the middle of whatever it is in."""
        self.closed = True
        self._writer.transport.abort()

    async def hang(self) -> None:
        """Stay open and silent until the client goes."""
        while not self._reader.at_eof():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


Respond = Callable[[Seen, Answer], Awaitable[None]]


@dataclass
class Canned:
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    def client(self, **config: Any) -> Client:
        return Client(ClusterConfig(self.url, **config), timeout=5.0)


@asynccontextmanager
async def canned(respond: Respond, ssl: Any = None) -> AsyncIterator[Canned]:
    """Serve with `respond` until the block ends; the port is free, the loop is the test's."""
    server_state = Canned()
    tasks: set[asyncio.Task[None]] = set()
    writers: set[asyncio.StreamWriter] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                seen = await _read(reader)
                server_state.seen.append(seen)
                answer = Answer(reader, writer)
                await respond(seen, answer)
                if answer.closed:
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        task = asyncio.get_running_loop().create_task(connection(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=ssl)
    port = server.sockets[0].getsockname()[1]
    server_state.url = f"{'https' if ssl else 'http'}://127.0.0.1:{port}"
    try:
        yield server_state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:  # a task that is cancelled before its first step closes nothing
            writer.transport.abort()
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name, value.strip()) for name, value in (line.split(":", 1) for line in lines)]
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Seen(method, target, headers, await reader.readexactly(length))


def configmap(name: str, version: int, namespace: str = "default", uid: str = "", **data: str) -> dict[str, Any]:
    """A ConfigMap as a server would send it."""
    meta = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def listing(version: int, *items: Any, token: str = "") -> dict[str, Any]:
    """A ConfigMapList."""
    meta = {"resourceVersion": str(version)} | ({"continue": token} if token else {})
    return {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": meta, "items": list(items)}


def failure(code: int, reason: str, message: str = "no", **details: Any) -> dict[str, Any]:
    """A metav1.Status of a refusal."""
    return {
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code, "reason": reason, "message": message, "details": details,
    }  # fmt: skip


async def eventually(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait until `condition` holds; fail after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


__all__ = ["Answer", "Canned", "Seen", "canned", "configmap", "eventually", "failure", "listing"]
