"""A Unix socket that only this user can reach: how control and the workers of one gateway talk to each other.

What comes over it is believed, so it has its mode before anybody can connect. One left behind by a killed process is
replaced. A connection is closed when what serves it is over, and all of them end with the block.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Final

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection. That the other side has left (OSError, IncompleteReadError) need not be caught."""

_LONGEST_LINE: Final = 64 << 10


@contextlib.asynccontextmanager
async def listening(path: Path, serve: Serve, *, limit: int = _LONGEST_LINE) -> AsyncGenerator[None]:
    """Serve connections to `path` while the block runs. `limit` is how much is read ahead."""
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections[task] = writer
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # by the end of the block; asyncio's streams would report a cancelled task as an error
        finally:
            del connections[task]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(connected, sock=_bound(path), limit=limit)
    try:
        # Not serve_forever: from Python 3.12 on its end waits for connections that would not end.
        yield
    finally:
        server.close()
        left = dict(connections)
        for task, writer in left.items():
            writer.transport.abort()
            task.cancel()
        if left:
            await asyncio.wait(left)


async def serve_until_cancelled(path: Path, serve: Serve) -> None:
    """The same for somebody who does nothing else."""
    async with listening(path, serve):
        await asyncio.Event().wait()


def _bound(path: Path) -> socket.socket:
    """Nobody can connect before it listens, and by then it is private."""
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        path.chmod(0o600)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound
