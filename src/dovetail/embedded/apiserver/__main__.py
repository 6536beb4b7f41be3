"""``python -m dovetail.embedded.apiserver --data-dir D --port P``: the server alone, for developers and tests."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

import uvloop

from . import ApiServerSettings, StartError, serve


async def _run(settings: ApiServerSettings) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    await serve(settings, lambda: print("ready", flush=True))  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m dovetail.embedded.apiserver", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=16443)
    parser.add_argument("--upkeep-seconds", type=float, default=30.0)
    parser.add_argument("--keep-seconds", type=float, default=300.0, help="how long old versions are kept")
    given = parser.parse_args()
    settings = ApiServerSettings(
        given.data_dir, given.host, given.port, upkeep_seconds=given.upkeep_seconds, keep_seconds=given.keep_seconds
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        with suppress(asyncio.CancelledError, KeyboardInterrupt):
            uvloop.run(_run(settings))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
