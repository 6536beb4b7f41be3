"""/oauth/token and its kin: passwords and refresh tokens become access tokens (RFC 6749, RFC 7009).

Clients are one for now: `kubesphere`, trusted, public (its well-known secret `kubesphere` is accepted and may be left
out). Answers have KubeSphere's shape (`reference/kubesphere-core.md` 3.4, 9.1). Tokens are taken from bodies, headers
and cookies, never from URLs. Authorization codes and ID tokens are not here, and discovery does not claim them.
"""

import hmac
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.compiler import account_of
from dovetail.iam.errors import InvalidToken, SessionEnded, TooManyAttempts
from dovetail.iam.sessions import TokenPair
from dovetail.kube.errors import KubeError
from dovetail.platform.answers import NO_STORE, form_body, json_answer
from dovetail.platform.callers import address_of, over_tls
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import OAuthError, Unauthenticated
from dovetail.platform.login import find_user, log_in

CLIENT: Final = "kubesphere"
_CLIENT_SECRET: Final = b"kubesphere"


class CookieNames(NamedTuple):
    """What the two cookies of a log-in are called."""

    access: str
    refresh: str


_PLAIN: Final = CookieNames("dovetail-token", "dovetail-refresh")
_SECURE: Final = CookieNames("__Host-dovetail-token", "__Secure-dovetail-refresh")
"""Browsers take such names from encrypted pages only, the first from our own host only (RFC 6265bis 4.1.3): nobody
beside us can slip in a session of his own. The refresh token's path keeps it from being a `__Host-` cookie."""


def cookie_names(secure: bool) -> CookieNames:
    """The names over TLS, or without."""
    return _SECURE if secure else _PLAIN


class TokenEndpoint:
    """POST /oauth/token, /oauth/revoke and /oauth/logout."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/oauth/logout", self.logout, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """Issue a pair of tokens."""
        form = await form_body(request)
        client = _client(form)
        try:
            pair = await self._granted(form, client, address_of(request))
        except KubeError as error:
            raise OAuthError(
                "temporarily_unavailable", "the cluster does not answer", 503, {"Retry-After": "2"}
            ) from error
        return json_answer(token_response(pair), headers=NO_STORE)

    async def _granted(self, form: dict[str, str], client: str, address: str) -> TokenPair:
        grant = form.get("grant_type", "")
        if grant == "password":
            return await self._by_password(form, client, address)
        if grant == "refresh_token":
            try:
                return await refresh(self._deps, form.get("refresh_token", ""), client)
            except (InvalidToken, SessionEnded) as error:
                raise OAuthError("invalid_grant", str(error)) from error
        if not grant:
            raise OAuthError("invalid_request", "grant_type is missing")
        raise OAuthError("unsupported_grant_type", "grant_type must be password or refresh_token")

    async def _by_password(self, form: dict[str, str], client: str, address: str) -> TokenPair:
        if not form.get("username") or not form.get("password"):
            raise OAuthError("invalid_request", "username and password are needed")
        try:
            return await begin(self._deps, form["username"], form["password"], client, address)
        except Unauthenticated as error:
            raise OAuthError("invalid_grant", error.message) from error
        except TooManyAttempts as error:
            raise OAuthError("slow_down", str(error), 429, {"Retry-After": str(error.retry_after)}) from error

    async def revoke(self, request: Request) -> Response:
        """End the session of a token (RFC 7009): 200 whether the token was good or not."""
        form = await form_body(request)
        _client(form)
        await end_session(self._deps, form.get("token", ""))
        return json_answer({}, headers=NO_STORE)

    async def logout(self, request: Request) -> Response:
        """End the session of the bearer token, or of the token in the form; 200 in any case."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        tokens = [bearer.strip()] if scheme.lower() == "bearer" else []
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            form = await form_body(request)
            tokens += [form.get("token", ""), form.get("refresh_token", "")]
        names = cookie_names(over_tls(request))
        tokens += [request.cookies.get(names.access, ""), request.cookies.get(names.refresh, "")]
        for token in tokens:
            await end_session(self._deps, token)
        return json_answer({"message": "success"}, headers=NO_STORE)


def token_response(pair: TokenPair) -> dict[str, str | int]:
    """RFC 6749 5.1."""
    return {
        "access_token": pair.access,
        "token_type": "Bearer",
        "refresh_token": pair.refresh,
        "expires_in": pair.access_seconds,
    }


async def begin(deps: PlatformDeps, login: str, password: str, client: str, address: str) -> TokenPair:
    """Log in and begin a session. Raises Unauthenticated, TooManyAttempts."""
    name, account = await log_in(deps, login, password, address)
    return await deps.sessions.begin(name, account.uid, client, deps.clock())


async def refresh(deps: PlatformDeps, token: str, client: str) -> TokenPair:
    """Trade a refresh token. Raises InvalidToken, SessionEnded."""
    now = deps.clock()
    read = deps.tokens().verify_refresh(token, now)
    user = await find_user(deps, read.subject.user)
    return await deps.sessions.refresh(read, account_of(user) if user is not None else None, client, now)


async def end_session(deps: PlatformDeps, token: str) -> None:
    """End the session that a token of ours belongs to; anything else is fine too."""
    now = deps.clock()
    subject = deps.tokens().session_of(token, now) if token else None
    if subject is not None:
        await deps.sessions.end(subject.session, now)


def _client(form: dict[str, str]) -> str:
    """The client's id. Raises OAuthError."""
    name, secret = form.get("client_id", ""), form.get("client_secret")
    if name != CLIENT or (secret is not None and not hmac.compare_digest(secret.encode(), _CLIENT_SECRET)):
        raise OAuthError("invalid_client", "client_id or client_secret is wrong", 401)
    return name
