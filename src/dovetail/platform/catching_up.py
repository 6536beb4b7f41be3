"""Waiting, shortly, until the caches show what was just written, so that the caller's next request sees it.

Nothing depends on it: when the time is over the answer goes out all the same. It is not for a write that may take the
caller's own right to the request away: the gateway ends a request that is no longer allowed, whatever it has done.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_STEP: Final = 0.01


async def caught_up(holds: Callable[[], bool], seconds: float = 1.0) -> None:
    """Return when it holds, or after so many seconds."""
    for _ in range(int(seconds / _STEP)):
        if holds():
            return
        await asyncio.sleep(_STEP)
