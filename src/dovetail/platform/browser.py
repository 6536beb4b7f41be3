"""/oauth/session: the console's log-in, whose tokens live in cookies that no script can read.

POST logs in (JSON: username, password), PUT trades the refresh cookie, DELETE logs out (`dovetail.platform.cookies`). A
request that a browser says comes from another site's page is refused whatever it carries.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.errors import InvalidToken, SessionEnded
from dovetail.iam.oauth_clients import DEFAULT, default_client
from dovetail.iam.sessions import TokenPair
from dovetail.platform.answers import NO_STORE, json_answer, json_body, status_answer
from dovetail.platform.callers import origin_of, over_tls, same_origin
from dovetail.platform.cookies import cookie_names, with_session, without_session
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, BadRequest, Unauthenticated
from dovetail.platform.granting import account_now, begin, end_session, refresh
from dovetail.platform.provider_login import log_in_with_password


class BrowserSession:
    """The three methods of /oauth/session."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._client = default_client(deps.issuer)

    def routes(self) -> list[Route]:
        path = "/oauth/session"
        return [
            Route(path, self.log_in, methods=["POST"]),
            Route(path, self.renew, methods=["PUT"]),
            Route(path, self.log_out, methods=["DELETE"]),
        ]

    async def log_in(self, request: Request) -> Response:
        """Set both cookies; the answer says who logged in, never a token."""
        _demand_own_page(request)
        body = await json_body(request)
        login, password = body.get("username"), body.get("password")
        if not isinstance(login, str) or not isinstance(password, str) or not login or not password:
            raise BadRequest("send username and password as JSON strings")
        provider = body.get("provider", "")
        if not isinstance(provider, str):
            raise BadRequest("provider must be the name of an identity provider")
        if provider:
            return await self._by_provider(request, provider, login, password)
        pair = await begin(self._deps, login, password, self._client, origin_of(request))
        return _answer(request, pair, await self._unready(pair))

    async def _by_provider(self, request: Request, provider: str, login: str, password: str) -> Response:
        """Log in with a password that a provider checks; the answer can be a ticket to register with."""
        outcome = await log_in_with_password(self._deps, provider, login, password, self._client, origin_of(request))
        if isinstance(outcome, TokenPair):
            return _answer(request, outcome, await self._unready(outcome))
        told = {"registration": outcome.ticket, "username": outcome.proven.person.username}
        return json_answer(told, headers=NO_STORE)

    async def _unready(self, pair: TokenPair) -> bool:
        """Whether the password has to be changed before anything else: the log-in page asks for a new one."""
        account = await account_now(self._deps, pair.subject.user)
        return account is not None and account.uninitialized

    async def renew(self, request: Request) -> Response:
        """Trade the refresh cookie for new cookies; 401, and no cookies left, when it is of no use any more."""
        _demand_own_page(request)
        try:
            token = request.cookies.get(cookie_names(over_tls(request)).refresh, "")
            pair = await refresh(self._deps, token, DEFAULT)
            return _answer(request, pair, await self._unready(pair))
        except (InvalidToken, SessionEnded) as error:
            return without_session(request, status_answer(Unauthenticated(str(error))))

    async def log_out(self, request: Request) -> Response:
        """End the session and take the cookies back."""
        _demand_own_page(request)
        for name in cookie_names(over_tls(request)):
            await end_session(self._deps, request.cookies.get(name, ""))
        return without_session(request, Response(status_code=204, headers=NO_STORE))


def _demand_own_page(request: Request) -> None:
    if not same_origin(request):
        raise AccessDenied("this comes from a page of another site")


def _answer(request: Request, pair: TokenPair, uninitialized: bool) -> Response:
    said: dict[str, object] = {"username": pair.subject.user, "expiresIn": pair.access_seconds}
    if uninitialized:
        said["passwordChangeRequired"] = True
    return with_session(request, json_answer(said, headers=NO_STORE), pair)
