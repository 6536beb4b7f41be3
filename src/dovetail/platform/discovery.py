"""What the platform says of itself: OpenID discovery, public keys, who is logged in, which version this is.

The discovery document names what is there and nothing else: no authorization endpoint and no ID tokens yet.
"""

import platform as machine

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Unauthenticated
from dovetail.platform.login import find_user


class Discovery:
    """The read-only documents."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.configuration, methods=["GET"]),
            Route("/oauth/keys", self.keys, methods=["GET"]),
            Route("/oauth/userinfo", self.userinfo, methods=["GET", "POST"]),
            Route("/kapis/version", self.version, methods=["GET"]),
        ]

    async def configuration(self, _: Request) -> Response:
        """OpenID Connect Discovery 1.0 / RFC 8414."""
        issuer = self._deps.issuer
        return json_answer(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth/token",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "userinfo_endpoint": f"{issuer}/oauth/userinfo",
                "jwks_uri": f"{issuer}/oauth/keys",
                "grant_types_supported": ["password", "refresh_token"],
                "response_types_supported": [],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
                "claims_supported": ["sub", "preferred_username", "name", "email", "locale"],
            }
        )

    async def keys(self, _: Request) -> Response:
        """The JWKS (RFC 7517): of tokens, and of what the gateway tells backends (`dovetail.iam.assertions`)."""
        keys = [orjson.loads(key.jwk) for key in (*self._deps.keys(), *self._deps.assertion_keys())]
        return json_answer({"keys": keys}, headers={"Cache-Control": "public, max-age=300"})

    async def userinfo(self, request: Request) -> Response:
        """Who is logged in (OpenID Connect Core 5.3)."""
        identity = caller(request)
        user = await find_user(self._deps, identity.name)
        if user is None:
            raise Unauthenticated("the user does not exist any more")
        spec = user.get("spec", {})
        said = {"name": spec.get("displayName"), "email": spec.get("email"), "locale": spec.get("lang")}
        claims = {"sub": identity.name, "preferred_username": identity.name}
        return json_answer(claims | {key: value for key, value in said.items() if value}, headers=NO_STORE)

    async def version(self, request: Request) -> Response:
        """The shape of Kubernetes' version.Info."""
        version = self._deps.version
        major, minor = [*version.removeprefix("v").split("."), "", ""][:2]
        return json_answer(
            {
                "gitVersion": version,
                "gitMajor": major,
                "gitMinor": minor,
                "platform": f"{machine.system().lower()}/{machine.machine()}",
                "pythonVersion": machine.python_version(),
            }
        )
