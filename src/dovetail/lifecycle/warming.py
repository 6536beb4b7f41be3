"""Starting Helm's process before it is asked, so that an installation does not wait for it."""

import asyncio
import logging
from importlib import import_module

from dovetail.helm import HelmWorker

_log = logging.getLogger(__name__)


class Warming:
    """Starts the worker in the background; several wishes at once are one."""

    def __init__(self, helm: HelmWorker) -> None:
        self._helm = helm
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start Helm while the API is still being written to, or when a plan is likely to come."""
        if self._helm.pid is None and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._start(), name="helm-worker-warm")

    async def close(self) -> None:
        """Wait for what was begun."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _start(self) -> None:
        try:
            await self._helm.warm()
        except OSError as error:
            _log.warning("the helm worker cannot be started: %s", error)
        await asyncio.to_thread(import_module, "dovetail.packaging.package")
