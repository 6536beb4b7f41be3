"""The listening socket: TLS with optional client certificates, uvicorn's HTTP protocol, a clean stop.

uvicorn's ``Server`` installs signal handlers and a ticking loop that a part of a larger process does not want; its
protocol class does the HTTP. ``PeerProtocol`` adds the one thing that ASGI lacks: the subject of the client
certificate, put into the scope under ``PEER``. OpenSSL has verified the certificate against our own authority by then.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from .access.authentication import Peer
from .errors import AddressInUse

PEER = "dovetail.peer"
KEEP_ALIVE_SECONDS = 180
BACKLOG = 1024

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


def peer_of(scope: Scope) -> Peer | None:
    return scope.get(PEER)


class PeerProtocol(HttpToolsProtocol):
    """One connection; its certificate is read once."""

    peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        self.peer = _subject(connection.getpeercert()) if connection is not None else None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[PEER] = self.peer


def _subject(certificate: dict[str, Any] | None) -> Peer | None:
    if not certificate:
        return None
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in pairs if key == "commonName"]
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return Peer(names[0], groups) if names else None


def tls_context(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


class Listener:
    """Serves ``app``; ``port`` is the real one after ``start``."""

    def __init__(self, app: Application, host: str, port: int, context: ssl.SSLContext) -> None:
        self.host, self.port = host, port
        self._context = context
        self._state = ServerState()
        self._config = Config(
            cast("Any", app), http=PeerProtocol, ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS, server_header=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        self._config.load()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises AddressInUse."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._protocol, self.host, self.port, ssl=self._context, backlog=BACKLOG, ssl_handshake_timeout=10
            )
        except OSError as error:
            raise AddressInUse(self.host, self.port, error.strerror or str(error)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    def _protocol(self) -> asyncio.Protocol:
        return PeerProtocol(config=self._config, server_state=self._state, app_state={})

    async def stop(self, grace: float) -> None:
        """Stop listening, let requests end for ``grace`` seconds, then cut what is left."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = list(self._state.tasks)
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=grace)
            for task in pending:
                task.cancel()
        for connection in list(self._state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
