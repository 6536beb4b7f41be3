"""OIDCIdentityProvider: OpenID Connect with discovery or explicit endpoints, the code flow, PKCE and a nonce.

    issuer, clientID, clientSecret, scopes, redirectURL, endpoint {authURL, tokenURL, userInfoURL, jwksURL},
    getUserInfo, insecureSkipVerify, emailKey, preferredUsernameKey; beyond KubeSphere's: groupsKey, rootCA, rootCAData

Built on joserfc and aiohttp, which the process has anyway; authlib would bring a second client and a second way to
verify. The subject is `sub`. An address that the provider calls unverified does not count.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import time
from typing import Any, Final, cast

from dovetail.iam.identity_providers import claims as read
from dovetail.iam.identity_providers.code_flow import ClientOf, asked_at, bearer, code_of, redeemed
from dovetail.iam.identity_providers.id_token import Expected, UnknownKey, verified
from dovetail.iam.identity_providers.provider import Flow, Person, ProviderFailed
from dovetail.iam.identity_providers.settings import ProviderSettings
from dovetail.iam.identity_providers.web import Json, Web
from dovetail.iam.labelled_secrets import UnusableConfiguration, flag, section, text, texts

_DEFAULT_SCOPES: Final = ("openid", "profile", "email")
_FRESH_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 10.0


class Oidc:
    """One provider. `clock` in seconds of the epoch."""

    def __init__(self, settings: ProviderSettings, clock: Callable[[], float] = time) -> None:
        said = settings.provider
        self._name, self._clock = settings.name, clock
        self._web = Web(settings.name, said)
        self._issuer = self._web.address(said, "issuer")
        self._id, self._secret = text(said, "clientID"), text(said, "clientSecret")
        if not self._issuer or not self._id:
            raise UnusableConfiguration("issuer and clientID are needed")
        endpoints = section(said, "endpoint")
        keys = {"authorization_endpoint": "authURL", "token_endpoint": "tokenURL",
                "userinfo_endpoint": "userInfoURL", "jwks_uri": "jwksURL"}  # fmt: skip
        self._explicit = {key: found for key, name in keys.items() if (found := self._web.address(endpoints, name))}
        self._scopes = tuple(dict.fromkeys(("openid", *(texts(said, "scopes") or _DEFAULT_SCOPES))))
        self._user_info = flag(said, "getUserInfo")
        self._email = text(said, "emailKey") or "email"
        self._username = text(said, "preferredUsernameKey") or "preferred_username"
        self._groups = text(said, "groupsKey")
        self._document: tuple[float, Json] = (0.0, {})
        self._keys: tuple[float, list[Json]] = (0.0, [])
        self._lock = asyncio.Lock()

    async def begin(self, flow: Flow) -> str:
        """Where the browser goes."""
        address = await self._endpoint("authorization_endpoint")
        return asked_at(address, self._client(), flow, self._scopes, nonce=flow.nonce)

    async def finish(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Who came back with a code."""
        code = code_of(answer, self._issuer)
        address = await self._endpoint("token_endpoint")
        tokens = await redeemed(self._web, address, self._client(), flow, code)
        claims = await self._verified(tokens.get("id_token"), flow.nonce)
        if self._user_info:
            claims = {**claims, **await self._asked_about(claims["sub"], tokens)}
        return Person(
            subject=claims["sub"], username=read.word(claims, self._username), email=read.address(claims, self._email),
            display_name=read.word(claims, "name"),
            groups=read.groups(claims, self._groups) if self._groups else None,
        )  # fmt: skip

    async def _verified(self, token: object, nonce: str) -> Json:
        if not isinstance(token, str):
            raise ProviderFailed(self._name, "the token endpoint gave no ID token")
        expected = Expected(self._issuer, self._id, nonce)
        try:
            return verified(token, await self._jwks(_FRESH_SECONDS), expected, self._clock())
        except UnknownKey:
            return verified(token, await self._jwks(_AGAIN_SECONDS), expected, self._clock())

    async def _asked_about(self, subject: str, tokens: Mapping[str, Any]) -> Json:
        """What the user info endpoint adds, about the same person (OpenID Connect Core 5.3.2)."""
        address = await self._endpoint("userinfo_endpoint")
        info = await self._web.get_json(address, bearer(self._name, tokens))
        if info.get("sub") != subject:
            raise ProviderFailed(self._name, "the user info is about somebody else")
        return info

    async def _jwks(self, seconds: float) -> list[Json]:
        """The provider's keys, not older than this."""
        async with self._lock:
            if self._clock() - self._keys[0] >= seconds:
                address = await self._endpoint("jwks_uri")
                found: object = (await self._web.get_json(address)).get("keys")
                listed = cast("list[object]", found) if isinstance(found, list) else []
                keys = [cast("Json", key) for key in listed if isinstance(key, dict)]
                self._keys = (self._clock(), keys)
            return self._keys[1]

    async def _endpoint(self, name: str) -> str:
        address = self._explicit.get(name) or read.word(await self._discovered(), name)
        if not self._web.acceptable(address):
            raise ProviderFailed(self._name, f"there is no {name} that could be asked")
        return address

    async def _discovered(self) -> Json:
        if self._clock() - self._document[0] >= _FRESH_SECONDS:
            document = await self._web.get_json(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            if document.get("issuer") != self._issuer:
                raise ProviderFailed(self._name, "its discovery document is of another issuer")
            self._document = (self._clock(), document)
        return self._document[1]

    def _client(self) -> ClientOf:
        """How we show the secret: in the header, unless the provider takes it in the form only."""
        methods: object = self._document[1].get("token_endpoint_auth_methods_supported")
        listed = cast("list[object]", methods) if isinstance(methods, list) else []
        in_body = "client_secret_post" in listed and "client_secret_basic" not in listed
        return ClientOf(self._name, self._id, self._secret, in_body)
