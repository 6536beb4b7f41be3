"""The console over HTTP: boot data, events, bundles, and the page for everything else.

    GET /console/api/boot       the boot document of the caller
    GET /console/api/events     server-sent events: something changed
    GET /dist/**                bundles; /pstatic/dist/** is the same, where older bundles look
    GET /**                     the page and its files

Who may ask was decided by the gateway. Only GET and HEAD exist here.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dovetail.console.answers import IMMUTABLE, NO_CACHE, document, encoded, failure
from dovetail.console.boot import DIGEST_PARAMETER, BootExtension, boot_body, etag_of
from dovetail.console.bundles.model import File, Missing
from dovetail.console.bundles.store import BundleStore
from dovetail.console.changes import Changes
from dovetail.console.events import EventStream
from dovetail.console.identity import caller_of
from dovetail.console.settings import ConsoleSettings
from dovetail.console.static import StaticSite

SETTLE_WAIT: Final = 3.0
"""Seconds that the boot document waits, after a start, for the first look at all bundles."""
_POLL: Final = 0.02
_LINK: Final = re.compile(r"(?:/pstatic)?(/dist/.+)")


class ConsoleApp:
    """The endpoints. `extensions` gives the lines of the boot document, `settled` whether they are complete."""

    def __init__(
        self,
        settings: ConsoleSettings,
        store: BundleStore,
        extensions: Callable[[], tuple[BootExtension, ...]],
        settled: Callable[[], bool],
    ) -> None:
        self._settings, self._store = settings, store
        self._extensions, self._settled = extensions, settled
        self._site = StaticSite(settings.static_dir)

    async def boot(self, request: Request) -> Response:
        caller = caller_of(request.headers)
        if caller is None:
            return failure(401, "Unauthorized", "Sign in first.")
        if not await self._wait_settled():
            return _too_early()
        body = boot_body(caller, self._settings, self._extensions())
        response = document(request, body, "application/json", etag_of(body), "private, no-cache")
        response.headers["vary"] = "cookie, authorization"
        return response

    async def bundle(self, request: Request) -> Response:
        match = _LINK.fullmatch(request.url.path)
        settled = await self._wait_settled()
        found = self._store.find(match.group(1)) if match else None
        if found is None and not settled:
            return _too_early()
        if found is None:
            return failure(404, "NotFound", "No enabled extension serves this file.")
        if isinstance(found, Missing):
            return failure(404, "NotFound", found.message)
        return self._file(request, found)

    def _file(self, request: Request, file: File) -> Response:
        bodies = {"": file.content} | ({"gzip": file.compressed} if file.compressed is not None else {})
        fixed = request.query_params.get(DIGEST_PARAMETER) == file.sha256
        response = encoded(request, bodies, file.media_type, file.etag, IMMUTABLE if fixed else NO_CACHE)
        response.headers["x-content-sha256"] = file.sha256
        return response

    async def page(self, request: Request) -> Response:
        return await self._site.answer(request, request.url.path)

    async def unknown(self, request: Request) -> Response:
        return failure(
            404, "NotFound", "The console has no such API. It has /console/api/boot and /console/api/events."
        )

    async def _wait_settled(self) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_WAIT
        while not self._settled() and loop.time() < deadline:  # noqa: ASYNC110 - only in the first moments of a process
            await asyncio.sleep(_POLL)
        return self._settled()


def _too_early() -> Response:
    """A list that is not known yet must not look like an empty one."""
    message = (
        "The console has not been able to read the list of extensions from the cluster yet. Try again in a moment."
    )
    return failure(503, "ServiceUnavailable", message, {"retry-after": "2"})


class Only:
    """Lets GET and HEAD pass and answers the rest with a Status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            refusal = failure(405, "MethodNotAllowed", "The console only answers GET.", {"allow": "GET, HEAD"})
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def create_app(
    settings: ConsoleSettings,
    store: BundleStore,
    changes: Changes,
    extensions: Callable[[], tuple[BootExtension, ...]],
    settled: Callable[[], bool] = lambda: True,
) -> ASGIApp:
    """The ASGI application over these parts."""
    console = ConsoleApp(settings, store, extensions, settled)
    events = EventStream(changes)

    async def stream(request: Request) -> Response:
        if caller_of(request.headers) is None:
            return failure(401, "Unauthorized", "Sign in first.")
        return _Raw(events)

    routes = [
        Route("/console/api/boot", console.boot, methods=["GET"]),
        Route("/console/api/events", stream, methods=["GET"]),
        Route("/console/api/{rest:path}", console.unknown, methods=["GET"]),
        Route("/dist/{rest:path}", console.bundle, methods=["GET"]),
        Route("/pstatic/{rest:path}", console.bundle, methods=["GET"]),
        Route("/{rest:path}", console.page, methods=["GET"]),
    ]
    return Only(Starlette(routes=routes, exception_handlers={Exception: _broken}))


async def _broken(request: Request, error: Exception) -> Response:
    """What nobody foresaw; Starlette raises it again for the log."""
    return failure(500, "InternalError", "The console failed on this request; its log says why.")


class _Raw(Response):
    """A response that is an ASGI application of its own."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self._inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inner(scope, receive, send)
