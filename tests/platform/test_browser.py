"""/oauth/session: the console's cookies."""

import pytest

from .conftest import PASSWORD, Platform

PATH = "/oauth/session"


async def cookies_of(platform: Platform, user: str, **headers: str) -> dict[str, str]:
    answer = await platform.call("POST", PATH, json={"username": user, "password": PASSWORD}, headers=headers)
    assert answer.code == 200
    assert answer.body["username"] == user
    assert "token" not in str(answer.body)
    return {name: morsel.value for name, morsel in answer.cookies.items()}


async def test_log_in_sets_cookies_that_scripts_cannot_read(platform: Platform) -> None:
    user = await platform.user()
    answer = await platform.call("POST", PATH, json={"username": user, "password": PASSWORD})
    token, refresh = answer.cookies["dovetail-token"], answer.cookies["dovetail-refresh"]
    for cookie in (token, refresh):
        assert cookie["httponly"]
        assert cookie["samesite"] == "strict"
        assert not cookie["secure"]
        assert int(cookie["max-age"]) > 0
    assert (token["path"], refresh["path"]) == ("/", "/oauth")
    assert platform.verifier().verify(token.value, platform.now).identity.name == user
    over_tls = await platform.call(
        "POST", PATH, json={"username": user, "password": PASSWORD}, headers={"X-Forwarded-Proto": "https"}
    )
    assert set(over_tls.cookies) == {"__Host-dovetail-token", "__Secure-dovetail-refresh"}
    assert all(cookie["secure"] for cookie in over_tls.cookies.values())


async def test_refused(platform: Platform) -> None:
    user = await platform.user()
    wrong = await platform.call("POST", PATH, json={"username": user, "password": "Wrong-password1"})
    assert (wrong.code, wrong.body["kind"], wrong.cookies) == (401, "Status", {})
    for body in ({}, {"username": user}, {"username": 1, "password": 2}, {"username": "", "password": ""}, []):
        assert (await platform.call("POST", PATH, json=body)).code == 400
    assert (await platform.call("POST", PATH, data="{")).code == 400


async def test_locked_out(platform: Platform) -> None:
    user = await platform.user()
    body = {"username": user, "password": "Wrong-password1"}
    codes = [(await platform.call("POST", PATH, json=body, address="203.0.113.9")).code for _ in range(11)]
    assert codes == [401] * 10 + [429]


async def test_renew_and_log_out(platform: Platform) -> None:
    user = await platform.user()
    cookies = await cookies_of(platform, user)
    renewed = await platform.call("PUT", PATH, cookies=cookies)
    assert renewed.code == 200
    fresh = {name: morsel.value for name, morsel in renewed.cookies.items()}
    assert fresh["dovetail-refresh"] != cookies["dovetail-refresh"]
    gone = await platform.call("DELETE", PATH, cookies=fresh)
    assert gone.code == 204
    assert {morsel["max-age"] for morsel in gone.cookies.values()} == {"0"}
    assert {name: morsel["path"] for name, morsel in gone.cookies.items()} == {
        "dovetail-token": "/", "dovetail-refresh": "/oauth",
    }  # fmt: skip
    assert platform.ended
    refused = await platform.call("PUT", PATH, cookies=fresh)
    assert (refused.code, refused.body["kind"]) == (401, "Status")
    assert {morsel["max-age"] for morsel in refused.cookies.values()} == {"0"}
    assert (await platform.call("PUT", PATH)).code == 401
    assert (await platform.call("DELETE", PATH)).code == 204


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True), ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://platform"}, True), ({"Origin": "http://evil.example"}, False), ({"Origin": "null"}, False),
        ({"Origin": "https://console.example", "X-Forwarded-Host": "console.example"}, True),
    ],
)  # fmt: skip
async def test_other_sites_pages_are_refused(platform: Platform, headers: dict[str, str], allowed: bool) -> None:
    user = await platform.user()
    body = {"username": user, "password": PASSWORD}
    assert (await platform.call("POST", PATH, json=body, headers=headers)).code == (200 if allowed else 403)
    assert (await platform.call("DELETE", PATH, headers=headers)).code == (204 if allowed else 403)
