"""What passes between the transport and the application: a request, a reply, a body that is pushed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..access.authentication import Peer

BODY_LIMIT = 3 * 1024 * 1024  # kube-apiserver's limit for bodies

Headers = list[tuple[bytes, bytes]]

__all__ = ["BODY_LIMIT", "Application", "Flow", "Headers", "Outlet", "Peer", "Reply", "Request"]


class Request:
    """A complete request. ``path`` is as sent (still quoted); header names are in lower case.

    ``oversized``: the body was beyond BODY_LIMIT and has been thrown away; refuse it.
    ``upgrade`` is the protocol that the client wants to change to ("websocket"), in lower case, or "".
    """

    __slots__ = ("body", "headers", "keep_alive", "method", "oversized", "path", "peer", "query", "upgrade")

    def __init__(
        self, method: str, path: str, query: bytes, headers: Headers, peer: Peer | None, keep_alive: bool = True
    ) -> None:
        self.method, self.path, self.query, self.headers, self.peer = method, path, query, headers, peer
        self.keep_alive = keep_alive
        self.body: bytes = b""
        self.oversized = False
        self.upgrade = ""

    def header(self, name: bytes) -> bytes:
        """The first header of this (lower-case) name, or b""."""
        for found, value in self.headers:
            if found == name:
                return value
        return b""


class Outlet(Protocol):
    """Where a ``Flow`` goes. ``writable`` turns False when the client does not keep up; ``Flow.resume`` follows."""

    @property
    def writable(self) -> bool: ...

    def send(self, messages: Sequence[bytes]) -> None:
        """Each message is whole for the client: a part of a chunk, or one message of a WebSocket."""
        ...

    def end(self) -> None:
        """No more; the client is told properly."""
        ...


class Flow(Protocol):
    """A body that is pushed as things happen. No task: the connection calls it, and it calls the outlet."""

    def open(self, outlet: Outlet) -> None: ...

    def resume(self) -> None:
        """The client reads again."""
        ...

    def close(self) -> None:
        """The client is gone, or ``end`` was called: forget the outlet."""
        ...


@dataclass(slots=True)
class Reply:
    """``body`` is complete (its pieces), comes from an iterator, or is pushed. The length is told by the transport."""

    code: int
    headers: Headers
    body: Sequence[bytes] | AsyncIterator[bytes] | Flow = field(default=(b"",))


class Application(Protocol):
    """``respond`` answers at once when it can; a reply that has to wait comes from an awaitable that never raises."""

    def respond(self, request: Request) -> Reply | Awaitable[Reply]: ...
