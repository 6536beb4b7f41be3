"""Watch streams: bytes to lines to events. Pure; the client feeds it.

A watch is one JSON object a line, of any length (aiohttp's own line reader stops at 64 KiB). An event is ADDED,
MODIFIED, DELETED with an object, or BOOKMARK with a resourceVersion only. An ERROR event becomes an exception: Gone for
410.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import orjson

from dovetail.kube.errors import ApiError, UnreadableAnswer
from dovetail.kube.resources import Object

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
MAX_LINE = 64 * 1024 * 1024
_TYPES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


@dataclass(slots=True)
class WatchEvent:
    """One change. Of a BOOKMARK's `object` only `metadata.resourceVersion` counts."""

    type: EventType
    object: Object


class LineSplitter:
    """Chunks in, complete lines out; what is left is in `pending`."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def pending(self) -> int:
        """Bytes of a line that has no end yet."""
        return self._size

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without blank ones. Raises UnreadableAnswer over the limit."""
        lines = chunk.split(b"\n")
        if len(lines) > 1 and self._parts:
            lines[0] = b"".join([*self._parts, lines[0]])
            self._parts.clear()
            self._size = 0
        tail = lines.pop()
        if tail:
            self._parts.append(tail)
            self._size += len(tail)
            if self._size > self._limit:
                raise UnreadableAnswer("a watch", f"an event is larger than {self._limit} bytes")
        return [line for line in lines if line.strip()]


def read_event(line: bytes) -> WatchEvent:
    """The event of one line. Raises ApiError for an ERROR event, UnreadableAnswer for anything else."""
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UnreadableAnswer("a watch", f"a line is not an event ({line[:80]!r})") from error
    if kind in _TYPES and isinstance(obj, dict):
        return WatchEvent(kind, cast("Object", obj))
    if kind == "ERROR" and isinstance(obj, Mapping):
        raise ApiError.of(cast("Mapping[str, Any]", obj))
    raise UnreadableAnswer("a watch", f"it has an event of type {kind!r}")
