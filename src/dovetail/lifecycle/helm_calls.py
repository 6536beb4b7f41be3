"""Asking Helm for something, so that a plan that changes ends it, and what Helm answers is in this room's words.

What another try may solve comes out as Unreachable or as it is, what the user must see as DeployFailed.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from dovetail.helm import (
    Deploy,
    HelmRefused,
    HelmTimeout,
    HelmWorker,
    HelmWorkerDied,
    Progress,
    Render,
    Rollback,
    RunTests,
    Uninstall,
    errors,
)
from dovetail.kube import Client, Unreachable
from dovetail.lifecycle.errors import DeployFailed, Interrupted

T = TypeVar("T")
OnProgress = Callable[[Progress], None]
Operation = Deploy | Render | Rollback | RunTests | Uninstall
_LATE: Final = ("context deadline exceeded", "timed out waiting", "would exceed context deadline")


class HelmCalls:
    """Helm's worker, for operations that a plan asks for."""

    def __init__(self, helm: HelmWorker, client: Client) -> None:
        self._helm = helm
        self._server = client.config.server

    async def call(
        self,
        operation: Operation,
        interrupt: asyncio.Event,
        tell: OnProgress | None = None,
        limit: float | None = None,
    ) -> dict[str, Any]:
        """Helm's answer within `limit` seconds. Raises Interrupted, DeployFailed, Unreachable, HelmError."""
        if interrupt.is_set():
            raise Interrupted(operation.release)
        try:
            return await self._helm.call(operation, interrupt=interrupt, on_progress=tell, timeout=limit)
        except (HelmRefused, HelmWorkerDied) as error:
            if interrupt.is_set():
                raise Interrupted(operation.release) from error
            if isinstance(error, HelmWorkerDied) or error.reason == errors.STALE:
                raise
            if error.reason == errors.UNREACHABLE:
                raise Unreachable(self._server, f"Helm says: {error.detail}") from error
            # Cancelled, and not by us: Helm calls its own deadlines so.
            raise DeployFailed(error.detail, hopeless=error.reason == errors.INVALID) from error
        except HelmTimeout as error:
            raise DeployFailed(str(error), hopeless=False) from error


async def unless(interrupt: asyncio.Event, work: Coroutine[Any, Any, T], release: str) -> T:
    """The work's result; it is cancelled as soon as the interrupt comes. Raises Interrupted."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(interrupt.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Interrupted(release)
        return task.result()
    finally:
        waiting.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def was_late(error: DeployFailed) -> bool:
    """Whether Helm gave up waiting."""
    return any(words in str(error) for words in _LATE)
