"""An authorization request (RFC 6749 4.1.1, OpenID Connect Core 3.1.2.1), read and checked, and what comes next. Pure.

What cannot be told to the client (no such client, an address that is not its own) is told to the person; everything
else goes back to the client's address as an error. A public client has to bring a PKCE challenge, by S256: an
authorization code in a browser's history is then of no use to anybody else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from dovetail.iam.authorization_codes import CHALLENGE
from dovetail.iam.oauth_clients import OAuthClient

SCOPES: Final = ("openid", "profile", "email")
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_LONGEST_STATE: Final = 2048
_LONGEST_NONCE: Final = 512


class NotForTheClient(Exception):
    """The request is wrong in a way that must not be sent anywhere: the person is told."""


class Refused(Exception):
    """The request is refused; the client is told at its address (RFC 6749 4.1.2.1)."""

    def __init__(self, error: str, description: str, redirect_uri: str, state: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description, self.redirect_uri, self.state = error, description, redirect_uri, state


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A good request; `scope` is what is granted of what was asked. `fresh_after`: log-ins before that do not count."""

    client: str
    redirect_uri: str
    scope: tuple[str, ...]
    state: str = ""
    nonce: str = ""
    challenge: str = ""
    prompt: tuple[str, ...] = ()
    fresh_after: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Who is at the browser: an account and when it showed a credential."""

    name: str
    uid: str
    session: str
    authenticated_at: int


_Refuse = Callable[[str, str], Refused]
Step = Literal["log in", "consent", "grant"]


def read_request(params: Mapping[str, str], client: OAuthClient | None, now: int) -> AuthorizationRequest:
    """The request. Raises NotForTheClient, Refused."""
    if client is None:
        raise NotForTheClient("this client is not known here")
    redirect_uri = _redirect_uri(params.get("redirect_uri", ""), client)
    state = params.get("state", "")
    if len(state) > _LONGEST_STATE or len(params.get("nonce", "")) > _LONGEST_NONCE:
        raise NotForTheClient("state or nonce is too long")

    def refuse(error: str, description: str) -> Refused:
        return Refused(error, description, redirect_uri, state)

    if client.grant_method == "deny":
        raise refuse("access_denied", "this client gets no authorizations")
    if "request" in params or "request_uri" in params:
        raise refuse("request_not_supported" if "request" in params else "request_uri_not_supported", "send parameters")
    if params.get("response_type") != "code":
        raise refuse("unsupported_response_type", "response_type must be code")
    if params.get("response_mode", "query") != "query":
        raise refuse("invalid_request", "response_mode must be query")
    challenge = _challenge(params, client, refuse)
    prompt = tuple(params.get("prompt", "").split())
    if not set(prompt) <= _PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise refuse("invalid_request", "prompt must be none, or any of login and consent")
    fresh = max(now if {"login", "select_account"} & set(prompt) else 0, _oldest(params, now, refuse))
    scope = _scope(params.get("scope", ""), client, refuse)
    return AuthorizationRequest(
        client=client.name, redirect_uri=redirect_uri, scope=scope, state=state, nonce=params.get("nonce", ""),
        challenge=challenge, prompt=prompt, fresh_after=fresh,
    )  # fmt: skip


def next_step(request: AuthorizationRequest, client: OAuthClient, person: Person | None, agreed: bool) -> Step:
    """What comes next. Raises Refused where somebody would have to be asked who must not be."""
    silent = "none" in request.prompt

    def refuse(error: str, description: str) -> Refused:
        return Refused(error, description, request.redirect_uri, request.state)

    if person is None or person.authenticated_at < request.fresh_after:
        if silent:
            raise refuse("login_required", "nobody is logged in")
        return "log in"
    if agreed or (client.grant_method == "auto" and "consent" not in request.prompt):
        return "grant"
    if silent:
        raise refuse("interaction_required", "the user has to be asked")
    return "consent"


def _redirect_uri(asked: str, client: OAuthClient) -> str:
    if asked:
        if asked not in client.redirect_uris:
            raise NotForTheClient("redirect_uri is not one of the client's addresses")
        return asked
    if len(client.redirect_uris) != 1:
        raise NotForTheClient("redirect_uri is missing")
    return client.redirect_uris[0]


def _challenge(params: Mapping[str, str], client: OAuthClient, refuse: _Refuse) -> str:
    challenge = params.get("code_challenge", "")
    if not challenge:
        if client.public or "code_challenge_method" in params:
            raise refuse("invalid_request", "code_challenge is needed (PKCE, S256)")
        return ""
    if params.get("code_challenge_method", "plain") != "S256":
        raise refuse("invalid_request", "code_challenge_method must be S256")
    if not CHALLENGE.match(challenge):
        raise refuse("invalid_request", "code_challenge is not one of S256")
    return challenge


def _scope(text: str, client: OAuthClient, refuse: _Refuse) -> tuple[str, ...]:
    """The scopes that are granted: unknown ones are left out, as OpenID Connect has it."""
    asked = dict.fromkeys(text.split())
    barred = [one for one in asked if client.scope_restrictions and one not in client.scope_restrictions]
    if barred:
        raise refuse("invalid_scope", "the client may not ask for this scope")
    return tuple(one for one in SCOPES if one in asked)


def _oldest(params: Mapping[str, str], now: int, refuse: _Refuse) -> int:
    text = params.get("max_age", "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise refuse("invalid_request", "max_age is not a number of seconds")
    return now - int(text)
