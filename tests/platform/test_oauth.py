"""/oauth/token: passwords and refresh tokens, through a real socket, with the real API behind."""

import asyncio
from base64 import b64decode
from typing import Any

import bcrypt
import pytest

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam.errors import InvalidToken
from dovetail.iam.session import SELECTOR, StoredSessions, revoked_sessions
from dovetail.iam.sessions import Sessions
from dovetail.kube.errors import Forbidden
from dovetail.kube.resources import CLUSTERROLES, PODS, SECRETS

from .conftest import PASSWORD, Platform


def error(answer: Any) -> tuple[int, str]:
    return answer.code, answer.body["error"]


async def test_log_in(platform: Platform) -> None:
    user = await platform.user("platform-admin", groups=["team", "system:masters"])
    answer = await platform.log_in(user)
    assert answer.code == 200
    assert set(answer.body) == {"access_token", "token_type", "refresh_token", "expires_in"}
    assert answer.body["token_type"] == "Bearer"
    assert answer.headers["Cache-Control"] == "no-store"
    verified = platform.verifier().verify(answer.body["access_token"], platform.now)
    assert verified.identity.name == user
    assert verified.identity.groups == ("team", "system:authenticated")
    assert answer.body["expires_in"] == 7200


async def test_the_well_known_secret_is_optional_and_no_other_is_taken(platform: Platform) -> None:
    user = await platform.user()
    form = {"grant_type": "password", "username": user, "password": PASSWORD}
    assert (await platform.token(client_secret="kubesphere", **form)).code == 200
    assert error(await platform.token(client_secret="guess", **form)) == (401, "invalid_client")
    assert error(await platform.call("POST", "/oauth/token", data=form)) == (401, "invalid_client")
    assert error(await platform.call("POST", "/oauth/token", data={**form, "client_id": "x"})) == (
        401,
        "invalid_client",
    )


async def test_errors_of_rfc_6749(platform: Platform) -> None:
    assert error(await platform.token()) == (400, "invalid_request")
    assert error(await platform.token(grant_type="authorization_code")) == (400, "invalid_request")
    assert error(await platform.token(grant_type="implicit")) == (400, "unsupported_grant_type")
    assert error(await platform.token(grant_type="password", username="x")) == (400, "invalid_request")
    assert error(await platform.token(grant_type="refresh_token")) == (400, "invalid_grant")
    json_body = await platform.call("POST", "/oauth/token", json={"client_id": "kubesphere"})
    assert error(json_body) == (400, "invalid_request")
    twice = await platform.call(
        "POST", "/oauth/token", data="client_id=kubesphere&client_id=kubesphere",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert error(twice) == (400, "invalid_request")
    assert (await platform.call("GET", "/oauth/token")).code == 405
    huge = await platform.call("POST", "/oauth/token", data={"client_id": "x" * 100_000})
    assert huge.code == 413


async def test_wrong_password_and_unknown_user_look_the_same(platform: Platform) -> None:
    user = await platform.user()
    wrong = await platform.log_in(user, "Wrong-password1")
    unknown = await platform.log_in("nobody-at-all", "Wrong-password1")
    assert error(wrong) == (400, "invalid_grant")
    assert wrong.body == unknown.body
    for odd in ("../secrets", "a/b", "system:admin", "x" * 5000, "*", "nobody@example.com"):
        assert (await platform.log_in(odd)).body == unknown.body


async def test_by_e_mail_address(platform: Platform) -> None:
    user = await platform.user(email="Someone@Example.com")
    answer = await platform.log_in("someone@example.com")
    assert platform.verifier().verify(answer.body["access_token"], platform.now).identity.name == user
    await platform.user(email="someone@example.com")
    assert error(await platform.log_in("someone@example.com")) == (400, "invalid_grant")


async def test_bcrypt_is_replaced_at_log_in(platform: Platform) -> None:
    old = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    user = await platform.user(stored=old)
    assert (await platform.log_in(user, "Wrong-password1")).code == 400
    assert (await platform.client.get(USERS, user))["spec"]["password"] == old
    assert (await platform.log_in(user)).code == 200
    assert (await platform.client.get(USERS, user))["spec"]["password"].startswith("$argon2id$")
    assert (await platform.log_in(user)).code == 200


async def test_disabled_is_told_only_to_who_knows_the_password(platform: Platform) -> None:
    user = await platform.user()
    tokens = (await platform.log_in(user)).body
    await platform.client.patch(USERS, user, {"status": {"state": "Disabled"}}, subresource="status")
    assert "disabled" in (await platform.log_in(user)).body["error_description"]
    assert "wrong" in (await platform.log_in(user, "Wrong-password1")).body["error_description"]
    refused = await platform.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error(refused) == (400, "invalid_grant")
    await platform.until(lambda: platform.deps.policy().accounts[user].disabled)
    with pytest.raises(InvalidToken):
        platform.verifier().verify(tokens["access_token"], platform.now)


async def test_lock_out_is_for_the_place_that_guesses(platform: Platform) -> None:
    user = await platform.user()
    guesses = [platform.log_in(user, "Wrong-password1", address="198.51.100.7") for _ in range(14)]
    codes = [answer.code for answer in await asyncio.gather(*guesses)]
    assert codes.count(400) == 10
    assert codes.count(429) == 4
    locked = await platform.log_in(user, address="198.51.100.7")
    assert locked.code == 429
    assert 0 < int(locked.headers["Retry-After"]) <= 600
    assert (await platform.log_in(user)).code == 200
    platform.now += 601
    assert (await platform.log_in(user, address="198.51.100.7")).code == 200


async def test_refresh_rotates_and_a_replay_ends_the_session(platform: Platform) -> None:
    user = await platform.user()
    first = (await platform.log_in(user)).body
    session = platform.verifier().verify(first["access_token"], platform.now).session

    async def refresh(token: str) -> Any:
        return await platform.token(grant_type="refresh_token", refresh_token=token)

    second = (await refresh(first["refresh_token"])).body
    assert second["refresh_token"] != first["refresh_token"]
    assert platform.verifier().verify(second["access_token"], platform.now).session == session
    platform.now += 60
    assert error(await refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert platform.ended == [session]
    assert error(await refresh(second["refresh_token"])) == (400, "invalid_grant")
    secrets = await platform.client.list(SECRETS, SYSTEM_NAMESPACE, label_selector=SELECTOR)
    revoked = revoked_sessions(StoredSessions().of(secrets.items), platform.deps.sessions.lifetimes, platform.now)
    assert session in revoked
    with pytest.raises(InvalidToken):
        platform.verifier(revoked).verify(second["access_token"], platform.now)


async def test_many_refreshes_at_once_agree(platform: Platform) -> None:
    user = await platform.user()
    token = (await platform.log_in(user)).body["refresh_token"]
    answers = await asyncio.gather(*(platform.token(grant_type="refresh_token", refresh_token=token) for _ in range(6)))
    assert {answer.code for answer in answers} == {200}
    generations = {
        platform.verifier().verify_refresh(answer.body["refresh_token"], platform.now).generation for answer in answers
    }
    assert generations == {2}


async def test_token_types_are_not_exchangeable(platform: Platform) -> None:
    user = await platform.user()
    tokens = (await platform.log_in(user)).body
    with pytest.raises(InvalidToken):
        platform.verifier().verify(tokens["refresh_token"], platform.now)
    misused = await platform.token(grant_type="refresh_token", refresh_token=tokens["access_token"])
    assert error(misused) == (400, "invalid_grant")


async def test_sessions_end_when_idle(platform: Platform) -> None:
    user = await platform.user()
    token = (await platform.log_in(user)).body["refresh_token"]
    platform.now += platform.deps.sessions.lifetimes.idle
    assert error(await platform.token(grant_type="refresh_token", refresh_token=token)) == (400, "invalid_grant")


async def test_logout_and_revoke(platform: Platform) -> None:
    user = await platform.user()
    tokens = (await platform.log_in(user)).body
    session = platform.verifier().verify(tokens["access_token"], platform.now).session
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await platform.call("POST", "/oauth/logout", headers=bearer)).code == 200
    assert platform.ended == [session]
    refused = await platform.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error(refused) == (400, "invalid_grant")
    other = (await platform.log_in(user)).body
    form = {"client_id": "kubesphere", "token": other["refresh_token"]}
    assert (await platform.call("POST", "/oauth/revoke", data=form)).code == 200
    assert len(platform.ended) == 2
    form["token"] = "nonsense"
    assert (await platform.call("POST", "/oauth/revoke", data=form)).code == 200
    assert (await platform.call("POST", "/oauth/logout")).code == 200


async def test_the_sweep_forgets_old_sessions_and_trims_many(platform: Platform) -> None:
    user = await platform.user()
    pair = await platform.deps.sessions.begin(user, "uid", "kubesphere", platform.now - 90 * 86400)
    live = await platform.deps.sessions.begin(user, "uid", "kubesphere", platform.now)
    assert await platform.deps.sessions.sweep(platform.now) >= 1
    names = {one["metadata"]["name"] for one in (await platform.client.list(SECRETS, SYSTEM_NAMESPACE)).items}
    assert f"dovetail-session-{pair.subject.session}" not in names
    assert f"dovetail-session-{live.subject.session}" in names


async def test_no_token_and_no_password_is_stored(platform: Platform) -> None:
    user = await platform.user()
    tokens = (await platform.log_in(user)).body
    secrets = (await platform.client.list(SECRETS, SYSTEM_NAMESPACE)).items
    stored = "".join(b64decode(value).decode() for one in secrets for value in one.get("data", {}).values())
    assert user in stored
    assert tokens["refresh_token"] not in stored
    assert tokens["access_token"] not in stored
    assert "TokenPair(Subject(" in repr(await platform.deps.sessions.begin(user, "u", "kubesphere", platform.now))


async def test_discovery_says_what_is_there(platform: Platform) -> None:
    document = (await platform.call("GET", "/.well-known/openid-configuration")).body
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            path = url.removeprefix(document["issuer"])
            assert (await platform.call("OPTIONS", path)).code == 405, name
    keys = (await platform.call("GET", "/oauth/keys")).body["keys"]
    assert {"kty", "crv", "x", "y", "kid", "alg", "use"} == set(keys[0])
    assert (await platform.call("GET", "/kapis/version")).body["gitMinor"] == "1"


async def test_userinfo(platform: Platform) -> None:
    user = await platform.user(email="a@example.com", displayName="Alice")
    found = await platform.call("GET", "/oauth/userinfo", user=user)
    assert found.body == {"sub": user, "preferred_username": user, "name": "Alice", "email": "a@example.com"}
    nobody = await platform.call("GET", "/oauth/userinfo")
    assert (nobody.code, nobody.body["kind"], nobody.reason) == (401, "Status", "Unauthorized")


async def test_unknown_paths_are_statuses(platform: Platform) -> None:
    answer = await platform.call("GET", "/oauth/nowhere")
    assert (answer.code, answer.body["kind"], answer.reason) == (404, "Status", "NotFound")


async def test_the_gateway_s_own_rights_end_where_they_should(platform: Platform) -> None:
    gateway = platform.deps.client
    for resource, namespace in ((SECRETS, "kube-system"), (SECRETS, None), (PODS, "default"), (CLUSTERROLES, None)):
        with pytest.raises(Forbidden):
            await gateway.list(resource, namespace)
    assert await gateway.list(SECRETS, SYSTEM_NAMESPACE)


async def test_a_single_session_where_that_is_asked_for(platform: Platform) -> None:
    strict = Sessions(platform.deps.client, platform.deps.token_issuer, multiple_login=False)
    user = await platform.user()
    uid = platform.deps.policy().accounts[user].uid
    first = await strict.begin(user, uid, "kubesphere", platform.now)
    elsewhere = await strict.begin(user, uid, "other-client", platform.now)
    second = await strict.begin(user, uid, "kubesphere", platform.now)
    going = [pair.subject.session for pair in (first, elsewhere, second)]
    assert [await strict.find(one) is not None for one in going] == [False, True, True]
