"""Where a worker's metrics are read: a Unix socket of its own, which only this user can open.

Not on the shared port, where a scrape would meet a different worker each time, and where the numbers (routes, users'
error rates) are nobody's business without a decision of the policy. Control reads the sockets of all workers.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

_LONGEST_REQUEST = 8 << 10
_PATIENCE = 5.0
_HEAD = (
    b"HTTP/1.1 %b\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n"
)


@contextlib.asynccontextmanager
async def scraped(socket: Path, render: Callable[[], str]) -> AsyncGenerator[None]:
    """Answer `GET /metrics` on `socket` with what `render` says, one request a connection, while the block runs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_PATIENCE):
                    head = await reader.readuntil(b"\r\n\r\n")
                    status = b"200 OK" if head.startswith(b"GET /metrics HTTP/1.") else b"404 Not Found"
                    body = render().encode() if status == b"200 OK" else b""
                    writer.write(_HEAD % (status, len(body)) + body)
                    await writer.drain()
        finally:
            writer.close()

    _remove(socket)
    server = await asyncio.start_unix_server(answer, socket, limit=_LONGEST_REQUEST)
    os.chmod(socket, 0o600)
    try:
        yield
    finally:
        server.close()
        _remove(socket)


def _remove(socket: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        socket.unlink()
