"""Follows control: reads snapshots, and what changes in them, from its Unix socket and says which one is in force.

When control is gone the last snapshot stays in force, and the socket is tried again until somebody answers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from dovetail.gateway.delta import Delta, DeltaMismatch, applied, decode_frame
from dovetail.gateway.snapshot import ACK, LENGTH, MAX_FRAME, Snapshot

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.1

_log = logging.getLogger(__name__)


class BadFrame(Exception):
    """Control sent something that is not a snapshot."""


async def follow(socket: Path, adopt: Callable[[Snapshot], int]) -> None:
    """Call `adopt` with each snapshot, until cancelled. It returns the generation in force from then on."""
    pause = _FIRST_PAUSE
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            continue
        try:
            held: Snapshot | None = None
            while True:
                held, generation = _take(await _next(reader), held, adopt)
                pause = _FIRST_PAUSE
                writer.write(ACK.pack(generation))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError) as error:
            _log.warning("control is gone, its last snapshot stays", extra={"fields": {"reason": type(error).__name__}})
        except (BadFrame, msgspec.DecodeError, msgspec.ValidationError) as error:
            _log.error("control sent no snapshot", extra={"fields": {"reason": error}})
            pause = _LONGEST_PAUSE
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _take(
    frame: Snapshot | Delta, held: Snapshot | None, adopt: Callable[[Snapshot], int]
) -> tuple[Snapshot | None, int]:
    """What is held and what is in force after a frame; None and 0 ask for the whole."""
    if isinstance(frame, Delta):
        try:
            if held is None:
                raise DeltaMismatch("there is nothing to change yet")
            frame = applied(held, frame)
        except DeltaMismatch as error:
            _log.warning("a delta does not fit", extra={"fields": {"reason": error}})
            return None, 0
    generation = adopt(frame)
    return (frame if generation == frame.generation else None), generation


async def _next(reader: asyncio.StreamReader) -> Snapshot | Delta:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if length > MAX_FRAME:
        raise BadFrame(f"a frame of {length} bytes is larger than {MAX_FRAME}")
    return decode_frame(await reader.readexactly(length))
