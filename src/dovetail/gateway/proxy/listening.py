"""The worker's share of the listening port, and how to give it up without losing anybody.

Each worker has a socket of its own on the same port (SO_REUSEPORT), among which the kernel divides new connections.
What it has given to a socket that is closed is reset, so a worker that stops first lets nothing more queue up, takes
what is there, and closes in the same turn of the loop. What the kernel refuses meanwhile knocks again and is given to
another worker.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

_BACKLOG = 4096
_LAST_TURNS = 5
_LAST_SECONDS = 1.0
_KEEP_ALIVE = (
    ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 60),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), 15),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT), 4),
)
"""A client that has vanished from the network is noticed after two minutes, even inside a silent stream."""


class Listener:
    """Accepts connections for `protocol` until it is closed."""

    def __init__(
        self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None, handshake_timeout: float
    ) -> None:
        self._protocol = protocol
        self._context = context
        self._timeout = handshake_timeout if context else None
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> None:
        """Listen."""
        server = self._server = await asyncio.get_running_loop().create_server(
            self._protocol, host, port, ssl=self._context, reuse_port=True, backlog=_BACKLOG,
            ssl_handshake_timeout=self._timeout,
        )  # fmt: skip
        for listener in server.sockets:
            for option, value in _KEEP_ALIVE:
                listener.setsockopt(*option, value)  # what it accepts inherits this

    async def close(self) -> None:
        """Take what has been queued, and listen no more."""
        if self._server is None:
            return
        sockets = [socket.socket(fileno=socket.dup(each.fileno())) for each in self._server.sockets]
        for each in sockets:
            each.setblocking(False)
            each.listen(0)
        for _ in range(_LAST_TURNS):
            await asyncio.sleep(0)  # the loop takes what it finds
        last = [connection for each in sockets for connection in _accepted(each)]
        self._server.close()
        for each in sockets:
            each.close()
        if last:
            await asyncio.wait([asyncio.ensure_future(self._take(each)) for each in last], timeout=_LAST_SECONDS)

    async def _take(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=self._timeout
            )


def _accepted(listener: socket.socket) -> list[socket.socket]:
    found: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.setblocking(False)
            found.append(connection)
    return found
