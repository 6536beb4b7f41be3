"""/kapis/<group>/<version>/...: generic endpoints against the real API. What attackers try: tests/e2e/attacks."""

import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from dovetail.apis.iam_v1beta1 import (
    ROLES,
    WORKSPACEROLEBINDINGS,
    WORKSPACEROLES,
)
from dovetail.apis.labels import CREATOR, ROLE_REF, USER_REF, WORKSPACE
from dovetail.apis.tenant_v1beta1 import WORKSPACES
from dovetail.kube.resources import NAMESPACES

from .conftest import Answer, Platform

IAM = "/kapis/iam.kubesphere.io/v1beta1"
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
EVERYTHING = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
VIEW_PODS = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]


def obj(kind: str, name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": kind, "metadata": metadata, **more}


def global_role(name: str) -> dict[str, Any]:
    return {"kind": "GlobalRole", "name": name}


@dataclass
class Tenants:
    """Two workspaces, each with an administrator and a project; and somebody who may only look."""

    platform: Platform
    ours: str
    theirs: str
    admin: str
    other_admin: str
    viewer: str
    root: str
    project: str
    other_project: str

    async def call(self, method: str, path: str, user: str = "", **more: Any) -> Answer:
        return await self.platform.call(method, IAM + path, user=user or self.admin, **more)


async def workspace(platform: Platform, admin: str, viewer: str = "") -> tuple[str, str]:
    """A workspace with roles and bindings as its controllers make them, and its project."""
    name = "w" + secrets.token_hex(4)
    client, label = platform.client, {WORKSPACE: name}
    made = {"apiVersion": "tenant.kubesphere.io/v1beta1", "kind": "Workspace", "metadata": {"name": name}}
    await client.create(WORKSPACES, {**made, "spec": {"manager": admin}})
    looking = [{"verbs": ["get", "list", "watch"], "apiGroups": ["*"], "resources": ["*"]}]
    for role, rules, user in (("admin", EVERYTHING, admin), ("viewer", looking, viewer)):
        await client.create(WORKSPACEROLES, obj("WorkspaceRole", f"{name}-{role}", label, rules=rules))
        if user:
            reference = {"apiGroup": "iam.kubesphere.io", "kind": "WorkspaceRole", "name": f"{name}-{role}"}
            bound = {"subjects": [{"kind": "User", "name": user}], "roleRef": reference}
            await client.create(
                WORKSPACEROLEBINDINGS, obj("WorkspaceRoleBinding", f"{user}-{name}-{role}", label, **bound)
            )
            await platform.until(lambda user=user: user in platform.deps.policy().user_bindings)
    project = f"{name}-p"
    await client.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": project, "labels": label}}
    )
    await platform.until(lambda: project in platform.deps.policy().namespaces)
    await platform.until(lambda: platform.deps.directory(WORKSPACES).get(name) is not None)
    return name, project


@pytest.fixture
async def tenants(platform: Platform) -> Tenants:
    admin, other, viewer = await platform.user(), await platform.user(), await platform.user()
    root = await platform.user("platform-admin")
    ours, project = await workspace(platform, admin, viewer)
    theirs, other_project = await workspace(platform, other)
    return Tenants(platform, ours, theirs, admin, other, viewer, root, project, other_project)


async def test_the_life_of_a_role_in_a_workspace(tenants: Tenants) -> None:
    base = f"/workspaces/{tenants.ours}/workspaceroles"
    made = await tenants.call("POST", base, json=obj("WorkspaceRole", f"{tenants.ours}-dev", rules=VIEW_PODS))
    assert made.code == 201, made.body
    assert made.body["metadata"]["labels"][WORKSPACE] == tenants.ours
    assert made.body["metadata"]["annotations"][CREATOR] == tenants.admin
    assert "managedFields" not in made.body["metadata"]
    listed = (await tenants.call("GET", base + "?name=-dev")).body
    assert [one["metadata"]["name"] for one in listed["items"]] == [f"{tenants.ours}-dev"]
    assert (listed["kind"], listed["metadata"]) == ("WorkspaceRoleList", {"continue": "1", "remainingItemCount": 0})
    one = f"{base}/{tenants.ours}-dev"
    replaced = {**made.body, "rules": EVERYTHING}
    assert (await tenants.call("PUT", one, json=replaced)).body["rules"] == EVERYTHING
    stale = await tenants.call("PUT", one, json=made.body)
    assert (stale.code, stale.reason) == (409, "Conflict")
    merged = await tenants.call("PATCH", one, json={"rules": VIEW_PODS}, headers=MERGE)
    assert (merged.code, merged.body["rules"]) == (200, VIEW_PODS)
    operations = [{"op": "add", "path": "/metadata/labels/a", "value": "b"}]
    patched = await tenants.call("PATCH", one, json=operations, headers=JSON_PATCH)
    assert patched.body["metadata"]["labels"]["a"] == "b"
    applied = await tenants.call(
        "PATCH", one + "?fieldManager=me&force=true", data="metadata: {annotations: {c: d}}\n", headers=APPLY
    )
    assert (applied.code, applied.body["metadata"]["annotations"]["c"]) == (200, "d")
    assert applied.body["rules"] == VIEW_PODS
    tried = await tenants.call("PATCH", one + "?dryRun=All", json={"rules": EVERYTHING}, headers=MERGE)
    assert tried.body["rules"] == EVERYTHING
    assert (await tenants.call("GET", one)).body["rules"] == VIEW_PODS
    assert (await tenants.call("DELETE", one)).code == 200
    assert (await tenants.call("GET", one)).code == 404
    assert (await tenants.call("GET", base + "?name=-dev")).body["items"] == []


async def test_what_cannot_be_read_is_refused_by_name(tenants: Tenants) -> None:
    for query in (
        "labelSelector=a,,b", "labelSelector=a%20in%20(", "labelSelector=x&labelSelector=y", "foo=1", "page=0",
        "limit=x", "sortBy=what", "ascending=maybe", "watch=true", "fieldSelector=abc", "continue=abc",
    ):  # fmt: skip
        refused = await tenants.call("GET", f"/workspaces/{tenants.ours}/workspaceroles?{query}")
        assert (refused.code, refused.reason) == (400, "BadRequest"), query
        assert query.partition("=")[0] in refused.body["message"]


async def test_the_body_is_the_object_of_the_url(tenants: Tenants) -> None:
    base = f"/namespaces/{tenants.project}/roles"
    good = obj("Role", "r1", rules=VIEW_PODS)
    for changed in (
        {"apiVersion": "iam.kubesphere.io/v1alpha2"}, {"kind": "ClusterRole"},
        {"metadata": {"name": "r1", "namespace": tenants.other_project}}, {"metadata": {}}, {"metadata": []},
    ):  # fmt: skip
        refused = await tenants.call("POST", base, json={**good, **changed})
        assert (refused.code, refused.reason) == (400, "BadRequest"), changed
    named = await tenants.call("PUT", base + "/r2", json=good)
    assert (named.code, named.reason) == (400, "BadRequest")
    assert (await tenants.call("POST", base, json=good)).code == 201
    assert (await tenants.platform.client.get(ROLES, "r1", tenants.project))["metadata"]["namespace"] == tenants.project
    through = f"/workspaces/{tenants.ours}/namespaces/{tenants.project}/roles/r1"
    assert (await tenants.call("GET", through)).code == 200
    crossed = f"/workspaces/{tenants.ours}/namespaces/{tenants.other_project}/roles"
    assert (await tenants.call("GET", crossed)).code in (403, 404)
    assert (await tenants.call("GET", crossed, tenants.root)).code == 404
    inside = (await tenants.call("GET", f"/workspaces/{tenants.ours}/roles")).body
    assert {one["metadata"]["namespace"] for one in inside["items"]} == {tenants.project}


async def test_the_labels_of_a_binding_tell_the_truth(tenants: Tenants) -> None:
    role = f"{tenants.ours}-viewer"
    lying = obj("WorkspaceRoleBinding", "b" + secrets.token_hex(4), {USER_REF: tenants.viewer, ROLE_REF: "other"},
                subjects=[{"kind": "User", "name": tenants.other_admin}],
                roleRef={"kind": "WorkspaceRole", "name": role})  # fmt: skip
    made = await tenants.call("POST", f"/workspaces/{tenants.ours}/workspacerolebindings", json=lying)
    assert made.code == 201, made.body
    labels = made.body["metadata"]["labels"]
    assert (labels[USER_REF], labels[ROLE_REF], labels[WORKSPACE]) == (tenants.other_admin, role, tenants.ours)
    one = f"/workspaces/{tenants.ours}/workspacerolebindings/{made.body['metadata']['name']}"
    patch = {"subjects": [{"kind": "User", "name": tenants.viewer}]}
    patched = await tenants.call("PATCH", one, json=patch, headers=MERGE)
    assert patched.body["metadata"]["labels"][USER_REF] == tenants.viewer


async def test_viewers_only_look_and_strangers_do_not(tenants: Tenants) -> None:
    base = f"/workspaces/{tenants.ours}/workspaceroles"
    assert (await tenants.call("GET", base, tenants.viewer)).code == 200
    assert (await tenants.call("POST", base, tenants.viewer, json=obj("WorkspaceRole", "x"))).code == 403
    assert (await tenants.call("DELETE", f"{base}/{tenants.ours}-viewer", tenants.viewer)).code == 403
    assert (await tenants.call("GET", base, tenants.other_admin)).code == 403
    assert (await tenants.call("GET", "/workspaceroles", tenants.admin)).code == 403
    assert (await tenants.platform.call("GET", IAM + base)).code == 401
    everything = (
        await tenants.call("GET", "/workspaceroles?limit=1&page=2&sortBy=name&ascending=true", tenants.root)
    ).body
    assert len(everything["items"]) == 1
    assert int(everything["metadata"]["continue"]) >= 4
    assert everything["metadata"]["remainingItemCount"] == int(everything["metadata"]["continue"]) - 2


async def test_patches_that_cannot_be_read(tenants: Tenants) -> None:
    one = f"/workspaces/{tenants.ours}/workspaceroles/{tenants.ours}-viewer"
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    assert (await tenants.call("PATCH", one, json={}, headers=strategic)).code == 415
    assert (await tenants.call("PATCH", one, json=[], headers=MERGE)).code == 400
    assert (await tenants.call("PATCH", one, json={}, headers=JSON_PATCH)).code == 400
    assert (await tenants.call("PATCH", one + "?fieldManager=me", data="a: [", headers=APPLY)).code == 400
    assert (await tenants.call("PATCH", one + "?fieldManager=me", data="[" * 200_000, headers=APPLY)).code == 400
    assert (await tenants.call("PATCH", one, data="metadata: {}", headers=APPLY)).code == 400
    assert (await tenants.call("PATCH", one, json={"metadata": 1}, headers=MERGE)).code == 400
    assert (await tenants.call("PATCH", one, json=[{"op": "x"}], headers=JSON_PATCH)).code in (400, 422)
    assert (await tenants.call("DELETE", one, json={"preconditions": {}})).code == 400


async def test_other_peoples_kinds_need_the_label(tenants: Tenants) -> None:
    for path in ("/kapis/apps/v1/namespaces/default/deployments", "/kapis/rbac.authorization.k8s.io/v1/clusterroles",
                 "/kapis/apiextensions.k8s.io/v1/customresourcedefinitions", "/kapis/iam.kubesphere.io/v1beta1/nothing",
                 "/kapis/iam.kubesphere.io/v1alpha2/users"):  # fmt: skip
        assert (await tenants.platform.call("GET", path, user=tenants.root)).code == 404, path
