"""GET /console/api/events: server-sent events, raw ASGI.

After a client is gone `send` never fails; only `receive` tells (reference/python-stack.md, trap 3). So the stream is
raced against `receive`, and whichever ends first ends both.
"""

import asyncio
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from dovetail.console.changes import Changes, Tokens
from dovetail.console.security import SECURITY_HEADERS

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment is sent, so that nobody on the way takes the connection for dead."""

MAX_STREAMS: Final = 2000

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()),
]


def frame(tokens: Tokens) -> bytes:
    """One event, as EventSource reads it; `retry` is the wait before a reconnect, in milliseconds."""
    return b"retry: 2000\nevent: change\ndata: " + msgspec.json.encode(tokens) + b"\n\n"


class EventStream:
    """The endpoint; `changes` is what it tells."""

    def __init__(self, changes: Changes, heartbeat: float = HEARTBEAT) -> None:
        self._changes = changes
        self._heartbeat = heartbeat
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.open >= MAX_STREAMS:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"30")]})
            await send({"type": "http.response.body", "body": b""})
            return
        self.open += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self._until_gone(receive, send)
        finally:
            self.open -= 1

    async def _until_gone(self, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell(send), name="events: tell")
            gone = tasks.create_task(_disconnected(receive), name="events: until gone")
            await asyncio.wait((telling, gone), return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            gone.cancel()

    async def _tell(self, send: Send) -> None:
        seen: Tokens | None = None
        while not self._changes.closed:
            tokens = await self._changes.after(seen, self._heartbeat)
            seen = tokens or seen
            body = frame(tokens) if tokens else b": still here\n\n"
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
