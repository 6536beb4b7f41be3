"""What the gateway tells about itself: audit, figures, readiness, OpenAPI. The parts are made and run together here.

The answers are Starlette routes, to be served beside the platform's own API on control's socket; the gateway's workers
route /readyz, /metrics and the paths of the OpenAPI documents there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dovetail.gateway.audit.configuration import AuditConfiguration
from dovetail.gateway.audit.entry import KIND
from dovetail.gateway.audit.file_sink import FileSettings
from dovetail.gateway.audit.policy import AuditPolicy
from dovetail.gateway.audit.trail import Trail
from dovetail.gateway.availability import Availability
from dovetail.gateway.control import Control
from dovetail.gateway.figures import Figure, render
from dovetail.gateway.objects import RoutingObjects
from dovetail.gateway.openapi.aggregator import Aggregator
from dovetail.gateway.openapi.endpoints import OpenApiEndpoints
from dovetail.gateway.openapi.fetching import CALLER
from dovetail.gateway.openapi.sources import Sources
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.readiness import Readiness, answer
from dovetail.gateway.reports import ReportServer
from dovetail.gateway.scraping import read_workers, together
from dovetail.kube import Client, ControllerRuntime

_RESTART_SECONDS = 1.0
_NO_STORE = {"Cache-Control": "no-store"}
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

_log = logging.getLogger(__name__)


class Observing:
    """See the module. Make it before the runtime runs; `run` beside it until cancelled."""

    def __init__(
        self, client: Client, runtime: ControllerRuntime, control: Control, publisher: Publisher,
        reports: ReportServer, objects: RoutingObjects, availability: Availability, run_dir: Path,
        audit_file: FileSettings | None, version: str,
    ) -> None:  # fmt: skip
        self._run_dir = run_dir
        self._control = control
        self._trail = Trail(audit_file)
        reports.on(KIND, self._trail.take)
        configuration = AuditConfiguration(runtime, client, self._adopt, self._trail.send_to)
        runtime.add(configuration.controller)
        self._readiness = Readiness(
            client, unsynced=lambda: runtime.unsynced, generation=lambda: control.generation,
            serving=lambda: publisher.serving,
        )  # fmt: skip
        sources = Sources(objects, availability)
        self._aggregator = Aggregator(
            version, sources.now, sources.tell, vouch=lambda audience: control.vouch(CALLER, audience)
        )
        sources.on_change(self._aggregator.changed)
        self._openapi = OpenApiEndpoints(lambda: self._aggregator.catalogue)
        self._parts: list[Callable[[], Iterable[Figure]]] = [
            self._readiness.figures, self._trail.figures, configuration.figures, self._aggregator.figures,
        ]  # fmt: skip

    def routes(self) -> Sequence[Route]:
        """What is answered here."""
        return (
            Route("/readyz", self._readyz, methods=["GET"]),
            Route("/readyz/{name}", self._one_check, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
            *self._openapi.routes(),
        )

    def describe(self, documents: Mapping[str, dict[str, Any]]) -> None:
        """The OpenAPI documents of what the platform serves itself."""
        self._aggregator.describe(documents)

    async def run(self) -> None:
        """Keep everything going."""
        parts = {"audit trail": self._trail.run, "readiness": self._readiness.run, "openapi": self._aggregator.run}
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(_kept_up(part, name), name=name)

    def logged_in(self, user: str, address: str, problem: str) -> None:
        """Somebody has tried to log in; `problem` says why it failed, `user` is empty when nobody has that name."""
        self._trail.log_in(user, address, problem)

    async def _adopt(self, policy: AuditPolicy) -> None:
        self._trail.policy = policy
        await self._control.audit_by(policy)

    async def _readyz(self, request: Request) -> Response:
        """Whether the gateway is ready, by named checks."""
        query = request.query_params
        code, text = answer(self._readiness.checks(), verbose="verbose" in query, excluded=query.getlist("exclude"))
        return PlainTextResponse(text, code, _NO_STORE)

    async def _one_check(self, request: Request) -> Response:
        """One of the checks of /readyz."""
        named = [check for check in self._readiness.checks() if check.name == request.path_params["name"]]
        if not named:
            return PlainTextResponse("there is no such check\n", 404, _NO_STORE)
        code, text = answer(named, verbose="verbose" in request.query_params)
        return PlainTextResponse(text, code, _NO_STORE)

    async def _metrics(self, request: Request) -> Response:
        """The figures of all workers and of control, for Prometheus."""
        workers = together(await read_workers(self._run_dir))
        own = render(figure for part in self._parts for figure in part())
        return Response(workers + own, 200, _NO_STORE, media_type=_PROMETHEUS)


async def _kept_up(part: Callable[[], Awaitable[None]], name: str) -> None:
    """None of these parts may take control down with it, whatever it meets."""
    while True:
        try:
            await part()
        except Exception:
            _log.exception("a part of control failed and is started again", extra={"fields": {"part": name}})
            await asyncio.sleep(_RESTART_SECONDS)
