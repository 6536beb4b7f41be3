"""HTTPS with a certificate of the user's own: page, API, cookies, redirect targets and tokens all say https."""

import http.client
import json
from http.cookies import SimpleCookie

import pytest

from tests.e2e.certificates import Certificate
from tests.e2e.demo.web import Web
from tests.e2e.demo.world import World, expect, expect_status
from tests.e2e.running import answers, certificate_of, up_of

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def certificate(secure_world: World) -> Certificate:
    return certificate_of(secure_world)


def test_the_page_and_the_api_answer_over_https(secure_world: World) -> None:
    world = secure_world
    assert world.url.startswith("https://")
    assert world.platform.facts["console"] == world.url
    page = world.get("/login")
    expect(page, 200)
    assert "<html" in page.body.decode()
    assert world.get("/api/v1/namespaces", "admin").json["kind"] == "NamespaceList"
    expect_status(world.get("/api/v1/namespaces"), 401, "Unauthorized")


def test_discovery_names_https(secure_world: World) -> None:
    known = secure_world.get("/.well-known/openid-configuration").json
    assert known["issuer"] == secure_world.url
    assert all(str(value).startswith(secure_world.url) for key, value in known.items() if key.endswith("_endpoint"))


def test_the_cookies_are_secure(secure_world: World, certificate: Certificate) -> None:
    cookies = {}
    for name, morsel in session_cookies(secure_world, certificate).items():
        cookies[name] = (bool(morsel["secure"]), bool(morsel["httponly"]), morsel["samesite"].lower(), morsel["path"])
    assert cookies == {
        "__Host-dovetail-token": (True, True, "strict", "/"),
        "__Secure-dovetail-refresh": (True, True, "strict", "/oauth"),
    }


def test_the_cookie_is_taken_as_a_log_in(secure_world: World, certificate: Certificate) -> None:
    token = session_cookies(secure_world, certificate)["__Host-dovetail-token"].value
    headers = {"Cookie": f"__Host-dovetail-token={token}"}
    path = f"{secure_world.url}/api/v1/namespaces"
    expect(secure_world.web.call("GET", path, headers=headers), 200)
    tossed = {"Cookie": f"dovetail-token={token}"}  # a name that a plain page of the same host could set
    expect_status(secure_world.web.call("GET", path, headers=tossed), 401, "Unauthorized")
    evil = {**headers, "Origin": "https://evil.example.org"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "forged"}}
    expect_status(secure_world.web.call("POST", path, headers=evil, body=body), 401, "Unauthorized")
    own = {**headers, "Origin": secure_world.url}
    expect(secure_world.web.call("POST", path + "?dryRun=All", headers=own, body=body), 201)


def session_cookies(world: World, certificate: Certificate) -> SimpleCookie:
    """Log in as the page does."""
    host = world.url.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, context=certificate.client_context(), timeout=20)
    body = json.dumps({"username": "admin", "password": up_of(world).password})
    try:
        connection.request("POST", "/oauth/session", body, {"Content-Type": "application/json", "Origin": world.url})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        cookies = SimpleCookie()
        for value in answer.headers.get_all("Set-Cookie", []):
            cookies.load(value)
        return cookies
    finally:
        connection.close()


def test_plain_http_gets_no_page(secure_world: World) -> None:
    """Nothing is served in the clear on that port."""
    plain = secure_world.url.replace("https", "http")
    assert not answers(lambda: Web().get(plain + "/login"))
