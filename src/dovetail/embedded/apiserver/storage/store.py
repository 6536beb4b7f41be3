"""The store: keyed objects with revisions, optimistic concurrency and group commit.

Model. Everything runs on the event loop. A handler reads the latest value (``latest``, including writes of this tick
that are not committed yet), decides, and calls ``put`` or ``remove``; both apply at once to the open transaction and
cannot be interleaved with anything, as there is no await between. Then it awaits ``committed()``. The commit runs once
per loop tick for all writers of the tick; only after it are watchers told and answers sent. When a commit fails, every
writer of the tick gets the error and none of the writes exists.

Not here: what the values mean (``verbs``), who is told (``hub``), which old versions go (``history``).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator

from ..errors import InternalError
from .database import Database
from .records import ADDED, DELETED, MODIFIED, Change, ObjectKey, Page, Record

_LATEST = (
    "SELECT log.rev, log.value FROM cur JOIN log ON log.rev = cur.rev"
    " WHERE cur.resource = ? AND cur.namespace = ? AND cur.name = ?"
)
_LIST = (
    "SELECT cur.namespace, cur.name, cur.rev, log.value FROM cur JOIN log ON log.rev = cur.rev WHERE cur.resource = ?"
)
_INSERT = "INSERT INTO log (rev, event, resource, namespace, name, prev, at, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_POINT = "INSERT OR REPLACE INTO cur (resource, namespace, name, rev) VALUES (?, ?, ?, ?)"


class Store:
    """``rev`` is the last committed revision. ``on_commit`` is called with the changes of each commit, in order.
    ``problem`` is why the last write failed, "" when it did not.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._reader, self._writer = database.reader, database.writer
        self._clock = clock
        self._batch: list[Change] = []
        self._commit: asyncio.Future[None] | None = None
        self.problem = ""
        self.on_commit: list[Callable[[list[Change]], None]] = []
        last = self._reader.execute("SELECT max(rev) FROM log").fetchone()[0] or 0
        self.rev: int = max(last, self.fact("revision", 0), 1)
        self._next: int = self.rev

    # -- reading what is committed

    def get(self, key: ObjectKey) -> Record | None:
        row = self._reader.execute(_LATEST, key).fetchone()
        return Record(key.namespace, key.name, row[0], row[1]) if row else None

    def list(self, resource: str, namespace: str = "", after: tuple[str, str] | None = None, limit: int = 0) -> Page:
        """Committed objects in key order; ``namespace`` "" means all of them."""
        where, parameters = _range(namespace, after)
        sql = _LIST + where + " ORDER BY cur.namespace, cur.name"
        if limit:
            sql += f" LIMIT {limit + 1}"
        rows = [Record(*row) for row in self._reader.execute(sql, (resource, *parameters))]
        if not limit or len(rows) <= limit:
            return Page(rows, self.rev)
        rows.pop()
        return Page(rows, self.rev, (rows[-1].namespace, rows[-1].name))

    def count(self, resource: str, namespace: str = "", after: tuple[str, str] | None = None) -> int:
        where, parameters = _range(namespace, after)
        sql = "SELECT count(*) FROM cur WHERE cur.resource = ?" + where
        return int(self._reader.execute(sql, (resource, *parameters)).fetchone()[0])

    def fact(self, name: str, default: int) -> int:
        row = self._reader.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else default

    # -- writing

    def latest(self, key: ObjectKey) -> Record | None:
        """The newest value, uncommitted writes of this tick included: what a read-modify-write starts from."""
        if self._commit is None:
            return self.get(key)
        row = self._writer.execute(_LATEST, key).fetchone()
        return Record(key.namespace, key.name, row[0], row[1]) if row else None

    def latest_all(self, resource: str, namespace: str = "") -> Iterator[Record]:
        where, parameters = _range(namespace, None)
        for row in self._writer.execute(_LIST + where, (resource, *parameters)).fetchall():
            yield Record(*row)

    def is_empty(self, resource: str) -> bool:
        """Whether nothing of a resource is left, counting uncommitted writes."""
        return self._writer.execute("SELECT 1 FROM cur WHERE resource = ? LIMIT 1", (resource,)).fetchone() is None

    @property
    def next_rev(self) -> int:
        """The revision that the next ``put`` or ``remove`` gets: the value must be encoded with it."""
        return self._next + 1

    def put(self, key: ObjectKey, value: bytes, before: Record | None) -> None:
        self._write(key, ADDED if before is None else MODIFIED, value, before)

    def remove(self, key: ObjectKey, value: bytes, before: Record) -> None:
        """Delete; ``value`` is the last state that watchers see, encoded with ``next_rev``."""
        self._write(key, DELETED, value, before)

    def _write(self, key: ObjectKey, event: int, value: bytes, before: Record | None) -> None:
        future = self._begin()
        self._next += 1
        row = (self._next, event, *key, before.rev if before else 0, self._clock(), value)
        try:
            self._writer.execute(_INSERT, row)
            if event == DELETED:
                self._writer.execute("DELETE FROM cur WHERE resource = ? AND namespace = ? AND name = ?", key)
            else:
                self._writer.execute(_POINT, (*key, self._next))
        except sqlite3.Error as error:
            self._fail(future, error)
            raise InternalError(f"the write failed: {error}") from error
        self._batch.append(Change(self._next, event, key, value, before.value if before else None))

    def _begin(self) -> asyncio.Future[None]:
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._writer.execute("BEGIN IMMEDIATE")
            self._commit = loop.create_future()
            loop.call_soon(self._end, self._commit)
        return self._commit

    def _end(self, future: asyncio.Future[None]) -> None:
        if self._commit is not future:
            return
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(future, error)
            return
        batch, self._batch, self._commit, self.rev, self.problem = self._batch, [], None, self._next, ""
        for tell in self.on_commit:
            tell(batch)
        future.set_result(None)

    def _fail(self, future: asyncio.Future[None], error: sqlite3.Error) -> None:
        self.problem = str(error)
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        self._batch, self._commit, self._next = [], None, self.rev
        future.set_exception(InternalError(f"the write could not be made durable: {error}"))
        future.exception()  # every writer of the tick awaits it; a tick without writers left must not warn

    def committed(self) -> Awaitable[None]:
        """Done when the writes made so far are durable; raises InternalError when they are lost.

        The commit is chosen by the call, not by the await: call it in the tick of the write.
        """
        return _nothing() if self._commit is None else asyncio.shield(self._commit)

    def flush(self) -> None:
        """Commit now: for start and stop, where nobody else is writing."""
        if self._commit is not None:
            self._end(self._commit)


async def _nothing() -> None:
    """Nothing was written."""


def _range(namespace: str, after: tuple[str, str] | None) -> tuple[str, tuple[str, ...]]:
    where, parameters = "", ()
    if namespace:
        where, parameters = " AND cur.namespace = ?", (namespace,)
    if after:
        where += " AND (cur.namespace, cur.name) > (?, ?)"
        parameters = (*parameters, *after)
    return where, parameters
