"""Which form of a document a client takes, and whether it has it already. Pure.

A document that may be kept has an ETag (a digest of its bytes), and a client that names it gets 304 without a body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from ..media_types import ranges
from ..verbs.answer import Answer

Headers = Mapping[bytes, bytes]


def choose(headers: Headers, offered: Sequence[str]) -> str | None:
    """The first of the client's ranges that something offered fits; of equals the first offered."""
    for taken in ranges(headers.get(b"accept", b"").decode("latin-1")):
        if not taken.parameters.keys() - {"charset"}:
            for candidate in offered:
                if taken.covers(candidate):
                    return candidate
    return None


def digest(body: bytes) -> str:
    return hashlib.sha512(body).hexdigest().upper()


def kept(
    body: bytes, tag: str, content_type: str, headers: Headers, further: Sequence[tuple[bytes, bytes]] = ()
) -> Answer:
    """The document, or 304 when the client has it."""
    quoted = f'"{tag}"'.encode()
    tagged = [(b"ETag", quoted), *further]
    known = headers.get(b"if-none-match", b"")
    if known and (known.strip() == b"*" or quoted in [one.strip().removeprefix(b"W/") for one in known.split(b",")]):
        return Answer(b"", 304, content_type, tagged)
    return Answer(body, 200, content_type, tagged)
