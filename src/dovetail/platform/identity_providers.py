"""/oauth/login/{provider} and back: the browser goes to an identity provider, and returns with a proof.

What returns has to return to the browser that went: a random key stays there, in a cookie of this one log-in, and the
`state` that travels (a ticket, `dovetail.iam.tickets`) carries its digest. Nonce and PKCE verifier are made of the same
key, so nothing is stored here and nothing secret travels. A log-in begins one session: its `state` is good once.

The cookie is SameSite=Lax, since the way back begins at another site. The session's cookies are Strict, so the browser
is sent on by a page of ours (`pages.detour_page`), after which it is our own site's.
"""

import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.errors import InvalidToken, TooManyAttempts
from dovetail.iam.identity_providers.provider import Flow, NotProven, ProviderFailed, RedirectProvider
from dovetail.iam.identity_providers.registry import IdentityProvider
from dovetail.iam.oauth_clients import default_client
from dovetail.iam.sessions import TokenPair
from dovetail.kube.errors import KubeError
from dovetail.platform.answers import NO_STORE, json_answer, json_body, status_answer
from dovetail.platform.callers import origin_of, over_tls, same_origin
from dovetail.platform.cookies import with_session
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, BadRequest, Missing, PlatformError, Unauthenticated
from dovetail.platform.pages import detour_page, problem_page
from dovetail.platform.provider_login import arrived, register_as
from dovetail.platform.return_address import own_path

log = logging.getLogger(__name__)

_STATE: Final = "identity-provider"
_SECONDS: Final = 600
_PATH: Final = "/oauth"
_COOKIE: Final = "dovetail-login-"


class ProviderEndpoints:
    """The way to a provider and back, and registering."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._client = default_client(deps.issuer)

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/login/{provider}", self.leave, methods=["GET"]),
            Route("/oauth/callback/{provider}", self.back, methods=["GET"]),
            Route("/oauth/redirect/{provider}", self.back, methods=["GET"]),  # what KubeSphere's consoles register
            Route("/oauth/register", self.register, methods=["POST"]),
        ]

    async def leave(self, request: Request) -> Response:
        """Send the browser to an identity provider; `next` is where it goes afterwards."""
        return await _told(request, self._leave(request))

    async def back(self, request: Request) -> Response:
        """Take the browser back from an identity provider, and begin a session."""
        answer = await _told(request, self._back(request))
        for name in request.cookies:
            if _of_flow(name) and _of_flow(name) == self._flow_of(request):
                answer.delete_cookie(name, path=_PATH, secure=over_tls(request), httponly=True, samesite="lax")
        return answer

    async def register(self, request: Request) -> Response:
        """Create the user that a registration ticket is for, under a name of the person's choice, and log in."""
        if not same_origin(request):
            raise AccessDenied("this comes from a page of another site")
        body = await json_body(request)
        ticket, name = body.get("ticket"), body.get("username")
        if not isinstance(ticket, str) or not isinstance(name, str):
            raise BadRequest("send ticket and username as JSON strings")
        try:
            pair = await register_as(self._deps, ticket, name, self._client, origin_of(request))
        except InvalidToken as error:
            return status_answer(Unauthenticated(str(error)))
        said = {"username": pair.subject.user, "expiresIn": pair.access_seconds}
        return with_session(request, json_answer(said, headers=NO_STORE), pair)

    async def _leave(self, request: Request) -> Response:
        settled, provider = self._provider(request)
        key, flow_id = secrets.token_urlsafe(32), secrets.token_hex(12)
        content = {
            "provider": settled.name, "flow": flow_id, "binding": _made_of(key, "binding"),
            "next": own_path(request.query_params.get("next", "/")),
        }  # fmt: skip
        state = self._deps.tickets().seal(_STATE, content, _SECONDS, self._deps.clock())
        address = await provider.begin(self._flow(settled, state, key))
        secure = over_tls(request)
        answer = _redirect(address)
        answer.set_cookie(
            _cookie(flow_id, secure), key, max_age=_SECONDS, path=_PATH, secure=secure, httponly=True, samesite="lax"
        )
        return answer

    async def _back(self, request: Request) -> Response:
        settled, provider = self._provider(request)
        pairs = request.query_params.multi_items()
        answer = dict(pairs)
        if len(answer) != len(pairs):
            raise NotProven("a parameter is given twice")
        state = self._deps.tickets().open(_STATE, answer.get("state", ""), self._deps.clock())
        key = request.cookies.get(_cookie(state["flow"], over_tls(request)), "")
        if state["provider"] != settled.name or not hmac.compare_digest(_made_of(key, "binding"), state["binding"]):
            raise NotProven("this log-in was begun in another browser, or with another provider")
        person = await provider.finish(self._flow(settled, answer["state"], key), answer)
        outcome = await arrived(self._deps, settled, person, self._client, origin_of(request), state["flow"])
        goal = own_path(state["next"])
        if isinstance(outcome, TokenPair):
            return with_session(request, detour_page(request, goal), outcome)
        told = {"registration": outcome.ticket, "username": outcome.proven.person.username}
        return _redirect(f"/login?{urlencode({'next': goal})}#{urlencode(told)}")  # a fragment reaches no server

    def _provider(self, request: Request) -> tuple[IdentityProvider, RedirectProvider]:
        found = self._deps.identity_providers.get(request.path_params["provider"])
        if found is None or found.redirect is None:
            raise Missing("there is no such identity provider")
        return found, found.redirect

    def _flow(self, provider: IdentityProvider, state: str, key: str) -> Flow:
        here: Any = provider.settings.provider.get("redirectURL")
        own = f"{self._deps.issuer}/oauth/callback/{provider.name}"
        uri = here if isinstance(here, str) and here else own
        return Flow(uri, state, _made_of(key, "nonce"), _made_of(key, "verifier"))

    def _flow_of(self, request: Request) -> str:
        try:
            state = request.query_params.get("state", "")
            return str(self._deps.tickets().open(_STATE, state, self._deps.clock())["flow"])
        except InvalidToken:
            return ""


async def _told(request: Request, answer: Awaitable[Response]) -> Response:
    """The answer, or a page for the person at the browser that says what went wrong."""
    try:
        return await answer
    except NotProven as error:
        return problem_page(request, str(error), 401)
    except InvalidToken:
        return problem_page(request, "this log-in has expired, or was not begun here")
    except PlatformError as error:
        return problem_page(request, error.message, error.code)
    except TooManyAttempts as error:
        return problem_page(request, str(error), 429)
    except ProviderFailed as error:
        log.error("identity provider %s: %s", error.provider, error.problem)
        return problem_page(request, str(error), 502)
    except KubeError as error:
        log.error("a log-in by an identity provider: %s", error)
        return problem_page(request, "the cluster does not answer as it should; try again in a moment", 503)


def _made_of(key: str, purpose: str) -> str:
    """A value that only who has the key can make: one for each purpose."""
    digest = hmac.digest(key.encode(), purpose.encode(), sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _cookie(flow: str, secure: bool) -> str:
    return f"{'__Secure-' if secure else ''}{_COOKIE}{flow}"


def _of_flow(cookie: str) -> str:
    """The log-in that a cookie belongs to; empty when it is another cookie."""
    _, mark, flow = cookie.rpartition(_COOKIE)
    return flow if mark else ""


def _redirect(address: str) -> Response:
    headers: Mapping[str, str] = {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(status_code=303, headers=dict(headers))
