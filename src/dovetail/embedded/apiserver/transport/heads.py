"""The first bytes of a reply: status line and headers."""

from __future__ import annotations

import time
from email.utils import formatdate
from http import HTTPStatus

from .messages import Headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_LINES[422] = b"HTTP/1.1 422 Unprocessable Entity\r\n"  # Python 3.13 has RFC 9110's new phrase
_LINES[413] = b"HTTP/1.1 413 Request Entity Too Large\r\n"


class _Clock:
    """The Date header, made once a second."""

    second = 0
    line = b""

    def now(self) -> bytes:
        second = int(time.time())
        if second != self.second:
            self.second, self.line = second, b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        return self.line


_clock = _Clock()


def head(code: int, headers: Headers, *, keep_alive: bool, length: int | None) -> bytes:
    """``length`` None means chunks."""
    parts = [_LINES[code]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(_clock.now())
    if not keep_alive:
        parts.append(b"Connection: close\r\n")
    parts.append(b"Transfer-Encoding: chunked\r\n\r\n" if length is None else b"Content-Length: %d\r\n\r\n" % length)
    return b"".join(parts)


def refusal(code: int) -> bytes:
    """The whole reply to a request that cannot even be read; the connection ends with it (as Go's server does)."""
    status = HTTPStatus(code)
    body = f"{code} {status.phrase}".encode()
    fixed = b"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
    return _LINES[code] + fixed + body


def switching(accept: bytes, protocol: bytes) -> bytes:
    chosen = b"Sec-WebSocket-Protocol: " + protocol + b"\r\n" if protocol else b""
    fixed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return fixed + b"Sec-WebSocket-Accept: " + accept + b"\r\n" + chosen + b"\r\n"
