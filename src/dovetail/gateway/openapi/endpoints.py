"""Answers /openapi/v3/kapis and what is below, and /openapi/v2/kapis, with the headers by which clients keep them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dovetail.gateway.openapi.catalogue import ROOT_V2, ROOT_V3, Catalogue, Published, name_of, url_of
from dovetail.kube import status_body

_JSON: Final = "application/json"
_FOR_EVER: Final = "public, immutable, max-age=31536000"


class OpenApiEndpoints:
    """`catalogue` gives the one in force."""

    def __init__(self, catalogue: Callable[[], Catalogue]) -> None:
        self._catalogue = catalogue

    def routes(self) -> Sequence[Route]:
        return (
            Route(ROOT_V3, self.index, methods=["GET"]),
            Route(ROOT_V3 + "/{name:path}", self.document, methods=["GET"]),
            Route(ROOT_V2, self.merged, methods=["GET"]),
        )

    async def index(self, request: Request) -> Response:
        """The OpenAPI 3.0 documents that there are, with their hashes."""
        return _answer(request, self._catalogue().index)

    async def merged(self, request: Request) -> Response:
        """Everything in one OpenAPI 2.0 document."""
        catalogue = self._catalogue()
        return _answer(request, await asyncio.to_thread(lambda: catalogue.merged))

    async def document(self, request: Request) -> Response:
        """The OpenAPI 3.0 document of one group version, or of the platform."""
        name = name_of(request.path_params["name"])
        published = self._catalogue().of(name)
        if published is None:
            body = status_body(404, "NotFound", f"there is no OpenAPI document of {name}")
            return Response(body, 404, media_type=_JSON)
        asked = request.query_params.get("hash")
        if asked and asked != published.digest:
            return RedirectResponse(f"{url_of(name)}?hash={published.digest}", 301)
        return _answer(request, published, for_ever=bool(asked))


def _answer(request: Request, published: Published, *, for_ever: bool = False) -> Response:
    headers = {"ETag": f'"{published.digest}"', "Cache-Control": _FOR_EVER if for_ever else "no-cache"}
    if published.digest in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(published.body, 200, headers, _JSON)
