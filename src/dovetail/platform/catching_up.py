"""Waiting, shortly, until the caches show what was just written, so that the caller's next request sees it.

Nothing depends on it: when the time is over the answer goes out all the same.
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
