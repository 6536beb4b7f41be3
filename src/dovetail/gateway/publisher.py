"""Hands snapshots to the workers over a Unix socket.

Each worker that connects is sent the latest snapshot at once and, after it, what changed (`dovetail.gateway.delta`). A
worker that is busy skips to the newest: frames are not queued, the delta starts from what this worker holds. Workers
answer with the generation they serve, so that readiness and propagation can be told. One that could not follow says so
and is sent the whole; one that stops answering is cut off and will come back.
"""

import asyncio
import logging
from pathlib import Path

from dovetail.gateway.delta import delta_between, encode_delta
from dovetail.gateway.private_socket import serve_until_cancelled
from dovetail.gateway.snapshot import ACK, Snapshot, encode

_ACK_TIMEOUT = 10.0

_log = logging.getLogger(__name__)


class Publisher:
    """Serves the latest snapshot to any number of workers. `publish` never waits for them."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._latest: Snapshot | None = None
        self._frames: dict[int | None, bytes] = {}
        self._newer = asyncio.Condition()
        self._served: dict[int, int] = {}
        self._connections = 0
        self.sent_whole = self.sent_deltas = 0

    @property
    def generation(self) -> int:
        """The latest generation; 0 before the first."""
        return self._latest.generation if self._latest else 0

    @property
    def serving(self) -> tuple[int, ...]:
        """The generation that each connected worker serves."""
        return tuple(self._served.values())

    @property
    def in_step(self) -> bool:
        """Whether there are workers, and all of them serve the latest snapshot."""
        return bool(self._served) and set(self._served.values()) == {self.generation}

    async def publish(self, snapshot: Snapshot) -> None:
        """Make this the snapshot in force, and wake the workers' senders."""
        async with self._newer:
            self._latest, self._frames = snapshot, {}
            self._newer.notify_all()

    async def run(self) -> None:
        """Listen until cancelled."""
        await serve_until_cancelled(self._socket, self._serve_worker)

    async def _serve_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        worker = self._connections
        try:
            await self._feed(worker, reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            _log.info("worker left", extra={"fields": {"worker": worker, "reason": type(error).__name__}})
        finally:
            self._served.pop(worker, None)

    async def _feed(self, worker: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: Snapshot | None = None
        sent = 0
        while True:
            latest = await self._newer_than(sent, reader)
            serves = await self._send(latest, held, reader, writer)
            if held is not None and not serves:
                _log.warning("a worker could not follow", extra={"fields": {"worker": worker}})
                serves = await self._send(latest, None, reader, writer)
            self._served[worker] = serves
            sent = latest.generation
            held = latest if serves == sent else None

    async def _send(
        self, latest: Snapshot, held: Snapshot | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        """Bring a worker that holds one snapshot to another. Returns the generation that it serves; 0: it is lost."""
        writer.write(self._frame(latest, held))
        async with asyncio.timeout(_ACK_TIMEOUT):
            await writer.drain()
            (serves,) = ACK.unpack(await reader.readexactly(ACK.size))
        return int(serves)

    def _frame(self, latest: Snapshot, held: Snapshot | None) -> bytes:
        """Made once for all workers that hold the same."""
        self.sent_whole += held is None
        self.sent_deltas += held is not None
        frames = self._frames if latest is self._latest else {}
        base = held.generation if held else None
        if base not in frames:
            frames[base] = encode_delta(delta_between(held, latest)) if held else encode(latest)
        return frames[base]

    async def _newer_than(self, sent: int, reader: asyncio.StreamReader) -> Snapshot:
        """The latest snapshot once it is newer than what was sent; notices a worker that leaves meanwhile."""
        leaving = asyncio.ensure_future(reader.read(1))
        waiting = asyncio.ensure_future(self._wait_newer(sent))
        try:
            await asyncio.wait({leaving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                raise ConnectionResetError
            return waiting.result()
        finally:
            for task in (leaving, waiting):
                task.cancel()
            # Not awaited one by one: to suppress their cancellation would be to suppress our own, too.
            await asyncio.wait({leaving, waiting})
            if not leaving.cancelled():
                leaving.exception()  # looked at, or asyncio tells of it

    async def _wait_newer(self, sent: int) -> Snapshot:
        async with self._newer:
            await self._newer.wait_for(lambda: self._latest is not None and self.generation != sent)
            assert self._latest is not None
            return self._latest
