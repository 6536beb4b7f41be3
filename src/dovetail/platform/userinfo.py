"""/oauth/userinfo: who somebody is, for the bearer of an access token (OpenID Connect Core 5.3).

It is the one place where access tokens of clients that are not trusted are good. Those are verified here, by the
accounts of now and the session as it is stored; a caller that the gateway's worker vouches for is told everything.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.errors import InvalidToken
from dovetail.iam.tokens import AUDIENCE, USERINFO, TokenVerifier, VerifiedToken
from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.callers import caller
from dovetail.platform.claims import claims_of
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import OAuthError, Unauthenticated
from dovetail.platform.login import find_user


class UserInfo:
    """GET and POST of /oauth/userinfo."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route("/oauth/userinfo", self.userinfo, methods=["GET", "POST"])]

    async def userinfo(self, request: Request) -> Response:
        """Who is logged in."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        scope: str | None = None
        if scheme.lower() == "bearer":
            verified = await self._verified(token.strip())
            name, scope = verified.identity.name, verified.scope or None
            if scope is not None and "openid" not in scope.split():
                raise _refusal("insufficient_scope", "the token was not issued for scope openid", 403)
        else:
            name = caller(request).name
        user = await find_user(self._deps, name)
        if user is None:
            raise Unauthenticated("the user does not exist any more")
        return json_answer(claims_of(user, scope), headers=NO_STORE)

    async def _verified(self, token: str) -> VerifiedToken:
        deps, now = self._deps, self._deps.clock()
        verifier = TokenVerifier(deps.issuer, deps.keys(), deps.policy().accounts)
        problem = ""
        for audience in (AUDIENCE, USERINFO):
            try:
                verified = verifier.verify(token, now, audience)
            except InvalidToken as error:
                problem = error.reason
                continue
            if await deps.sessions.find(verified.session) is not None:
                return verified
            problem = "its session was ended"
            break
        raise _refusal("invalid_token", f"the token is not valid: {problem}", 401)


def _refusal(error: str, description: str, code: int) -> OAuthError:
    """RFC 6750 3."""
    challenge = f'Bearer realm="dovetail", error="{error}"'
    return OAuthError(error, description, code, {"WWW-Authenticate": challenge})
