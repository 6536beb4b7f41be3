"""A process for the supervisor's tests: it is told by its first argument how to behave."""

import asyncio
import os
import signal
import sys
import time


def option(name: str) -> int:
    return int(sys.argv[sys.argv.index(name) + 1])


def note_end(path: str, name: str) -> None:
    """Take a while to end, and tell when it was."""
    time.sleep(0.3 if name == "worker" else 0)
    with open(path, "a") as log:
        log.write(f"{name}\n")
    sys.exit(0)


def main(kind: str) -> None:
    if kind == "fail":
        print("the reason why", file=sys.stderr)
        sys.exit(3)
    if kind == "tied":
        from dovetail.cli.process import Ties, run

        async def serve(on_ready) -> None:
            on_ready()
            await asyncio.Event().wait()

        run(serve, Ties(option("--ready-fd"), option("--lifeline-fd")))
        return
    if kind == "slow":
        signal.signal(signal.SIGTERM, lambda *_: note_end(sys.argv[2], sys.argv[3]))
    if kind == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if kind != "mute":
        os.write(option("--ready-fd"), b"ready\n")
    time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
