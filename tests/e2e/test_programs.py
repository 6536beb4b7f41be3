"""Programs that call the platform as themselves: service accounts and OAuth clients, through the real gateway."""

import base64
import json
from typing import Any

import pytest
import yaml

from tests.e2e.demo.web import Answer
from tests.e2e.demo.world import World, expect, wait
from tests.e2e.running import create_user

pytestmark = pytest.mark.e2e

ACCOUNTS = "/kapis/kubesphere.io/v1alpha1/namespaces/default/serviceaccounts"
BINDINGS = "/kapis/iam.kubesphere.io/v1beta1/globalrolebindings"
WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
USERS = "/kapis/iam.kubesphere.io/v1beta1/users"
REFUSED = {401, 403}


def account(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "kubesphere.io/v1alpha1", "kind": "ServiceAccount", "metadata": metadata}


def bound(name: str, subject: dict[str, str], role: str = "platform-admin") -> dict[str, Any]:
    return {
        "apiVersion": "iam.kubesphere.io/v1beta1", "kind": "GlobalRoleBinding", "metadata": {"name": name},
        "subjects": [subject], "roleRef": {"apiGroup": "iam.kubesphere.io", "kind": "GlobalRole", "name": role},
    }  # fmt: skip


def stored_token(world: World, name: str) -> str:
    found = world.get(f"/api/v1/namespaces/default/secrets/{name}-platform-token", "admin")
    return base64.b64decode(found.json["data"]["token"]).decode() if found.code == 200 else ""


def call(world: World, token: str, path: str = USERS) -> Answer:
    return world.web.get(world.url + path, token=token)


@pytest.fixture
def robot(world: World) -> Any:
    """A service account that administers the platform."""
    subject = {"apiGroup": "kubesphere.io", "kind": "ServiceAccount", "namespace": "default", "name": "robot"}
    expect(world.send("POST", ACCOUNTS, "admin", account("robot")), 201)
    expect(world.send("POST", BINDINGS, "admin", bound("robot", subject)), 201)
    try:
        wait(lambda: stored_token(world, "robot") != "", "the robot's Secret")
        yield "robot"
    finally:
        world.send("DELETE", f"{ACCOUNTS}/robot", "admin")
        world.send("DELETE", f"{BINDINGS}/robot", "admin")


def test_the_secrets_token_is_good_until_the_secret_goes(world: World, robot: str) -> None:
    token = stored_token(world, robot)
    wait(lambda: call(world, token).code == 200, "the robot to be known", also=lambda: repr(call(world, token)))
    assert call(world, token, "/kapis/tenant.kubesphere.io/v1beta1/namespaces").code == 200
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["sub"] == "kubesphere:serviceaccount:default:robot"
    assert claims["exp"] - claims["iat"] <= 24 * 3600
    expect(world.send("DELETE", f"/api/v1/namespaces/default/secrets/{robot}-platform-token", "admin"), 200)
    wait(lambda: call(world, token).code == 401, "the token to be refused", seconds=10)
    wait(lambda: stored_token(world, robot) not in ("", token), "a new token")
    wait(lambda: call(world, stored_token(world, robot)).code == 200, "the new token to be good")


def test_a_token_on_request(world: World, robot: str) -> None:
    asked = world.send("POST", f"{ACCOUNTS}/{robot}/token", "admin", {"spec": {"expirationSeconds": 700}})
    expect(asked, 201)
    token = asked.json["status"]["token"]
    wait(lambda: call(world, token).code == 200, "the robot to be known")
    for seconds in (1, 10**9):
        expect(world.send("POST", f"{ACCOUNTS}/{robot}/token", "admin", {"spec": {"expirationSeconds": seconds}}), 422)
    expect(world.send("POST", f"{ACCOUNTS}/nobody/token", "admin", {}), 404)
    expect(world.send("DELETE", f"{ACCOUNTS}/{robot}", "admin"), 200)
    wait(lambda: call(world, token).code == 401, "the token to be refused", seconds=10)
    expect(world.send("POST", ACCOUNTS, "admin", account(robot)), 201)  # the same name is another account
    wait(lambda: stored_token(world, robot) != "", "the new account's Secret")
    assert call(world, token).code == 401


def test_who_may_ask_for_tokens_does_not_become_more(world: World, robot: str) -> None:
    create_user(world, "tokener")
    role = {
        "apiVersion": "iam.kubesphere.io/v1beta1", "kind": "GlobalRole", "metadata": {"name": "tokener"},
        "rules": [{"verbs": ["*"], "apiGroups": ["kubesphere.io"], "resources": ["serviceaccounts", "*/token"]},
                  {"verbs": ["create"], "apiGroups": ["kubesphere.io"], "resources": ["serviceaccounts/token"]}],
    }  # fmt: skip
    try:
        expect(world.send("POST", BINDINGS.replace("bindings", "s"), "admin", role), 201)
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "tokener"}
        expect(world.send("POST", BINDINGS, "admin", bound("tokener", subject, "tokener")), 201)
        wait(
            lambda: world.get(ACCOUNTS, "tokener").code == 200,
            "the role",
            also=lambda: repr(world.get(ACCOUNTS, "tokener")),
        )
        refused = world.send("POST", f"{ACCOUNTS}/{robot}/token", "tokener", {})
        expect(refused, 403)
        assert "more rights" in refused.json["message"]
    finally:
        world.send("DELETE", f"{BINDINGS}/tokener", "admin")
        world.send("DELETE", BINDINGS.replace("bindings", "s") + "/tokener", "admin")
        world.send("DELETE", f"{USERS}/tokener", "admin")


def test_a_client_calls_as_itself(world: World) -> None:
    said = yaml.safe_dump({"name": "batch", "secret": "b4tch-secret", "redirectURIs": []})
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "config.kubesphere.io/oauthclient",
        "metadata": {"name": "oauthclient-batch", "labels": {"config.kubesphere.io/type": "oauthclient"}},
        "stringData": {"configuration.yaml": said},
    }  # fmt: skip
    path = "/api/v1/namespaces/kubesphere-system/secrets"
    form = {"grant_type": "client_credentials", "client_id": "batch", "client_secret": "b4tch-secret"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kubesphere:oauthclient:batch"}
    ask = lambda: world.web.call("POST", world.url + "/oauth/token", form=form)  # noqa: E731
    try:
        expect(world.send("POST", path, "admin", secret), 201)
        wait(lambda: ask().code == 200, "the client to be known")
        token = ask().json["access_token"]
        wait(
            lambda: call(world, token).code == 403,
            "the client to be known everywhere",
            also=lambda: repr(call(world, token)),
        )
        expect(world.send("POST", BINDINGS, "admin", bound("batch", subject)), 201)
        wait(lambda: call(world, token).code == 200, "the client's role")
        who = world.web.call(
            "POST",
            world.url + WHO,
            token=token,
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
        assert who.json["status"]["userInfo"]["username"] == "kubesphere:oauthclient:batch"
        expect(world.send("DELETE", f"{path}/oauthclient-batch", "admin"), 200)
        wait(lambda: call(world, token).code == 401, "the token to go with its client")
    finally:
        world.send("DELETE", f"{path}/oauthclient-batch", "admin")
        world.send("DELETE", f"{BINDINGS}/batch", "admin")
