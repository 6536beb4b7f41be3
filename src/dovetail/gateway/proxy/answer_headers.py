"""The head of the answer that a client gets. Pure."""

from collections.abc import Set
from http import HTTPStatus
from typing import Literal, NamedTuple

from dovetail.gateway.proxy.outgoing import OWN_COOKIES
from dovetail.gateway.proxy.request_headers import Headers, render, sound
from dovetail.routing import headers as edits
from dovetail.routing.model import Route

_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer",
     b"transfer-encoding", b"upgrade", b"content-length")
)  # fmt: skip
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}

Framing = Literal["none", "length", "chunked", "close"]
"""How the client learns where the body ends: there is none, by its length, in chunks, by the end of the connection."""


class AnswerHead(NamedTuple):
    """A parsed head of a backend's answer. `length` None: in chunks or until the backend closes."""

    status: int
    headers: Headers
    length: int | None


def framing(head: AnswerHead, method: str, *, http10: bool) -> Framing:
    """How to frame the body for the client (RFC 9112 6.3)."""
    if method == "HEAD" or head.status in (204, 304):
        return "none"
    if head.length is not None:
        return "length"
    return "close" if http10 else "chunked"


def render_answer(head: AnswerHead, route: Route, framed: Framing, *, close: bool) -> bytes:
    """The head on the wire. The console's own cookies can be set by the platform's log-in only."""
    ours = route.id.startswith("builtin/oauth")
    kept = _kept(head.headers, may_set_cookies=ours)
    if route.header_down:
        kept = _kept(sound(edits.apply_bytes(route.header_down, kept)), may_set_cookies=ours)
    tail = b""
    if head.length is not None and head.status != 204:
        tail = b"Content-Length: %d\r\n" % head.length
    elif framed == "chunked":
        tail = b"Transfer-Encoding: chunked\r\n"
    if close or framed == "close":
        tail += b"Connection: close\r\n"
    return b"HTTP/1.1 %d %b\r\n%b%b\r\n" % (head.status, _PHRASES.get(head.status, b"Other"), render(kept), tail)


def render_switch(head: AnswerHead, protocol: bytes) -> bytes:
    """The 101 by which a client learns that the tunnel is open."""
    lines = render(_kept(head.headers, may_set_cookies=False))
    return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n%b\r\n" % (protocol, lines)


def _kept(headers: Headers, *, may_set_cookies: bool) -> Headers:
    lowers = [name.lower() for name, _ in headers]
    dropped: Set[bytes] = _CONNECTION
    if b"connection" in lowers:
        values = [header[1] for header, lower in zip(headers, lowers, strict=True) if lower == b"connection"]
        dropped = _CONNECTION | {option.strip().lower() for value in values for option in value.split(b",")}
    kept = [header for header, lower in zip(headers, lowers, strict=True) if lower not in dropped]
    if b"set-cookie" in lowers and not may_set_cookies:
        kept = [header for header in kept if not _sets_our_cookie(header)]
    return kept


def _sets_our_cookie(header: tuple[bytes, bytes]) -> bool:
    return header[0].lower() == b"set-cookie" and _cookie_name(header[1]) in OWN_COOKIES


def _cookie_name(value: bytes) -> bytes:
    """As a browser will send it back: `=name=value` sets a cookie without a name that comes back as `name=value`."""
    return value.partition(b";")[0].lstrip(b"= \t").partition(b"=")[0].strip()
