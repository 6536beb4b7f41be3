"""Processes of the benchmark: started pinned to a core, waited for, measured, ended."""

import contextlib
import os
import resource
import socket
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from dovetail.cli.supervisor import MALLOC

PROXY_CORE = 0
LOAD_CORE = 1
_START_SECONDS = 20.0


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


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(core: int | None, command: list[str], port: int) -> "Generator[subprocess.Popen[bytes]]":
    """A process that listens on `port` while the block runs; `core` None leaves it unpinned."""
    pinned = ["taskset", "-c", str(core), *command] if core is not None else command
    env = {**MALLOC, **os.environ}  # as the supervisor starts workers; the peers bring their own or do not care
    process = subprocess.Popen(pinned, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    try:
        _wait(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")


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
