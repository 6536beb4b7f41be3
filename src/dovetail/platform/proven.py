"""Somebody has proved to an identity provider who he is: which user that makes him here, and a session for it.

The link between the two is an annotation of the User, `iam.kubesphere.io/identity-provider.<provider>`, with what the
provider calls him for ever (not a name, which somebody else may get later). Nobody becomes a user by having the same
name or e-mail address: `auto` makes a new user and refuses when the name is taken, `lookup` takes linked users only,
`manual` lets the person choose a name, with a ticket that says who he is (`dovetail.iam.tickets`).

Groups that a provider is asked for come along as `<provider>:<group>`, and are those of the latest log-in.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import msgspec

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import IDENTITY_PROVIDER_PREFIX
from dovetail.iam.bootstrap import API_VERSION
from dovetail.iam.compiler import account_of
from dovetail.iam.email_addresses import holders
from dovetail.iam.errors import InvalidToken
from dovetail.iam.identity_providers.provider import Person
from dovetail.iam.login_records import LoginAttempt
from dovetail.iam.oauth_clients import OAuthClient
from dovetail.iam.pre_registration import SECONDS
from dovetail.iam.sessions import TokenPair
from dovetail.kube.errors import AlreadyExists, Conflict
from dovetail.kube.objects import annotations_of
from dovetail.platform.callers import Origin
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Clash, Unacceptable, Unauthenticated
from dovetail.platform.granting import terms_of
from dovetail.platform.login import USER_NAME, find_user
from dovetail.platform.promised_rights import promised

Method = Literal["auto", "manual", "lookup"]
Object = dict[str, Any]

_REGISTRATION: Final = "registration"
_TRIES: Final = 5
_LONGEST_NAME: Final = 63
_TAKEN: Final = "an account of this name is there already and not linked with {provider}; ask an administrator"


@dataclass(frozen=True, slots=True)
class Proven:
    """A person whom a provider vouches for."""

    provider: str
    person: Person


@dataclass(frozen=True, slots=True)
class Registration:
    """The person is known at the provider and has to choose a name here: `register` with this ticket."""

    ticket: str
    proven: Proven


async def log_in_proven(
    deps: PlatformDeps, proven: Proven, mapping: Method, client: OAuthClient, origin: Origin, once: str = ""
) -> TokenPair | Registration:
    """A session, or a ticket to register with. `once` names the proof, if it is good for one session only.

    Raises Unauthenticated, Clash, and kube's errors.
    """
    user = await linked(deps, proven)
    if user is None and mapping == "manual":
        content = {"proven": asdict(proven), "client": client.name, "once": secrets.token_hex(12)}
        ticket = deps.tickets().seal(_REGISTRATION, content, SECONDS, deps.clock())
        return Registration(ticket, proven)
    if user is None and mapping == "auto":
        user = await _created(deps, proven, proven.person.username.lower())
    if user is None:
        raise Unauthenticated(f"no account here is linked with you at {proven.provider}; ask an administrator")
    return await _begin(deps, user, proven, client, origin, once)


async def register(deps: PlatformDeps, ticket: str, name: str, client: OAuthClient, origin: Origin) -> TokenPair:
    """Make the user that a ticket is for, under a name that the person has chosen. Raises InvalidToken, too."""
    proven, once = opened(deps, ticket, client)
    return await _begin(deps, await enrol(deps, proven, name), proven, client, origin, once)


async def resume(deps: PlatformDeps, ticket: str, client: OAuthClient, origin: Origin) -> TokenPair:
    """A session for who has registered since the ticket was made; one for each ticket. Raises InvalidToken, too."""
    proven, once = opened(deps, ticket, client)
    user = await linked(deps, proven)
    if user is None:
        raise Unauthenticated("you have not registered yet")
    return await _begin(deps, user, proven, client, origin, once)


def opened(deps: PlatformDeps, ticket: str, client: OAuthClient) -> tuple[Proven, str]:
    """Whom a ticket is about, and what its session begins with. Raises InvalidToken."""
    content = deps.tickets().open(_REGISTRATION, ticket, deps.clock())
    if content["client"] != client.name:
        raise InvalidToken("it belongs to another client")
    return msgspec.convert(content["proven"], Proven), str(content["once"])


async def enrol(deps: PlatformDeps, proven: Proven, name: str) -> Object:
    """Make the user of this person, under a name of his choice. Raises Clash, Unacceptable."""
    if await linked(deps, proven) is not None:
        raise Clash("you are registered already; log in again")
    return await _created(deps, proven, name)


async def linked(deps: PlatformDeps, proven: Proven) -> Object | None:
    """The user who is linked with this person, as the API has it. Raises Unauthenticated where there are several."""
    names = [str(user["metadata"]["name"]) for user in deps.users.list() if _is_linked(user, proven)]
    users = [user for name in names if (user := await find_user(deps, name)) is not None]
    return _only_one(user for user in users if _is_linked(user, proven))


def _only_one(users: Iterable[Object]) -> Object | None:
    found = tuple(users)
    if len(found) > 1:
        raise Unauthenticated("more than one account is linked with you; ask an administrator")
    return found[0] if found else None


def _is_linked(user: Mapping[str, Any], proven: Proven) -> bool:
    return annotations_of(user).get(IDENTITY_PROVIDER_PREFIX + proven.provider) == proven.person.subject


async def _begin(
    deps: PlatformDeps, user: Object, proven: Proven, client: OAuthClient, origin: Origin, once: str
) -> TokenPair:
    name, account = str(user["metadata"]["name"]), account_of(user)
    problem = "the account is disabled; ask an administrator" if account is None or account.disabled else ""
    pair: TokenPair | None = None
    if account is not None and not problem:
        await _keep_groups(deps, user, proven)
        try:
            pair = await deps.sessions.begin(
                name, account.uid, client.name, deps.clock(), terms_of(client), once=once and f"proof {once}"
            )
        except AlreadyExists:
            problem = "this log-in was used already; log in again"
    deps.logged_in(name, origin.address, problem)
    deps.login_records.note(
        LoginAttempt(name, not problem, origin.address, origin.agent, "OAuth", proven.provider, problem)
    )
    if pair is None:
        raise Unauthenticated(problem)
    return pair


async def _keep_groups(deps: PlatformDeps, user: Object, proven: Proven) -> None:
    """Have the user in the groups that the provider says, and in no other of that provider's."""
    if proven.person.groups is None:
        return
    for _ in range(_TRIES):
        before: list[str] = user["spec"].get("groups") or []
        after = [group for group in before if not group.startswith(proven.provider + ":")]
        after += [f"{proven.provider}:{group}" for group in proven.person.groups]
        if after == before:
            return
        metadata = {key: user["metadata"][key] for key in ("uid", "resourceVersion")}
        try:
            await deps.client.patch(
                USERS, user["metadata"]["name"], {"metadata": metadata, "spec": {"groups": after or None}}
            )
            return
        except Conflict:
            user = await deps.client.get(USERS, user["metadata"]["name"])
    raise Unauthenticated("your account is being changed just now; log in again")


async def _created(deps: PlatformDeps, proven: Proven, name: str) -> Object:
    if not name or len(name) > _LONGEST_NAME or not USER_NAME.match(name):
        raise Unacceptable("the registration", [("username", "is no name that a user can have here")])
    async with deps.linking:
        present = (await deps.client.list(USERS)).items  # not the cache, which may not have the last one yet
        if any(_is_linked(user, proven) for user in present):
            raise Clash("you are registered already; log in again")
        spec = {"email": _free_email(deps, proven.person.email), "displayName": proven.person.display_name}
        marks = {IDENTITY_PROVIDER_PREFIX + proven.provider: proven.person.subject}
        user: Object = {
            "apiVersion": API_VERSION, "kind": "User", "metadata": {"name": name, "annotations": marks},
            "spec": {key: text for key, text in spec.items() if text or key == "email"},
        }  # fmt: skip
        if promised(deps, name):
            raise Clash(f"rights are promised to the name {name!r} already; take another, or ask an administrator")
        try:
            await deps.client.create(USERS, user)
        except AlreadyExists as error:
            raise Clash(_TAKEN.format(provider=proven.provider), exists=True) from error
    return await deps.client.patch(USERS, name, {"status": {"state": "Active"}}, subresource="status")


def _free_email(deps: PlatformDeps, email: str) -> str:
    """The address, unless another user has it: one address is good for one log-in."""
    return "" if holders(deps.users.list(), email) else email
