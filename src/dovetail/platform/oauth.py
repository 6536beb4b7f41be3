"""/oauth/token and /oauth/revoke: credentials, codes and refresh tokens become access tokens (RFC 6749, RFC 7009).

Four grants: `password` for clients that the platform trusts, `authorization_code` (also by KubeSphere's name `code`),
`refresh_token`, and `client_credentials` for a client that calls as itself. Answers have KubeSphere's shape
(`reference/kubesphere-core.md` 3.4, 9.1). Tokens are taken from bodies, headers and cookies, never from URLs.
"""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.authorization_codes import Redemption
from dovetail.iam.errors import InvalidToken, SessionEnded, TooManyAttempts
from dovetail.iam.identity_providers.provider import ProviderFailed
from dovetail.iam.oauth_clients import OAuthClient
from dovetail.iam.sessions import TokenPair
from dovetail.iam.tokens import NO_SESSION, Subject
from dovetail.kube.errors import KubeError
from dovetail.platform.answers import NO_STORE, form_body, json_answer
from dovetail.platform.callers import origin_of
from dovetail.platform.claims import identity_token
from dovetail.platform.client_authentication import client_of
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Clash, OAuthError, Unacceptable, Unauthenticated
from dovetail.platform.granting import account_now, begin, end_session, refresh
from dovetail.platform.login import find_user
from dovetail.platform.provider_login import log_in_with_password, registration_answer, resumed

log = logging.getLogger(__name__)

GRANTS: Final = ("authorization_code", "refresh_token", "password", "client_credentials")
_CLIENT_SECONDS: Final = 3600

Answer = dict[str, str | int]


class TokenEndpoint:
    """POST /oauth/token and /oauth/revoke."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """Issue tokens."""
        form = await form_body(request)
        client = client_of(self._deps, request, form)
        try:
            answer = await self._granted(request, form, client)
        except KubeError as error:
            raise OAuthError(
                "temporarily_unavailable", "the cluster does not answer", 503, {"Retry-After": "2"}
            ) from error
        except TooManyAttempts as error:
            raise OAuthError("slow_down", str(error), 429, {"Retry-After": str(error.retry_after)}) from error
        except (InvalidToken, SessionEnded) as error:
            raise OAuthError("invalid_grant", str(error)) from error
        return json_answer(answer, headers=NO_STORE)

    async def _granted(self, request: Request, form: dict[str, str], client: OAuthClient) -> Answer:
        grant = form.get("grant_type", "")
        if grant == "password":
            return await self._by_password(request, form, client)
        if grant == "refresh_token":
            return await self._with_identity(await self._refreshed(request, form, client))
        if grant in ("authorization_code", "code"):
            return await self._with_identity(await self._by_code(form, client))
        if grant == "client_credentials":
            return self._to_the_client(client)
        if not grant:
            raise OAuthError("invalid_request", "grant_type is missing")
        raise OAuthError("unsupported_grant_type", f"grant_type must be one of {', '.join(GRANTS)}")

    async def _refreshed(self, request: Request, form: dict[str, str], client: OAuthClient) -> TokenPair:
        """With a refresh token, or with the ticket of somebody who has registered since."""
        deps, token = self._deps, form.get("refresh_token", "")
        try:
            return await refresh(deps, token, client.name)
        except InvalidToken as error:
            try:
                return await resumed(deps, token, client, origin_of(request))
            except InvalidToken:
                raise error from None
            except Unauthenticated as refusal:
                raise OAuthError("invalid_grant", refusal.message) from refusal

    async def _by_password(self, request: Request, form: dict[str, str], client: OAuthClient) -> Answer:
        if not client.trusted:
            raise OAuthError("unauthorized_client", "only trusted clients may take passwords")
        if not form.get("username") or not form.get("password"):
            raise OAuthError("invalid_request", "username and password are needed")
        login, password, origin = form["username"], form["password"], origin_of(request)
        try:
            if "provider" not in form:
                return token_response(await begin(self._deps, login, password, client, origin))
            outcome = await log_in_with_password(self._deps, form["provider"], login, password, client, origin)
        except (Unauthenticated, Clash, Unacceptable) as error:
            raise OAuthError("invalid_grant", error.message) from error
        except ProviderFailed as error:
            log.error("identity provider %s: %s", error.provider, error.problem)
            raise OAuthError("temporarily_unavailable", str(error), 503) from error
        return token_response(outcome) if isinstance(outcome, TokenPair) else registration_answer(self._deps, outcome)

    async def _by_code(self, form: dict[str, str], client: OAuthClient) -> TokenPair:
        if not form.get("code"):
            raise OAuthError("invalid_request", "code is needed")
        uri = form.get("redirect_uri", "")
        if not uri and len(client.redirect_uris) == 1:  # the authorization request may have left it out, too
            uri = client.redirect_uris[0]
        shown = Redemption(form["code"], uri, form.get("code_verifier", ""))
        deps = self._deps
        return await deps.sessions.redeem(shown, lambda name: account_now(deps, name), client.name, deps.clock())

    def _to_the_client(self, client: OAuthClient) -> Answer:
        account = self._deps.oauth_clients.accounts().get(client.account)
        if account is None:
            raise OAuthError("unauthorized_client", "only a client with a secret of its own can call as itself")
        now, seconds = self._deps.clock(), min(client.access_seconds or _CLIENT_SECONDS, _CLIENT_SECONDS)
        subject = Subject(user=client.account, uid=account.uid, session=NO_SESSION)
        token = self._deps.token_issuer.access(subject, int(now) + seconds, now)
        return {"access_token": token, "token_type": "Bearer", "expires_in": seconds}

    async def _with_identity(self, pair: TokenPair) -> Answer:
        """The answer, with an ID token where the client asked for `openid`."""
        answer = token_response(pair)
        if pair.session.scope:
            answer["scope"] = pair.session.scope
        if "openid" in pair.session.scope.split():
            user = await find_user(self._deps, pair.subject.user)
            if user is None:
                raise SessionEnded("its user is gone or disabled")
            answer["id_token"] = identity_token(self._deps.token_issuer, pair, user, self._deps.clock())
        return answer

    async def revoke(self, request: Request) -> Response:
        """End the session of a token (RFC 7009): 200 whether the token was good or not."""
        form = await form_body(request)
        client = client_of(self._deps, request, form)
        token = form.get("token", "")
        subject = self._deps.tokens().session_of(token, self._deps.clock()) if token else None
        session = await self._deps.sessions.find(subject.session) if subject is not None else None
        if session is not None and session.client == client.name:
            await end_session(self._deps, token)
        return json_answer({}, headers=NO_STORE)


def token_response(pair: TokenPair) -> Answer:
    """RFC 6749 5.1."""
    return {
        "access_token": pair.access,
        "token_type": "Bearer",
        "refresh_token": pair.refresh,
        "expires_in": pair.access_seconds,
    }
