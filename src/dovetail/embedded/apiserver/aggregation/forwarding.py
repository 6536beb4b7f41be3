"""One request to a backend, and its answer back as it comes.

What the client said of itself (credentials, impersonation, ``X-Remote-*``) does not pass; who it is, as decided here,
goes along in headers that the backend believes because of our certificate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

from ..access.identity import User
from ..errors import StatusError, Unavailable
from ..transport.messages import Reply, Request
from .backends import Backend
from .connections import BackendUnreachable, Connections

_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "content-length", "host", "expect",
}  # fmt: skip
_IDENTITY = ("authorization", "impersonate-", "x-remote-", "x-forwarded-", "cookie")


class UpgradeNotSupported(StatusError):
    code, reason = 501, "NotImplemented"

    def __init__(self, backend: Backend) -> None:
        super().__init__(f"upgraded connections are not forwarded to the aggregated API server {backend.name}")


async def forward(connections: Connections, backend: Backend, request: Request, user: User) -> Reply:
    """Raises Unavailable when the backend does not answer, UpgradeNotSupported for a WebSocket."""
    if request.upgrade:
        raise UpgradeNotSupported(backend)
    target = request.path + (f"?{request.query.decode('latin-1')}" if request.query else "")
    headers = [*_passing(request), *_identity(user)]
    try:
        response = await connections.open(backend, request.method, target, headers, request.body)
    except BackendUnreachable as error:
        raise Unavailable(f"error trying to reach service: {error}") from error
    answered = [
        (name.lower(), value) for name, value in response.raw_headers if name.decode("latin-1").lower() not in _HOP
    ]
    return Reply(response.status, answered, _body(response))


def _passing(request: Request) -> Iterator[tuple[str, str]]:
    for raw, value in request.headers:
        name = raw.decode("latin-1")
        if name not in _HOP and not name.startswith(_IDENTITY):
            yield name, value.decode("latin-1")


def _identity(user: User) -> Iterator[tuple[str, str]]:
    yield "X-Remote-User", user.name
    if user.uid:
        yield "X-Remote-Uid", user.uid
    for group in user.groups:
        yield "X-Remote-Group", group
    for key, values in user.extra.items():
        for value in values:
            yield f"X-Remote-Extra-{quote(key, safe='')}", value


async def _body(response: object) -> AsyncIterator[bytes]:
    import aiohttp

    assert isinstance(response, aiohttp.ClientResponse)
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    finally:
        response.close()
