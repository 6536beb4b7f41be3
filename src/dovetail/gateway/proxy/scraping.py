"""Where a worker's metrics are read: a Unix socket of its own, which only this user can open.

Not on the shared port, where a scrape would meet a different worker each time, and where the numbers (routes, users'
error rates) are nobody's business without a decision of the policy. Control reads the sockets of all workers.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from dovetail.gateway.private_socket import listening

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
        with contextlib.suppress(TimeoutError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                status = b"200 OK" if head.startswith(b"GET /metrics HTTP/1.") else b"404 Not Found"
                body = render().encode() if status == b"200 OK" else b""
                writer.write(_HEAD % (status, len(body)) + body)
                await writer.drain()

    with contextlib.ExitStack() as stack:
        stack.callback(socket.unlink, missing_ok=True)  # control goes by the sockets that there are
        async with listening(socket, answer, limit=_LONGEST_REQUEST):
            yield
