"""/oauth/authorize and the codes it gives: attacks and the good way, through a real socket with the real API behind."""

import asyncio
import json
import secrets
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam.errors import InvalidToken
from dovetail.kube.resources import SECRETS

from .conftest import ISSUER, Platform
from .oauth_rig import CALLBACK, Flow, back, client_secret, register, ticket_of


async def ready(platform: Platform, user: str = "", **said: Any) -> Flow:
    """A logged-in user's browser and a public client."""
    flow = Flow(platform, await register(platform, **said))
    await flow.log_in(user or await platform.user(email=f"{secrets.token_hex(4)}@example.com", displayName="Some One"))
    return flow


def error(answer: Any) -> tuple[int, str]:
    return answer.code, answer.body["error"]


def claims_of(platform: Platform, text: str) -> dict[str, Any]:
    published = platform.deps.keys()
    keys = KeySet.import_key_set({"keys": [json.loads(key.jwk) for key in published]})
    return jwt.decode(text, keys, algorithms=["ES256"]).claims


async def test_the_good_way(platform: Platform) -> None:
    email = f"{secrets.token_hex(4)}@example.com"
    user = await platform.user(email=email, displayName="Some One")
    flow = await ready(platform, user)
    page = await flow.ask()
    assert page.code == 200
    assert flow.client in page.body
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    told = back(await flow.decide(page))
    assert (told["state"], told["iss"], told["from"]) == (flow.state, ISSUER, "dovetail")
    answer = await flow.redeem(told["code"])
    assert answer.code == 200, answer.body
    assert answer.body["scope"] == "openid email"
    claims = claims_of(platform, answer.body["id_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, flow.client, user)
    assert (claims["nonce"], claims["email"]) == ("n-1", email)
    assert "name" not in claims
    assert claims["auth_time"] <= claims["iat"] < claims["exp"]
    bearer = {"Authorization": f"Bearer {answer.body['access_token']}"}
    said = await platform.call("GET", "/oauth/userinfo", headers=bearer)
    assert said.body == {"sub": user, "email": email}
    again = await platform.call(
        "POST", "/oauth/token",
        data={"grant_type": "refresh_token", "client_id": flow.client, "refresh_token": answer.body["refresh_token"]},
    )  # fmt: skip
    assert again.code == 200
    assert "id_token" in again.body
    with pytest.raises(InvalidToken):  # the client is not trusted with the user's rights
        platform.verifier().verify(answer.body["access_token"], platform.now)
    for token in (answer.body["refresh_token"], answer.body["id_token"], told["code"]):
        bad = await platform.call("GET", "/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})
        assert error(bad) == (401, "invalid_token")
        with pytest.raises(InvalidToken):
            platform.verifier().verify(token, platform.now)


async def test_a_trusted_clients_token_opens_the_platform(platform: Platform) -> None:
    flow = await ready(platform, trusted=True, grantMethod="auto")
    answer = await flow.redeem(await flow.code())
    assert platform.verifier().verify(answer.body["access_token"], platform.now)


async def test_a_code_that_comes_twice_ends_the_session(platform: Platform) -> None:
    flow = await ready(platform, trusted=True, grantMethod="auto")
    code = await flow.code()
    answers = await asyncio.gather(*(flow.redeem(code) for _ in range(4)))
    good = [answer for answer in answers if answer.code == 200]
    assert len(good) == 1
    assert {error(answer) for answer in answers if answer.code != 200} == {(400, "invalid_grant")}
    token = good[0].body["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": flow.client, "refresh_token": token}
    assert error(await platform.call("POST", "/oauth/token", data=form)) == (400, "invalid_grant")
    assert platform.ended


async def test_a_code_is_bound(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto", redirectURIs=[CALLBACK, CALLBACK + "2"])
    other = await register(platform)
    code = await flow.code()
    for wrong in (
        {"client_id": other}, {"redirect_uri": CALLBACK + "2"}, {"redirect_uri": ""}, {"code_verifier": ""},
        {"code_verifier": "x" * 43}, {"code_verifier": flow.challenge}, {"code": code[:-3] + "abc"},
    ):  # fmt: skip
        assert error(await flow.redeem(**{"code": code, **wrong})) == (400, "invalid_grant"), wrong
    assert (await flow.redeem(code)).code == 200


async def test_a_code_ages(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto")
    code = await flow.code()
    platform.now += 61
    assert error(await flow.redeem(code)) == (400, "invalid_grant")


async def test_a_code_is_of_no_use_to_who_was_disabled(platform: Platform) -> None:
    user = await platform.user()
    flow = await ready(platform, user, grantMethod="auto")
    code = await flow.code()
    await platform.client.patch(USERS, user, {"status": {"state": "Disabled"}}, subresource="status")
    assert error(await flow.redeem(code)) == (400, "invalid_grant")


async def test_pkce_cannot_be_taken_away(platform: Platform) -> None:
    public = await ready(platform, grantMethod="auto")
    for wrong in (
        {"code_challenge": "", "code_challenge_method": ""}, {"code_challenge_method": "plain"},
        {"code_challenge_method": ""}, {"code_challenge": ""}, {"code_challenge": "short"},
    ):  # fmt: skip
        assert back(await public.ask(**wrong))["error"] == "invalid_request", wrong
    flow = await ready(platform, secret="s3cret", grantMethod="auto")
    code = await flow.code(code_challenge="", code_challenge_method="")
    assert error(await flow.redeem(code, client_secret="s3cret")) == (400, "invalid_grant")
    assert (await flow.redeem(code, client_secret="s3cret", code_verifier="")).code == 200


async def test_clients_prove_themselves(platform: Platform) -> None:
    flow = await ready(platform, secret="s3cret:ö", grantMethod="auto")
    code = await flow.code()
    assert error(await flow.redeem(code)) == (401, "invalid_client")
    assert error(await flow.redeem(code, client_secret="other")) == (401, "invalid_client")
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": flow.verifier}
    basic = b64encode(f"{flow.client}:s3cret%3A%C3%B6".encode()).decode()
    headers = {"Authorization": f"Basic {basic}"}
    twice = await platform.call("POST", "/oauth/token", data={**form, "client_secret": "s3cret:ö"}, headers=headers)
    assert error(twice) == (400, "invalid_request")
    assert (await platform.call("POST", "/oauth/token", data=form, headers=headers)).code == 200
    form = {"grant_type": "password", "username": "x", "password": "y", "client_secret": "s3cret:ö"}
    refused = await platform.call("POST", "/oauth/token", data={**form, "client_id": flow.client})
    assert error(refused) == (400, "unauthorized_client")


async def test_a_client_calls_as_itself(platform: Platform) -> None:
    name = await register(platform, secret="s3cret")
    form = {"grant_type": "client_credentials", "client_id": name, "client_secret": "s3cret"}
    answer = await platform.call("POST", "/oauth/token", data=form)
    assert set(answer.body) == {"access_token", "token_type", "expires_in"}
    public = await platform.call(
        "POST", "/oauth/token", data={"grant_type": "client_credentials", "client_id": "kubesphere"}
    )
    assert error(public) == (400, "unauthorized_client")


async def test_nobody_is_sent_to_a_strangers_address(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto")
    for wrong in (
        {"redirect_uri": "https://evil.example.com/"}, {"redirect_uri": CALLBACK + "/"}, {"client_id": "nobody"},
        {"redirect_uri": CALLBACK.upper()}, {"redirect_uri": "//evil.example.com"}, {"client_id": ""},
        {"redirect_uri": CALLBACK + "#x"}, {"redirect_uri": "https://app.example.com@evil.example.com/callback"},
    ):  # fmt: skip
        for method in ("GET", "POST"):
            params = flow.params(**wrong)
            if method == "GET":
                answer = await flow.ask(**wrong)
            else:
                answer = await flow.browse("POST", "/oauth/authorize", data=params)
            assert answer.code == 400, wrong
            assert "Location" not in answer.headers
    query = urlencode(flow.params()) + "&redirect_uri=https%3A%2F%2Fevil.example.com"
    assert (await flow.ask("/oauth/authorize?" + query)).code == 400


async def test_what_the_client_is_told(platform: Platform) -> None:
    flow = await ready(platform)
    for wrong, why in (
        ({"response_type": "token"}, "unsupported_response_type"), ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_type": "code id_token"}, "unsupported_response_type"), ({"prompt": "none"}, "interaction_required"),
        ({"response_mode": "form_post"}, "invalid_request"), ({"prompt": "none login"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"), ({"max_age": "-1"}, "invalid_request"),
    ):  # fmt: skip
        told = back(await flow.ask(**wrong))
        assert (told["error"], told["state"], told["iss"]) == (why, flow.state, ISSUER), wrong
    assert back(await flow.decide(await flow.ask(), "deny"))["error"] == "access_denied"
    denied = await ready(platform, grantMethod="deny")
    assert back(await denied.ask())["error"] == "access_denied"
    narrow = await ready(platform, grantMethod="auto", scopeRestrictions=["openid"])
    assert back(await narrow.ask())["error"] == "invalid_scope"
    assert "code" in back(await narrow.ask(scope="openid"))
    assert "code" in back(await narrow.ask(scope=""))


async def test_nobody_is_there(platform: Platform) -> None:
    flow = Flow(platform, await register(platform, grantMethod="auto"))
    assert back(await flow.ask(prompt="none"))["error"] == "login_required"
    answer = await flow.ask()
    where = urlsplit(answer.headers["Location"])
    assert (answer.code, where.netloc, where.path) == (303, "", "/login")
    (way_back,) = parse_qs(where.query)["next"]
    assert way_back.startswith("/oauth/authorize?ticket=")
    await flow.log_in(await platform.user())
    assert back(await flow.ask(way_back))["state"] == flow.state
    long = Flow(platform, flow.client, state="s" * 2048)
    where = urlsplit((await long.ask(nonce="n" * 512)).headers["Location"])
    long.cookies = flow.cookies
    assert back(await long.ask(parse_qs(where.query)["next"][0]))["state"] == long.state
    assert (await flow.ask(state="s" * 2049)).code == 400
    assert (await flow.ask(way_back[:-2])).code == 400
    detour = await Flow(platform, flow.client).ask(headers={"Sec-Fetch-Site": "cross-site"})
    assert detour.code == 200
    assert 'http-equiv="refresh" content="0;url=/oauth/authorize?' in detour.body


async def test_prompt_login_takes_a_new_log_in(platform: Platform) -> None:
    user = await platform.user()
    flow = await ready(platform, user, grantMethod="auto")
    platform.now += 5
    for asked in ({"prompt": "login"}, {"max_age": "2"}):
        where = urlsplit((await flow.ask(**asked)).headers["Location"])
        query = parse_qs(where.query)
        assert (where.path, query["again"]) == ("/login", ["1"])
        assert urlsplit((await flow.ask(query["next"][0])).headers["Location"]).path == "/login"
    assert back(await flow.ask(prompt="none", max_age="2"))["error"] == "login_required"
    platform.now += 1
    await flow.log_in(user)
    assert "code" in back(await flow.ask(query["next"][0]))


async def test_consent_cannot_be_forged(platform: Platform) -> None:
    flow = await ready(platform)
    page = await flow.ask()
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert (await flow.decide(page, headers=elsewhere)).code == 400
    assert (await flow.decide(page, headers={"Sec-Fetch-Site": "same-site"})).code == 400
    plain = {"Sec-Fetch-Site": "", "Origin": "http://evil.example.com"}
    assert (await flow.decide(page, headers=plain)).code == 400
    attacker = Flow(platform, flow.client)
    await attacker.log_in(await platform.user())
    attackers_page = await attacker.ask()
    form = {"ticket": ticket_of(attackers_page), "decision": "allow"}
    assert (await flow.browse("POST", "/oauth/authorize", data=form)).code == 400
    assert (await flow.browse("POST", "/oauth/authorize", data={"decision": "allow"})).code == 400
    assert (await Flow(platform, flow.client).decide(page)).code == 400
    platform.now += 2
    login = urlsplit((await attacker.ask(prompt="login")).headers["Location"])
    form["ticket"] = parse_qs(login.query)["next"][0].partition("ticket=")[2]  # of another kind
    assert (await attacker.browse("POST", "/oauth/authorize", data=form)).code == 400
    platform.now += 600
    assert (await flow.decide(page)).code == 400


async def test_an_ended_session_agrees_to_nothing(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto")
    assert "code" in back(await flow.ask())
    await platform.call("DELETE", "/oauth/session", headers={"Cookie": flow.cookies})
    assert urlsplit((await flow.ask()).headers["Location"]).path == "/login"


async def test_log_out_at_the_provider(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto", postLogoutRedirectURIs=["https://app.example.com/bye"])
    tokens = (await flow.redeem(await flow.code())).body
    for wrong in ("https://evil.example.com/", "https://app.example.com/bye/", CALLBACK, "//evil.example.com"):
        query = urlencode({"post_logout_redirect_uri": wrong, "client_id": flow.client})
        answer = await Flow(platform, flow.client).browse("GET", f"/oauth/logout?{query}")
        assert answer.code == 400
        assert "Location" not in answer.headers
    query = urlencode({"post_logout_redirect_uri": "https://app.example.com/bye"})
    assert (await flow.browse("GET", f"/oauth/logout?{query}")).code == 400
    flow = await ready(platform, grantMethod="auto", postLogoutRedirectURIs=["https://app.example.com/bye"])
    tokens = (await flow.redeem(await flow.code())).body
    query = urlencode({
        "post_logout_redirect_uri": "https://app.example.com/bye", "state": "s 1", "id_token_hint": tokens["id_token"],
    })  # fmt: skip
    answer = await Flow(platform, flow.client).browse("GET", f"/oauth/logout?{query}")
    assert answer.headers["Location"] == "https://app.example.com/bye?state=s+1"
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert error(await platform.call("GET", "/oauth/userinfo", headers=bearer)) == (401, "invalid_token")
    assert urlsplit((await flow.ask()).headers["Location"]).path == "/login"


async def test_clients_come_and_go(platform: Platform) -> None:
    flow = await ready(platform, grantMethod="auto")
    code = await flow.code()
    await platform.client.delete(SECRETS, f"oauthclient-{flow.client}", SYSTEM_NAMESPACE)
    await platform.until(lambda: platform.deps.oauth_clients.get(flow.client) is None)
    assert error(await flow.redeem(code)) == (401, "invalid_client")
    assert (await flow.ask()).code == 400
    for name, said in (
        ("bad-script", {"redirectURIs": ["javascript:alert(1)"]}), ("bad-method", {"grantMethod": "always"}),
        ("bad-times", {"accessTokenMaxAgeSeconds": 10}), ("bad-type", {"redirectURIs": "https://x"}),
    ):  # fmt: skip
        await platform.client.create(SECRETS, client_secret(name, **said), SYSTEM_NAMESPACE)
    name = await register(platform, accessTokenMaxAgeSeconds=700, accessTokenInactivityTimeoutSeconds=800)
    assert not [one for one in platform.deps.oauth_clients.all() if one.startswith("bad-")]
    own = Flow(platform, name)
    await own.log_in(await platform.user())
    answer = await own.redeem(await own.code())
    assert answer.body["expires_in"] == 700
    platform.now += 1499
    form = {"grant_type": "refresh_token", "client_id": name, "refresh_token": answer.body["refresh_token"]}
    answer = await platform.call("POST", "/oauth/token", data=form)
    assert answer.code == 200
    platform.now += 1501
    form["refresh_token"] = answer.body["refresh_token"]
    assert error(await platform.call("POST", "/oauth/token", data=form)) == (400, "invalid_grant")


async def test_discovery_keeps_its_word(platform: Platform) -> None:
    document = (await platform.call("GET", "/.well-known/openid-configuration")).body
    assert document == (await platform.call("GET", "/.well-known/oauth-authorization-server")).body
    flow = await ready(platform, secret="s3cret", grantMethod="auto")
    assert document["code_challenge_methods_supported"] == ["S256"]
    for grant in document["grant_types_supported"]:
        form = {"grant_type": grant, "client_id": flow.client, "client_secret": "s3cret"}
        answer = await platform.call("POST", "/oauth/token", data=form)
        assert answer.body.get("error") != "unsupported_grant_type", grant
    for kind in document["response_types_supported"]:
        for mode in document["response_modes_supported"]:
            assert "code" in back(await flow.ask(response_type=kind, response_mode=mode))
    code = await flow.code(scope=" ".join(document["scopes_supported"]))
    tokens = (await flow.redeem(code, client_secret="s3cret")).body
    claims = claims_of(platform, tokens["id_token"])
    assert set(document["claims_supported"]) - {"locale"} <= set(claims)
    header = extract_compact(tokens["id_token"].encode()).headers()
    assert [header["alg"]] == document["id_token_signing_alg_values_supported"]
    for prompt in document["prompt_values_supported"]:
        assert (await flow.ask(prompt=prompt)).code in (200, 303)
