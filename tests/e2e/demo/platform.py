"""A platform of the demo's own: started as a user would, watched from outside, ended without remains."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.demo.web import Web

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run(*command: str | Path, stdin: str | None = None, env: dict[str, str] | None = None, timeout: float = 30) -> str:
    """Run a command that must succeed; its standard output."""
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin, capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})}, cwd=ROOT,
    )  # fmt: skip
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} failed ({done.returncode}): {done.stderr or done.stdout}")
    return done.stdout


@dataclass
class Platform:
    """`dovetail up` on temporary data. `facts` is what it announced."""

    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dovetail-demo-")))
    port: int = field(default_factory=free_port)
    kube_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[str] | None" = None
    facts: dict[str, object] = field(default_factory=dict)
    start_seconds: float = 0.0
    started_pids: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        return Path(str(self.facts["kubeconfig"]))

    def start(self, web: Web) -> None:
        """Start it; `start_seconds` is the time from the command to the first answered login page."""
        begun = time.monotonic()
        log = (self.directory / "up.log").open("wb")
        with log:
            self.process = subprocess.Popen(
                [str(BIN / "dovetail"), "up", "--data-dir", str(self.directory / "data"), "--port", str(self.port),
                 "--kube-port", str(self.kube_port), "--output", "json"],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
            )  # fmt: skip
        while not (web.ready(self.url + "/readyz") and web.ready(self.url + "/login")):
            if self.process.poll() is not None or time.monotonic() - begun > 40:
                raise AssertionError("dovetail up did not come up:\n" + self.tail())
            time.sleep(0.01)
        self.start_seconds = time.monotonic() - begun
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("dovetail up said nothing:\n" + self.tail())
        self.facts = json.loads(line)
        self.started_pids = set(self.pids().values())

    def tail(self) -> str:
        """The end of what it and its processes logged."""
        logs = [self.directory / "up.log", *sorted((self.directory / "data" / "logs").glob("*.log"))]
        return "\n".join(f"--- {p.name}\n" + p.read_text(errors="replace")[-1500:] for p in logs if p.exists())

    def pids(self) -> dict[str, int]:
        """Every process of the platform, by name; children of children have their parent's name and a number."""
        assert self.process is not None
        state = json.loads((Path(str(self.facts["run_dir"])) / "platform.json").read_text())
        found: dict[str, int] = {"supervisor": self.process.pid, **state["pids"]}
        for name, pid in list(found.items()):
            if name != "supervisor":
                for number, child in enumerate(_children(pid)):
                    found[f"{name}/{number}"] = child
        return found

    def memory_mib(self) -> dict[str, float]:
        """Resident memory of each process, in MiB."""
        return {name: round(_resident_kib(pid) / 1024, 1) for name, pid in self.pids().items()}

    def stop(self) -> float:
        """Ctrl-C. Returns how long it took; fails when a process is left."""
        assert self.process is not None
        remembered = self.started_pids | set(self.pids().values())
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        seconds = time.monotonic() - begun
        if code != 0:
            raise AssertionError(f"dovetail up ended with {code}:\n{self.tail()}")
        left = [pid for pid in remembered if _alive(pid)]
        if left:
            raise AssertionError(f"left running after Ctrl-C: {left}")
        return seconds

    def remove(self) -> None:
        """End what is left, whatever happened, and remove the data."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
