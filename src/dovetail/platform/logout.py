"""/oauth/logout: ends sessions, by whatever the caller brings (also OpenID Connect RP-Initiated Logout 1.0).

A bearer token, tokens in a form, or the console's own cookies end their session. A client that sends its user here
with an ID token of ours as `id_token_hint` ends that session and the browser's one in which the user agreed; with
`post_logout_redirect_uri` the browser goes back, if that is one of the client's addresses and to nowhere else.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.errors import InvalidToken
from dovetail.platform.answers import NO_STORE, form_body, json_answer
from dovetail.platform.callers import over_tls, same_origin
from dovetail.platform.cookies import cookie_names, without_session
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.granting import end_session
from dovetail.platform.pages import problem_page

_FORM = "application/x-www-form-urlencoded"


class Logout:
    """GET and POST of /oauth/logout."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route("/oauth/logout", self.logout, methods=["GET", "POST"])]

    async def logout(self, request: Request) -> Response:
        """End the sessions of the bearer token, the form, the cookies and the hint; then back to the client."""
        params = dict(request.query_params)
        if request.method == "POST" and request.headers.get("content-type", "").startswith(_FORM):
            params |= await form_body(request)
        hint = self._hint(params.get("id_token_hint", ""))
        target = self._target(params, hint)
        own = same_origin(request)
        for token in self._tokens(request, params, own):
            await end_session(self._deps, token)
        if hint:
            await self._end_hinted(str(hint.get("sid", "")))
        answer = json_answer({"message": "success"}, headers=NO_STORE) if target is None else _answer(request, target)
        return without_session(request, answer) if own or hint else answer

    def _tokens(self, request: Request, params: Mapping[str, str], own: bool) -> list[str]:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        tokens = [bearer.strip()] if scheme.lower() == "bearer" else []
        if request.method == "POST":
            tokens += [params.get("token", ""), params.get("refresh_token", "")]
        if own:
            tokens += [request.cookies.get(name, "") for name in cookie_names(over_tls(request))]
        return tokens

    def _hint(self, text: str) -> dict[str, Any]:
        try:
            return self._deps.tokens().identity_hint(text, self._deps.clock()) if text else {}
        except InvalidToken:
            return {}

    def _target(self, params: Mapping[str, str], hint: Mapping[str, Any]) -> str | None:
        """Where to go back to; "" when somebody asks for a place that is not the client's."""
        wanted = params.get("post_logout_redirect_uri", "")
        if not wanted:
            return None
        name = str(hint.get("aud", "")) or params.get("client_id", "")
        client = self._deps.oauth_clients.get(name)
        if client is None or params.get("client_id", name) != name or wanted not in client.post_logout_redirect_uris:
            return ""
        if "state" not in params:
            return wanted
        parts = urlsplit(wanted)
        query = "&".join(filter(None, (parts.query, urlencode({"state": params["state"]}))))
        return urlunsplit(parts._replace(query=query))

    async def _end_hinted(self, name: str) -> None:
        session = await self._deps.sessions.find(name)
        if session is not None:
            for one in filter(None, (session.id, session.parent)):
                await self._deps.sessions.end(one, self._deps.clock())


def _answer(request: Request, target: str) -> Response:
    if not target:
        return problem_page(request, "post_logout_redirect_uri is not one of the client's addresses")
    return Response(status_code=303, headers={**NO_STORE, "Location": target, "Referrer-Policy": "no-referrer"})
