"""The head of the request that a backend gets. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from dovetail.gateway.proxy.admission import LOGIN_ROUTES, SECURE_TOKEN_COOKIE, TOKEN_COOKIE, Admitted, Onward, Place
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Head, Headers, plain_name, render, sound
from dovetail.gateway.proxy.trailers import declaration, declared
from dovetail.routing import headers as edits
from dovetail.routing.errors import PathTooLong
from dovetail.routing.model import Route, Upstream
from dovetail.routing.rewriting import apply

OWN_COOKIES = (TOKEN_COOKIE, SECURE_TOKEN_COOKIE, b"dovetail-refresh", b"__Secure-dovetail-refresh")
_OURS = frozenset(
    (b"host", b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"transfer-encoding", b"content-length",
     b"te", b"trailer", b"expect", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
)  # fmt: skip
"""Framing and addressing, which an edit of headers cannot change."""
_IDENTITY = (b"x-remote-", b"impersonate-", b"x-dovetail-")
"""Nor can it say who the user is: a route may lead to a backend that trusts the gateway."""
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))


@dataclass(frozen=True, slots=True)
class Client:
    """What a backend is told of the client's connection."""

    address: bytes
    secure: bool
    trusted: bool = False
    """It is a proxy whose word is taken for who called it."""


class Outgoing(NamedTuple):
    """The bytes of a request's head, and what matters for sending it."""

    method: str
    head: bytes
    repeatable: bool
    """It may be sent again on another connection if this one turns out to be dead: idempotent and without a body."""


def outgoing(head: Head, admitted: Admitted, upstream: Upstream, client: Client, token: bytes) -> Outgoing | Refusal:
    """Render the request for `upstream`. `token` is the gateway's own credential for it, if it has one."""
    place = admitted.place
    onward = place.onward
    if onward is None:
        try:
            onward = place.onward = _onward(place, head.method, upstream)
        except PathTooLong as error:
            return Refusal(414, str(error))
    block = b"%b%b%b%b%b\r\n" % (
        onward.start, _headers(head, place.route), _forwarded(head, client), _identity(admitted, token),
        _framing(head, place.route),
    )  # fmt: skip
    bodiless = not head.chunked and not head.length and not head.upgrade
    return Outgoing(onward.method, block, bodiless and onward.method in IDEMPOTENT)


def _onward(place: Place, method: str, upstream: Upstream) -> Onward:
    path, query, method = apply(place.route.rewrite, place.path, place.query, method)
    target = f"{upstream.base_path}{path}?{query}" if query else upstream.base_path + path
    return Onward(method, f"{method} {target} HTTP/1.1\r\nHost: {upstream.authority}\r\n".encode("latin-1"))


def _identity(admitted: Admitted, token: bytes) -> bytes:
    return b"Authorization: Bearer %b\r\n%b" % (token, admitted.identity) if token else admitted.identity


def _headers(head: Head, route: Route) -> bytes:
    """The client's own headers, on the wire."""
    login = route.id.startswith(LOGIN_ROUTES)
    if not login and not route.header_up:
        return head.wire()
    kept: Headers = head.kept
    if login:
        kept = [*kept, *((b"Cookie", line) for line in head.cookies)]
        if head.authorization:
            kept.append((b"Authorization", head.authorization))
    return render(_edited(route, kept) if route.header_up else kept)


def _edited(route: Route, kept: Headers) -> Headers:
    edited: Headers = []
    for name, value in sound(edits.apply_bytes(route.header_up, kept)):
        plain = plain_name(name)
        if plain not in _OURS and not plain.startswith(_IDENTITY):
            edited.append((name, value))
    return edited


def _forwarded(head: Head, client: Client) -> bytes:
    proto = b"https" if client.secure else b"http"
    lines = b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\n" % (client.address, proto)
    return lines + b"X-Forwarded-Host: %b\r\n" % head.host if head.host else lines


def _framing(head: Head, route: Route) -> bytes:
    if head.upgrade:
        return b"Connection: Upgrade\r\nUpgrade: %b\r\n" % head.upgrade
    if head.chunked:
        names = declared(head.trailer) if head.trailer and not route.header_up else None
        return _CHUNKED + (b"Trailer: %b\r\n" % declaration(names) if names else b"")
    if head.length is not None:
        return b"Content-Length: %d\r\n" % head.length
    return b""
