"""The seam of identity providers: who somebody is elsewhere never makes him somebody else here."""

import asyncio
import secrets

import pytest

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import IDENTITY_PROVIDER_PREFIX
from dovetail.iam.errors import InvalidToken
from dovetail.iam.identity_providers.provider import Person
from dovetail.iam.oauth_clients import default_client
from dovetail.iam.sessions import TokenPair
from dovetail.platform.callers import Origin
from dovetail.platform.errors import Clash, Unacceptable, Unauthenticated
from dovetail.platform.proven import Method, Proven, Registration, log_in_proven, register

from .conftest import ISSUER, Platform

CLIENT, HERE = default_client(ISSUER), Origin("192.0.2.1", "browser")


async def arrive(platform: Platform, proven: Proven, mapping: Method = "auto") -> TokenPair | Registration:
    return await log_in_proven(platform.deps, proven, mapping, CLIENT, HERE)


def somebody(name: str = "", **more: str) -> Proven:
    return Proven("hub", Person(secrets.token_hex(4), name or "h" + secrets.token_hex(4), **more))


async def test_auto_makes_a_user_and_finds_it_again(platform: Platform) -> None:
    proven = somebody(email="hub@example.org", display_name="Hub Person")
    first = await arrive(platform, proven)
    await platform.until(lambda: platform.deps.users.get(proven.person.username) is not None)
    second = await arrive(platform, proven, "lookup")
    assert isinstance(first, TokenPair)
    assert isinstance(second, TokenPair)
    assert first.subject.user == second.subject.user == proven.person.username
    user = await platform.client.get(USERS, proven.person.username)
    assert user["metadata"]["annotations"] == {IDENTITY_PROVIDER_PREFIX + "hub": proven.person.subject}
    assert user["spec"].get("password", "") == ""
    assert (await platform.log_in(proven.person.username, "")).code == 400
    await platform.deps.login_records.drained()
    (latest, *_) = await platform.deps.login_records.list_of(proven.person.username)
    assert (latest["spec"]["type"], latest["spec"]["provider"]) == ("OAuth", "hub")


async def test_nobody_takes_an_account_over(platform: Platform) -> None:
    local = await platform.user("platform-admin", email="boss@example.org")
    with pytest.raises(Clash):
        await arrive(platform, somebody(local))
    with pytest.raises(Clash):
        await arrive(platform, somebody(local.upper()))
    made = await arrive(platform, somebody(email="boss@example.org"))
    assert isinstance(made, TokenPair)
    assert made.subject.user != local
    assert (await platform.client.get(USERS, made.subject.user))["spec"]["email"] == ""
    other = Proven("other-hub", Person(somebody().person.subject, made.subject.user))
    with pytest.raises(Clash):
        await arrive(platform, other)
    for odd in ("", "../x", "System:Admin", "a b", "x" * 64):
        with pytest.raises(Unacceptable):
            await arrive(platform, Proven("hub", Person(secrets.token_hex(4), odd)))


async def test_lookup_and_manual_make_nobody(platform: Platform) -> None:
    proven = somebody()
    with pytest.raises(Unauthenticated):
        await arrive(platform, proven, "lookup")
    asked = await arrive(platform, proven, "manual")
    assert isinstance(asked, Registration)
    name = "m" + secrets.token_hex(4)
    with pytest.raises(InvalidToken):
        platform.verifier().verify(asked.ticket, platform.now)
    results = await asyncio.gather(
        *(register(platform.deps, asked.ticket, one, CLIENT, HERE) for one in (name, name + "-2")),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in results) == ["Clash", "TokenPair"]
    platform.now += 901
    with pytest.raises(InvalidToken):
        await register(platform.deps, asked.ticket, name + "-3", CLIENT, HERE)


async def test_disabled_stays_disabled(platform: Platform) -> None:
    proven = somebody()
    await arrive(platform, proven)
    await platform.client.patch(USERS, proven.person.username, {"status": {"state": "Disabled"}}, subresource="status")
    with pytest.raises(Unauthenticated):
        await arrive(platform, proven)
