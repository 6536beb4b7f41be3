"""The worker process: Helm on the other end of a pipe.

`python -m dovetail.helm.worker` reads frames (`dovetail.helm.wire`) from stdin and answers on stdout. One reader, a
few threads (the SDK blocks outside the interpreter lock), one operation at a time for each release: Helm's history
does not survive two writers. End of input means that whoever asked is gone: the process exits at once, half-done work
included, because the next controller resumes from what Helm stored and must not find a second writer. No state
survives an operation.

The Go runtime lives here and only here, so its memory, its threads and its crashes are not the controllers'.
"""

import contextlib
import logging
import os
import shutil
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import msgspec

from dovetail.helm import errors, log_lines, wire

_THREADS = 4
_loaded = threading.Event()
"""The Go library is there, and its log is read."""


class _LogFrames(logging.Handler):
    """Helm's log lines as frames, of its debug lines only the progress. Lines arrive on Go's threads."""

    def __init__(self, worker: "Worker") -> None:
        super().__init__(logging.DEBUG)
        self._worker = worker

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.INFO:
            self._worker.send(wire.Log(record.levelno, record.getMessage()))
        elif line := log_lines.told(record.getMessage()):
            self._worker.tell_progress(line)
        elif why := log_lines.reason(record.getMessage()):
            self._worker.remember(why)


class Worker:
    """Runs the calls that arrive on `incoming` and answers on `outgoing` until the input ends."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._writing = threading.Lock()
        self._tokens: dict[int, Callable[[], None] | None] = {}
        self._running: dict[int, wire.Operation] = {}
        self._reasons: dict[int, str] = {}
        self._state = threading.Lock()
        self._releases: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

    def run(self) -> None:
        """Serve until the end of input. Raises HelmProtocolError on anything that is not a frame."""
        threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="helm")
        while (body := self._read()) is not None:
            try:
                message = wire.parse_to_worker(body)
            except msgspec.DecodeError as error:
                raise errors.HelmProtocolError(str(error)) from error
            match message:
                case wire.Call(id):
                    self._tokens[id] = None
                    threads.submit(self._perform, message)
                case wire.Cancel(id):
                    self._cancel(id)

    def _read(self) -> bytes | None:
        head = self._incoming.read(wire.LENGTH.size)
        if len(head) < wire.LENGTH.size:
            return None
        (size,) = wire.LENGTH.unpack(head)
        if size > wire.MAX_FRAME:
            raise errors.HelmProtocolError(f"a frame of {size} bytes")
        body = self._incoming.read(size)
        return body if len(body) == size else None

    def send(self, message: wire.FromWorker) -> None:
        """Write one frame; callable from any thread."""
        self._write(wire.frame(message))

    def _write(self, frame: bytes) -> None:
        with self._writing, contextlib.suppress(BrokenPipeError):
            self._outgoing.write(frame)
            self._outgoing.flush()

    def tell_progress(self, line: log_lines.Told) -> None:
        """Send a line of Helm's log to the call that it belongs to, if that can be told."""
        with self._state:
            id = log_lines.whose(line, self._running.items())
        if id is not None:
            self.send(log_lines.progress(id, line))

    def remember(self, why: str) -> None:
        """Keep why an uninstall fails for its answer, if there is only one that it can be about."""
        with self._state:
            uninstalls = [id for id, operation in self._running.items() if isinstance(operation, wire.Uninstall)]
            if len(uninstalls) == 1:
                self._reasons[uninstalls[0]] = why

    def _perform(self, call: wire.Call) -> None:
        name = wire.operation_name(call.operation)
        with self._turn(call.operation):
            try:
                outcome = wire.frame(self._outcome(call))
            except Exception as error:  # whatever it is, somebody waits for an answer
                logging.getLogger(__name__).exception("%s", name)
                outcome = wire.frame(wire.Refusal(call.id, errors.INTERNAL, f"{type(error).__name__}: {error}"))
        with self._state:
            self._tokens.pop(call.id, None)
            self._running.pop(call.id, None)
            self._reasons.pop(call.id, None)
        self._write(outcome)

    def _turn(self, operation: wire.Operation) -> contextlib.AbstractContextManager[Any]:
        if not isinstance(operation, wire.Deploy | wire.Rollback | wire.RunTests | wire.Uninstall):
            return contextlib.nullcontext()
        with self._state:
            return self._releases[operation.connection.namespace, operation.release]

    def _outcome(self, call: wire.Call) -> wire.Answer | wire.Refusal:
        # The Go library: after the pipe is up, so that the first call is already waiting.
        from dovetail.helm import actions, sdk

        _loaded.wait()  # what is configured before its log is read would not be heard

        with sdk.CancelToken() as token:
            with self._state:
                if call.id not in self._tokens:
                    return wire.Refusal(call.id, errors.CANCELLED, "cancelled before it began")
                self._tokens[call.id] = token.cancel
                self._running[call.id] = call.operation
            try:
                result = actions.perform(call.operation, token, lambda step: self.send(wire.Progress(call.id, step)))
                return wire.Answer(call.id, result)
            except sdk.SdkError as error:
                with self._state:
                    why = self._reasons.pop(call.id, "")
                return wire.Refusal(call.id, sdk.reason_of(error), f"{error}: {why}" if why else str(error))
            except errors.StaleRendering as error:
                return wire.Refusal(call.id, errors.STALE, str(error))
            except errors.HelmError as error:
                return wire.Refusal(call.id, errors.INVALID, str(error))

    def _cancel(self, id: int) -> None:
        with self._state:
            cancel = self._tokens.pop(id, None)
        if cancel is not None:
            with contextlib.suppress(Exception):  # it may have finished, and its token gone, this very moment
                cancel()


def main() -> None:
    """Serve on the inherited pipe. Whatever else prints to stdout, Go included, is sent to stderr.

    The only argument is a scratch directory (Helm's caches), removed at the end.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    incoming = os.fdopen(os.dup(0), "rb", buffering=1 << 16)
    worker = Worker(incoming, outgoing)
    helm_log = logging.getLogger("helm")
    helm_log.propagate = False
    helm_log.setLevel(logging.DEBUG)
    helm_log.addHandler(_LogFrames(worker))
    threading.Thread(target=_preload, args=(helm_log,), name="preload", daemon=True).start()
    code = 0
    try:
        worker.run()
    except errors.HelmProtocolError as error:
        logging.getLogger(__name__).error("%s", error)
        code = 2
    if len(sys.argv) > 1:
        shutil.rmtree(sys.argv[1], ignore_errors=True)
    os._exit(code)  # see the module's text: nothing is finished for a caller that is gone


def _preload(helm_log: logging.Logger) -> None:
    """Load the Go library while the first call is still on its way."""
    try:
        from dovetail.helm import sdk

        sdk.forward_logs(helm_log)
    finally:
        _loaded.set()


if __name__ == "__main__":
    main()
