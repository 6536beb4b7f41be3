"""Fields behind a chunked body. Pure.

A trailer goes on only if the message has declared it in `Trailer`, and only if nobody can be led astray by it, merged
into the headers or not (RFC 9110 6.5.1): nothing that frames, routes, authenticates, caches or describes the message,
nothing that names a user or an address, nothing that belongs to the connection. Everything else is read and dropped.
"""

from collections.abc import Iterable

from dovetail.gateway.proxy.request_headers import may_pass

_NEVER = frozenset(
    (b"accept-ranges", b"age", b"allow", b"alt-svc", b"cache-control", b"clear-site-data", b"cookie2", b"date",
     b"early-data", b"expires", b"if-match", b"if-modified-since", b"if-none-match", b"if-range",
     b"if-unmodified-since", b"link", b"location", b"max-forwards", b"origin", b"pragma", b"range", b"refresh",
     b"retry-after", b"set-cookie", b"set-cookie2", b"status", b"strict-transport-security", b"vary", b"via",
     b"warning", b"www-authenticate", b"x-content-type-options", b"x-frame-options")
)  # fmt: skip
_NEVER_PREFIXES = (b"content-", b"access-control-", b"sec-", b"x-forwarded", b":")
LAST_CHUNK = b"0\r\n\r\n"


def declared(value: bytes) -> frozenset[bytes]:
    """The names, in lower case, that a message with this `Trailer` value may have behind its body."""
    names = (name.strip(b" \t").lower() for name in value.split(b","))
    return frozenset(name for name in names if name and _harmless(name))


def _harmless(name: bytes) -> bool:
    return may_pass(name) and name not in _NEVER and not name.startswith(_NEVER_PREFIXES)


def declaration(names: Iterable[bytes]) -> bytes:
    """The value of the `Trailer` header that goes on."""
    return b", ".join(sorted(names))


def last_chunk(fields: bytes) -> bytes:
    """The end of a chunked body."""
    return b"0\r\n%b\r\n" % fields if fields else LAST_CHUNK


class TrailerFields:
    """What comes behind one body: counted, and kept if it was declared."""

    __slots__ = ("_bytes", "_count", "_names", "rendered")

    def __init__(self, names: frozenset[bytes]) -> None:
        self._names = names
        self._count = self._bytes = 0
        self.rendered = b""

    def add(self, name: bytes, value: bytes, most: int, most_bytes: int) -> bool:
        """Another field has come; False when there are too many."""
        self._count += 1
        self._bytes += len(name) + len(value) + 4
        if self._count > most or self._bytes > most_bytes:
            return False
        if name.lower() in self._names:
            self.rendered += b"%b: %b\r\n" % (name, value)
        return True
