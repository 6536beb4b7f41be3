"""Which encoding of a body a client gets: the best of those that are ready and that it accepts. Pure."""

from collections.abc import Collection
from typing import Final

PREFERENCE: Final = ("br", "gzip")


def accepted(header: str) -> frozenset[str]:
    """The codings that an Accept-Encoding header allows; one with `q=0` is refused (RFC 9110, 12.5.3)."""
    allowed: set[str] = set()
    for part in header.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding.strip() and parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            allowed.add(coding.strip())
    return frozenset(allowed)


def choose(header: str, ready: Collection[str]) -> str:
    """`br`, `gzip`, or "" for the plain bytes."""
    allowed = accepted(header)
    return next((coding for coding in PREFERENCE if coding in ready and coding in allowed), "")


def matches_etag(header: str, etag: str) -> bool:
    """Whether an If-None-Match header names this entity tag; weak comparison, as for GET."""
    tags = (tag.strip().removeprefix("W/") for tag in header.split(","))
    return header.strip() == "*" or etag.removeprefix("W/") in tags
