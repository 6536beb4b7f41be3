"""Logging in by way of others' OIDC and CAS servers, and by LDAP; and what must not get anybody in."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import IDENTITY_PROVIDER_PREFIX, SYSTEM_NAMESPACE
from dovetail.kube.resources import EVENTS, SECRETS

from .conftest import Platform
from .directory_rig import ANN_PASSWORD, LdapServer, running_slapd
from .provider_rig import CAS_PASSWORD, PEER_SECRET, Browser, cas_peer, oidc_peer, provided, provider_secret, query_of

PEER = "Peer"


@pytest.fixture(scope="module")
def peer() -> Iterator[dict[str, object]]:
    with oidc_peer(PEER) as issuer:
        yield {"issuer": issuer, "clientID": "dovetail", "clientSecret": PEER_SECRET, "getUserInfo": True}


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LdapServer]:
    with running_slapd(Path(tmp_path_factory.mktemp("slapd"))) as server:
        yield server


def person() -> str:
    return "id-o" + secrets.token_hex(4)


async def test_a_log_in_by_way_of_a_provider_of_others(platform: Platform, peer: dict[str, object]) -> None:
    somebody = person()
    async with provided(platform, "OIDCIdentityProvider", {**peer, "groupsKey": "groups"}, PEER, mappingMethod="auto"):
        browser = Browser(platform)
        away = await browser.leave(PEER, "/extensions%3Fa=1")
        asked = query_of(away)
        assert asked["code_challenge_method"] == "S256"
        assert asked["scope"].split()[0] == "openid"
        (key,) = browser.cookies.values()
        assert key not in away
        back = await browser.there(away, login=somebody, password="x")
        answer = await browser.get(back)
        assert answer.code == 200, answer.body
        assert 'content="0;url=/extensions?a=1"' in answer.body
        assert set(browser.cookies) == {"dovetail-token", "dovetail-refresh"}, "the cookie of the way goes"
        who = platform.verifier().verify(browser.cookies["dovetail-token"], platform.now)
        name = somebody.removeprefix("id-")
        assert who.identity.name == name
        user = await platform.client.get(USERS, name)
        assert user["metadata"]["annotations"][IDENTITY_PROVIDER_PREFIX + PEER] == somebody
        assert user["spec"]["groups"] == ["Peer:staff", "Peer:system:masters"]
        assert user["spec"]["email"] == f"{somebody}@peer.example"
        for replayed in (browser, Browser(platform, {"dovetail-login-" + "0" * 24: key})):
            assert (await replayed.get(back)).code in (400, 401)
        again = Browser(platform)
        answer = await again.get(await again.there(await again.leave(PEER), login=somebody, password="x"))
        assert answer.code == 200


@pytest.mark.parametrize("kind", ["GitHubIdentityProvider", "AliyunIDaaSProvider"])
async def test_oauth_2_without_id_tokens(platform: Platform, peer: dict[str, object], kind: str) -> None:
    somebody, issuer = person(), peer["issuer"]
    said = {
        "clientID": "oauth2", "clientSecret": PEER_SECRET, "scopes": ["openid", "profile", "email"],
        "endpoint": {"authURL": f"{issuer}/auth", "tokenURL": f"{issuer}/token", "userInfoURL": f"{issuer}/me"},
    }  # fmt: skip
    async with provided(platform, kind, said, PEER, mappingMethod="auto"):
        browser = Browser(platform)
        answer = await browser.get(await browser.there(await browser.leave(PEER), login=somebody, password="x"))
        assert answer.code == 200, answer.body
        user = await platform.client.get(USERS, somebody.removeprefix("id-"))
        subject = str(int(somebody[-6:], 16)) if kind.startswith("GitHub") else somebody
        assert user["metadata"]["annotations"][IDENTITY_PROVIDER_PREFIX + PEER] == subject
        assert (user["spec"]["email"], user["spec"]["displayName"]) == (f"{somebody}@peer.example", f"Peer {somebody}")


async def test_the_way_back_belongs_to_the_browser_that_left(platform: Platform, peer: dict[str, object]) -> None:
    async with (
        provided(platform, "OIDCIdentityProvider", peer, PEER, mappingMethod="auto"),
        provided(platform, "OIDCIdentityProvider", peer, "other", mappingMethod="auto"),
    ):
        attacker, victim = Browser(platform), Browser(platform)
        evil = await attacker.there(await attacker.leave(PEER), login=person(), password="x")
        await victim.leave(PEER)
        code, state = query_of(evil)["code"], query_of(evil)["state"]
        mine = query_of(await victim.leave(PEER))["state"]
        path = f"/oauth/callback/{PEER}?"
        for params, status in (
            ({"code": code, "state": state}, 401), ({"code": code}, 400), ({"code": code, "state": "x"}, 400),
            ({"code": code, "state": mine}, 401), ({"code": "made-up", "state": mine}, 401),
            ({"error": "access_denied", "error_description": "<script>no", "state": mine}, 401),
            ({"code": code, "state": mine, "iss": "https://evil.example"}, 401),
        ):  # fmt: skip
            answer = await Browser(platform, dict(victim.cookies)).get(path + urlencode(params))
            assert answer.code == status, (params, answer.body)
            assert "dovetail-token" not in answer.cookies
            assert "<script>" not in answer.body
        elsewhere = Browser(platform, dict(attacker.cookies))
        assert (await elsewhere.get(evil.replace(PEER, "other"))).code == 401, "the state is the other provider's"
        assert (await Browser(platform, dict(attacker.cookies)).get(evil + "&state=x")).code == 401
        platform.now += 601
        assert (await Browser(platform, dict(attacker.cookies)).get(evil)).code == 400
        platform.now -= 601
        attacker_cookies = dict(attacker.cookies)
        assert (await Browser(platform, attacker_cookies).get(evil)).code == 200, "nothing of it was the code's fault"
        for evil_next in ("//evil.example", "https://evil.example", "/\\evil.example", "%2F%2Fevil.example"):
            lost = Browser(platform)
            back = await lost.there(await lost.leave(PEER, evil_next), login=person(), password="x")
            assert 'content="0;url=/"' in (await lost.get(back)).body
        for missing in ("nobody", "p%00"):
            assert (await Browser(platform).get(f"/oauth/login/{missing}")).code == 404


async def test_nobody_is_taken_over(platform: Platform, peer: dict[str, object]) -> None:
    boss = await platform.user("platform-admin", email="id-boss@peer.example")
    async with provided(platform, "OIDCIdentityProvider", peer, PEER, mappingMethod="auto"):
        thief = Browser(platform)
        answer = await thief.get(await thief.there(await thief.leave(PEER), login=f"id-{boss}", password="x"))
        assert answer.code == 409
        assert "dovetail-token" not in thief.cookies
        user = await platform.client.get(USERS, boss)
        assert IDENTITY_PROVIDER_PREFIX + PEER not in user["metadata"].get("annotations", {})
        disabled, name = Browser(platform), person()
        way = await disabled.there(await disabled.leave(PEER), login=name, password="x")
        assert (await disabled.get(way)).code == 200
        short = name.removeprefix("id-")
        await platform.client.patch(USERS, short, {"status": {"state": "Disabled"}}, subresource="status")
        late = Browser(platform)
        answer = await late.get(await late.there(await late.leave(PEER), login=name, password="x"))
        assert answer.code == 401
    async with provided(platform, "OIDCIdentityProvider", peer, PEER, mappingMethod="lookup"):
        unknown = Browser(platform)
        answer = await unknown.get(await unknown.there(await unknown.leave(PEER), login=person(), password="x"))
        assert answer.code == 401
        marks = {IDENTITY_PROVIDER_PREFIX + PEER: f"id-{boss}"}
        await platform.client.patch(USERS, boss, {"metadata": {"annotations": marks}})
        await platform.until(lambda: "annotations" in (platform.deps.users.get(boss) or {"metadata": {}})["metadata"])
        known = Browser(platform)
        answer = await known.get(await known.there(await known.leave(PEER), login=f"id-{boss}", password="x"))
        assert answer.code == 200, answer.body


async def test_ldap_passwords_and_registering_by_hand(platform: Platform, slapd: LdapServer) -> None:
    async with provided(platform, "LDAPIdentityProvider", slapd.with_groups(), mappingMethod="manual") as corp:
        asked = {"grant_type": "password", "username": "ann", "password": ANN_PASSWORD, "provider": corp}
        for wrong in ({"password": "wrong"}, {"username": "*"}, {"provider": "nobody"}):
            assert (await platform.token(**{**asked, **wrong})).body["error"] == "invalid_grant"
        first = await platform.token(**asked)
        assert first.code == 200, first.body
        who = platform.verifier().verify(first.body["access_token"], platform.now).identity
        assert (who.name, who.groups) == ("system:pre-registration", ("system:pre-registration",))
        extra = {f"X-Remote-Extra-{key}": values[0] for key, values in who.extra.items()}
        assert who.extra["uid"] == ("1001",)
        early = await platform.token(grant_type="refresh_token", refresh_token=first.body["refresh_token"])
        assert early.body["error"] == "invalid_grant"

        name, users = "l" + secrets.token_hex(4), "/kapis/iam.kubesphere.io/v1beta1/users"
        forged = {"iam.kubesphere.io/globalrole": "platform-admin", IDENTITY_PROVIDER_PREFIX + corp: "1002"}
        body = {"metadata": {"name": name, "annotations": forged}, "spec": {"groups": ["x"], "email": "boss@x.y"}}
        calling = {"user": who.name, "groups": who.groups, "headers": extra}
        made = await platform.call("POST", users, json=body, **calling)
        assert made.code == 201, made.body
        assert made.body["metadata"]["annotations"] == {IDENTITY_PROVIDER_PREFIX + corp: "1001"}
        assert made.body["spec"] == {"email": "ann@example.org", "displayName": "Ann Example"}
        second = {**body, "metadata": {"name": name + "-2"}}
        assert (await platform.call("POST", users, json=second, **calling)).code == 409
        assert (await platform.call("GET", users, **calling)).code == 403
        assert (await platform.call("GET", f"{users}/{name}", **calling)).code == 403
        assert not platform.deps.policy().user_roles.get(name)

        await platform.until(lambda: platform.deps.users.get(name) is not None)
        ticket = first.body["refresh_token"]
        token = await platform.token(grant_type="refresh_token", refresh_token=ticket)
        assert token.code == 200, token.body
        assert platform.verifier().verify(token.body["access_token"], platform.now).identity.name == name
        used = await platform.token(grant_type="refresh_token", refresh_token=ticket)
        assert used.body["error"] == "invalid_grant", "a ticket is good for one session"
        groups = (await platform.client.get(USERS, name))["spec"]["groups"]
        assert groups == [f"{corp}:builders", f"{corp}:system:masters"]

        seen = {"username": "ann", "password": ANN_PASSWORD, "provider": corp}
        answer = await platform.call("POST", "/oauth/session", json=seen)
        assert (answer.code, answer.body["username"]) == (200, name)
        bob = await platform.call("POST", "/oauth/session", json={**seen, "username": "bob", "password": "x"})
        assert bob.code == 401
        for _ in range(10):
            await platform.call("POST", "/oauth/session", json={**seen, "password": "x"}, address="192.0.2.77")
        locked = await platform.call("POST", "/oauth/session", json=seen, address="192.0.2.77")
        assert locked.code == 429
        await platform.client.patch(USERS, name, {"spec": {"groups": ["own", f"{corp}:former"]}})
        await platform.call("POST", "/oauth/session", json=seen)
        groups = (await platform.client.get(USERS, name))["spec"]["groups"]
        assert groups == ["own", f"{corp}:builders", f"{corp}:system:masters"]


async def test_a_cas_server_of_others(platform: Platform, tmp_path: Path) -> None:
    with cas_peer(tmp_path) as address:
        async with provided(platform, "CASIdentityProvider", {"casServerURL": address}, mappingMethod="manual") as cas:
            browser = Browser(platform)
            away = await browser.leave(cas, "/extensions")
            back = await browser.there(away, username="cas-ann", password=CAS_PASSWORD)
            fake = back.replace(query_of(back)["ticket"], "ST-made-up")
            assert (await Browser(platform, dict(browser.cookies)).get(fake)).code == 401
            answer = await browser.get(back)
            assert answer.code == 303, answer.body
            place, _, fragment = answer.headers["Location"].partition("#")
            assert place == "/login?next=%2Fextensions"
            said = query_of("/?" + fragment)
            assert said["username"] == "cas-ann"
            name = "c" + secrets.token_hex(4)
            body = {"ticket": said["registration"], "username": name}
            foreign = {"headers": {"Sec-Fetch-Site": "cross-site"}}
            assert (await platform.call("POST", "/oauth/register", json=body, **foreign)).code == 403
            wrong = {**body, "ticket": query_of(away)["service"].rpartition("state=")[2]}
            assert (await platform.call("POST", "/oauth/register", json=wrong)).code == 401
            made = await platform.call("POST", "/oauth/register", json=body)
            assert (made.code, made.body["username"]) == (200, name), made.body
            assert "dovetail-token" in made.cookies


async def test_providers_come_and_go_and_a_bad_one_harms_no_other(platform: Platform, peer: dict[str, object]) -> None:
    bad = "bad" + secrets.token_hex(3)
    await platform.client.create(SECRETS, provider_secret(bad, "OIDCIdentityProvider", {"issuer": "http://x.example"}))
    try:
        async with provided(platform, "OIDCIdentityProvider", peer) as good:
            await Browser(platform).leave(good)
            assert (await platform.page("GET", f"/oauth/login/{bad}")).code == 404
            events: list[str] = []
            for _ in range(100):
                events = [one["message"] for one in (await platform.client.list(EVENTS, SYSTEM_NAMESPACE)).items
                          if one["involvedObject"]["name"] == f"provider-{bad}"]  # fmt: skip
                if events:
                    break
                await platform.until(lambda: True)
            assert events, "nobody was told"
            assert "issuer must be" in events[0]
        await platform.until(lambda: platform.deps.identity_providers.get(good) is None)
        assert (await platform.page("GET", f"/oauth/login/{good}")).code == 404
    finally:
        await platform.client.delete(SECRETS, f"provider-{bad}", SYSTEM_NAMESPACE)


async def test_nobody_links_a_user_through_the_platforms_api(platform: Platform) -> None:
    rule = {"verbs": ["*"], "apiGroups": ["iam.kubesphere.io"], "resources": ["users"]}
    keeper, victim = await platform.user(await platform.role(rule)), await platform.user("platform-admin")
    for caller in (keeper, victim):
        path = f"/kapis/iam.kubesphere.io/v1beta1/users/{victim}"
        patch = {"metadata": {"annotations": {IDENTITY_PROVIDER_PREFIX + PEER: "mine"}}}
        merge = {"headers": {"Content-Type": "application/merge-patch+json"}}
        answer = await platform.call("PATCH", path, json=patch, user=caller, **merge)
        assert answer.code in (403, 422), answer.body
        user = await platform.client.get(USERS, victim)
        assert IDENTITY_PROVIDER_PREFIX + PEER not in user["metadata"].get("annotations", {})
