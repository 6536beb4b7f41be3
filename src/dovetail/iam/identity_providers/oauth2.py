"""GitHubIdentityProvider and AliyunIDaaSProvider: OAuth 2 without ID tokens; who it is, the user API says.

    clientID, clientSecret, redirectURL, scopes, endpoint {authURL, tokenURL, userInfoURL}, insecureSkipVerify

The subject at GitHub is the number of the account. KubeSphere takes the login name, which somebody else gets when it is
given up (reference/kubesphere-core.md 8.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dovetail.iam.identity_providers import claims as read
from dovetail.iam.identity_providers.code_flow import ClientOf, asked_at, bearer, code_of, redeemed
from dovetail.iam.identity_providers.provider import Flow, Person, ProviderFailed
from dovetail.iam.identity_providers.settings import ProviderSettings
from dovetail.iam.identity_providers.web import Web
from dovetail.iam.labelled_secrets import UnusableConfiguration, section, text, texts


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Where a kind of provider is, and what it calls things."""

    authorize: str = ""
    token: str = ""
    user: str = ""
    scopes: tuple[str, ...] = ()
    subject: str = "sub"
    username: str = "username"


_GITHUB: Final = _Dialect(
    "https://github.com/login/oauth/authorize", "https://github.com/login/oauth/access_token",
    "https://api.github.com/user", ("user",), "id", "login",
)  # fmt: skip
_DIALECTS: Final[Mapping[str, _Dialect]] = {"GitHubIdentityProvider": _GITHUB, "AliyunIDaaSProvider": _Dialect()}


class OAuth2:
    """One provider."""

    def __init__(self, settings: ProviderSettings) -> None:
        said, self._dialect = settings.provider, _DIALECTS[settings.type]
        self._name = settings.name
        self._web = Web(settings.name, said)
        endpoints = section(said, "endpoint")
        self._authorize = self._web.address(endpoints, "authURL", self._dialect.authorize)
        self._token = self._web.address(endpoints, "tokenURL", self._dialect.token)
        self._user = self._web.address(endpoints, "userInfoURL", self._dialect.user)
        self._client = ClientOf(settings.name, text(said, "clientID"), text(said, "clientSecret"), in_body=True)
        self._scopes = texts(said, "scopes") or self._dialect.scopes
        if not (self._client.id and self._client.secret and self._authorize and self._token and self._user):
            raise UnusableConfiguration("clientID, clientSecret and the three addresses of endpoint are needed")

    async def begin(self, flow: Flow) -> str:
        """Where the browser goes."""
        return asked_at(self._authorize, self._client, flow, self._scopes)

    async def finish(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Who came back with a code."""
        tokens = await redeemed(self._web, self._token, self._client, flow, code_of(answer))
        user = await self._web.get_json(self._user, bearer(self._name, tokens))
        subject = read.identifier(user, self._dialect.subject)
        if not subject:
            raise ProviderFailed(self._name, "the user API does not say who it is about")
        return Person(
            subject=subject, username=read.word(user, self._dialect.username), email=read.address(user, "email"),
            display_name=read.word(user, "name"),
        )  # fmt: skip
