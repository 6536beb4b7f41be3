"""Which form of a document a client takes, and whether it has it already. Pure.

A document that may be kept has an ETag (a digest of its bytes), and a client that names it gets 304 without a body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from ..verbs.answer import Answer

Headers = Mapping[bytes, bytes]


def accepted(headers: Headers) -> Iterator[tuple[str, dict[str, str]]]:
    """(media type, parameters) of the Accept header, the preferred first; ``*/*`` when there is none."""
    text = headers.get(b"accept", b"").decode("latin-1").strip() or "*/*"
    items = [_item(part) for part in text.split(",") if part.strip()]
    return iter(sorted(items, key=lambda item: -_weight(item[1])))


def _item(text: str) -> tuple[str, dict[str, str]]:
    media, *options = (part.strip() for part in text.split(";"))
    return media.lower(), {k.strip().lower(): v.strip() for k, _, v in (option.partition("=") for option in options)}


def _weight(parameters: Mapping[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0


def takes(media: str, offered: str) -> bool:
    """Whether a media range covers a media type."""
    if media in ("*/*", offered):
        return True
    kind, _, sub = media.partition("/")
    return sub == "*" and offered.startswith(kind + "/")


def choose(headers: Headers, offered: Sequence[str]) -> str | None:
    """The first of the client's ranges that something offered fits; of equals the first offered."""
    for media, parameters in accepted(headers):
        if _weight(parameters) > 0 and not parameters.keys() - {"q", "charset"}:
            for candidate in offered:
                if takes(media, candidate):
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
