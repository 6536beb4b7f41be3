"""Logging in with an identity provider: what it says of somebody becomes a session, or a chance to register.

Tries of passwords that a provider checks are counted like those of our own. Somebody who is to register calls with a
token of `system:pre-registration`, creates his user as any user is created, and trades the ticket that he got as a
refresh token (`POST /oauth/token`), once.
"""

import logging
from collections.abc import Mapping
from typing import Any

from dovetail.iam.errors import TooManyAttempts
from dovetail.iam.identity_providers.provider import NotProven, Person
from dovetail.iam.identity_providers.registry import IdentityProvider
from dovetail.iam.oauth_clients import OAuthClient
from dovetail.iam.policy import Identity
from dovetail.iam.pre_registration import SECONDS, access_token
from dovetail.iam.sessions import TokenPair
from dovetail.platform.callers import Origin
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, Unacceptable, Unauthenticated
from dovetail.platform.proven import Proven, Registration, enrol, log_in_proven, opened, register, resume

log = logging.getLogger(__name__)


async def log_in_with_password(
    deps: PlatformDeps, provider: str, login: str, password: str, client: OAuthClient, origin: Origin
) -> TokenPair | Registration:
    """Have a provider check a password. Raises Unauthenticated, TooManyAttempts, Clash, ProviderFailed."""
    found = deps.identity_providers.get(provider)
    if found is None or found.password is None:
        raise Unauthenticated("there is no such identity provider that takes passwords")
    typed = login.strip()
    try:
        async with deps.provider_lockout.attempt(f"{provider} {typed.lower()}", origin.address, deps.clock) as attempt:
            try:
                person = await found.password.authenticate(typed, password)
            except NotProven as error:
                attempt.failed(deps.clock())
                raise Unauthenticated(str(error)) from error
            attempt.succeeded()
    except (Unauthenticated, TooManyAttempts) as error:
        deps.logged_in("", origin.address, str(error))
        raise
    return await arrived(deps, found, person, client, origin)


async def arrived(
    deps: PlatformDeps, provider: IdentityProvider, person: Person, client: OAuthClient, origin: Origin, once: str = ""
) -> TokenPair | Registration:
    """Let in, by the provider's mapping, whom it has told us about."""
    return await log_in_proven(deps, Proven(provider.name, person), provider.settings.mapping, client, origin, once)


async def register_as(
    deps: PlatformDeps, ticket: str, name: str, client: OAuthClient, origin: Origin
) -> TokenPair:  # fmt: skip
    """Make the user that a ticket is for, and a session. Raises InvalidToken, Clash, Unacceptable."""
    _demand_registering(deps, opened(deps, ticket, client)[0].provider)
    return await register(deps, ticket, name.strip().lower(), client, origin)


async def resumed(deps: PlatformDeps, ticket: str, client: OAuthClient, origin: Origin) -> TokenPair:
    """The session of who has registered with a ticket. Raises InvalidToken, Unauthenticated."""
    _demand_registering(deps, opened(deps, ticket, client)[0].provider)
    return await resume(deps, ticket, client, origin)


async def create_own_user(deps: PlatformDeps, caller: Identity, body: Mapping[str, Any]) -> dict[str, Any]:
    """Create the user of who calls as `system:pre-registration`: only the name is his to say."""
    said = {key: values[0] for key, values in caller.extra.items() if values}
    person = Person(said.get("uid", ""), said.get("username", ""), said.get("email", ""), said.get("displayname", ""))
    proven = Proven(said.get("idp", ""), person)
    if not proven.provider or not person.subject:
        raise AccessDenied("this token does not say whom it is about")
    _demand_registering(deps, proven.provider)
    metadata: Any = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if not isinstance(name, str):
        raise Unacceptable("the User", [("metadata.name", "is needed")])
    return await enrol(deps, proven, name)


def registration_answer(deps: PlatformDeps, registration: Registration) -> dict[str, str | int]:
    """What a client gets that asked for tokens, for somebody who is to register first (RFC 6749 5.1)."""
    person = registration.proven.person
    extra = {
        "idp": registration.proven.provider, "uid": person.subject, "username": person.username,
        "email": person.email, "displayname": person.display_name,
    }  # fmt: skip
    return {
        "access_token": access_token(deps.token_issuer, extra, deps.clock()),
        "token_type": "Bearer",
        "refresh_token": registration.ticket,
        "expires_in": SECONDS,
    }


def _demand_registering(deps: PlatformDeps, provider: str) -> None:
    found = deps.identity_providers.get(provider)
    if found is None or found.settings.mapping != "manual":
        raise Unauthenticated(f"nobody registers with {provider} any more; log in again")
