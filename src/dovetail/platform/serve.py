"""Serving the platform's API on its Unix socket until cancelled.

The socket is made here, with access for our own user only, before uvicorn sees it (uvicorn would open its own to
everybody). Signals are the process's own business, so uvicorn is kept from taking them.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

_BACKLOG = 1024
_GRACE_SECONDS = 3


class Server(uvicorn.Server):
    """A server that says when it has started and leaves signals alone."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()


def private_socket(path: Path) -> socket.socket:
    """A listening Unix socket that only our own user can reach; one left behind by a killed process is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


async def serve(app: ASGIApp, path: Path, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve `app` on the socket at `path` until cancelled; open requests get a few seconds to end."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, date_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=_GRACE_SECONDS, h11_max_incomplete_event_size=64 * 1024, proxy_headers=False,
    )  # fmt: skip
    server, listener = Server(config, on_ready), private_socket(path)
    running = asyncio.create_task(server.serve(sockets=[listener]), name="platform api")
    try:
        await asyncio.shield(running)
    finally:
        server.should_exit = True
        await asyncio.wait({running}, timeout=_GRACE_SECONDS + 2)
        running.cancel()
        await asyncio.to_thread(path.unlink, missing_ok=True)
