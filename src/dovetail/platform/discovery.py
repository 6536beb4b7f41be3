"""What the platform says of itself: OpenID discovery, public keys, which version this is."""

import platform as machine

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.keys import ALGORITHM
from dovetail.platform.answers import json_answer
from dovetail.platform.authorization_request import SCOPES
from dovetail.platform.claims import CLAIMS
from dovetail.platform.client_authentication import METHODS
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.oauth import GRANTS


class Discovery:
    """The read-only documents."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.configuration, methods=["GET"]),
            Route("/.well-known/oauth-authorization-server", self.configuration, methods=["GET"]),
            Route("/oauth/keys", self.keys, methods=["GET"]),
            Route("/kapis/version", self.version, methods=["GET"]),
        ]

    async def configuration(self, _: Request) -> Response:
        """OpenID Connect Discovery 1.0 / RFC 8414: what is there, and nothing else."""
        issuer = self._deps.issuer
        return json_answer(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/oauth/authorize",
                "token_endpoint": f"{issuer}/oauth/token",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "userinfo_endpoint": f"{issuer}/oauth/userinfo",
                "end_session_endpoint": f"{issuer}/oauth/logout",
                "jwks_uri": f"{issuer}/oauth/keys",
                "scopes_supported": list(SCOPES),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": list(GRANTS),
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "token_endpoint_auth_methods_supported": list(METHODS),
                "revocation_endpoint_auth_methods_supported": list(METHODS),
                "code_challenge_methods_supported": ["S256"],
                "prompt_values_supported": ["none", "login", "consent", "select_account"],
                "claims_supported": ["sub", *CLAIMS, "auth_time"],
                "authorization_response_iss_parameter_supported": True,
                "request_parameter_supported": False,
                "request_uri_parameter_supported": False,
            }
        )

    async def keys(self, _: Request) -> Response:
        """The JWKS (RFC 7517): of tokens, and of what the gateway tells backends (`dovetail.iam.assertions`)."""
        keys = [orjson.loads(key.jwk) for key in (*self._deps.keys(), *self._deps.assertion_keys())]
        return json_answer({"keys": keys}, headers={"Cache-Control": "public, max-age=300"})

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
