"""What a worker answers itself: that it lives. Whether the gateway is ready, control says (`readiness`). Pure."""

from dovetail.gateway.proxy.refusal import Refusal

_PREFIXES = (b"/healthz", b"/livez", b"/readyz")
_LIVES = frozenset((b"/healthz", b"/livez"))
_OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Cache-Control: no-store\r\n%b\r\n"
)


def local_answer(method: str, target: bytes, *, serving: bool, keep_alive: bool) -> bytes | Refusal | None:
    """The answer to a health check; None for every other request. `serving` says that a snapshot is in force."""
    if not target.startswith(_PREFIXES):
        return None
    path, _, query = target.partition(b"?")
    if path == b"/readyz":
        return None if serving else Refusal(503, "no snapshot is in force yet")
    if path not in _LIVES:
        return None
    if method not in ("GET", "HEAD"):
        return Refusal(405, "health is only to be read")
    body = b"[+]ping ok\n%b check passed\n" % path[1:] if b"verbose" in query else b"ok"
    head = _OK % (len(body), b"" if keep_alive else b"Connection: close\r\n")
    return head if method == "HEAD" else head + body
