"""Connections to backends, kept between requests.

One `Pool` a backend (`Upstream.key`: whatever changes about a backend makes a new one). The connection used last is
taken first, so the others age and are closed. Each address is dialled in turn, starting with the next one each time.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from dovetail.gateway.backend_tls import certificate_times, client_context
from dovetail.gateway.proxy.settings import Limits
from dovetail.gateway.proxy.upstream import UpstreamConnection
from dovetail.routing.model import Address, Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN_SECONDS = 10.0


class DialFailed(Exception):
    """No address of a backend can be reached. `timed_out` tells a slow one from one that is down."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Pool:
    """The connections of one backend."""

    def __init__(self, upstream: Upstream, limits: Limits) -> None:
        self.upstream = upstream
        self.limits = limits
        self._idle: deque[UpstreamConnection] = deque()
        self._turn = 0
        self._closed = False
        self._context: ssl.SSLContext | None = None
        self._certificates: tuple[int, ...] = ()
        self._token = b""
        self._token_read = float("-inf")

    def take(self, now: float, *, repeatable: bool) -> UpstreamConnection | None:
        """An idle connection; for a request that cannot be repeated only one that was in use a moment ago."""
        oldest = now - (self.limits.idle_upstream_age if repeatable else self.limits.fresh_for_unsafe)
        while self._idle and self._idle[-1].idle_since >= oldest:
            connection = self._idle.pop()
            if not connection.closing:
                return connection
        return None

    def put(self, connection: UpstreamConnection, now: float) -> None:
        """Keep a connection for the next request."""
        if self._closed or len(self._idle) >= self.limits.idle_upstreams:
            connection.transport.close()
            return
        connection.idle_since = now
        self._idle.append(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The connection has ended by itself."""
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def sweep(self, now: float) -> None:
        """Close what has been idle for too long."""
        while self._idle and self._idle[0].idle_since < now - self.limits.idle_upstream_age:
            self._idle.popleft().transport.close()

    def close(self) -> None:
        """The backend is gone from the table: keep nothing any more; what is in use ends by itself."""
        self._closed = True
        while self._idle:
            self._idle.pop().transport.close()

    def token(self, now: float) -> bytes | None:
        """The gateway's own credential for this backend, read again from its file now and then.

        Empty where it needs none; None when it needs one and there is none: to go on without it would be to go on as
        somebody else.
        """
        path = self.upstream.bearer_token_file
        if not path:
            return b""
        if now - self._token_read > _TOKEN_SECONDS or not self._token:
            with contextlib.suppress(OSError):
                self._token = Path(path).read_bytes().strip()
            self._token_read = now
        return self._token or None

    async def dial(self) -> UpstreamConnection:
        """A new connection: each address in turn, the time shared between them. Raises DialFailed."""
        problem: Exception = OSError("it has no address")
        targets = self._targets()
        for target in targets:
            try:
                async with asyncio.timeout(self.upstream.connect_timeout / len(targets)):
                    return await self._connect(target)
            except TimeoutError as error:
                problem = error
            except (OSError, ValueError) as error:  # ValueError: a certificate or a name that is none
                problem = error
        if isinstance(problem, TimeoutError) and problem.errno is None:
            raise DialFailed(f"no connection within {self.upstream.connect_timeout:g} s", timed_out=True)
        raise DialFailed(_reason(problem)) from problem

    def _targets(self) -> "Sequence[Address | str]":
        if self.upstream.unix_path:
            return (self.upstream.unix_path,)
        addresses = self.upstream.addresses
        self._turn += 1
        first = self._turn % len(addresses) if addresses else 0
        return (*addresses[first:], *addresses[:first])

    async def _connect(self, target: Address | str) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        if isinstance(target, str):
            _, connection = await loop.create_unix_connection(self._new, target)
            return connection
        tls = self.upstream.tls if self.upstream.scheme == "https" else None
        if tls is None:
            _, connection = await loop.create_connection(self._new, target.host, target.port)
            return connection
        certificates = certificate_times(tls)
        if self._context is None or self._certificates != certificates:
            self._context, self._certificates = client_context(tls), certificates
        name = tls.server_name or target.host
        _, connection = await loop.create_connection(
            self._new, target.host, target.port, ssl=self._context, server_hostname=name
        )
        return connection

    def _new(self) -> UpstreamConnection:
        return UpstreamConnection(self)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
