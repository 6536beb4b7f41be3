"""Writing steps into a plan's `status.progress` while its operation runs.

At most two writes a second, only the newest step, and the percentage never goes back. A step is a merge patch of
`status.progress` alone, so it overwrites nobody; `hold` waits for a patch that is under way and gives back the object
as it is then, so that the reconciler's own write, which comes next, is no conflict. A step that cannot be written is
left out: nothing may fail for want of one.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from typing import Final

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import Client, key_of
from dovetail.kube.errors import KubeError
from dovetail.kube.resources import Object
from dovetail.lifecycle import progress
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.steps import Step

_log = logging.getLogger(__name__)
_INTERVAL: Final = 0.5


class LiveProgress:
    """The progress of one operation; `obj` is the plan as it was last read or written."""

    def __init__(self, client: Client, obj: Object) -> None:
        self._client = client
        self.obj = obj
        self._newest: Step = progress.step_of(status_of(obj))
        self._written: Step = self._newest
        self._waiting = asyncio.Event()
        self._open = asyncio.Lock()
        """Held while the plan is being written to, by this or by the reconciler."""

    def report(self, step: Step) -> None:
        """Take a step; it is written soon, unless a newer one comes first."""
        percent = min(max(step.percent, self._newest.percent), 99)
        self._newest = Step(percent, step.what, step.object)
        self._waiting.set()

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncGenerator[None]:
        """While inside nothing is written here; put the object that you wrote into `obj`."""
        async with self._open:
            yield

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Write while inside; afterwards nothing is under way any more."""
        task = asyncio.create_task(self._run(), name=f"progress of {key_of(self.obj).name}")
        try:
            yield
        finally:
            async with self._open:  # a write that has begun is waited for: its answer is the newest object
                task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            await self._waiting.wait()
            async with self._open:
                self._waiting.clear()
                await self._write(self._newest)

    async def _write(self, step: Step) -> None:
        if step == self._written:
            return
        self._written = step
        change = {"status": {"progress": progress.progress_of(step)}}
        try:
            self.obj = await self._client.patch(INSTALLPLANS, key_of(self.obj).name, change, subresource="status")
        except KubeError as error:
            _log.debug("progress of %s was not written: %s", key_of(self.obj).name, error)


class SilentProgress(LiveProgress):
    """Of an operation whose steps nobody sees."""

    async def _write(self, step: Step) -> None:
        del step
