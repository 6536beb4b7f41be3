"""Follows control: reads snapshots from its Unix socket and says which one is in force.

When control is gone the last snapshot stays in force, and the socket is tried again until somebody answers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from dovetail.gateway.snapshot import ACK, LENGTH, MAX_FRAME, Snapshot, decode

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
            while True:
                generation = adopt(await _next(reader))
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


async def _next(reader: asyncio.StreamReader) -> Snapshot:
    (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if length > MAX_FRAME:
        raise BadFrame(f"a frame of {length} bytes is larger than {MAX_FRAME}")
    return decode(await reader.readexactly(length))
