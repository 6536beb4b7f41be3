"""Answers and bodies: JSON out, errors as metav1.Status, and bodies in with a limit.

Every error of the platform and of the rooms below becomes one Status here, so that no handler formats its own. What we
did not expect is logged with its traceback and answered without it.
"""

import logging
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from dovetail.iam.errors import HashingBusy, SessionStoreBusy, TooManyAttempts
from dovetail.iam.identity_providers.provider import ProviderFailed
from dovetail.kube.errors import ApiError, InvalidPath, KubeError
from dovetail.kube.status import status_body
from dovetail.platform.errors import BadPeer, BadRequest, Missing, OAuthError, PlatformError, SlowDown, TooLarge

log = logging.getLogger(__name__)

BODY_LIMIT = 64 * 1024
JSON = "application/json"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

_REASONS = {404: "NotFound", 405: "MethodNotAllowed"}
_MOST_FIELDS = 32


def json_answer(value: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), code, dict(headers or {}), JSON)


def status_answer(error: PlatformError) -> Response:
    """A platform error as a Status."""
    body = status_body(error.code, error.reason, error.message, error.details)
    return Response(body, error.code, {**NO_STORE, **error.headers}, JSON)


async def body_of(request: Request, limit: int = BODY_LIMIT) -> bytes:
    """The body. Raises TooLarge."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > limit:
            raise TooLarge(limit)
    return bytes(received)


async def json_value(request: Request, limit: int = BODY_LIMIT) -> Any:
    """The body as JSON, whatever it is. Raises BadRequest, TooLarge."""
    try:
        return orjson.loads(await body_of(request, limit))
    except orjson.JSONDecodeError as error:
        raise BadRequest("the body is not JSON") from error


async def json_body(request: Request, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """The body as a JSON object. Raises BadRequest, TooLarge."""
    value = await json_value(request, limit)
    if not isinstance(value, dict):
        raise BadRequest("the body is not a JSON object")
    return cast("dict[str, Any]", value)


async def json_list(request: Request, limit: int = BODY_LIMIT) -> list[Any]:
    """The body as a JSON list. Raises BadRequest, TooLarge."""
    value = await json_value(request, limit)
    if not isinstance(value, list):
        raise BadRequest("the body is not a JSON list")
    return cast("list[Any]", value)


def part_of(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under a name of a body; an empty one where there is none. Raises BadRequest."""
    part: object = body.get(name) or {}
    if not isinstance(part, dict):
        raise BadRequest(f"{name} is not an object")
    return cast("Mapping[str, Any]", part)


def media_type(request: Request) -> str:
    """The body's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def form_body(request: Request) -> dict[str, str]:
    """The body as a form with each field once (RFC 6749 3.2). Raises OAuthError, TooLarge."""
    if media_type(request) != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "send the parameters as application/x-www-form-urlencoded")
    try:
        fields = parse_qsl(
            (await body_of(request)).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise OAuthError("invalid_request", "the form cannot be read") from error
    form = dict(fields)
    if len(form) != len(fields):
        raise OAuthError("invalid_request", "a parameter is given twice")
    return {name: value for name, value in form.items() if value}


async def on_platform_error(_: Request, error: Exception) -> Response:
    """For PlatformError."""
    return status_answer(cast("PlatformError", error))


async def on_oauth_error(_: Request, error: Exception) -> Response:
    """For OAuthError."""
    refusal = cast("OAuthError", error)
    body = {"error": refusal.error, "error_description": refusal.description}
    return json_answer(body, refusal.code, {**NO_STORE, **refusal.headers})


async def on_provider_failed(_: Request, error: Exception) -> Response:
    """For iam's ProviderFailed."""
    failed = cast("ProviderFailed", error)
    log.error("identity provider %s: %s", failed.provider, failed.problem)
    return status_answer(BadPeer(str(error)))


async def on_too_many(_: Request, error: Exception) -> Response:
    """For iam's TooManyAttempts."""
    return status_answer(SlowDown(str(error), cast("TooManyAttempts", error).retry_after))


async def on_kube_error(request: Request, error: Exception) -> Response:
    """For kube's errors: the API's own refusals pass with their code, a name that no object can have is not there, and
    an API that does not answer is a 503."""
    if isinstance(error, InvalidPath):
        return status_answer(Missing(str(error)))
    if isinstance(error, ApiError) and 400 <= error.code < 500 and error.code not in {401, 403}:
        return Response(status_body(error.code, error.reason, error.message, error.details), error.code, NO_STORE, JSON)
    log.error("%s %s: the cluster does not serve it: %s", request.method, request.url.path, error)
    return _unavailable("the cluster does not answer as it should; try again in a moment")


async def on_busy(_: Request, error: Exception) -> Response:
    """For iam's SessionStoreBusy and HashingBusy."""
    return _unavailable(str(error))


def _unavailable(message: str) -> Response:
    return Response(status_body(503, "ServiceUnavailable", message), 503, {**NO_STORE, "Retry-After": "2"}, JSON)


async def on_http_exception(_: Request, error: Exception) -> Response:
    """For Starlette's own 404 and 405."""
    code = cast("HTTPException", error).status_code
    message = "there is no such path" if code == 404 else str(cast("HTTPException", error).detail)
    return Response(status_body(code, _REASONS.get(code, "Unknown"), message), code, media_type=JSON)


async def on_surprise(request: Request, error: Exception) -> Response:
    """For everything else; Starlette logs and re-raises it after this answer."""
    message = f"{request.method} {request.url.path} failed in a way that nobody foresaw; the log has more"
    return Response(status_body(500, "InternalError", message), 500, media_type=JSON)


HANDLERS: dict[Any, Any] = {
    PlatformError: on_platform_error,
    OAuthError: on_oauth_error,
    ProviderFailed: on_provider_failed,
    TooManyAttempts: on_too_many,
    SessionStoreBusy: on_busy,
    HashingBusy: on_busy,
    KubeError: on_kube_error,
    HTTPException: on_http_exception,
    Exception: on_surprise,
}
