"""Identity providers through the real gateway: a second Dovetail as the OpenID provider, and a directory."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.e2e.demo.web import Answer
from tests.e2e.demo.world import World, expect, wait
from tests.e2e.running import Up, create_user, world_on
from tests.platform.directory_rig import ANN_PASSWORD, running_slapd

pytestmark = pytest.mark.e2e

SECRETS = "/api/v1/namespaces/kubesphere-system/secrets"
USERS = "/kapis/iam.kubesphere.io/v1beta1/users"
LINK = "iam.kubesphere.io/identity-provider."
PASSWORD = "Regular-0n3-Passw0rd"


@pytest.fixture(scope="module")
def other() -> Iterator[World]:
    """Another platform, where people have their accounts."""
    platform = Up()
    try:
        yield world_on(platform)
    finally:
        platform.finish()


def configure(world: World, kind: str, said: dict[str, Any]) -> None:
    body = {
        "apiVersion": "v1", "kind": "Secret", "type": f"config.kubesphere.io/{kind}",
        "metadata": {"name": f"{kind}-{said['name']}", "labels": {"config.kubesphere.io/type": kind}},
        "stringData": {"configuration.yaml": yaml.safe_dump(said)},
    }  # fmt: skip
    expect(world.send("POST", SECRETS, "admin", body), 201)


def remove(world: World, kind: str, name: str) -> None:
    world.send("DELETE", f"{SECRETS}/{kind}-{name}", "admin")


def visit(world: World, address: str, cookie: str = "") -> Answer:
    headers = {"Cookie": cookie} if cookie else {}
    return world.web.call("GET", address, headers=headers)


def header(answer: Answer, wanted: str) -> str:
    """A header, in whatever case it came."""
    return next(text for name, text in answer.headers.items() if name.lower() == wanted)


def test_a_second_dovetail_says_who_it_is(world: World, other: World) -> None:
    name, client, person = "hub" + secrets.token_hex(3), "relying-" + secrets.token_hex(3), "p" + secrets.token_hex(4)
    callback = f"{world.url}/oauth/callback/{name}"
    scopes = ["openid", "profile", "email"]
    configure(other, "oauthclient", {"name": client, "secret": "its-secret", "grantMethod": "auto",
                                     "redirectURIs": [callback], "scopeRestrictions": scopes})  # fmt: skip
    create_user(other, person)
    provider = {"issuer": other.url, "clientID": client, "clientSecret": "its-secret", "getUserInfo": True}
    configure(world, "identityprovider", {"name": name, "type": "OIDCIdentityProvider", "mappingMethod": "manual",
                                          "displayName": "The hub", "provider": provider})  # fmt: skip
    try:
        wait(lambda: visit(world, f"{world.url}/oauth/login/{name}").code == 303, "the provider to be known")
        listed = world.get("/kapis/config.kubesphere.io/v1alpha2/configs/oauth")
        expect(listed, 200)
        assert name in {one["name"] for one in listed.json["identityProviders"]}
        assert b"its-secret" not in listed.body

        left = visit(world, f"{world.url}/oauth/login/{name}?next=/extensions")
        key = header(left, "set-cookie").partition(";")[0]
        entered = {"username": person, "password": PASSWORD}
        there = other.web.call("POST", f"{other.url}/oauth/session", body=entered)
        expect(there, 200)
        token = other.tokens[person]
        cookie = f"dovetail-token={token}"
        agreed = visit(other, header(left, "location"), cookie)
        expect(agreed, 303)
        back = header(agreed, "location")
        assert back.startswith(callback + "?"), back

        expect(visit(world, back), 401)  # another browser
        came = visit(world, back, key)
        expect(came, 303)
        fragment = parse_qs(urlsplit(header(came, "location")).fragment)
        assert fragment["username"] == [person]
        chosen = "n" + secrets.token_hex(4)
        body = {"ticket": fragment["registration"][0], "username": chosen}
        evil = world.web.call(
            "POST", f"{world.url}/oauth/register", body=body, headers={"Sec-Fetch-Site": "cross-site"}
        )
        expect(evil, 403)
        taken = world.web.call("POST", f"{world.url}/oauth/register", body={**body, "username": "admin"})
        expect(taken, 409)
        expect(world.web.call("POST", f"{world.url}/oauth/register", body=body), 200)
        user = world.get(f"{USERS}/{chosen}", "admin").json
        assert user["metadata"]["annotations"][LINK + name] == person
        expect(visit(world, back, key), 401)  # the provider's code was used
    finally:
        remove(world, "identityprovider", name)
        remove(other, "oauthclient", client)


def test_who_is_to_register_may_do_nothing_else(world: World, tmp_path: Path) -> None:
    corp, name = "corp" + secrets.token_hex(3), "l" + secrets.token_hex(4)
    form = {"grant_type": "password", "client_id": "kubesphere", "client_secret": "kubesphere", "provider": corp,
            "username": "ann", "password": ANN_PASSWORD}  # fmt: skip

    def token(**more: str) -> Answer:
        return world.web.call("POST", f"{world.url}/oauth/token", form={**form, **more})

    with running_slapd(tmp_path) as slapd:
        configure(world, "identityprovider", {"name": corp, "type": "LDAPIdentityProvider",
                                              "mappingMethod": "manual", "provider": slapd.provider()})  # fmt: skip
        try:
            wait(lambda: token().code == 200, "the directory to be known")
            expect(token(password=""), 400)
            expect(token(username="*"), 400)
            first = token().json
            stranger, ticket = first["access_token"], first["refresh_token"]
            wait(lambda: world.web.call("POST", world.url + USERS, token=stranger, body={}).code == 422, "its rights")
            for method, path in (
                ("GET", USERS), ("GET", f"{USERS}/admin"), ("GET", "/console/api/boot"), ("GET", "/api/v1/namespaces"),
                ("GET", "/kapis/tenant.kubesphere.io/v1beta1/workspaces"), ("GET", "/oauth/userinfo"),
                ("POST", "/apis/iam.kubesphere.io/v1beta1/users"), ("GET", "/apis"),
                ("PUT", f"{USERS}/admin/password"), ("GET", "/kapis/iam.kubesphere.io/v1beta1/roletemplates"),
            ):  # fmt: skip
                answer = world.web.call(method, world.url + path, token=stranger, body={} if method != "GET" else None)
                assert answer.code in (401, 403), (method, path, answer)
            expect(world.web.call("GET", world.url + USERS, token=ticket), 401)
            forged = {"X-Remote-Extra-uid": "1002", "X-Remote-Extra-idp": corp}
            body = {"metadata": {"name": name, "annotations": {"iam.kubesphere.io/globalrole": "platform-admin"}}}
            made = world.web.call("POST", world.url + USERS, token=stranger, body=body, headers=forged)
            expect(made, 201)
            assert made.json["metadata"]["annotations"] == {LINK + corp: "1001"}
            held = world.get("/kapis/iam.kubesphere.io/v1beta1/globalrolebindings", "admin").json["items"]
            assert not [one for one in held if name in str(one["subjects"])]

            def resumed() -> Answer:
                return world.web.call("POST", f"{world.url}/oauth/token", form={
                    "grant_type": "refresh_token", "client_id": "kubesphere", "refresh_token": ticket,
                })  # fmt: skip

            known = resumed()
            expect(known, 200)
            wait(
                lambda: world.web.get(world.url + "/oauth/userinfo", token=known.json["access_token"]).code == 200,
                "the new user to be known",
            )
            expect(resumed(), 400)  # once
            expect(token(), 200)
            remove(world, "identityprovider", corp)
            wait(lambda: token().code == 400, "the directory to be gone")
        finally:
            remove(world, "identityprovider", corp)
