"""Reading what the API answers: objects, list items, refusals. Pure."""

from collections.abc import Iterable
from typing import cast

import orjson

from dovetail.kube.errors import ApiError, UnreadableAnswer
from dovetail.kube.resources import Object, ResourceLike, api_version_of
from dovetail.kube.transport import Request


def read_object(request: Request, body: bytes) -> Object:
    """The JSON object of a successful answer. Raises UnreadableAnswer."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableAnswer(f"{request.method} {request.path}", "it is not JSON") from error
    if not isinstance(parsed, dict):
        raise UnreadableAnswer(f"{request.method} {request.path}", "it is not a JSON object")
    return cast("Object", parsed)


def refusal(request: Request, code: int, body: bytes) -> ApiError:
    """The error of an answer, which may come from a proxy on the way and then is no Status."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or cast("Object", status).get("kind") != "Status":
        said = body[:200].decode(errors="replace").strip()
        status = {"message": f"{request.method} {request.path} was refused" + (f": {said}" if said else "")}
    return ApiError.of({**cast("Object", status), "code": code})


def complete(items: Iterable[Object], resource: ResourceLike, metadata_only: bool) -> None:
    """Give items in place what lists leave out (apiVersion, kind) and, with `metadata_only`, nothing but metadata."""
    api_version = api_version_of(resource)
    for item in items:
        if metadata_only:  # what a server that cannot do it sends is cut here
            meta: Object = item.get("metadata") or {}
            item.clear()
            item["metadata"] = meta
        item["apiVersion"] = api_version
        item["kind"] = resource.kind
