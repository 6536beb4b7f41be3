"""Which client calls /oauth/token and /oauth/revoke (RFC 6749 2.3): its id, and the secret if it has one.

Both come in the form, or as Basic credentials, never in both places. Client and secret are refused with one sentence.
"""

import binascii
from base64 import b64decode
from typing import Final
from urllib.parse import unquote_plus

from starlette.requests import Request

from dovetail.iam.oauth_clients import OAuthClient
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import OAuthError

METHODS: Final = ("client_secret_basic", "client_secret_post", "none")
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="dovetail"'}


def client_of(deps: PlatformDeps, request: Request, form: dict[str, str]) -> OAuthClient:
    """The client that calls. Raises OAuthError."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        if "client_secret" in form:
            raise OAuthError("invalid_request", "send the client's secret once")
        name, secret = _basic(encoded)
        if form.get("client_id", name) != name:
            raise OAuthError("invalid_request", "client_id is not the client of the Authorization header")
        return _known(deps, name, secret, _CHALLENGE)
    return _known(deps, form.get("client_id", ""), form.get("client_secret"), {})


def _known(deps: PlatformDeps, name: str, secret: str | None, headers: dict[str, str]) -> OAuthClient:
    client = deps.oauth_clients.get(name)
    if client is None or not client.authenticates(secret):
        raise OAuthError("invalid_client", "client_id or client_secret is wrong", 401, headers)
    return client


def _basic(encoded: str) -> tuple[str, str]:
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OAuthError("invalid_client", "the Authorization header cannot be read", 401, _CHALLENGE) from error
    if not colon:
        raise OAuthError("invalid_client", "the Authorization header cannot be read", 401, _CHALLENGE)
    return unquote_plus(name), unquote_plus(secret)
