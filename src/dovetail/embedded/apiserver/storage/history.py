"""The log behind the present: resuming watches, lists at an earlier revision, and compaction.

Model. A change at revision R names the revision before it (``prev``), so the state at an earlier revision S is the
present, corrected by the first change after S of each key. Compaction forgets what nobody can ask for any more:
versions that are neither present, nor newer than the compacted revision, nor the predecessor of such a version (needed
to tell a watcher with a selector that an object left its view).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from .database import Database
from .records import Change, ObjectKey, Page, Record
from .store import Store

KEEP_SECONDS = 300.0  # as long as etcd's default for kube-apiserver
KEEP_ROWS = 50_000
STEP = 2_000
"""Rows looked at in one turn of the loop."""

_SINCE = (
    "SELECT log.rev, log.event, log.namespace, log.name, log.value, before.value"
    " FROM log LEFT JOIN log AS before ON before.rev = log.prev"
    " WHERE log.resource = ? AND log.rev > ? ORDER BY log.rev LIMIT ?"
)
_FIRST_AFTER = (
    "SELECT log.namespace, log.name, min(log.rev), before.rev, before.value"
    " FROM log LEFT JOIN log AS before ON before.rev = log.prev"
    " WHERE log.resource = ? AND log.rev > ? GROUP BY log.namespace, log.name"
)
_OLDER = (
    "SELECT cur.namespace, cur.name, cur.rev, log.value FROM cur JOIN log ON log.rev = cur.rev"
    " WHERE cur.resource = ? AND log.at < ?"
)
_PREVIOUS = "SELECT prev FROM log WHERE rev > ?"
_PAST = (
    "SELECT log.rev, EXISTS (SELECT 1 FROM cur WHERE cur.resource = log.resource AND cur.namespace = log.namespace"
    " AND cur.name = log.name AND cur.rev = log.rev) FROM log WHERE log.rev > ? AND log.rev <= ?"
    " ORDER BY log.rev LIMIT ?"
)


class History:
    """``compacted`` is the oldest revision from which a watch can still resume."""

    def __init__(self, database: Database, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._reader, self._writer = database.reader, database.writer
        self._store, self._clock = store, clock
        self.compacted = store.fact("compacted", 0)

    def since(self, resource: str, rev: int, limit: int) -> list[Change]:
        """Committed changes after ``rev``, oldest first. The caller has checked ``rev >= compacted``."""
        rows = self._reader.execute(_SINCE, (resource, rev, limit))
        return [Change(row[0], row[1], ObjectKey(resource, row[2], row[3]), row[4], row[5]) for row in rows]

    def page_at(self, resource: str, namespace: str, rev: int, after: tuple[str, str] | None, limit: int) -> Page:
        """A page of the list as it was at ``rev``."""
        changed = self._changed_after(resource, namespace, rev)
        if not changed:
            page = self._store.list(resource, namespace, after, limit)
            return Page(page.records, rev, page.more)
        # Of these rows at most len(changed) fall out, so what stays fills the page.
        page = self._store.list(resource, namespace, after, limit + len(changed) if limit else 0)
        kept = [record for record in page.records if (record.namespace, record.name) not in changed]
        kept += [old for key, old in changed.items() if old is not None and _within(key, after, page.more)]
        kept.sort(key=lambda record: (record.namespace, record.name))
        if not limit or (len(kept) <= limit and page.more is None):
            return Page(kept, rev)
        edge = kept[limit - 1]
        return Page(kept[:limit], rev, (edge.namespace, edge.name))

    def count_at(self, resource: str, namespace: str, rev: int, after: tuple[str, str] | None) -> int:
        """How many objects came after a key in the list as it was at ``rev``."""
        count = self._store.count(resource, namespace, after)
        for key, old in self._changed_after(resource, namespace, rev).items():
            if after is None or key > after:
                there = self._store.get(ObjectKey(resource, *key)) is not None
                count += (old is not None) - there
        return count

    def _changed_after(self, resource: str, namespace: str, rev: int) -> dict[tuple[str, str], Record | None]:
        if rev >= self._store.rev:
            return {}
        rows: list[Any] = self._reader.execute(_FIRST_AFTER, (resource, rev)).fetchall()
        return {
            (row[0], row[1]): Record(row[0], row[1], row[3], row[4]) if row[3] else None
            for row in rows
            if not namespace or row[0] == namespace
        }

    def older(self, resource: str, horizon: float) -> list[tuple[ObjectKey, Record]]:
        """Present objects whose last write was before ``horizon`` (seconds since the epoch)."""
        rows = self._writer.execute(_OLDER, (resource, horizon)).fetchall()
        return [(ObjectKey(resource, row[0], row[1]), Record(*row)) for row in rows]

    def compact(self, keep_seconds: float = KEEP_SECONDS, keep_rows: int = KEEP_ROWS) -> int:
        """Forget versions older than ``keep_seconds``, and beyond ``keep_rows``; return the rows removed."""
        return sum(self.compaction(keep_seconds, keep_rows))

    def compaction(self, keep_seconds: float = KEEP_SECONDS, keep_rows: int = KEEP_ROWS) -> Iterator[int]:
        """The same in steps, each a transaction of its own, so that others have their turn in between.

        First of all the compacted revision is written down: what is removed later is not asked for any more.
        """
        self._store.flush()
        horizon = self._clock() - keep_seconds
        row = self._writer.execute("SELECT max(rev) FROM log WHERE at < ?", (horizon,)).fetchone()
        target = max(row[0] or 0, self._store.rev - keep_rows)
        if target <= self.compacted:
            return
        with self._transaction():
            for name, value in (("compacted", target), ("revision", self._store.rev)):
                self._writer.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, str(value)))
        self.compacted = target
        before: set[int] = set()  # predecessors of versions that are kept
        known, low = target, 0
        while True:
            before.update(row[0] for row in self._writer.execute(_PREVIOUS, (known,)))
            known = self._store.rev
            rows = self._writer.execute(_PAST, (low, target, STEP)).fetchall()
            if not rows:
                return
            low = rows[-1][0]
            past = [(rev,) for rev, present in rows if not present and rev not in before]
            with self._transaction():
                self._writer.executemany("DELETE FROM log WHERE rev = ?", past)
            yield len(past)
            self._store.flush()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise


def _within(key: tuple[str, str], after: tuple[str, str] | None, end: tuple[str, str] | None) -> bool:
    """Whether a key lies in the part of the list that was read."""
    return (after is None or key > after) and (end is None or key <= end)
