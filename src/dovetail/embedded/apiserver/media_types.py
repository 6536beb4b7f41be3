"""The media types of bodies, and what a client takes: the one reading of ``Accept`` and ``Accept-Encoding``.

Model. A header is a list of ranges, each with parameters; ``q`` is its weight. The client prefers the heavier, of
equals the earlier; what weighs nothing it does not take (RFC 9110, 12.4 and 12.5). What a parameter such as
``as=Table`` means is for the reader to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
OFFERED = (JSON, YAML)  # what every document is there in; protobuf only where the kind has a form in it
READ = (*OFFERED, PROTOBUF)
_KEPT = 128  # headers whose reading is remembered: clients say the same with each request


@dataclass(frozen=True, slots=True)
class Range:
    """``media`` is in lower case; ``parameters`` are without ``q``."""

    media: str
    parameters: Mapping[str, str]
    weight: float

    def covers(self, offered: str) -> bool:
        if self.media in ("*/*", offered):
            return True
        kind, _, sub = self.media.partition("/")
        return sub == "*" and offered.startswith(kind + "/")


@lru_cache(_KEPT)
def ranges(header: str) -> tuple[Range, ...]:
    """What is taken, the preferred first; everything (``*/*``) when the header is empty."""
    found = [_range(item) for item in (header.strip() or "*/*").split(",") if item.strip()]
    return tuple(sorted((one for one in found if one.weight > 0), key=lambda one: -one.weight))


def _range(text: str) -> Range:
    media, *options = (part.strip() for part in text.split(";"))
    parameters = {k.strip().lower(): v.strip() for k, _, v in (option.partition("=") for option in options)}
    weight = parameters.pop("q", "1")
    try:
        return Range(media.lower(), parameters, float(weight))
    except ValueError:
        return Range(media.lower(), parameters, 0.0)


def takes_gzip(accept_encoding: str) -> bool:
    """Only a client that names gzip gets it."""
    return any(coding.media == "gzip" for coding in ranges(accept_encoding))
