"""Our end of the pipe: the helm worker as something to call.

`HelmWorker` starts the process when it is first needed (or a little earlier, `warm`), keeps it while there is work,
and ends it after `idle_seconds`: an idle platform pays nothing for Helm. A worker that dies takes its calls with it
(`HelmWorkerDied`) and the next call starts another; the caller decides whether trying again is right, because only it
can look at what the dead one left behind.

It does not decide anything about releases, and it never logs a frame: values may hold secrets.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from dovetail.helm import errors, wire

_log = logging.getLogger("dovetail.helm")

IDLE_SECONDS: Final = 60.0
_GRACE: Final = 5.0
_ON_TOP_OF_HELMS_OWN: Final = 30.0
"""Helm's timeout is per hook and bounds most of an operation; ours catches the rest."""


class _Pending:
    def __init__(self, operation: wire.Operation, on_progress: Callable[[wire.Progress], None] | None) -> None:
        self.operation = operation
        self.on_progress = on_progress
        self.outcome: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.process: asyncio.subprocess.Process | None = None
        """Who owes the outcome, once it was asked."""


class HelmWorker:
    """The worker process, on demand. An async context manager; leaving it ends the process.

    Shapes of the results are those of the SDK: a release is {"name", "namespace", "revision", "status", ...}, a
    rendering {"metadata", "values", "manifests": {path: text}, "crds": [[path, text]]}.
    """

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._starting = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pid(self) -> int | None:
        """Of the running worker, None while there is none."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def warm(self) -> None:
        """Start the process if none runs, so that the call that is about to come does not pay for it."""
        await self._ensure_started()
        self._rearm()

    async def call(
        self,
        operation: wire.Operation,
        *,
        timeout: float | None = None,
        interrupt: asyncio.Event | None = None,
        on_progress: Callable[[wire.Progress], None] | None = None,
    ) -> dict[str, Any]:
        """Perform one operation. `timeout` in seconds; by default Helm's own and half a minute.

        Setting `interrupt` cancels the operation: HelmRefused with reason Cancelled, or HelmWorkerDied. Raises
        HelmRefused, HelmWorkerDied, HelmTimeout. After a timeout or an interrupt the worker is replaced, because Helm's
        threads go on behind a cancelled operation and could write to a release that has moved on; other calls in
        flight then get HelmWorkerDied.
        """
        limit = timeout if timeout is not None else getattr(operation, "timeout", 60) + _ON_TOP_OF_HELMS_OWN
        pending = _Pending(operation, on_progress)
        id = next(self._ids)
        self._pending[id] = pending
        self._rearm()
        try:
            await self._send(wire.Call(id, operation), pending)
            if await _either(pending.outcome, interrupt, limit):
                return await pending.outcome
            await self._abandon(id, pending)
            if interrupt is not None and interrupt.is_set():
                return await pending.outcome
            raise errors.HelmTimeout(wire.operation_name(operation), operation.release, limit)
        except asyncio.CancelledError:
            self._tell_cancel(id)
            raise
        finally:
            self._pending.pop(id, None)
            if pending.outcome.done() and not pending.outcome.cancelled():
                pending.outcome.exception()  # it may have come too late for anybody to look at it
            pending.outcome.cancel()
            self._rearm()

    async def close(self) -> None:
        """End the process; calls in flight fail with HelmWorkerDied."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        await self._stop(self._process)
        for task in tuple(self._stopping):
            await task

    async def _ensure_started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            process = self._process
            if process is None or process.returncode is not None or self._reader is None or self._reader.done():
                process = await self._start()
            return process

    async def _start(self) -> asyncio.subprocess.Process:
        scratch = Path(tempfile.mkdtemp(prefix="dovetail-helm-"))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dovetail.helm.worker", str(scratch),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=_environment(scratch),
            )  # fmt: skip
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        self._process = process
        self._reader = asyncio.create_task(self._read(process, scratch), name=f"helm-worker-{process.pid}")
        _log.debug("helm worker %d started", process.pid)
        return process

    async def _send(self, message: wire.ToWorker, pending: _Pending) -> None:
        process = pending.process = await self._ensure_started()
        assert process.stdin is not None
        try:
            async with self._writing:
                process.stdin.write(wire.frame(message))
                await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise errors.HelmWorkerDied(wire.operation_name(pending.operation), process.returncode) from error

    async def _read(self, process: asyncio.subprocess.Process, scratch: Path) -> None:
        assert process.stdout is not None
        try:
            while True:
                (size,) = wire.LENGTH.unpack(await process.stdout.readexactly(wire.LENGTH.size))
                if size > wire.MAX_FRAME:
                    raise errors.HelmProtocolError(f"a frame of {size} bytes")
                self._receive(wire.parse_from_worker(await process.stdout.readexactly(size)))
        except asyncio.IncompleteReadError:
            pass
        except (msgspec.DecodeError, errors.HelmProtocolError) as error:
            _log.error("helm worker %d: %s", process.pid, error)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        finally:
            self._fail_pending(process, await _end_of(process))
            shutil.rmtree(scratch, ignore_errors=True)

    def _receive(self, message: wire.FromWorker) -> None:
        if isinstance(message, wire.Log):
            _log.log(min(message.level, logging.DEBUG), "helm: %s", message.message)
            return
        pending = self._pending.get(message.id)
        if pending is None or pending.outcome.done():
            return
        match message:
            case wire.Progress():
                if pending.on_progress is not None:
                    pending.on_progress(message)
            case wire.Answer(_, result):
                pending.outcome.set_result(result)
            case wire.Refusal(_, reason, detail):
                name = wire.operation_name(pending.operation)
                pending.outcome.set_exception(errors.HelmRefused(name, pending.operation.release, reason, detail))

    def _fail_pending(self, process: asyncio.subprocess.Process, code: int | None) -> None:
        """What this worker still owes. Its successor may be up already and keeps its own calls."""
        for pending in self._pending.values():
            if pending.process is process and not pending.outcome.done():
                pending.outcome.set_exception(errors.HelmWorkerDied(wire.operation_name(pending.operation), code))

    async def _abandon(self, id: int, pending: _Pending) -> None:
        """Ask to cancel, so that Helm notes the failure, then end the worker, so that no unwatched writer is left."""
        self._tell_cancel(id)
        await asyncio.wait([pending.outcome], timeout=_GRACE)
        process, reader = self._process, self._reader
        if process is not None and process.returncode is None:
            process.kill()
        if reader is not None:
            await asyncio.wait([reader], timeout=_GRACE)

    def _tell_cancel(self, id: int) -> None:
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.write(wire.frame(wire.Cancel(id)))

    def _rearm(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._pending and self.pid is not None:
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._stop_idle)

    def _stop_idle(self) -> None:
        process, self._process = self._process, None
        task = asyncio.create_task(self._stop(process), name="helm-worker-stop")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop(self, process: asyncio.subprocess.Process | None) -> None:
        if process is None:
            return
        reader = self._reader
        if process.stdin is not None:
            process.stdin.close()
        await _end_of(process)
        if reader is not None:
            await asyncio.wait([reader], timeout=_GRACE)


async def _either(outcome: asyncio.Future[dict[str, Any]], interrupt: asyncio.Event | None, limit: float) -> bool:
    """Wait for the outcome, the interrupt or the end of the time. Whether it was the outcome."""
    waiting = [asyncio.ensure_future(interrupt.wait())] if interrupt is not None else []
    try:
        await asyncio.wait([outcome, *waiting], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return outcome.done()


async def _end_of(process: asyncio.subprocess.Process) -> int:
    """Its exit code, after a while by force. Never kill first: asyncio would lose the exit code of one that ended."""
    try:
        async with asyncio.timeout(_GRACE):
            return await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


def _environment(scratch: Path) -> dict[str, str]:
    """Ours, without the user's Helm settings (a HELM_DRIVER would hide releases from us), with caches in `scratch`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELM_")}
    homes = {f"HELM_{what}_HOME": str(scratch / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
    # GOGC: garbage is collected sooner; a worker lives for a minute and its memory counts.
    return {**kept, **homes, "KUBECACHEDIR": str(scratch / "kube"), "GOGC": "50"}
