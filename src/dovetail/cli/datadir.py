"""The data directory: where everything of one platform lies, and the lock that keeps a second one out.

The layout is fixed here and nowhere else; processes are handed the paths they need. Directories are private (0700).
"""

import errno
import fcntl
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from dovetail.cli.errors import DataDirectoryLocked, DataDirectoryUnusable

_LONGEST_SOCKET_PATH = 100
"""Linux allows 108 bytes for the path of a Unix socket, macOS 104."""


@dataclass(frozen=True)
class DataDirectory:
    """Paths below one root."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's own kubeconfig for the embedded cluster."""
        return self.root / "kubeconfig"

    def kubeconfig_of(self, part: str) -> Path:
        """The kubeconfig of one of the platform's parts: gateway, controllers, console."""
        return self.root / "kubeconfigs" / f"{part}.yaml"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Sockets; in a short temporary place when the root's path is too long for a socket."""
        inside = self.root / "run"
        if len(os.fsencode(inside / "snapshot.sock")) <= _LONGEST_SOCKET_PATH:
            return inside
        return Path(f"/tmp/dovetail-{os.getuid()}-{zlib.crc32(os.fsencode(self.root)):08x}")

    def socket(self, name: str) -> Path:
        """The Unix socket of a part: control, console, snapshot."""
        return self.run / f"{name}.sock"

    def prepare(self) -> None:
        """Make the directories. Raises DataDirectoryUnusable."""
        try:
            for path in (self.root, self.root / "kubeconfigs", self.logs, self.run):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.chmod(0o700)
        except OSError as error:
            raise DataDirectoryUnusable(self.root, error.strerror or str(error)) from error

    def lock(self) -> "Lock":
        """Take the directory for this process. Raises DataDirectoryLocked when another one has it."""
        return Lock(self.root / "lock")


class Lock:
    """An advisory lock on a file, held until `release` or the end of the process; the file names the holder."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip()
            os.close(self._fd)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise DataDirectoryUnusable(path.parent, error.strerror or str(error)) from error
            raise DataDirectoryLocked(path.parent, holder) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next one in."""
        os.close(self._fd)


def default_root() -> Path:
    """`$XDG_DATA_HOME/dovetail`, by default `~/.local/share/dovetail`."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "dovetail"
