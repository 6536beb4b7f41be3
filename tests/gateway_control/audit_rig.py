"""A worker whose records come to a trail that writes a file, as in control."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from dovetail.gateway.audit.entry import KIND
from dovetail.gateway.audit.file_sink import FileSettings
from dovetail.gateway.audit.trail import Trail
from dovetail.gateway.reports import ReportServer, beside
from dovetail.routing.model import Route, Upstream
from tests.gateway_proxy.client import PATIENCE
from tests.gateway_proxy.rig import Gateway, gateway

Event = dict[str, Any]


@dataclass
class Audited:
    """A running worker, its trail and the file of events."""

    gateway: Gateway
    trail: Trail
    file: Path

    def events(self) -> list[Event]:
        text = self.file.read_bytes() if self.file.exists() else b""
        return [orjson.loads(line) for line in text.splitlines()]

    async def expect(self, number: int, wanted: Callable[[Event], bool] = lambda event: True) -> list[Event]:
        """The events of a kind, as soon as there are so many of them."""
        async with asyncio.timeout(PATIENCE):
            while len(found := [event for event in self.events() if wanted(event)]) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@contextlib.asynccontextmanager
async def audited(routes: list[Route], upstreams: list[Upstream], directory: Path) -> AsyncIterator[Audited]:
    """Start everything, and stop it in the reverse order."""
    file = directory / "audit" / "audit.log"
    trail = Trail(FileSettings(file))
    async with gateway(routes, upstreams) as running:
        server = ReportServer(beside(running.control.socket))
        server.on(KIND, trail.take)
        tasks = [asyncio.create_task(server.run()), asyncio.create_task(trail.run())]
        try:
            yield Audited(running, trail, file)
        finally:
            try:
                await running.stop()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=PATIENCE)
                await asyncio.sleep(0.01)
