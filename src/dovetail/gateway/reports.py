"""The way back: what workers tell control, in batches, without a request ever waiting for it.

A worker puts items of a kind (`Reports.put`); they lie in a bounded store until a batch of them has been sent over a
Unix socket beside the snapshot socket and control has said that it has it. While control is away the store fills;
what does not fit any more is dropped and counted by kind. A batch whose acknowledgement got lost is sent again: an
item arrives at least once, and in the order in which it was put.

On the wire a batch is one frame as snapshots are: four bytes of length, big-endian, then msgpack: a map of kind to a
list of items. Control answers each with one byte.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from dovetail.gateway.private_socket import serve_until_cancelled
from dovetail.gateway.snapshot import LENGTH

Handler = Callable[[list[Any]], None]
"""Takes the items of one kind of one batch, as msgpack has them: maps, lists and scalars. Must not block."""

NAME: Final = "reports.sock"
MAX_BATCH: Final = 64 << 20
_ACK = b"\x06"
_INTERVAL = 0.25
_MOST_ITEMS = 20_000
"""Of one kind, in a worker."""
_BATCH_ITEMS = 500
"""Encoding more at once would be felt by the requests behind it."""
_ACK_TIMEOUT = 10.0

_log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


def beside(snapshot_socket: Path) -> Path:
    """Where reports go when snapshots come from there."""
    return snapshot_socket.with_name(NAME)


class Reports:
    """The worker's side."""

    def __init__(self, most: int = _MOST_ITEMS) -> None:
        self._most = most
        self._pending: dict[str, list[Any]] = {}
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.dropped: Counter[str] = Counter()
        """How many items of each kind have been lost."""

    def put(self, kind: str, item: Any) -> None:
        """Tell control, soon. Never waits and never fails; `item` is anything that msgspec encodes."""
        items = self._pending.get(kind)
        if items is None:
            items = self._pending[kind] = []
            self._empty.clear()
        elif len(items) >= self._most:
            self.dropped[kind] += 1
            return
        items.append(item)
        if len(items) == _BATCH_ITEMS:
            self._wake.set()

    def waiting(self, kind: str) -> int:
        """How many items of a kind control has not taken yet."""
        return len(self._pending.get(kind, ()))

    async def run(self, socket: Path) -> None:
        """Send what is put to `socket`, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_INTERVAL):
                    await self._wake.wait()
            self._wake.clear()
            if self._pending:
                try:
                    await self._deliver(socket)
                except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                    _log.info("control takes no reports", extra={"fields": {"reason": type(error).__name__}})
                    await asyncio.sleep(_INTERVAL)

    async def flush(self, seconds: float) -> None:
        """Wait until control has everything, but no longer than this."""
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()

    async def _deliver(self, socket: Path) -> None:
        """One connection: it lasts as long as control does."""
        reader, writer = await asyncio.open_unix_connection(socket)
        try:
            while True:
                while self._pending:
                    await self._send(reader, writer)
                self._empty.set()
                await self._rest(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _rest(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_INTERVAL):
                await self._wake.wait()
        self._wake.clear()
        if reader.at_eof():
            raise ConnectionResetError

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        batch = {kind: list(islice(items, _BATCH_ITEMS)) for kind, items in self._pending.items()}
        body = self._encoded(batch)
        if len(body) <= MAX_BATCH:
            writer.write(LENGTH.pack(len(body)) + body)
            async with asyncio.timeout(_ACK_TIMEOUT):
                await writer.drain()
                await reader.readexactly(len(_ACK))
        else:
            self.dropped.update({kind: len(items) for kind, items in batch.items()})
        for kind, items in batch.items():
            del self._pending[kind][: len(items)]
            if not self._pending[kind]:
                del self._pending[kind]

    def _encoded(self, batch: Mapping[str, list[Any]]) -> bytes:
        try:
            return _encode(batch)
        except (TypeError, ValueError, OverflowError):
            return _encode({kind: [item for item in items if self._sound(kind, item)] for kind, items in batch.items()})

    def _sound(self, kind: str, item: Any) -> bool:
        try:
            _encode(item)
        except (TypeError, ValueError, OverflowError):
            _log.exception("a report cannot be encoded", extra={"fields": {"kind": kind}})
            self.dropped[kind] += 1
            return False
        return True


class ReportServer:
    """Control's side."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._handlers: dict[str, list[Handler]] = {}
        self._decode = msgspec.msgpack.Decoder(dict[str, list[Any]]).decode

    def on(self, kind: str, handler: Handler) -> None:
        """Call this with the items of a kind. What it raises is logged; the batch counts as taken all the same."""
        self._handlers.setdefault(kind, []).append(handler)

    async def run(self) -> None:
        """Listen until cancelled."""
        await serve_until_cancelled(self._socket, self._serve_worker)

    async def _serve_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if length > MAX_BATCH:
                    raise ValueError(f"a batch of {length} bytes is larger than {MAX_BATCH}")
                self._take(self._decode(await reader.readexactly(length)))
                writer.write(_ACK)
                await writer.drain()
        except ValueError as error:  # msgspec's are ValueErrors, too
            _log.error("a worker sent no report", extra={"fields": {"reason": error}})

    def _take(self, batch: dict[str, list[Any]]) -> None:
        for kind, items in batch.items():
            for handler in self._handlers.get(kind, ()):
                try:
                    handler(items)
                except Exception:
                    _log.exception("a report was not taken", extra={"fields": {"kind": kind}})
