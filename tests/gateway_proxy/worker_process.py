"""A worker as a process: `python -m tests.gateway_proxy.worker_process PORT SOCKET LIMITS_AS_JSON`."""

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from dovetail.gateway.proxy import Limits, WorkerSettings, serve


async def _main(port: int, socket: Path, limits: Limits) -> None:
    task = asyncio.ensure_future(
        serve(WorkerSettings(port=port, snapshot_socket=socket, limits=limits), lambda: print("ready", flush=True))
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), Path(sys.argv[2]), msgspec.json.decode(sys.argv[3], type=Limits)))
