"""The headers that every reply has, errors as replies, and answers laid out for people."""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson

from .errors import StatusError
from .media_types import JSON
from .transport.messages import Headers, Reply, Request

_PRETTY_AGENTS = (b"curl", b"Wget", b"Mozilla/5.0")
_NO_CACHE = (b"Cache-Control", b"no-cache, private")
_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_TYPES: dict[str, tuple[bytes, bytes]] = {}
_LONGEST_ID = 64


def headers_of(
    request: Request,
    content_type: str,
    further: Sequence[tuple[bytes, bytes]] = (),
    warnings: Sequence[str] = (),
    *,
    nosniff: bool = False,
) -> Headers:
    """``further`` may replace Cache-Control."""
    kind = _TYPES.get(content_type)
    if kind is None:
        kind = _TYPES[content_type] = (b"Content-Type", content_type.encode())
    headers = [(b"Audit-Id", _audit_id(request)), _NO_CACHE, kind]
    if nosniff or kind[1].startswith(b"text/plain"):
        headers.append(_NOSNIFF)
    if further:
        if any(name.lower() == b"cache-control" for name, _ in further):
            headers.remove(_NO_CACHE)
        headers += further
    headers += [_warning(text) for text in dict.fromkeys(warnings)]
    return headers


def _audit_id(request: Request) -> bytes:
    """The client's own, or a new one (a version 4 UUID; it names a request and guards nothing)."""
    given = request.header(b"audit-id")
    if given:
        return given[:_LONGEST_ID]
    digits = f"{random.getrandbits(128):032x}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}".encode()


def _warning(text: str) -> tuple[bytes, bytes]:
    """A Warning header (RFC 7234). The text quotes names that clients chose: control characters must not reach the
    header.
    """
    printable = "".join(char if char.isprintable() else "?" for char in text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
    return b"Warning", f'299 - "{escaped}"'.encode("latin-1", "replace")


def pretty(request: Request, pieces: Sequence[bytes]) -> bytes | None:
    """The JSON indented, when the client asks (``pretty``) or is one that people look at."""
    asked = _asked(request.query)
    if asked is None:
        asked = request.header(b"user-agent").startswith(_PRETTY_AGENTS)
    if not asked:
        return None
    try:
        return orjson.dumps(orjson.loads(b"".join(pieces)), option=orjson.OPT_INDENT_2)
    except orjson.JSONDecodeError:
        return None


def _asked(query: bytes) -> bool | None:
    if b"pretty" not in query:
        return None
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name == b"pretty":
            return value.lower() in (b"1", b"t", b"true")
    return None


def reply_to_error(request: Request, error: StatusError) -> Reply:
    seconds = (error.details or {}).get("retryAfterSeconds")
    further = ((b"Retry-After", str(seconds).encode()),) if seconds else ()
    body = error.body()
    return Reply(error.code, headers_of(request, JSON, further), (pretty(request, (body,)) or body,))
