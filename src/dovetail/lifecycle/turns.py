"""One writer at a time for each extension: whoever changes its objects takes a turn."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator


class Turns:
    """Turns by extension, in this process; across processes there is the lease."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, list[None]]] = {}

    @contextlib.asynccontextmanager
    async def of(self, extension: str) -> AsyncGenerator[None]:
        """Wait for the turn, and have it while inside."""
        lock, users = self._locks.setdefault(extension, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                self._locks.pop(extension, None)

    def is_taken(self, extension: str) -> bool:
        """Whether somebody is at work."""
        held = self._locks.get(extension)
        return held is not None and held[0].locked()
