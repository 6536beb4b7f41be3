"""How a process of the platform lives under its supervisor: readiness, lifeline, signals, logs.

Two inherited pipes tie a child to its parent. The child writes one line to `ready_fd` when it serves. It holds the
read end of `lifeline_fd`, whose write end only the parent has: when the parent ends in any way, even by SIGKILL, the
read end reports end-of-file and the child stops. A thread watches it, because an event loop that is stuck cannot.
Both are optional, so the same commands run by hand or in a pod.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

STOP_GRACE_SECONDS = 8.0
"""How long a stopping process may take to finish what is in flight before it is ended."""

_log = logging.getLogger(__name__)

Serve = Callable[[Callable[[], None]], Awaitable[None]]


@dataclass(frozen=True)
class Ties:
    """The inherited pipe ends; None where the process was started by hand."""

    ready_fd: int | None = None
    lifeline_fd: int | None = None


class _LineFormatter(logging.Formatter):
    """`time level logger message key=value ...`: one line a record, fields given by `extra={"fields": {...}}`."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"
    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).replace("\n", "\n  ")
        fields: dict[str, object] = getattr(record, "fields", {})
        return line + "".join(f" {key}={value}" for key, value in fields.items())


def configure_logging(verbose: bool = False) -> None:
    """Log to stderr, one line a record."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for chatty in ("uvicorn.access", "uvicorn.error", "asyncio", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _watch_lifeline(fd: int) -> None:
    while os.read(fd, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_GRACE_SECONDS)
    os._exit(1)


def _announce(fd: int | None) -> Callable[[], None]:
    born = time.monotonic()

    def on_ready() -> None:
        nonlocal fd
        _log.info("ready", extra={"fields": {"pid": os.getpid(), "after_s": round(time.monotonic() - born, 2)}})
        if fd is not None:
            os.write(fd, b"ready\n")
            os.close(fd)
            fd = None

    return on_ready


async def _until_stopped(serve: Serve, on_ready: Callable[[], None]) -> None:
    task = asyncio.ensure_future(serve(on_ready))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        _log.info("stopped")


def run(serve: Serve, ties: Ties = Ties(), *, verbose: bool = False) -> None:
    """Run `serve` on uvloop until it ends or the process is told to stop (SIGTERM, SIGINT, a cut lifeline)."""
    import uvloop

    configure_logging(verbose)
    if ties.lifeline_fd is not None:
        threading.Thread(target=_watch_lifeline, args=(ties.lifeline_fd,), name="lifeline", daemon=True).start()
    uvloop.run(_until_stopped(serve, _announce(ties.ready_fd)))
