"""Processes of the benchmark: started as the supervisor starts workers, and measured."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import processes
from processes import LOAD_CORE, SERVER_CORE, free_port, pinned

from dovetail.cli.supervisor import MALLOC

__all__ = ["LOAD_CORE", "PROXY_CORE", "Actor", "allow_descriptors", "free_port", "running"]

PROXY_CORE = SERVER_CORE


@dataclass(frozen=True)
class Actor:
    """Something that listens; `pids` are the processes whose CPU time and memory count for it."""

    port: int
    pids: tuple[int, ...] = ()

    @property
    def rss_mib(self) -> float:
        """Resident memory."""
        return sum(_rss(pid) for pid in self.pids) / 1024

    @property
    def cpu_seconds(self) -> float:
        """CPU time used so far, children included."""
        return sum(_ticks(one) for pid in self.pids for one in (pid, *_children(pid))) / os.sysconf("SC_CLK_TCK")

    @property
    def descriptors(self) -> int:
        """Open file descriptors."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.pids)


def allow_descriptors() -> None:
    """As many as this user may have; what is started from here inherits it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def running(core: int | None, command: list[str], port: int) -> "Generator[subprocess.Popen[bytes]]":
    """A process that listens on `port` while the block runs; `core` None leaves it unpinned."""
    env = {**MALLOC, **os.environ}  # as the supervisor starts workers; the peers bring their own or do not care
    with processes.running(pinned(core, *command) if core is not None else command, port, env) as process:
        yield process


def _rss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
