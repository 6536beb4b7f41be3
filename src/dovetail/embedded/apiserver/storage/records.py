"""The values that leave the store: a stored object, a change, a page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

ADDED, MODIFIED, DELETED = 0, 1, 2
EVENT_NAMES = ("ADDED", "MODIFIED", "DELETED")

Object = dict[str, Any]


class ObjectKey(NamedTuple):
    """``resource`` is ``group/plural`` (no version: all versions of a kind are one thing); ``namespace`` may be ""."""

    resource: str
    namespace: str
    name: str


class Record(NamedTuple):
    """One stored version: ``value`` is the object as JSON without apiVersion and kind."""

    namespace: str
    name: str
    rev: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A committed change. ``before`` is the previous value (None when created), ``value`` the new or, for a deletion,
    last.
    """

    rev: int
    event: int
    key: ObjectKey
    value: bytes
    before: bytes | None


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list at revision ``rev``. ``more`` is the key to continue after, or None."""

    records: list[Record]
    rev: int
    more: tuple[str, str] | None = None
