"""What of a request's headers goes on to a backend. Pure.

Dropped: what belongs to the connection (RFC 9110 7.6.1, including what `Connection` names), every credential, every
header by which a client could claim an identity or an address, and names with an underscore, which many servers read
as a hyphen. `Head` is one parsed request head with what admission needs taken out of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from dovetail.gateway.proxy.refusal import Refusal

Headers = list[tuple[bytes, bytes]]

_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te",
     b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings")
)  # fmt: skip
_REBUILT = frozenset(
    (b"host", b"content-length", b"expect", b"authorization", b"cookie", b"forwarded", b"x-real-ip",
     b"x-client-ip", b"x-kubesphere-authorization", b"x-kubesphere-rawquery", b"remote-user", b"remote-groups",
     b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-original-uri",
     b"x-rewrite-url", b"x-forwarded-for", b"x-forwarded-proto")
)  # fmt: skip
"""Taken out, and told to the backend, if at all, in our words. The last ones would let a client ask a backend for
another method or path than the one that was allowed."""
_CLAIMS = (b"x-remote-", b"impersonate-", b"x-forwarded-", b"x-dovetail-", b"x-token-")
"""`X-Token-Username` is what the 2.x gateway told its backends, and they believed it from anybody (F1)."""
_MARKS = re.compile(rb"[^a-z0-9]")
_NO_OPTIONS: frozenset[bytes] = frozenset()
_TRAILERS_WELCOME = ((b"TE", b"trailers"), (b"Connection", b"TE"))
_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_BREAKS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HOST = re.compile(rb"[A-Za-z0-9.\-_:\[\]]*")
_UPGRADES = (b"websocket", b"spdy/3.1")


@dataclass(slots=True)
class Head:
    """A request's head. `kept` are the headers that may go on; `upgrade` is set for WebSocket and SPDY only."""

    method: str
    target: bytes
    http10: bool = False
    kept: Headers = field(default_factory=Headers)
    host: bytes = b""
    authorization: bytes | None = None
    cookies: list[bytes] = field(default_factory=list[bytes])
    origin: bytes = b""
    fetch_site: bytes = b""
    upgrade: bytes = b""
    length: int | None = None
    chunked: bool = False
    expects_continue: bool = False
    refusal: Refusal | None = None
    rendered: bytes | None = None
    """`kept` on the wire, once somebody has asked for it."""
    trailer: bytes = b""
    """The fields that it says come behind its body."""
    takes_trailers: bool = False
    """The client wants to see those of the answer."""
    forwarded_for: bytes = b""
    forwarded_proto: bytes = b""
    """What was said of the client; to be believed only of a trusted proxy (`traffic.client_address`)."""

    @property
    def plain(self) -> bool:
        """Nothing comes behind this head, and nothing about it is out of the ordinary."""
        return not (
            self.refusal or self.http10 or self.upgrade or self.chunked or self.length or self.expects_continue
            or self.takes_trailers
        )  # fmt: skip

    def of(self, method: str, target: bytes) -> "Head":
        """The same headers under another request line."""
        return Head(
            method, target, self.http10, self.kept, self.host, self.authorization, self.cookies, self.origin,
            self.fetch_site, self.upgrade, self.length, self.chunked, self.expects_continue, self.refusal,
            self.wire(), forwarded_for=self.forwarded_for, forwarded_proto=self.forwarded_proto,
        )  # fmt: skip

    def wire(self) -> bytes:
        """`kept` on the wire."""
        if self.rendered is None:
            self.rendered = render(self.kept)
        return self.rendered


_CONNECTION_HEADER, _READ, _DROP, _PASS = range(4)
_KNOWN_NAMES = 4096
_kinds: dict[bytes, tuple[int, bytes]] = {}
"""What to do with a header, by its name as sent, and the name in lower case: clients send the same few all the time."""


def _kind(name: bytes) -> tuple[int, bytes]:
    lower = name.lower()
    if lower == b"connection":
        kind = _CONNECTION_HEADER
    elif lower in _REBUILT or lower in _CONNECTION:
        kind = _READ
    else:
        plain = plain_name(name)
        claimed = plain.startswith(_CLAIMS) or (plain != lower and plain in _REBUILT)
        kind = _DROP if b"_" in lower or claimed else _PASS
    if len(name) < 64:
        if len(_kinds) >= _KNOWN_NAMES:
            _kinds.clear()
        _kinds[name] = kind, lower
    return kind, lower


def plain_name(name: bytes) -> bytes:
    """A header's name as CGI and what grew from it read it: letters and digits count, all other characters are one."""
    return _MARKS.sub(b"-", name.lower())


def may_pass(name: bytes) -> bool:
    """Whether a header of this name goes on as it came, unless `Connection` names it."""
    return bool(_NAME.fullmatch(name)) and (_kinds.get(name) or _kind(name))[0] == _PASS


def read_head(method: str, target: bytes, version: str, headers: Headers) -> Head:
    """Sort the headers of a request; `refusal` is set when it is malformed in a way that llhttp lets pass."""
    head = Head(method, target, http10=version == "1.0")
    if version not in ("1.1", "1.0"):
        head.refusal = Refusal(505, f"HTTP/{version} is not understood", close=True)
        return head
    kinds = [_kinds.get(name) or _kind(name) for name, _ in headers]
    options = _connection_options(headers, kinds)
    hosts = 0
    for header, (kind, lower) in zip(headers, kinds, strict=True):
        if kind == _PASS:
            if lower in options:
                continue
            if lower == b"origin":
                head.origin = header[1]
            elif lower == b"sec-fetch-site":
                head.fetch_site = header[1]
            head.kept.append(header)
        elif kind == _READ:
            hosts += lower == b"host"
            _take(head, lower, header[1], options)
    if hosts > 1 or (hosts == 0 and not head.http10):
        head.refusal = Refusal(400, "the request needs exactly one Host header", close=True)
    elif not _HOST.fullmatch(head.host):
        head.refusal = Refusal(400, "the Host header is not a host", close=True)
    elif head.http10:
        _read_as_http10(head)
    elif head.upgrade and (head.length or head.chunked):
        head.refusal = Refusal(400, "a request that asks for an upgrade cannot have a body", close=True)
    elif head.takes_trailers and not head.upgrade:
        head.kept += _TRAILERS_WELCOME
    return head


def _read_as_http10(head: Head) -> None:
    """HTTP/1.0 knows no upgrades, no 100-continue and no chunks (RFC 9112 6.1: a server must not trust them)."""
    head.upgrade, head.expects_continue, head.takes_trailers = b"", False, False
    if head.chunked:
        head.refusal = Refusal(400, "HTTP/1.0 has no Transfer-Encoding", close=True)


def _connection_options(headers: Headers, kinds: list[tuple[int, bytes]]) -> frozenset[bytes]:
    named = [header[1] for header, kind in zip(headers, kinds, strict=True) if kind[0] == _CONNECTION_HEADER]
    if not named:
        return _NO_OPTIONS
    return frozenset(option.strip().lower() for value in named for option in value.split(b","))


def _take(head: Head, lower: bytes, value: bytes, options: frozenset[bytes]) -> None:
    if lower == b"host":
        head.host = value
    elif lower == b"authorization":
        if head.authorization is not None:
            head.refusal = Refusal(400, "the request has two Authorization headers", close=True)
        head.authorization = value
    elif lower == b"cookie":
        head.cookies.append(value)
    elif lower == b"content-length":
        head.length = int(value)
    elif lower == b"transfer-encoding":
        head.chunked = True
        if value.strip().lower() != b"chunked":
            head.refusal = Refusal(501, "the only transfer encoding understood is chunked", close=True)
    elif lower == b"expect":
        if value.strip().lower() == b"100-continue":
            head.expects_continue = True
        else:
            head.refusal = Refusal(417, "the only expectation understood is 100-continue")
    elif lower == b"trailer":
        head.trailer += b"," + value
    elif lower == b"x-forwarded-for":
        head.forwarded_for = b"%b,%b" % (head.forwarded_for, value) if head.forwarded_for else value
    elif lower == b"x-forwarded-proto":
        head.forwarded_proto = value
    elif lower == b"te":
        head.takes_trailers |= any(coding.strip(b" \t").lower() == b"trailers" for coding in value.split(b","))
    elif lower == b"upgrade" and b"upgrade" in options and not head.upgrade:
        wanted = value.split(b",")[0].strip()
        if wanted.lower() in _UPGRADES:
            head.upgrade = wanted


def size_of(headers: Headers) -> int:
    """Bytes on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def sound(headers: Headers) -> Headers:
    """What of headers that somebody else's edits have made can stand on the wire."""
    return [(name, value) for name, value in headers if _NAME.fullmatch(name) and not _BREAKS.search(value)]


def render(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines on the wire."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])
