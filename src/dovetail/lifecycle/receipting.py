"""The receipt of an uninstall, kept by the plan's reconciler: begun before anything goes, finished when all is gone.

A receipt is worth much, but not an uninstall that never ends: one that can never be written is told by an event, and a
deletion by force waits for none.
"""

from typing import Final

from dovetail.kube import EventRecorder, uid_of
from dovetail.kube.errors import ApiError, BadRequest, Forbidden, Invalid, KubeError
from dovetail.lifecycle import bookkeeping
from dovetail.lifecycle.observing import Seen
from dovetail.lifecycle.receipts import Receipts
from dovetail.lifecycle.slices import left_behind

_NEVER_WRITTEN: Final = (BadRequest, Forbidden, Invalid)
_TOO_LARGE: Final = 413
"""Anybody can put an extension's label on very many objects of his own."""


class Receipting:
    """Begins and finishes the receipts of plans."""

    def __init__(self, receipts: Receipts, recorder: EventRecorder) -> None:
        self._receipts = receipts
        self._recorder = recorder

    async def begin(self, seen: Seen, *, shared: bool) -> None:
        """Write down what there is, unless that is done. `shared`: others are installed in the namespace."""
        try:
            await self._receipts.begin(
                extension=seen.plan.name,
                plan_uid=uid_of(seen.obj),
                version=str(seen.status.get("version") or ""),
                namespace=seen.namespace,
                records=seen.records,
                shared=shared,
                requested_by=bookkeeping.requester(seen.obj),
                release=seen.release,
            )
        except KubeError as error:
            await self._told(seen, error, "written")

    async def finish(self, seen: Seen) -> str:
        """Look for everything that was written down; the ConfigMap's name, empty when there is none."""
        forced = seen.plan.force_delete
        kept = left_behind(seen.status)
        if forced:
            kept |= dict.fromkeys(seen.world.members, "the plan was let go by force")
        try:
            return await self._receipts.finish(
                extension=seen.plan.name, plan_uid=uid_of(seen.obj), forced=forced, kept=kept
            )
        except KubeError as error:
            await self._told(seen, error, "completed")
            return ""

    async def _told(self, seen: Seen, error: KubeError, what: str) -> None:
        never = isinstance(error, _NEVER_WRITTEN) or (isinstance(error, ApiError) and error.code == _TOO_LARGE)
        if not (seen.plan.force_delete or never):
            raise error
        await self._recorder.record(seen.obj, "Warning", "NoReceipt", f"the receipt cannot be {what}: {error}")
