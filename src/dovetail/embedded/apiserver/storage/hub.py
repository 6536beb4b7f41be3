"""Who is told of changes: one ring of recent changes per resource, a cursor per watcher.

Model. After a commit the hub appends each change to its resource's ring and, in a later turn of the loop (so that the
writers get their answers first), calls that resource's listeners once, however many commits there were meanwhile. A
watcher (``Cursor``) remembers the last revision it has seen and takes what came after it, from the ring while it
reaches back far enough, from the log (``History``) otherwise. A slow watcher therefore costs nothing but its own delay;
when the log has forgotten what it needs, ``take`` raises Expired and the watch ends with 410, on which clients list
again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from ..errors import Expired
from .history import History
from .records import Change
from .store import Store

RING = 1024
BATCH = 500
TURN = 50
"""Listeners called in one turn of the loop: with a thousand of them, requests still come through in between."""

Listener = Callable[[], None]


class _Ring:
    """The newest changes of one resource. ``floor``: every change after it, up to now, is in ``changes``."""

    __slots__ = ("again", "changes", "due", "floor", "listeners", "scheduled")

    def __init__(self, floor: int) -> None:
        self.changes: deque[Change] = deque()
        self.floor = floor
        self.listeners: dict[Listener, None] = {}  # in the order of their arrival
        self.due: deque[Listener] = deque()
        self.scheduled = self.again = False

    def add(self, change: Change) -> None:
        self.changes.append(change)
        if len(self.changes) > RING:
            self.floor = self.changes.popleft().rev

    def after(self, rev: int) -> list[Change]:
        missing = 0
        for change in reversed(self.changes):
            if change.rev <= rev:
                break
            missing += 1
        start = len(self.changes) - missing
        return list(islice(self.changes, start, start + BATCH))

    def wake(self) -> None:
        self.again = True
        if self.listeners and not self.scheduled:
            self.scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        """Call some of the listeners; whoever was woken while a round is under way has another round after it."""
        if not self.due:
            self.due.extend(self.listeners)
            self.again = False
        for _ in range(min(TURN, len(self.due))):
            listener = self.due.popleft()
            if listener in self.listeners:
                listener()
        self.scheduled = bool(self.due) or (self.again and bool(self.listeners))
        if self.scheduled:
            asyncio.get_running_loop().call_soon(self._deliver)


class Hub:
    """Register with ``store.on_commit.append(hub.publish)``. ``lines`` is a cache for whoever encodes changes."""

    def __init__(self, store: Store, history: History) -> None:
        self._store, self._history = store, history
        self._rings: dict[str, _Ring] = {}
        self._closed = False
        self.lines: dict[tuple[int, bytes], bytes] = {}

    @property
    def closed(self) -> bool:
        return self._closed

    def cursor(self, resource: str, rev: int) -> Cursor:
        """A cursor that yields the changes after ``rev``. Raises Expired when they are not all known any more."""
        return Cursor(self, self._ring(resource), resource, rev)

    def _ring(self, resource: str) -> _Ring:
        if resource not in self._rings:
            self._rings[resource] = _Ring(self._store.rev)
        return self._rings[resource]

    def publish(self, changes: Sequence[Change]) -> None:
        touched: set[str] = set()
        for change in changes:
            ring = self._rings.get(change.key.resource)
            if ring is not None:
                ring.add(change)
                touched.add(change.key.resource)
        for resource in touched:
            self._rings[resource].wake()

    def wake(self, resource: str) -> None:
        """Let the watchers of a resource look again (their resource was removed)."""
        if resource in self._rings:
            self._rings[resource].wake()

    def close(self) -> None:
        """Wake every watcher for the last time: the server stops."""
        self._closed = True
        for ring in self._rings.values():
            ring.wake()

    def read(self, ring: _Ring, resource: str, rev: int) -> tuple[list[Change], int]:
        """Changes after ``rev`` and the revision up to which the answer is complete."""
        if rev >= ring.floor:
            changes = ring.after(rev)
        elif rev >= self._history.compacted:
            changes = self._history.since(resource, rev, BATCH)
        else:
            raise Expired(f"too old resource version: {rev} ({self._history.compacted})")
        return changes, changes[-1].rev if len(changes) == BATCH else max(self._store.rev, rev)


class Cursor:
    """One watcher's place in a resource's changes. ``rev`` is the revision up to which it has seen everything."""

    def __init__(self, hub: Hub, ring: _Ring, resource: str, rev: int) -> None:
        self._hub, self._ring, self._resource = hub, ring, resource
        self.rev = rev
        self.pending()  # Expired now rather than at the first read

    def pending(self) -> bool:
        """Whether ``take`` would give something."""
        return bool(self._hub.read(self._ring, self._resource, self.rev)[0])

    def take(self) -> list[Change]:
        """What is new."""
        changes, self.rev = self._hub.read(self._ring, self._resource, self.rev)
        return changes

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` whenever something may be new, until ``forget``."""
        self._ring.listeners[listener] = None

    def forget(self, listener: Listener) -> None:
        self._ring.listeners.pop(listener, None)
