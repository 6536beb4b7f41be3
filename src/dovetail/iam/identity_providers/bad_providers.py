"""Telling of a Secret that describes no identity provider, in an Event about it: `kubectl describe secret` shows it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from dovetail.kube.client import Client
from dovetail.kube.events import EventRecorder
from dovetail.kube.runtime import ControllerRuntime

Object = Mapping[str, Any]

_MOST_WAITING: Final = 100


class BadProviders:
    """`tell` is for the registry; the Events are written by a task of the runtime."""

    def __init__(self, client: Client, runtime: ControllerRuntime) -> None:
        self._recorder = EventRecorder(client, "dovetail-identity-providers")
        self._waiting: asyncio.Queue[tuple[Object, str]] = asyncio.Queue(_MOST_WAITING)
        runtime.add_task("bad identity providers", self._write)

    def tell(self, obj: Object, problem: str) -> None:
        """Have it written down; the log has it in any case."""
        if not self._waiting.full():
            self._waiting.put_nowait((obj, problem))

    async def _write(self) -> None:
        while True:
            obj, problem = await self._waiting.get()
            about = {"apiVersion": "v1", "kind": "Secret", "metadata": obj["metadata"]}
            await self._recorder.record(about, "Warning", "NoIdentityProvider", problem)
