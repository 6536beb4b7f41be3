"""What this server's own HTTPS clients share: reading an answer to its end, and why an exchange failed.

Webhooks and aggregated API servers are asked over HTTPS. Their answers are read whole, but never beyond a limit; what
goes wrong is told in the words of Go's client, as kube-apiserver tells it.
"""

from __future__ import annotations

import errno
import os
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


class AnswerTooLarge(ValueError):
    """A server sent more than this server keeps in memory for one answer."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is larger than {limit} bytes")


async def read_limited(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body, in however many pieces it comes. Raises AnswerTooLarge beyond ``limit`` bytes."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > limit:
            raise AnswerTooLarge(limit)
        pieces.append(piece)
    return b"".join(pieces)


def reason(error: BaseException) -> str:
    """Why an exchange failed, as Go's client says it."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "tls: failed to verify certificate: x509: " + _certificate_problem(cause)
    if isinstance(cause, ssl.SSLError):
        if cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(cause.reason or str(cause)).lower().replace('_', ' ')}"
    host, port = getattr(error, "host", ""), getattr(error, "port", "")
    if type(error).__name__ == "ClientConnectorDNSError":
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", 0) == errno.ECONNREFUSED:
        return f"dial tcp {host}:{port}: connect: connection refused"
    if type(error).__name__ in ("ServerDisconnectedError", "ClientPayloadError"):
        return "EOF"
    if isinstance(cause, OSError) and cause.errno:
        return f"dial tcp {host}:{port}: connect: {os.strerror(cause.errno).lower()}"
    return str(error) or type(error).__name__


def _certificate_problem(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (7, 18, 19, 20, 21):  # 7 is an authority of the same name with another key
        return "certificate signed by unknown authority"
    if error.verify_code in (9, 10):
        return "certificate has expired or is not yet valid"
    if error.verify_code in (62, 64):
        return error.verify_message.replace("Hostname mismatch, c", "c")
    return error.verify_message
