"""The supervisor: starts the platform's processes, restarts the ones that fail, and stops them all.

Each process is a `ProcessSpec`. A process counts as ready when it writes a line to its ready pipe. One that ends
while the platform runs is started again after a pause that doubles up to a limit and is forgotten once the process
has stayed up for a while. What drains stops first, the rest at once. Deciding how long to pause is a pure
function; the rest is a thin shell around `asyncio.subprocess`.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.cli.errors import ProcessFailed
from dovetail.cli.process import STOP_GRACE_SECONDS

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_STEADY_AFTER = 30.0
_LOG_LIMIT = 10 << 20
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": str(8 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 17)}
"""Give large blocks back to the system: a password hash takes 19 MiB, which glibc would otherwise keep for ever."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProcessSpec:
    """A process to run: `dovetail ARGUMENTS...`. Secrets never go into arguments."""

    name: str
    arguments: tuple[str, ...]
    ready_timeout: float = 30.0
    drains: bool = False
    """It finishes what others serve for it, so it is told to stop before them."""


@dataclass
class _Running:
    spec: ProcessSpec
    process: asyncio.subprocess.Process | None = None
    ready: bool = False
    failures: int = 0
    watcher: asyncio.Task[None] | None = field(default=None, repr=False)


def pause_before_restart(failures: int, lived_seconds: float) -> tuple[float, int]:
    """How long to wait before starting again, and the number of failures to remember.

    A process that lived long enough starts with a clean record.
    """
    remembered = 0 if lived_seconds >= _STEADY_AFTER else failures
    return min(_FIRST_PAUSE * 2**remembered, _LONGEST_PAUSE), remembered + 1


class Supervisor:
    """Runs processes whose lives end with this object's. Use `start` in order, then `stop`."""

    command = (sys.executable, "-m", "dovetail.cli.dovetail")
    """What a spec's arguments are given to."""

    def __init__(self, logs: Path, *, on_change: Callable[[str, str], None] = lambda name, state: None) -> None:
        self._logs = logs
        self._on_change = on_change
        self._running: dict[str, _Running] = {}
        self._lifeline_read, self._lifeline_write = os.pipe()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of what runs now, by name."""
        return {name: r.process.pid for name, r in self._running.items() if r.process and r.process.returncode is None}

    async def start(self, specs: Iterable[ProcessSpec]) -> None:
        """Start processes side by side and wait until all are ready. Raises ProcessFailed for the first that is not."""
        fresh = [_Running(spec) for spec in specs]
        async with asyncio.TaskGroup() as group:
            for running in fresh:
                self._running[running.spec.name] = running
                group.create_task(self._start_first(running), name=f"start {running.spec.name}")

    async def stop(self) -> None:
        """End everything, what drains first; what does not end in time is killed."""
        for running in reversed(self._running.values()):
            if running.watcher:
                running.watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running.watcher
        for drains in (True, False):
            await asyncio.gather(*(self._end(r) for r in reversed(self._running.values()) if r.spec.drains is drains))
        for fd in (self._lifeline_read, self._lifeline_write):
            os.close(fd)

    async def _start_first(self, running: _Running) -> None:
        self._on_change(running.spec.name, "starting")
        try:
            await self._launch(running)
        except TimeoutError as error:
            raise self._failure(running, f"not ready within {running.spec.ready_timeout:.0f} s") from error
        if not running.ready:
            assert running.process is not None
            code = await running.process.wait()
            raise self._failure(running, f"exit code {code}")
        running.watcher = asyncio.create_task(self._keep(running), name=f"keep {running.spec.name}")

    def _failure(self, running: _Running, reason: str) -> ProcessFailed:
        path = self._log_path(running.spec)
        lines = path.read_text(errors="replace").splitlines()[-8:] if path.exists() else []
        return ProcessFailed(running.spec.name, reason, path, "\n".join(f"  {line}" for line in lines))

    def _log_path(self, spec: ProcessSpec) -> Path:
        return self._logs / f"{spec.name}.log"

    async def _launch(self, running: _Running) -> None:
        """Start the process and wait for its ready line; returns early when the process ends instead."""
        spec = running.spec
        ready_read, ready_write = os.pipe()
        try:
            with self._open_log(spec) as log:
                running.process = await asyncio.create_subprocess_exec(
                    *self.command, *spec.arguments,
                    "--ready-fd", str(ready_write), "--lifeline-fd", str(self._lifeline_read),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=(ready_write, self._lifeline_read), start_new_session=True, env={**MALLOC, **os.environ},
                )  # fmt: skip
        finally:
            os.close(ready_write)
        async with asyncio.timeout(spec.ready_timeout):
            running.ready = bool(await _read_line(ready_read))
        if running.ready:
            self._on_change(spec.name, "ready")

    def _open_log(self, spec: ProcessSpec) -> "contextlib.AbstractContextManager[int]":
        path = self._log_path(spec)
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return _opened(path)

    async def _keep(self, running: _Running) -> None:
        """Wait for the end of the process and start it again, for as long as the platform runs."""
        loop = asyncio.get_running_loop()
        while True:
            born = loop.time()
            assert running.process is not None
            code = await running.process.wait()
            pause, running.failures = pause_before_restart(running.failures, loop.time() - born)
            _log.warning(
                "process ended, starting it again",
                extra={"fields": {"process": running.spec.name, "code": code, "pause_s": pause}},
            )
            self._on_change(running.spec.name, "restarting")
            await asyncio.sleep(pause)
            try:
                await self._launch(running)
            except OSError:  # never ready (TimeoutError), or the machine would not even start it
                _log.exception("process did not start again", extra={"fields": {"process": running.spec.name}})
                await self._end(running)

    async def _end(self, running: _Running) -> None:
        process = running.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_GRACE_SECONDS + 2):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _read_line(fd: int) -> bytes:
    """The first bytes of a pipe, or nothing at its end. Closes the pipe."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        if not arrived.done():
            arrived.set_result(os.read(fd, 64))

    loop.add_reader(fd, read)
    try:
        return await arrived
    finally:
        loop.remove_reader(fd)
        os.close(fd)


@contextlib.contextmanager
def _opened(path: Path) -> Generator[int]:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
