"""The head of the answer that a client gets. Pure."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from dovetail.gateway.proxy.outgoing import OWN_COOKIES
from dovetail.gateway.proxy.recent import Recent
from dovetail.gateway.proxy.request_headers import Headers, sound
from dovetail.gateway.proxy.trailers import declaration
from dovetail.routing import headers as edits
from dovetail.routing.model import Route

_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te", b"trailer",
     b"transfer-encoding", b"upgrade", b"content-length")
)  # fmt: skip
_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_START = {code: b"HTTP/1.1 %d %b\r\n" % (code, phrase) for code, phrase in _PHRASES.items()}

Framing = Literal["none", "length", "chunked", "close"]
"""How the client learns where the body ends: there is none, by its length, in chunks, by the end of the connection."""


@dataclass(slots=True)
class AnswerHead:
    """A parsed head of a backend's answer. `length` None: in chunks or until the backend closes.

    `lines` are the headers that may go on, as they came; `transfer` is the transfer encoding in lower case.
    """

    status: int
    lines: list[bytes] = field(default_factory=list[bytes])
    length: int | None = None
    transfer: bytes = b""
    sets_own_cookie: bool = False
    trailer: bytes = b""
    """The fields that the backend says come behind the body."""
    trailers: frozenset[bytes] = frozenset()
    """Those of them that the client gets to see."""
    plain: bytes = b""
    """How it is rendered when nobody changes anything; empty where that is not known."""


def read_answer(status: int, raw: bytes) -> AnswerHead:
    """Read the headers of an answer. `raw` is its head up to the last line's end, as the strict parser let it pass.

    A backend under load says the same many times a second, so plain heads are remembered for a while.
    """
    known = _LATELY.get(raw)
    if known is not None:
        return AnswerHead(status, known.lines.copy(), known.length, plain=known.plain)
    head = _sorted(status, raw)
    if head.length is not None and status not in _NO_BODY and len(raw) <= _LONGEST_KEPT and _is_plain(head):
        head.plain = _START.get(status, b"") and _rendered(head, head.lines, "length", close=False)
        _LATELY.put(raw, AnswerHead(status, head.lines.copy(), head.length, plain=head.plain))
    return head


def _is_plain(head: AnswerHead) -> bool:
    return not (head.transfer or head.sets_own_cookie or head.trailer)


def _sorted(status: int, raw: bytes) -> AnswerHead:
    head = AnswerHead(status)
    keep, named = head.lines.append, b""
    for line in raw.split(b"\r\n")[1:-1]:
        name = line[: line.find(b":")]
        if name in _ORDINARY:
            keep(line)
        else:
            named += _sort(head, name, line)
    if named:
        options = {option.strip().lower() for option in named.split(b",")}
        head.lines = [line for line in head.lines if line.partition(b":")[0].lower() not in options]
    return head


_NO_BODY = (204, 304)
_LONGEST_KEPT = 1024
_LATELY: Recent[bytes, AnswerHead] = Recent(256)
_NO_OPTIONS = (b"keep-alive", b"close")
_ORDINARY: dict[bytes, None] = {}
"""Names, as backends write them, that have turned out to be ordinary."""
_MOST_NAMES = 2048


def _sort(head: AnswerHead, name: bytes, line: bytes) -> bytes:
    """Take what a line says into the head. Returns the options that it names, if it is a Connection line."""
    lower, value = name.lower(), line[len(name) + 1 :].strip(b" \t")
    if lower not in _CONNECTION:
        head.lines.append(line)
    if lower == b"content-length":
        head.length = int(value)
    elif lower == b"transfer-encoding":
        head.transfer += value.lower() + b","
    elif lower == b"trailer":
        head.trailer += b"," + value
    elif lower == b"connection":
        return b"" if value.lower() in _NO_OPTIONS else value + b","
    elif lower == b"set-cookie":
        head.sets_own_cookie = head.sets_own_cookie or _cookie_name(value) in OWN_COOKIES
    elif lower not in _CONNECTION and len(_ORDINARY) < _MOST_NAMES and len(name) < 64:
        _ORDINARY[name] = None
    return b""


def framing(head: AnswerHead, method: str, *, http10: bool) -> Framing:
    """How to frame the body for the client (RFC 9112 6.3)."""
    if method == "HEAD" or head.status in (204, 304):
        return "none"
    if head.length is not None:
        return "length"
    return "close" if http10 else "chunked"


def render_answer(head: AnswerHead, route: Route, framed: Framing, *, close: bool) -> bytes:
    """The head on the wire. The console's own cookies can be set by the platform's log-in only."""
    if head.plain and framed == "length" and not close and not route.header_down and route.traffic is None:
        return head.plain
    edited = route.header_down or head.sets_own_cookie
    return _rendered(head, _edited(head.lines, route) if edited else head.lines, framed, close=close)


def _rendered(head: AnswerHead, lines: list[bytes], framed: Framing, *, close: bool) -> bytes:
    start = _START.get(head.status) or b"HTTP/1.1 %d Other\r\n" % head.status
    if head.length is not None and head.status != 204:
        lines = [*lines, b"Content-Length: %d" % head.length]
    elif framed == "chunked":
        lines = [*lines, b"Transfer-Encoding: chunked"]
        if head.trailers:
            lines.append(b"Trailer: " + declaration(head.trailers))
    if close or framed == "close":
        lines = [*lines, b"Connection: close"]
    return start + b"\r\n".join(lines) + (b"\r\n\r\n" if lines else b"\r\n")


def render_switch(head: AnswerHead, protocol: bytes, route: Route) -> bytes:
    """The 101 by which a client learns that the tunnel is open. What the handshake says cannot be edited."""
    lines = _edited(head.lines, route)
    if route.header_down:
        shaken = [line for line in head.lines if _is_handshake(line)]
        lines = shaken + [line for line in lines if not _is_handshake(line)]
    lines = b"".join([line + b"\r\n" for line in lines])
    return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n%b\r\n" % (protocol, lines)


def _is_handshake(line: bytes) -> bool:
    return line.lower().startswith(b"sec-websocket-")


def _edited(lines: list[bytes], route: Route) -> list[bytes]:
    if route.header_down:
        headers: Headers = []
        for line in lines:
            name, _, value = line.partition(b":")
            headers.append((name, value.strip(b" \t")))
        edited = sound(edits.apply_bytes(route.header_down, headers))
        lines = [b"%b: %b" % header for header in edited if header[0].lower() not in _CONNECTION]
    return lines if route.id.startswith("builtin/oauth") else _without_own_cookies(lines)


def _without_own_cookies(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not _sets_own_cookie(line)]


def _sets_own_cookie(line: bytes) -> bool:
    name, _, value = line.partition(b":")
    return name.lower() == b"set-cookie" and _cookie_name(value.strip(b" \t")) in OWN_COOKIES


def _cookie_name(value: bytes) -> bytes:
    """As a browser will send it back: `=name=value` sets a cookie without a name that comes back as `name=value`."""
    return value.partition(b";")[0].lstrip(b"= \t").partition(b"=")[0].strip()
