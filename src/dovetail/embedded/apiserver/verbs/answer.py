"""What a verb gives back: a body with its code, or a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from ..media_types import JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is complete, in one piece or in several (large lists are sent piece by piece); ``headers`` come on top
    of the content type, length and warnings.
    """

    body: bytes | list[bytes]
    code: int = 200
    content_type: str = JSON
    headers: Sequence[tuple[bytes, bytes]] = field(default=())

    @property
    def pieces(self) -> list[bytes]:
        return [self.body] if isinstance(self.body, bytes) else self.body


@dataclass(frozen=True, slots=True)
class Stream:
    """Chunks as they come; ends when the iterator does or when the client goes away."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON
