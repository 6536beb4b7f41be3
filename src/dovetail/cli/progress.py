"""The short live display of a start: one line a process. On a terminal it moves; in a pipe it is plain lines."""

import contextlib
import sys
import time
from collections.abc import Generator
from typing import Protocol


class Progress(Protocol):
    """What a start tells its watcher."""

    def update(self, name: str, state: str) -> None:
        """A process changed its state: starting, ready, restarting."""
        ...

    def close(self) -> None:
        """The start is over; later changes are not shown."""
        ...


class _Quiet:
    def update(self, name: str, state: str) -> None:
        pass

    def close(self) -> None:
        pass


class _Plain:
    """A line for each process that became ready, with the time since the start."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._open = True

    def update(self, name: str, state: str) -> None:
        if self._open and state == "ready":
            sys.stderr.write(f"  {name:<20} ready after {time.monotonic() - self._begun:4.1f} s\n")
            sys.stderr.flush()

    def close(self) -> None:
        self._open = False


class _Live:
    """The processes in one line that is drawn again, erased at the end."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._open = True

    def update(self, name: str, state: str) -> None:
        if not self._open:
            return
        self._states[name] = state
        waiting = [n for n, s in self._states.items() if s != "ready"]
        ready = len(self._states) - len(waiting)
        text = f"starting {ready}/{len(self._states)}  {', '.join(waiting)}"
        sys.stderr.write(f"\r\x1b[2K{text[:100]}")
        sys.stderr.flush()

    def close(self) -> None:
        if self._open:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
        self._open = False


@contextlib.contextmanager
def progress(*, quiet: bool = False) -> Generator[Progress]:
    """A display that suits where standard error goes."""
    shown: Progress = _Quiet() if quiet else _Live() if sys.stderr.isatty() else _Plain()
    try:
        yield shown
    finally:
        shown.close()
