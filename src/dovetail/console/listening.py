"""Serving an ASGI application on a Unix socket until told to stop, with uvicorn inside a loop that is somebody else's.

The socket is made here, readable and writable by this user only: whoever can connect is believed about who the user is.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from dovetail.console.errors import SocketInUse

GRACE: Final = 2
"""Seconds that requests in flight may take to end when the server stops."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, telling when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _listen(path: Path) -> socket.socket:
    """Bind; a socket file that nobody listens on is left over from a process that was killed. Raises SocketInUse."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            path.unlink(missing_ok=True)
        else:
            raise SocketInUse(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    return listener


async def listen_and_serve(app: ASGIApp, path: Path, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
    """Serve until cancelled; `on_stop` is called first, to end streams. Removes the socket."""
    config = uvicorn.Config(
        app, log_config=None, log_level="warning", access_log=False, lifespan="off", ws="none",
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75, server_header=False, proxy_headers=False, interface="asgi3",
    )  # fmt: skip
    server = _Server(config, on_ready)
    listener = _listen(path)
    serving = asyncio.create_task(server.serve([listener]), name="console http")
    try:
        await asyncio.shield(serving)
    finally:
        on_stop()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        listener.close()
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call, at the very end
