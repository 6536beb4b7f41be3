"""Answers as values: a body with its validators, or a Kubernetes Status for everything that fails. Pure."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from dovetail.console.encodings import choose, matches_etag
from dovetail.console.security import SECURITY_HEADERS
from dovetail.kube import status_body

NO_CACHE = "no-cache"
IMMUTABLE = "public, max-age=31536000, immutable"


def failure(code: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A metav1.Status, so that every client of the platform reads the same shape of error."""
    extra = {**SECURITY_HEADERS, "cache-control": "no-store", **(headers or {})}
    return Response(status_body(code, reason, message), code, extra, "application/json")


def document(request: Request, body: bytes, media_type: str, etag: str, cache: str) -> Response:
    """A body with its entity tag; 304 when the client has it."""
    return encoded(request, {"": body}, media_type, etag, cache)


def encoded(request: Request, bodies: Mapping[str, bytes], media_type: str, etag: str, cache: str) -> Response:
    """The best of several encodings of one body (`""`: plain). The tag names the content, whatever its encoding."""
    headers = {**SECURITY_HEADERS, "cache-control": cache, "etag": f"W/{etag}"}
    if len(bodies) > 1:
        headers["vary"] = "accept-encoding"
    if matches_etag(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    coding = choose(request.headers.get("accept-encoding", ""), bodies.keys())
    if coding:
        headers["content-encoding"] = coding
    return Response(bodies[coding], 200, headers, media_type)
