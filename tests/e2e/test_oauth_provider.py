"""The OpenID Connect provider as other people's software sees it: authlib does the whole flow, Chromium is the person.

Attacks that need the real gateway in front (what a worker takes for a credential, what a browser sends) are here; those
on the endpoints themselves are in tests/platform/test_authorize.py.
"""

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Page

from tests.e2e.demo.browser import CHROMIUM, person_at
from tests.e2e.demo.world import World, expect, wait
from tests.e2e.running import SHOTS, create_user, up_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}"),
]

PASSWORD = "Regular-0n3-Passw0rd"
SECRETS = "/api/v1/namespaces/kubesphere-system/secrets"
USERS = "/kapis/iam.kubesphere.io/v1beta1/users"


@dataclass
class App:
    """A web application that logs people in with the platform; it lives on a site of its own."""

    callbacks: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def callback(self) -> str:
        return f"http://localhost:{self.port}/callback"


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """`localhost` is another site than `127.0.0.1` to a browser: what crosses is cross-site."""
    made = App()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.callbacks.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>app</title><h1>The application</h1>")

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def client(world: World, app: App) -> Iterator[dict[str, str]]:
    """The application as a confidential client that asks the user."""
    name, secret = "app-" + secrets.token_hex(3), secrets.token_urlsafe(16)
    said = {"name": name, "secret": secret, "grantMethod": "prompt", "redirectURIs": [app.callback],
            "postLogoutRedirectURIs": [app.callback + "?bye"]}  # fmt: skip
    body = {
        "apiVersion": "v1", "kind": "Secret", "type": "config.kubesphere.io/oauthclient",
        "metadata": {"name": f"oauthclient-{name}", "labels": {"config.kubesphere.io/type": "oauthclient"}},
        "stringData": {"configuration.yaml": yaml.safe_dump(said)},
    }  # fmt: skip
    expect(world.send("POST", SECRETS, "admin", body), 201)
    form = {"grant_type": "client_credentials", "client_id": name, "client_secret": secret}
    wait(lambda: world.web.call("POST", world.url + "/oauth/token", form=form).code == 200, "the client to be known")
    try:
        yield {"client_id": name, "client_secret": secret}
    finally:
        world.send("DELETE", f"{SECRETS}/oauthclient-{name}", "admin")


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(user)
    page.locator("input[type=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()


def authorization(world: World, session: OAuth2Session, **more: str) -> tuple[str, str, str]:
    """The URL that the application sends its user to, its state and its PKCE verifier."""
    verifier = secrets.token_urlsafe(48)
    url, state = session.create_authorization_url(
        world.url + "/oauth/authorize", code_verifier=verifier, nonce="n-0S6_WzA2Mj", **more
    )
    return url, state, verifier


def open_from_the_app(page: Page, app: App, url: str) -> None:
    """Follow a link on a page of the application, as people do: a navigation from another site."""
    page.goto(f"http://localhost:{app.port}/")
    page.evaluate("url => { location.href = url }", url)


def test_authlib_and_a_person(world: World, app: App, client: dict[str, str]) -> None:
    user = "oidc-" + secrets.token_hex(3)
    create_user(world, user)
    session = OAuth2Session(
        **client, scope="openid profile email", redirect_uri=app.callback, code_challenge_method="S256"
    )
    url, state, verifier = authorization(world, session)
    with person_at(world.url, SHOTS) as person:
        page = person.page
        open_from_the_app(page, app, url)
        page.wait_for_url("**/login?next=*")
        sign_in(page, user)
        page.get_by_role("button", name="Allow").wait_for(state="visible")
        assert client["client_id"] in page.locator("h1").inner_text()
        person.shoot("oauth-consent")
        page.get_by_role("button", name="Allow").click()
        page.wait_for_url(app.callback + "*")
        came_back = page.url
        token = session.fetch_token(
            world.url + "/oauth/token", authorization_response=came_back, state=state, code_verifier=verifier
        )
        document = world.get("/.well-known/openid-configuration").json
        keys = KeySet.import_key_set(world.web.get(document["jwks_uri"]).json)
        claims = jwt.decode(
            token["id_token"], keys, algorithms=document["id_token_signing_alg_values_supported"]
        ).claims
        checked = CodeIDToken(
            claims, {}, {"iss": {"value": document["issuer"]}, "aud": {"value": client["client_id"]},
                         "nonce": {"value": "n-0S6_WzA2Mj"}},
            {"access_token": token["access_token"], "nonce": "n-0S6_WzA2Mj", "client_id": client["client_id"]},
        )  # fmt: skip
        checked.header = {"alg": "ES256"}
        checked.validate()
        assert session.get(document["userinfo_endpoint"]).json()["sub"] == claims["sub"] == user
        assert claims["email"] == f"{user}@example.org"
        refused = session.get(world.url + f"{USERS}/{user}")
        assert refused.status_code == 401, "the client was not trusted with the user's rights"
        fresh = session.refresh_token(document["token_endpoint"])
        assert fresh["access_token"] != token["access_token"]

        # Once more, silently: the browser is known and comes from another site.
        again, state, _ = authorization(world, session, prompt="none")
        open_from_the_app(page, app, again)
        page.wait_for_url(app.callback + "*")
        assert "error=interaction_required" in page.url, "this client always asks"
        assert f"state={state}" in page.url

        # prompt=login: the form is shown although somebody is logged in.
        page.wait_for_timeout(1100)  # log-ins are told apart by the second
        open_from_the_app(page, app, authorization(world, session, prompt="login")[0])
        page.wait_for_url("**/login?next=*")
        sign_in(page, user)
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_url(app.callback + "*")
        assert "error=access_denied" in page.url

        # The client logs its user out, here too.
        query = {"id_token_hint": token["id_token"], "post_logout_redirect_uri": app.callback + "?bye"}
        page.goto(document["end_session_endpoint"] + "?" + urlencode(query))
        page.wait_for_url(app.callback + "?bye*")
        refused = session.get(document["userinfo_endpoint"])
        assert refused.status_code == 401


def test_a_refresh_token_or_a_code_opens_nothing(world: World, app: App, client: dict[str, str]) -> None:
    form = {"grant_type": "password", "username": "admin", "password": up_of(world).password, "client_id": "kubesphere"}
    tokens = world.web.call("POST", world.url + "/oauth/token", form=form).json
    for token in (tokens["refresh_token"], "0" * 24 + "." + "x" * 43):
        for path in (USERS, "/api/v1/namespaces", "/oauth/userinfo", "/console/api/boot"):
            expect(world.web.get(world.url + path, token=token), 401)
    form = {"grant_type": "password", "username": "admin", "password": up_of(world).password, **client}
    refused = world.web.call("POST", world.url + "/oauth/token", form=form)
    assert (refused.code, refused.json["error"]) == (400, "unauthorized_client")


def test_the_log_in_page_leads_nowhere_else(world: World) -> None:
    user = "next-" + secrets.token_hex(3)
    create_user(world, user)
    for number, wanted in enumerate(("//evil.example.com/", "/\\evil.example.com", "https://evil.example.com/")):
        with person_at(world.url, SHOTS) as person:
            person.page.goto(f"{world.url}/login?" + urlencode({"next": wanted}))
            sign_in(person.page, user)
            person.page.wait_for_url(lambda url: "/login" not in url)
            assert urlsplit(person.page.url).netloc == urlsplit(world.url).netloc, (number, person.page.url)


def test_a_first_log_in_in_the_browser(world: World) -> None:
    name = "first-" + secrets.token_hex(3)
    body = {
        "apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User",
        "metadata": {"name": name, "annotations": {"iam.kubesphere.io/uninitialized": "true"}},
        "spec": {"email": "", "password": PASSWORD},
    }  # fmt: skip
    expect(world.send("POST", USERS, "admin", body), 201)
    wait(lambda: world.get(f"{USERS}/{name}", "admin").code == 200, "the user")
    world.log_in(name, PASSWORD)
    wait(lambda: world.get(f"{USERS}/{name}", name).code == 200, "the user to be known everywhere")
    expect(world.get("/console/api/boot", name), 403)
    expect(world.get("/apis", name), 403)
    with person_at(world.url, SHOTS) as person:
        page = person.page
        page.goto(world.url + "/")
        sign_in(page, name)
        page.get_by_label("New password", exact=True).fill("Own-Passw0rd")
        page.get_by_label("Repeat the new password").fill("Own-Passw0rd")
        person.shoot("first-log-in")
        page.get_by_role("button", name="Change password").click()
        page.wait_for_url(lambda url: "/login" not in url)
        page.get_by_role("link", name="Extension centre").first.wait_for(state="visible")
    expect(world.get("/oauth/userinfo", name), 401)


def test_over_tls(secure_world: World) -> None:
    """The same through a gateway that speaks TLS: its cookies, its redirects, and a consent from elsewhere."""
    world, name, callback = secure_world, "tls-" + secrets.token_hex(3), "https://app.example.com/callback"
    said = {"name": name, "redirectURIs": [callback]}
    body = {
        "apiVersion": "v1", "kind": "Secret", "type": "config.kubesphere.io/oauthclient",
        "metadata": {"name": f"oauthclient-{name}", "labels": {"config.kubesphere.io/type": "oauthclient"}},
        "stringData": {"configuration.yaml": yaml.safe_dump(said)},
    }  # fmt: skip
    expect(world.send("POST", SECRETS, "admin", body), 201)
    login = {"username": "admin", "password": up_of(world).password}
    answer = world.web.call("POST", world.url + "/oauth/session", body=login)
    expect(answer, 200)
    cookie = {name.lower(): text for name, text in answer.headers.items()}["set-cookie"]
    assert cookie.startswith(("__Host-dovetail-token=", "__Secure-dovetail-refresh="))
    token = world.tokens["admin"]
    headers = {"Cookie": f"__Host-dovetail-token={token}", "Sec-Fetch-Site": "none"}
    verifier = secrets.token_urlsafe(48)
    query = urlencode({
        "response_type": "code", "client_id": name, "redirect_uri": callback, "state": "s", "scope": "openid",
        "code_challenge": create_s256_code_challenge(verifier), "code_challenge_method": "S256",
    })  # fmt: skip
    asked = f"{world.url}/oauth/authorize?{query}"
    wait(lambda: world.web.call("GET", asked, headers=headers).code == 200, "the client to be known")
    page = world.web.call("GET", asked, headers=headers)
    ticket = page.body.decode().partition('name="ticket" value="')[2].partition('"')[0]
    form = {"ticket": ticket, "decision": "allow"}
    for site in ("cross-site", "same-site"):
        stolen = headers | {"Sec-Fetch-Site": site, "Origin": "https://evil.example.com"}
        expect(world.web.call("POST", world.url + "/oauth/authorize", form=form, headers=stolen), 400)
    own = headers | {"Sec-Fetch-Site": "same-origin", "Origin": world.url}
    agreed = world.web.call("POST", world.url + "/oauth/authorize", form=form, headers=own)
    expect(agreed, 303)
    told = parse_qs(urlsplit({name.lower(): text for name, text in agreed.headers.items()}["location"]).query)
    issuer = world.get("/.well-known/openid-configuration").json["issuer"]
    assert told["iss"] == [issuer]
    redeem = {
        "grant_type": "authorization_code", "code": told["code"][0], "redirect_uri": callback, "client_id": name,
        "code_verifier": verifier,
    }  # fmt: skip
    assert "id_token" in world.web.call("POST", world.url + "/oauth/token", form=redeem).json
    expect(world.web.call("POST", world.url + "/oauth/token", form=redeem), 400)
