"""Saying what is going on when something takes longer than a second: one line on the terminal that goes away again.

Nothing is shown where nobody looks: in a pipe, or with `--output json` written to one.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Generator
from typing import Final

PATIENCE: Final = 1.0
_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Waiting:
    """What is going on; say it anew as it goes on."""

    def __init__(self, what: str) -> None:
        self.what = what


@contextlib.contextmanager
def waiting(what: str) -> Generator[Waiting]:
    """Show what is going on for as long as the block runs."""
    told = Waiting(what)
    if not sys.stderr.isatty():
        yield told
        return
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(told, over), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()


def _draw(told: Waiting, over: threading.Event) -> None:
    begun = time.monotonic()
    if over.wait(PATIENCE):
        return
    frame = 0
    while not over.wait(0.1):
        frame += 1
        seconds = time.monotonic() - begun
        sys.stderr.write(f"\r\x1b[2K{_FRAMES[frame % len(_FRAMES)]} {told.what[:90]} ({seconds:.0f} s)")
        sys.stderr.flush()
    sys.stderr.write("\r\x1b[2K")
    sys.stderr.flush()
