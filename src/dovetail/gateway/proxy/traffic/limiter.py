"""Rate limits that hold for a gateway as a whole: buckets in a file that all its workers have in memory.

Connections are spread over workers by the kernel, so one client's requests reach one worker or several by chance; a
share for each worker would give that client a part of its due. So the buckets are shared. The file has sets of eight
slots; a slot is a digest of what has the bucket (rule and user or address, under a random key of the file) and the
bucket itself, one number (`buckets`). A bucket that is full is a free slot. When all eight are in use the fullest one
makes room, in its owner's favour, and that is counted: memory is bounded, whoever comes.

Taking from a bucket holds a lock on the bytes of its set, for some microseconds; the kernel drops the lock of a process
that dies. A worker that cannot get it within `_PATIENCE` goes on without: a stopped worker must not stop the others,
and what that can cost is a few requests too many. Times are of CLOCK_MONOTONIC, which all processes share.
"""

import contextlib
import fcntl
import hashlib
import logging
import mmap
import os
import secrets
import struct
from pathlib import Path
from time import monotonic
from typing import Final

from dovetail.gateway.proxy.traffic.buckets import Verdict, take
from dovetail.routing.traffic import RateLimit

LIMITS_FILE: Final = "limits"
"""The buckets' name beside the snapshot socket, which all workers of a gateway share."""
WAYS: Final = 8
SETS: Final = 8192
_MAGIC: Final = b"dvtlim1\n"
_HEADER: Final = 64
_SALT: Final = slice(8, 24)
_SET: Final = struct.Struct("=" + "Qd" * WAYS)
_SLOT: Final = struct.Struct("=Qd")
_SIZE: Final = _HEADER + SETS * _SET.size
_PATIENCE: Final = 0.02
"""Seconds to wait for a lock. After it was in vain nobody waits for `_FORGET` seconds."""
_FORGET: Final = 1.0
_MOST_RULES: Final = 4096

_log = logging.getLogger(__name__)


class Limiter:
    """The buckets of one gateway. `path` None, or one that cannot be used: those of this process alone."""

    def __init__(self, path: Path | None = None) -> None:
        self.evicted = 0
        """Buckets that were forgotten before they were full."""
        self.unlocked = 0
        """Requests that were counted without the lock."""
        self._given_up = float("-inf")
        self._descriptor = -1
        self._memory = self._open(path)
        self._salt = bytes(self._memory[_SALT])
        self._hashes: dict[RateLimit, hashlib.blake2b] = {}

    def close(self) -> None:
        """Give the file back; the buckets stay in it."""
        self._memory.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def take(self, rule: RateLimit, key: str) -> Verdict:
        """Take one request out of the bucket that `key` has under `rule`."""
        digest = self._digest(rule, key)
        at = _HEADER + digest % SETS * _SET.size
        held = self._descriptor >= 0 and self._lock(at)
        try:
            return self._take(rule, digest, at, monotonic())
        finally:
            if held:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, _SET.size, at)

    def _take(self, rule: RateLimit, digest: int, at: int, now: float) -> Verdict:
        slots = _SET.unpack_from(self._memory, at)
        digests, times = slots[::2], slots[1::2]
        if digest in digests:
            way = digests.index(digest)
            verdict = take(rule, times[way], now)
        else:
            way = times.index(min(times))
            self.evicted += times[way] > now
            verdict = take(rule, now, now)
        _SLOT.pack_into(self._memory, at + way * _SLOT.size, digest, verdict.full_at)
        return verdict

    def _digest(self, rule: RateLimit, key: str) -> int:
        start = self._hashes.get(rule)
        if start is None:
            if len(self._hashes) >= _MOST_RULES:
                self._hashes.clear()
            start = self._hashes[rule] = hashlib.blake2b(repr(rule).encode(), digest_size=8, key=self._salt)
        hashed = start.copy()
        hashed.update(key.encode(errors="surrogatepass"))
        return int.from_bytes(hashed.digest()) or 1

    def _lock(self, at: int) -> bool:
        if self._tried(at):
            return True
        begun = monotonic()
        patience = _PATIENCE if begun > self._given_up + _FORGET else 0.0
        while monotonic() < begun + patience:
            os.sched_yield()  # the holder has some microseconds to go, but perhaps no processor
            if self._tried(at):
                return True
        self._given_up = begun
        self.unlocked += 1
        return False

    def _tried(self, at: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SET.size, at)
        except OSError:
            return False
        return True

    def _open(self, path: Path | None) -> mmap.mmap:
        if path is not None:
            try:
                self._descriptor = _opened(path)
                return mmap.mmap(self._descriptor, _SIZE)
            except (OSError, ValueError) as error:
                _log.warning(
                    "rate limits are counted by each worker alone",
                    extra={"fields": {"file": path, "reason": error}},
                )
                if self._descriptor >= 0:
                    os.close(self._descriptor)
                    self._descriptor = -1
        memory = mmap.mmap(-1, _SIZE)
        memory[:24] = _MAGIC + secrets.token_bytes(16)
        return memory


def _opened(path: Path) -> int:
    """The file, made as a whole by whichever worker comes first."""
    for _ in range(3):
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            if os.fstat(descriptor).st_size == _SIZE and os.pread(descriptor, len(_MAGIC), 0) == _MAGIC:
                return descriptor
            os.close(descriptor)  # of another version
            path.unlink(missing_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        draft.write_bytes(_MAGIC + secrets.token_bytes(16))
        try:
            draft.chmod(0o600)
            os.truncate(draft, _SIZE)
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    raise OSError("it is replaced again and again")
