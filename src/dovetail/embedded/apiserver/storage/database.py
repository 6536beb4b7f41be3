"""Owns the SQLite file: opening, locking, schema, and the two connections.

Model. ``log`` holds every version of every object that is still of interest, keyed by revision (the resourceVersion).
``cur`` says which revision is the present one of each key. A value is stored once, in ``log``. The writer connection
keeps one transaction open from the first write of a loop tick until the commit; the reader connection sees only what
is committed, so nothing is ever shown to a client before it is durable.

``synchronous=FULL`` in WAL mode: a commit returns after fsync of the log file. What a commit acknowledged survives a
crash of the process or of the machine. The values are JSON without the leading ``apiVersion`` and ``kind`` (the type
header is put in front on the way out, which makes versions of a kind free).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from ..errors import StateDamaged, StateLocked

APPLICATION_ID = 0x44564554  # "DVET"
FORMAT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    rev INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    prev INTEGER NOT NULL,
    at REAL NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS log_by_resource ON log (resource, rev);
CREATE TABLE IF NOT EXISTS cur (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    rev INTEGER NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Database:
    """The open database: ``writer`` and ``reader``. ``close()`` releases the lock.

    Raises StateLocked when another process has it, StateDamaged when the file is not ours or is broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            self.writer = self._open()
            self.reader = self._open()
            self.reader.execute("PRAGMA query_only=ON")
        except sqlite3.DatabaseError as error:
            os.close(self._lock)
            raise StateDamaged(path, str(error)) from error
        except StateDamaged:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, cached_statements=64)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and owner != APPLICATION_ID:
            raise StateDamaged(self.path, "it is a database of another program")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if tables and version != FORMAT:
            raise StateDamaged(self.path, f"it has format {version}, this program reads format {FORMAT}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-4000", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        if not tables:
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={FORMAT}")
            connection.executescript(_SCHEMA)

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        os.close(self._lock)


def _lock(path: Path) -> int:
    """Take the advisory lock beside the database; the kernel drops it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StateLocked(path) from error
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return descriptor
