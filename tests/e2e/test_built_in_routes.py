"""The routes that are always there, on a running platform: who answers, and whom."""

import pytest

from tests.e2e.demo.world import World, expect_status
from tests.e2e.running import create_user

pytestmark = pytest.mark.e2e

NAMESPACES = "/api/v1/namespaces"


def test_health_is_for_everybody(world: World) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert world.get(path).code == 200, path


def test_the_platforms_own_paths(world: World) -> None:
    assert world.get("/.well-known/openid-configuration").json["issuer"]
    assert "gitVersion" in world.get("/kapis/version").json
    assert world.get("/kapis/iam.kubesphere.io/v1beta1/users", "admin").code == 200
    assert b"dovetail_gateway" in world.get("/metrics", "admin").body
    expect_status(world.get("/metrics"), 401, "Unauthorized")
    assert b"<html" in world.get("/login").body.lower()


def test_the_cluster_is_asked_as_the_user(world: World) -> None:
    create_user(world, "stranger")
    assert world.get(NAMESPACES, "admin").json["kind"] == "NamespaceList"
    expect_status(world.get(NAMESPACES), 401, "Unauthorized")
    expect_status(world.get(NAMESPACES, "stranger"), 403, "Forbidden")
    assert world.get("/apis", "admin").json["kind"] == "APIGroupList"
    assert world.get("/version", "stranger").json["gitVersion"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = world.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "stranger", review)
    assert answer.json["status"]["userInfo"]["username"] == "stranger"


def test_this_cluster_by_its_name_and_no_other(world: World) -> None:
    here = world.get(f"/clusters/host{NAMESPACES}", "admin").json
    assert {each["metadata"]["name"] for each in here["items"]} >= {"default", "kube-system"}
    assert world.get("/clusters/host/kapis/greeter.dovetail.dev/v1alpha1/greetings", "admin").code == 200
    expect_status(world.get(f"/clusters/host{NAMESPACES}"), 401, "Unauthorized")
    for path in ("/clusters/other/api", "/clusters/other/api/v1", f"/clusters/other{NAMESPACES}"):
        expect_status(world.get(path), 404, "NotFound")
