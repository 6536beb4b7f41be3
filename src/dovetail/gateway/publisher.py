"""Hands snapshots to the workers over a Unix socket.

Each worker that connects is sent the latest snapshot at once and every newer one after it. A worker that is busy
skips to the newest: frames are not queued. Workers answer with the generation they serve, so that readiness and
propagation can be told; one that stops answering is cut off and will come back.
"""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

from dovetail.gateway.snapshot import ACK, Snapshot, encode

_ACK_TIMEOUT = 10.0

_log = logging.getLogger(__name__)


class Publisher:
    """Serves the latest snapshot to any number of workers. `publish` never waits for them."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._frame: bytes | None = None
        self.generation = 0
        self._newer = asyncio.Condition()
        self._served: dict[int, int] = {}
        self._connections = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def serving(self) -> tuple[int, ...]:
        """The generation that each connected worker serves."""
        return tuple(self._served.values())

    async def publish(self, snapshot: Snapshot) -> None:
        """Make this the snapshot in force. Returns when it is encoded and the workers are woken."""
        self._frame = encode(snapshot)
        self.generation = snapshot.generation
        async with self._newer:
            self._newer.notify_all()

    async def run(self) -> None:
        """Listen until cancelled. The socket is private to this user: whoever can write it commands the gateway."""
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        server = await asyncio.start_unix_server(self._serve_worker, self._socket)
        os.chmod(self._socket, 0o600)
        try:
            # Not serve_forever: from Python 3.12 on its end waits for the workers' connections, which would not come.
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in tuple(self._writers):
                writer.close()

    async def _serve_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        worker = self._connections
        self._writers.add(writer)
        try:
            await self._feed(worker, reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            _log.info("worker left", extra={"fields": {"worker": worker, "reason": type(error).__name__}})
        finally:
            self._served.pop(worker, None)
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _feed(self, worker: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while True:
            frame, generation = await self._newer_than(sent, reader)
            writer.write(frame)
            async with asyncio.timeout(_ACK_TIMEOUT):
                await writer.drain()
                (self._served[worker],) = ACK.unpack(await reader.readexactly(ACK.size))
            sent = generation

    async def _newer_than(self, sent: int, reader: asyncio.StreamReader) -> tuple[bytes, int]:
        """The latest frame once it is newer than what was sent; notices a worker that leaves meanwhile."""
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
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await leaving

    async def _wait_newer(self, sent: int) -> tuple[bytes, int]:
        async with self._newer:
            await self._newer.wait_for(lambda: self._frame is not None and self.generation != sent)
            assert self._frame is not None
            return self._frame, self.generation
