"""What a user without a role may and may not do, whatever it sends."""

import json

import pytest

from tests.e2e.demo.world import World, expect_status, wait
from tests.e2e.running import GREETINGS, PROXIED, create_user

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def roleless(world: World) -> str:
    """A user whom nobody has given a role."""
    create_user(world, "nobody-in-particular")
    return "nobody-in-particular"


@pytest.mark.parametrize(
    "path",
    [
        GREETINGS,
        PROXIED,
        "/apis/kubesphere.io/v1alpha1/installplans",
        "/apis/kubesphere.io/v1alpha1/extensions",
        "/apis/iam.kubesphere.io/v1beta1/users",
        "/apis/apps/v1/deployments",
        "/api/v1/secrets",
        "/api/v1/namespaces/kubesphere-system/secrets",
        "/api/v1/nodes",
        "/kapis/iam.kubesphere.io/v1beta1/users",
        "/kapis/iam.kubesphere.io/v1beta1/users/admin",
    ],
)
def test_what_a_user_without_a_role_may_not_read(world: World, roleless: str, path: str) -> None:
    expect_status(world.get(path, roleless), 403, "Forbidden")


def test_what_a_user_without_a_role_may_read(world: World, roleless: str) -> None:
    own = world.get(f"/kapis/iam.kubesphere.io/v1beta1/users/{roleless}", roleless)
    assert own.code == 200, own
    assert own.json["metadata"]["name"] == roleless
    assert "password" not in own.json["spec"], own.json
    assert "argon2" not in own.body.decode()
    assert world.get("/oauth/userinfo", roleless).json["sub"] == roleless
    assert world.get("/kapis/version", roleless).code == 200


def test_a_user_without_a_role_cannot_make_itself_more(world: World, roleless: str) -> None:
    binding = {
        "apiVersion": "iam.kubesphere.io/v1beta1",
        "kind": "GlobalRoleBinding",
        "metadata": {"name": "promoted"},
        "roleRef": {"apiGroup": "iam.kubesphere.io", "kind": "GlobalRole", "name": "platform-admin"},
        "subjects": [{"apiGroup": "iam.kubesphere.io", "kind": "User", "name": roleless}],
    }
    for path in ("/apis/iam.kubesphere.io/v1beta1/globalrolebindings", "/kapis/iam.kubesphere.io/v1beta1/users"):
        expect_status(world.send("POST", path, roleless, binding), 403, "Forbidden")
    own = f"/kapis/iam.kubesphere.io/v1beta1/users/{roleless}"
    patch = {"metadata": {"annotations": {"iam.kubesphere.io/globalrole": "platform-admin"}}}
    answer = world.send("PATCH", own, roleless, patch, "application/merge-patch+json")
    assert answer.code in (403, 405), answer
    expect_status(world.get("/api/v1/secrets", roleless), 403, "Forbidden")


def test_forged_identity_headers_change_nothing(world: World, roleless: str) -> None:
    forged = {
        "Impersonate-User": "admin",
        "Impersonate-Group": "system:masters",
        "X-Remote-User": "admin",
        "X-Remote-Group": "system:masters",
        "X-Forwarded-For": "127.0.0.1",
    }
    for path in (GREETINGS, "/api/v1/secrets", "/kapis/iam.kubesphere.io/v1beta1/users"):
        answer = world.web.call("GET", world.url + path, token=world.tokens[roleless], headers=forged)
        expect_status(answer, 403, "Forbidden")
        expect_status(world.web.call("GET", world.url + path, headers=forged), 401, "Unauthorized")
    seen = world.web.call("GET", world.url + GREETINGS, token=world.tokens["admin"], headers={"X-Remote-User": "root"})
    assert json.loads(seen.body)["user"] == "admin"


def test_a_deleted_user_is_out_at_once(world: World) -> None:
    create_user(world, "leaver")
    token = world.tokens["leaver"]
    userinfo = f"{world.url}/oauth/userinfo"
    assert world.web.get(userinfo, token=token).code == 200
    assert world.send("DELETE", "/kapis/iam.kubesphere.io/v1beta1/users/leaver", "admin").code == 200
    wait(lambda: world.web.get(userinfo, token=token).code == 401, "the token to be refused", seconds=5)
