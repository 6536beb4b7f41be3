"""Backup and restore: one file with everything that makes a cluster, and back.

An archive is a tar with ``manifest.json`` first (format, Dovetail's version, time, size and SHA-256 of every member),
then ``kube/state.db`` and the files of ``pki/``: without the keys no token and no kubeconfig that is out there would
work any more. It holds every secret of the cluster: mode 0600.

A backup may be taken while the server runs: SQLite's backup API copies one committed state through a connection of its
own, and neither side waits for the other. A restore verifies the whole archive first, wants the server stopped, and
keeps what was there as ``state.db.replaced`` and ``pki.replaced``.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from .errors import ApiServerError, StateDamaged
from .storage.database import check, lock, sync_folder

FORMAT = 1
DATABASE = "kube/state.db"
_MANIFEST = "manifest.json"
_LARGEST_MANIFEST = 1024 * 1024
_PIECE = 1 << 20


class ArchiveUnusable(ApiServerError):
    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is not a usable backup: {problem}. Choose another archive; nothing was changed.")


class NothingToBackUp(ApiServerError):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"{data_dir} holds no cluster. Name the directory of one with --data-dir.")


class ClusterInTheWay(ApiServerError):
    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"{data_dir} already holds a cluster. Restore into another --data-dir, or replace it with --force."
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive holds."""

    file: Path
    size: int
    objects: int
    revision: int
    created: str

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file), "bytes": self.size, "objects": self.objects, "resourceVersion": str(self.revision),
            "created": self.created,
        }  # fmt: skip


def backup(data_dir: Path, target: Path, version: str) -> Summary:
    """Write the archive, in one step. Raises NothingToBackUp, StateDamaged, OSError."""
    database = data_dir / DATABASE
    if not database.exists():
        raise NothingToBackUp(data_dir)
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        copy, packed = Path(folder, "state.db"), Path(folder, "archive")
        objects, revision = _copy(database, copy)
        members = {DATABASE: copy, **{f"pki/{path}": data_dir / "pki" / path for path in _files(data_dir / "pki")}}
        manifest = {
            "format": FORMAT, "version": version, "created": created, "objects": objects, "revision": revision,
            "members": {name: {"size": path.stat().st_size, "sha256": _digest(path)} for name, path in members.items()},
        }  # fmt: skip
        _pack(packed, orjson.dumps(manifest, option=orjson.OPT_INDENT_2), members)
        size = packed.stat().st_size
        packed.replace(target)
        sync_folder(target.parent)
    return Summary(target, size, objects, revision, created)


def restore(source: Path, data_dir: Path, *, force: bool) -> Summary:
    """Put the archive's cluster into ``data_dir``. Raises ArchiveUnusable, ClusterInTheWay, StateLocked, OSError."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore.") as folder:
        manifest = _unpack(source, Path(folder))
        database = data_dir / DATABASE
        held = lock(database)
        try:
            if database.exists() and not force:
                raise ClusterInTheWay(data_dir)
            _exchange(Path(folder), data_dir)
        finally:
            os.close(held)
    return Summary(source, source.stat().st_size, manifest["objects"], manifest["revision"], manifest["created"])


def _copy(database: Path, copy: Path) -> tuple[int, int]:
    """A consistent copy; the number of its objects and its revision."""
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        check(database)
        with closing(sqlite3.connect(database, timeout=30)) as there, closing(sqlite3.connect(copy)) as here:
            there.backup(here)
            here.execute("PRAGMA journal_mode=DELETE")
            return _figures(here)
    except sqlite3.DatabaseError as error:
        raise StateDamaged(database, str(error)) from error


def _figures(connection: sqlite3.Connection) -> tuple[int, int]:
    if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise sqlite3.DatabaseError(" ".join(str(found).split()))
    objects = connection.execute("SELECT count(*) FROM cur").fetchone()[0]
    revision = connection.execute("SELECT max(rev) FROM log").fetchone()[0]
    fact = connection.execute("SELECT value FROM facts WHERE name = 'revision'").fetchone()
    return objects, max(revision or 0, int(fact[0]) if fact else 0)


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _pack(target: Path, manifest: bytes, members: dict[str, Path]) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
            tar.addfile(_entry(_MANIFEST, len(manifest)), io.BytesIO(manifest))
            for name, path in members.items():
                with path.open("rb") as member:
                    tar.addfile(_entry(name, path.stat().st_size), member)
        file.flush()
        os.fsync(file.fileno())


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry


def _unpack(source: Path, folder: Path) -> dict[str, Any]:
    """The members that the manifest names, verified, below ``folder``; the manifest."""
    try:
        _read_through(source)
        with tarfile.open(source, "r:gz") as tar:
            manifest = _manifest(source, tar)
            for name, expected in manifest["members"].items():
                _extract(source, tar, name, expected, folder)
        with closing(sqlite3.connect(folder / DATABASE)) as connection:
            _figures(connection)
        check(folder / DATABASE)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArchiveUnusable(source, f"it is damaged ({error})") from error
    except sqlite3.DatabaseError as error:
        raise ArchiveUnusable(source, f"its database is damaged ({error})") from error
    except StateDamaged as error:
        raise ArchiveUnusable(source, error.problem) from error
    except OSError as error:
        if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)) or error.errno is not None:
            raise
        raise ArchiveUnusable(source, f"it is damaged ({error})") from error
    return manifest


def _read_through(source: Path) -> None:
    """Up to gzip's checksum, which covers what lies between and behind the members, too; tar stops before it."""
    with gzip.open(source) as file:
        while file.read(_PIECE):
            pass


def _manifest(source: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    content = tar.extractfile(first) if first is not None and first.name == _MANIFEST else None
    if first is None or content is None or first.size > _LARGEST_MANIFEST:
        raise ArchiveUnusable(source, "it has no manifest")
    manifest: dict[str, Any] = orjson.loads(content.read())
    if manifest["format"] != FORMAT:
        raise ArchiveUnusable(source, f"it has format {manifest['format']}, this program reads format {FORMAT}")
    if DATABASE not in manifest["members"]:
        raise ArchiveUnusable(source, "it has no database")
    return manifest


def _extract(source: Path, tar: tarfile.TarFile, name: str, expected: dict[str, Any], folder: Path) -> None:
    parts = name.split("/")
    if parts[0] not in ("kube", "pki") or any(part in ("", ".", "..") for part in parts):
        raise ArchiveUnusable(source, f"it names a file that does not belong to a cluster ({name})")
    content = tar.extractfile(name)
    if content is None:
        raise ArchiveUnusable(source, f"{name} is missing")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())
    if path.stat().st_size != expected["size"] or _digest(path) != expected["sha256"]:
        raise ArchiveUnusable(source, f"{name} is damaged")


def _exchange(new: Path, data_dir: Path) -> None:
    """Move what is there aside, then the new in; the old database keeps its log file and stays usable."""
    database, replaced = data_dir / DATABASE, data_dir / f"{DATABASE}.replaced"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{replaced}{suffix}").unlink(missing_ok=True)
        if (old := Path(f"{database}{suffix}")).exists():
            old.rename(f"{replaced}{suffix}")
    pki, old_pki = data_dir / "pki", data_dir / "pki.replaced"
    if (new / "pki").exists():
        if pki.exists():
            shutil.rmtree(old_pki, ignore_errors=True)
            pki.rename(old_pki)
        (new / "pki").rename(pki)
    (new / DATABASE).rename(database)
    sync_folder(database.parent)
    sync_folder(data_dir)
