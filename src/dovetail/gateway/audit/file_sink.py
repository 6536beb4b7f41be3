"""The file of events: one JSON line each, for this user only (0600), rotated by size and age.

Lines wait in a bounded buffer; a thread writes them, so a slow disk holds up nothing. What does not fit is dropped and
counted. A write that fails (a full disk) is tried again with what was not written yet. The file is not synced to the
disk with each write: what the machine loses in a power cut, it loses here, too.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BUFFER: Final = 32 << 20
_PIECE: Final = 1 << 20
_RETRY_SECONDS: Final = 1.0
_DAY: Final = 86_400.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileSettings:
    """Where, and how much is kept, as kube-apiserver's --audit-log-* options say it; 0 means no limit."""

    path: Path
    max_size: int = 100 << 20
    """Bytes at which the file is put away."""
    max_age: float = 0.0
    """Days that a file which was put away is kept; a file is also put away when it is a day old."""
    max_backups: int = 10


class FileSink:
    """See the module. `run` writes until cancelled."""

    def __init__(self, settings: FileSettings, clock: Callable[[], float] = time.time) -> None:
        self._file = _Rotating(settings, clock)
        self._waiting: list[bytes] = []
        self._rest = b""
        self._bytes = 0
        self._wake = asyncio.Event()
        self.written = self.dropped = self.failures = 0

    def put(self, lines: Iterable[bytes]) -> None:
        """Write these soon."""
        for line in lines:
            if self._bytes >= _BUFFER:
                self.dropped += 1
                continue
            self._waiting.append(line)
            self._bytes += len(line) + 1
        self._wake.set()

    async def run(self) -> None:
        """Write what is put; at the end what is left."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._write()
        finally:
            with contextlib.suppress(OSError):
                self._take()
                while self._rest:
                    self._rest = self._rest[self._file.write(self._rest) :]
            self._file.close()

    def _take(self) -> int:
        """Make what waits the next to be written; how many lines that are."""
        lines, self._waiting, self._bytes = self._waiting, [], 0
        self._rest += b"".join([line + b"\n" for line in lines])
        return len(lines)

    async def _write(self) -> None:
        count = self._take()
        while self._rest:
            try:
                await self._write_piece()
            except OSError as error:
                self.failures += 1
                _log.error("audit events cannot be written", extra={"fields": {"reason": str(error)}})
                await asyncio.sleep(_RETRY_SECONDS)
        self.written += count

    async def _write_piece(self) -> None:
        """The thread is waited for even when we are stopped: nothing is to be written twice, or between two others."""
        writing = asyncio.ensure_future(asyncio.to_thread(self._file.write, self._rest[:_PIECE]))
        try:
            await asyncio.wait({writing})
        finally:
            if not writing.done():
                await asyncio.wait({writing})
            if writing.exception() is None:
                self._rest = self._rest[writing.result() :]
        writing.result()


class _Rotating:
    """The file itself; used by one thread at a time."""

    def __init__(self, settings: FileSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._fd = -1
        self._size = 0
        self._since = 0.0
        self._whole = True

    def write(self, data: bytes) -> int:
        """Write at least a part and say how much. Raises OSError."""
        if not data:
            return 0
        if self._fd >= 0 and self._whole and (self._is_due(len(data)) or self._is_gone()):
            self._put_away()
        if self._fd < 0:
            self._open()
        written = os.write(self._fd, data)
        self._size += written
        self._whole = written == len(data) and data.endswith(b"\n")
        return written

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._settings.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._settings.path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(self._fd, 0o600)
        found = os.fstat(self._fd)
        self._size = found.st_size
        self._since = found.st_mtime if found.st_size else self._clock()

    def _is_due(self, more: int) -> bool:
        settings = self._settings
        large = settings.max_size and self._size and self._size + more > settings.max_size
        return bool(large or (settings.max_age and self._clock() - self._since > _DAY))

    def _is_gone(self) -> bool:
        """Somebody else has put the file away, or removed it."""
        try:
            return os.stat(self._settings.path).st_ino != os.fstat(self._fd).st_ino
        except FileNotFoundError:
            return True

    def _put_away(self) -> None:
        gone = self._is_gone()
        self.close()
        path = self._settings.path
        if not gone:
            now = self._clock()
            stamp = time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}"
            path.rename(path.with_name(f"{path.stem}-{stamp}{path.suffix}"))
        for old in self._too_many():
            old.unlink(missing_ok=True)

    def _too_many(self) -> list[Path]:
        settings = self._settings
        path = settings.path
        kept = sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"), reverse=True)
        oldest = self._clock() - settings.max_age * _DAY if settings.max_age else 0.0
        return [
            old for nth, old in enumerate(kept)
            if (settings.max_backups and nth >= settings.max_backups) or old.stat().st_mtime < oldest
        ]  # fmt: skip
