"""/oauth/authorize: a browser comes from a client, and goes back with a code or an error (RFC 6749 4.1, RFC 9207).

Who is there is told by the console's cookie alone. Nobody there: the browser goes to the console's log-in page with a
way back, which is always a path here; the request itself travels in a ticket (`dovetail.iam.tickets`). Whether the
user agrees is asked on a page of ours; the answer has to come from that page, in the same session.

The cookies are SameSite=Strict, so a browser that comes from another site leaves them at home: it is sent once around
(`pages.detour_page`), after which the request is our own site's and the cookies come along.
"""

from collections.abc import Awaitable, Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.errors import InvalidToken
from dovetail.iam.oauth_clients import OAuthClient
from dovetail.iam.session import Terms
from dovetail.iam.sessions import Asked
from dovetail.iam.tokens import Subject, TokenVerifier
from dovetail.platform.answers import form_body
from dovetail.platform.authorization_request import (
    AuthorizationRequest,
    NotForTheClient,
    Person,
    Refused,
    next_step,
    read_request,
)
from dovetail.platform.callers import over_tls, same_origin
from dovetail.platform.cookies import cookie_names
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import OAuthError
from dovetail.platform.granting import account_now
from dovetail.platform.pages import consent_page, detour_page, problem_page

PATH = "/oauth/authorize"
_REQUEST, _CONSENT = "authorization", "consent"
_LOGIN_SECONDS = 900
_CONSENT_SECONDS = 600


class AuthorizationEndpoint:
    """GET and POST of /oauth/authorize."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route(PATH, self.get, methods=["GET"]), Route(PATH, self.post, methods=["POST"])]

    async def get(self, request: Request) -> Response:
        """Ask for a code; the answer is a redirect, or a page."""
        pairs = request.query_params.multi_items()
        params = dict(pairs)
        if len(params) != len(pairs):
            return problem_page(request, "a parameter is given twice")
        return await self._told(request, self._get(request, params))

    async def post(self, request: Request) -> Response:
        """The same with a form; or, with `ticket` and `decision`, what the user says to a client's request."""
        try:
            form = await form_body(request)
        except OAuthError as error:
            return problem_page(request, error.description)
        if "decision" in form:
            return await self._told(request, self._decided(request, form))
        return await self._told(request, self._posted(form))

    async def _told(self, request: Request, answer: Awaitable[Response]) -> Response:
        try:
            return await answer
        except (NotForTheClient, InvalidToken) as error:
            return problem_page(request, str(error))
        except Refused as error:
            told = {"error": error.error, "error_description": error.description, "state": error.state}
            return self._back(error.redirect_uri, told)

    async def _get(self, request: Request, params: Mapping[str, str]) -> Response:
        asked, client = self._asked(params)
        person = await self._person(request)
        if person is None and request.headers.get("sec-fetch-site") == "cross-site":
            return detour_page(request, f"{PATH}?{request.url.query}")
        step = next_step(asked, client, person, agreed=False)
        if step == "log in" or person is None:
            return self._to_login(asked, again=person is not None)
        if step == "grant":
            return await self._granted(asked, client, person)
        content = {"asked": _packed(asked), "user": person.name, "session": person.session}
        ticket = self._deps.tickets().seal(_CONSENT, content, _CONSENT_SECONDS, self._deps.clock())
        return consent_page(request, client.name, client.trusted, person.name, asked.scope, asked.redirect_uri, ticket)

    async def _posted(self, form: Mapping[str, str]) -> Response:
        asked, _ = self._asked(form)
        return _redirect(self._own_address(asked))

    async def _decided(self, request: Request, form: Mapping[str, str]) -> Response:
        person = await self._person(request)
        ticket = self._deps.tickets().open(_CONSENT, form.get("ticket", ""), self._deps.clock())
        if not same_origin(request):
            raise NotForTheClient("this comes from a page of another site")
        if person is None or (person.name, person.session) != (ticket["user"], ticket["session"]):
            raise NotForTheClient("somebody else is logged in now, or nobody")
        asked, client = self._unpacked(ticket["asked"])
        if form["decision"] != "allow":
            raise Refused("access_denied", "the user does not agree", asked.redirect_uri, asked.state)
        return await self._granted(asked, client, person)

    def _asked(self, params: Mapping[str, str]) -> tuple[AuthorizationRequest, OAuthClient]:
        """The request in the parameters, or in the ticket that was made of it."""
        now = self._deps.clock()
        if "ticket" in params:
            return self._unpacked(self._deps.tickets().open(_REQUEST, params["ticket"], now)["asked"])
        client = self._deps.oauth_clients.get(params.get("client_id", ""))
        asked = read_request(params, client, int(now))
        assert client is not None
        return asked, client

    def _unpacked(self, content: object) -> tuple[AuthorizationRequest, OAuthClient]:
        """A request that was checked before; what the client may do can have changed since."""
        asked = msgspec.convert(content, AuthorizationRequest)
        client = self._deps.oauth_clients.get(asked.client)
        if client is None or asked.redirect_uri not in client.redirect_uris or client.grant_method == "deny":
            raise NotForTheClient("this client is not known here any more")
        return asked, client

    async def _person(self, request: Request) -> Person | None:
        """Who is at the browser, by a session that goes on. Who has to change the password first is not there yet."""
        token = request.cookies.get(cookie_names(over_tls(request)).access, "")
        verifier = TokenVerifier(self._deps.issuer, self._deps.keys(), self._deps.policy().accounts)
        try:
            verified = verifier.verify(token, self._deps.clock())
        except InvalidToken:
            return None
        session = await self._deps.sessions.find(verified.session)
        account = await account_now(self._deps, verified.identity.name)
        if session is None or account is None or account.disabled or account.uninitialized:
            return None
        if account.uid != session.uid or session.created_at < account.tokens_not_before:
            return None
        return Person(verified.identity.name, session.uid, session.id, session.authenticated_at)

    async def _granted(self, asked: AuthorizationRequest, client: OAuthClient, person: Person) -> Response:
        terms = Terms(
            scope=" ".join(asked.scope), identity_only=not client.trusted, access_life=client.access_seconds,
            idle_life=client.idle_life, auth_time=person.authenticated_at, parent=person.session,
        )  # fmt: skip
        subject = Subject(user=person.name, uid=person.uid, session=person.session)
        bound = Asked(asked.redirect_uri, asked.challenge, asked.nonce)
        code = await self._deps.sessions.authorize(subject, client.name, bound, self._deps.clock(), terms)
        return self._back(asked.redirect_uri, {"code": code, "state": asked.state})

    def _to_login(self, asked: AuthorizationRequest, *, again: bool) -> Response:
        query = {"next": self._own_address(asked)} | ({"again": "1"} if again else {})
        return _redirect("/login?" + urlencode(query))

    def _own_address(self, asked: AuthorizationRequest) -> str:
        ticket = self._deps.tickets().seal(_REQUEST, {"asked": _packed(asked)}, _LOGIN_SECONDS, self._deps.clock())
        return f"{PATH}?ticket={ticket}"

    def _back(self, redirect_uri: str, told: Mapping[str, str]) -> Response:
        parts = urlsplit(redirect_uri)
        added = urlencode({key: text for key, text in {**told, "iss": self._deps.issuer}.items() if text})
        return _redirect(urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added))))))


def _packed(asked: AuthorizationRequest) -> object:
    return msgspec.to_builtins(asked)


def _redirect(address: str) -> Response:
    headers = {"Location": address, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(status_code=303, headers=headers)
