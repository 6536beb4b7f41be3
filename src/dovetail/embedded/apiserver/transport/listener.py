"""The listening sockets: TLS with optional client certificates, or a private Unix socket; the sweep, a clean stop."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from pathlib import Path
from typing import Any

from ..errors import AddressInUse
from .connection import Connection
from .messages import Application, Peer

BACKLOG = 1024
HANDSHAKE_SECONDS = 10.0
SWEEP_SECONDS = 5.0


def tls_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def peer_of(transport: asyncio.Transport) -> Peer | None:
    """Whom the client's certificate names. OpenSSL has verified it against our own authority by then."""
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    certificate: dict[str, Any] | None = connection.getpeercert() if connection is not None else None
    if connection is None or not certificate:
        return None
    digest = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return Peer(names[0], groups, digest) if names else None


class Listener:
    """Serves ``application``; ``port`` is the real one after ``start``. ``now`` is the time of the last sweep."""

    def __init__(self, application: Application, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self.host, self.port = host, port
        self.connections: set[Connection] = set()
        self.now = time.monotonic()
        self.stopping = False
        self._application, self._context = application, context
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Raises AddressInUse."""
        self._server = await self._listen()
        self._sweep()

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        seconds = HANDSHAKE_SECONDS if self._context is not None else None
        try:
            server = await loop.create_server(
                self._connection, self.host, self.port, ssl=self._context, backlog=BACKLOG,
                ssl_handshake_timeout=seconds, ssl_shutdown_timeout=2.0 if seconds else None,
            )  # fmt: skip
        except OSError as error:
            raise AddressInUse(self.host, self.port, error.strerror or str(error)) from error
        self.port = server.sockets[0].getsockname()[1]
        return server

    def _connection(self) -> Connection:
        return Connection(self._application, self, peer_of)

    def _sweep(self) -> None:
        self.now = time.monotonic()
        for connection in list(self.connections):
            connection.check(self.now)
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_SECONDS, self._sweep)

    async def stop(self, grace: float) -> None:
        """Stop listening, let requests end for ``grace`` seconds, then cut what is left."""
        self.stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.stop()
        end = time.monotonic() + grace
        while any(connection.busy for connection in self.connections) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)  # last bytes leave
        for connection in list(self.connections):
            connection.abort()


class PrivateListener(Listener):
    """Serves on a Unix socket, as `peer` whoever connects: the socket's folder must let nobody else in.

    A connection costs a fraction of one over TLS, in memory and in time; the cluster's own controllers hold a hundred.
    """

    def __init__(self, application: Application, path: Path, peer: Peer) -> None:
        super().__init__(application, "", 0, None)
        self._path, self._peer = path, peer

    async def _listen(self) -> asyncio.Server:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.parent.chmod(0o700)
        self._path.unlink(missing_ok=True)  # of one that was killed; the data directory is locked by now
        return await asyncio.get_running_loop().create_unix_server(self._connection, self._path, backlog=BACKLOG)

    def _connection(self) -> Connection:
        return Connection(self._application, self, lambda _: self._peer)

    async def stop(self, grace: float) -> None:
        await super().stop(grace)
        self._path.unlink(missing_ok=True)
