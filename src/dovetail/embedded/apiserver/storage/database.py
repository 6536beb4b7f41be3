"""Owns the SQLite file: opening, locking, checking, schema, and the two connections.

Model. ``log`` holds every version of every object that is still of interest, keyed by revision (the resourceVersion).
``cur`` says which revision is the present one of each key. A value is stored once, in ``log``. The writer connection
keeps one transaction open from the first write of a loop tick until the commit; the reader connection sees only what
is committed, so nothing is ever shown to a client before it is durable.

``synchronous=FULL`` in WAL mode: a commit returns after fsync of the log file. What a commit acknowledged survives a
crash of the process or of the machine. The values are JSON without the leading ``apiVersion`` and ``kind`` (the type
header is put in front on the way out, which makes versions of a kind free).

A new database is made under another name and moved into place when it is whole: a file that is empty or short is
therefore never the beginning of one, but what is left of one.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from ..errors import StateDamaged, StateLocked, StateUnusable

APPLICATION_ID = 0x44564554  # "DVET"
FORMAT = 1
CHECKED_BYTES = 256 * 1024 * 1024
"""Up to this size every page is checked at every start; a larger database only for its length."""

_SCHEMA = """
CREATE TABLE log (
    rev INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    prev INTEGER NOT NULL,
    at REAL NOT NULL,
    value BLOB NOT NULL
);
CREATE INDEX log_by_resource ON log (resource, rev);
CREATE TABLE cur (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    rev INTEGER NOT NULL,
    PRIMARY KEY (resource, namespace, name)
) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "cache_size=-4000", "temp_store=MEMORY", "journal_size_limit=0")


class Database:
    """The open database: ``writer`` and ``reader``. ``close()`` releases the lock.

    Raises StateLocked when another process has it, StateDamaged when the file is not ours or is broken, StateUnusable
    when the directory cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = lock(path)
        try:
            if not path.exists():
                _create(path)
            check(path)
            self.writer = _open(path)
            self.reader = _open(path)
            self.reader.execute("PRAGMA query_only=ON")
        except BaseException as error:
            os.close(self._lock)
            if isinstance(error, OSError):
                raise StateUnusable(path, error.strerror or str(error)) from error
            if isinstance(error, sqlite3.OperationalError):  # not the contents: permissions, a full or failing disk
                raise StateUnusable(path, str(error)) from error
            if isinstance(error, sqlite3.DatabaseError):
                raise StateDamaged(path, str(error)) from error
            raise

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        os.close(self._lock)


def lock(path: Path) -> int:
    """Take the advisory lock beside the database; the kernel drops it when the process ends, however it ends.

    Raises StateLocked, StateUnusable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnusable(path, error.strerror or str(error)) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StateLocked(path) from error
    return descriptor


def check(path: Path) -> None:
    """Raises StateDamaged when the file is not a whole database of ours; sqlite3.DatabaseError when SQLite says so."""
    with path.open("rb") as file:
        header, size = file.read(100), os.fstat(file.fileno()).st_size
    if not header:
        raise StateDamaged(path, "it is empty")
    if not header.startswith(b"SQLite format 3\0") or len(header) < 100:
        raise StateDamaged(path, "it is not a database")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StateDamaged(path, "it is a database of another program")
    version = int.from_bytes(header[60:64], "big")
    if version != FORMAT:
        raise StateDamaged(path, f"it has format {version}, this program reads format {FORMAT}")
    page, pages = int.from_bytes(header[16:18], "big"), int.from_bytes(header[28:32], "big")
    wal = path.with_name(f"{path.name}-wal")  # a crash may have cut short the copying from there; SQLite repeats it
    if size < (65536 if page == 1 else page) * pages and not (wal.exists() and wal.stat().st_size):
        raise StateDamaged(path, "its end is missing")
    if size <= CHECKED_BYTES:
        _check_pages(path)


def _check_pages(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    finally:
        connection.close()
    if found != "ok":
        raise StateDamaged(path, " ".join(str(found).split()))


def _create(path: Path) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
    finally:
        connection.close()
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=64)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection
