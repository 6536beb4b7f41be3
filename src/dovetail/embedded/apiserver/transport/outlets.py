"""Bodies that grow: chunked transfer coding (RFC 9112 7.1), or WebSocket messages (RFC 6455).

A WebSocket carries one way only: what the client sends is read for its pings and its close, and otherwise ignored, as
kube-apiserver does for watches.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_BEARER = b"base64url.bearer.authorization.k8s.io."
_LONGEST = 64 * 1024
"""A frame from a client may not be longer: nothing that it says is needed."""

Write = Callable[[bytes], None]


class ChunkedOutlet:
    """``done`` is called when the body has ended well."""

    def __init__(self, write: Write, writable: Callable[[], bool], done: Callable[[], None]) -> None:
        self._write, self._writable, self._done = write, writable, done

    @property
    def writable(self) -> bool:
        return self._writable()

    def send(self, messages: Sequence[bytes]) -> None:
        body = messages[0] if len(messages) == 1 else b"".join(messages)
        if body:
            self._write(b"%x\r\n%b\r\n" % (len(body), body))

    def end(self) -> None:
        self._write(b"0\r\n\r\n")
        self._done()


class WebSocketOutlet:
    """Text messages. ``received`` takes the client's bytes and says whether the connection goes on."""

    def __init__(self, write: Write, writable: Callable[[], bool], done: Callable[[], None]) -> None:
        self._write, self._writable, self._done = write, writable, done
        self._unread = b""

    @property
    def writable(self) -> bool:
        return self._writable()

    def send(self, messages: Sequence[bytes]) -> None:
        lines = (line for message in messages for line in message.splitlines(keepends=True))
        self._write(b"".join(frame(_TEXT, line) for line in lines))

    def end(self) -> None:
        self._write(frame(_CLOSE, b"\x03\xe8"))  # 1000: normal closure
        self._done()

    def received(self, data: bytes) -> bool:
        self._unread += data
        while (found := parse_frame(self._unread)) is not None:
            code, payload, self._unread = found
            if code == _PING:
                self._write(frame(_PONG, payload[:125]))
            elif code == _CLOSE:
                self._write(frame(_CLOSE, payload[:2]))
                return False
        return len(self._unread) <= _LONGEST


def accept_key(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def bearer(protocols: bytes) -> str:
    """The token that a browser hands over as a subprotocol, having no other way; "" without one."""
    for protocol in protocols.split(b","):
        name = protocol.strip()
        if name.startswith(_BEARER):
            quoted = name[len(_BEARER) :]
            try:
                return base64.urlsafe_b64decode(quoted + b"=" * (-len(quoted) % 4)).decode()
            except ValueError:
                return ""
    return ""


def chosen_protocol(offered: bytes) -> bytes:
    """The one subprotocol that is offered besides a token, or b""."""
    names = [name.strip() for name in offered.split(b",") if name.strip() and not name.strip().startswith(_BEARER)]
    return names[0] if len(names) == 1 else b""


def frame(code: int, payload: bytes) -> bytes:
    """A whole message in one frame, unmasked as servers send them."""
    size = len(payload)
    if size < 126:
        length = bytes((size,))
    elif size < 65536:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes((0x80 | code,)) + length + payload


def parse_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """(code, payload, rest) of the first whole frame of a client, or None."""
    if len(data) < 2:
        return None
    size, at = data[1] & 0x7F, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < 2 + width:
            return None
        size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
    masked = data[1] & 0x80
    end = at + (4 if masked else 0) + size
    if len(data) < end:
        return None
    payload = data[end - size : end]
    if masked:
        mask = data[at : at + 4]
        payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    return data[0] & 0x0F, payload, data[end:]
