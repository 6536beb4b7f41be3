"""A client that sends exactly the bytes it is told, and reads answers strictly."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.gateway_proxy.backend import read_chunks

PATIENCE = 30.0
"""Seconds: nothing here takes this long unless it hangs, however busy the machine is."""


@dataclass
class Answer:
    """One answer, complete."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2, found
        return found[0] if found else None

    def json(self) -> Any:
        return orjson.loads(self.body)

    def is_status(self, code: int) -> bool:
        """Whether it is a Kubernetes Status that says the same as the status line."""
        body = self.json()
        return (
            self.status == code == body["code"]
            and body["kind"] == "Status"
            and body["apiVersion"] == "v1"
            and body["status"] == "Failure"
            and bool(body["message"])
            and bool(body["reason"])
            and self.get("content-type") == "application/json"
        )


async def scrape(path: Path, target: str = "/metrics") -> bytes:
    """What a worker answers on the Unix socket of its figures, head and all."""
    reader, writer = await asyncio.open_unix_connection(path)
    async with Client(reader, writer) as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return await client.rest()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, tls: ssl.SSLContext | None = None) -> "Client":
        name = "localhost" if tls else None
        async with asyncio.timeout(PATIENCE):
            return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name))

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    def request(self, method: str, target: str, *lines: str, body: bytes | None = None) -> None:
        """Send a request with a Host header and, for a body, its length."""
        framing = [f"Content-Length: {len(body)}"] if body is not None else []
        head = [f"{method} {target} HTTP/1.1", "Host: gateway", *lines, *framing]
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    async def head(self) -> Answer:
        """The head of the next answer that is not 1xx, or of a 101."""
        async with asyncio.timeout(PATIENCE):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return Answer(int(status), headers, b"")

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer, whole. Raises IncompleteReadError when it is cut off."""
        answer = await self.head()
        if answer.status == 100:
            return answer
        async with asyncio.timeout(PATIENCE):
            answer.body = b"" if head_only else await self.body(answer)
        return answer

    async def body(self, answer: Answer) -> bytes:
        """The body behind a head."""
        length = answer.get("content-length")
        if answer.status in (204, 304):
            return b""
        if answer.get("transfer-encoding") == "chunked":
            assert length is None
            return await read_chunks(self.reader)
        if length is not None:
            return await self.reader.readexactly(int(length))
        return await self.reader.read()

    async def rest(self) -> bytes:
        """Everything until the connection ends."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    async def answers(self) -> list[Answer]:
        """All complete answers until the connection ends."""
        found: list[Answer] = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                found.append(await self.answer())
        return found
