"""Getting rights that nobody gave (8.3 H): escalation, self-edit, hidden grants."""

from collections.abc import Iterator

import pytest

from tests.e2e.attacks.clients import (
    EVERYTHING,
    JSON_PATCH,
    MERGE,
    PLATFORM_ADMIN,
    binding,
    fresh,
    iam,
    is_platform_admin,
    send,
)
from tests.e2e.authz_matrix.callers import IAM, OURS, PASSWORD, Tenants, project
from tests.e2e.demo.world import expect, wait

USERS = f"{IAM}/users"
WRITES = ["create", "update", "patch", "delete", "get", "list"]
CLERK = "clerk"


@pytest.fixture(scope="module")
def clerk(tenants: Tenants) -> Iterator[str]:
    """Somebody who keeps users and roles, and holds nothing else."""
    role, name = fresh("clerk-"), CLERK
    resources = ["users", "globalroles", "globalrolebindings", "roletemplates", "builtinroles", "groups",
                 "groupbindings", "clusterroles", "clusterrolebindings", "workspaceroles",
                 "workspacerolebindings"]  # fmt: skip
    rules = [{"verbs": WRITES, "apiGroups": ["iam.kubesphere.io"], "resources": resources}]
    expect(send(tenants, "POST", f"{IAM}/globalroles", "platform-admin", iam("GlobalRole", role, rules=rules)), 201)
    user = iam("User", name, spec={"email": "", "password": PASSWORD})
    user["metadata"]["annotations"] = {"iam.kubesphere.io/globalrole": role}
    expect(send(tenants, "POST", USERS, "platform-admin", user), 201)
    tenants.tokens[name] = tenants.fresh_token(name)
    wait(lambda: all(send(tenants, "GET", USERS, name).code == 200 for _ in range(4)), "the clerk to see users")
    yield name
    assert send(tenants, "DELETE", f"{USERS}/{name}", "platform-admin").code == 200
    assert send(tenants, "DELETE", f"{IAM}/globalroles/{role}", "platform-admin").code == 200


def test_a_new_user_gets_no_more_than_his_maker_holds(tenants: Tenants, clerk: str) -> None:
    user = iam("User", fresh(), spec={"email": "", "password": PASSWORD})
    user["metadata"]["annotations"] = {"iam.kubesphere.io/globalrole": "platform-admin"}
    assert send(tenants, "POST", USERS, clerk, user).code == 403
    assert send(tenants, "GET", f"{USERS}/{user['metadata']['name']}", "platform-admin").code == 404
    linked = iam("User", fresh(), spec={"email": "", "password": PASSWORD})
    linked["metadata"]["annotations"] = {"iam.kubesphere.io/identity-provider.x": "someone"}
    assert send(tenants, "POST", USERS, clerk, linked).code == 422


def test_a_user_is_not_raised(tenants: Tenants, clerk: str) -> None:
    raised = {"metadata": {"annotations": {"iam.kubesphere.io/globalrole": "platform-admin"}}}
    for user in ("regular", clerk):
        assert send(tenants, "PATCH", f"{USERS}/{user}", clerk, raised, MERGE).code == 403, user
    change = {"password": "Stolen-0wn-Passw0rd"}
    assert send(tenants, "PUT", f"{USERS}/platform-admin/password", clerk, change).code == 403
    assert not is_platform_admin(tenants, "regular")


def test_roles_and_bindings_give_what_their_writer_holds(tenants: Tenants, clerk: str) -> None:
    cluster_admin = {**PLATFORM_ADMIN, "kind": "ClusterRole", "name": "cluster-admin"}
    ours = {**PLATFORM_ADMIN, "kind": "WorkspaceRole", "name": f"{OURS}-admin"}
    in_ours = binding("WorkspaceRoleBinding", fresh(), clerk, ours)
    in_ours["metadata"]["labels"] = {"kubesphere.io/workspace": OURS}
    rego = iam("GlobalRole", fresh(), rules=[])
    rego["metadata"]["annotations"] = {"iam.kubesphere.io/rego-override": "package authz\ndefault allow = true"}
    aggregated = iam("GlobalRole", fresh(), aggregationRoleTemplates={"templateNames": ["not-yet-there"]})
    selected = iam("GlobalRole", fresh(), aggregationRoleTemplates={"roleSelector": {"matchLabels": {}}})
    status = iam("GlobalRole", fresh(), rules=[], status={"aggregatedRules": EVERYTHING})
    for plural, body in (
        ("globalroles", iam("GlobalRole", fresh(), rules=EVERYTHING)), ("globalroles", rego),
        ("globalroles", aggregated), ("globalroles", selected),
        ("clusterroles", iam("ClusterRole", fresh(), rules=EVERYTHING)),
        ("globalrolebindings", binding("GlobalRoleBinding", fresh(), clerk, PLATFORM_ADMIN)),
        ("clusterrolebindings", binding("ClusterRoleBinding", fresh(), clerk, cluster_admin)),
        ("workspacerolebindings", in_ours),
        ("roletemplates", iam("RoleTemplate", fresh(), spec={"rules": EVERYTHING})),
        ("builtinroles", iam("BuiltinRole", fresh(), role={"kind": "WorkspaceRole", "rules": EVERYTHING})),
    ):  # fmt: skip
        answer = send(tenants, "POST", f"{IAM}/{plural}", clerk, body)
        assert answer.code == 403, (plural, answer)
    made = send(tenants, "POST", f"{IAM}/globalroles", clerk, status)
    assert made.code == 201
    assert "aggregatedRules" not in made.json.get("status", {})
    assert send(tenants, "DELETE", f"{IAM}/globalroles/{made.json['metadata']['name']}", clerk).code == 200


def test_patches_are_judged_by_what_they_make(tenants: Tenants, clerk: str) -> None:
    name = fresh()
    assert send(tenants, "POST", f"{IAM}/globalroles", clerk, iam("GlobalRole", name, rules=[])).code == 201
    one = f"{IAM}/globalroles/{name}"
    for body, content in (
        ({"rules": EVERYTHING}, MERGE),
        ([{"op": "add", "path": "/rules/-", "value": EVERYTHING[0]}], JSON_PATCH),
        ({"metadata": {"annotations": {"iam.kubesphere.io/rego-override": "package authz\nallow = true"}}}, MERGE),
        ({"aggregationRoleTemplates": {"roleSelector": {}}}, MERGE),
        (b"rules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]", "application/apply-patch+yaml"),
    ):
        query = "?fieldManager=me&force=true" if isinstance(body, bytes) else ""
        assert send(tenants, "PATCH", one + query, clerk, body, content).code == 403, body
    assert send(tenants, "PUT", one, clerk, iam("GlobalRole", name, rules=EVERYTHING)).code == 403
    assert send(tenants, "DELETE", one, clerk).code == 200


def test_the_own_stored_account_is_out_of_reach(tenants: Tenants, clerk: str) -> None:
    """8.3 H: PUT /apis/iam.kubesphere.io/v1beta1/users/<self>, past every check of the platform's API."""
    changed = {"spec": {"groups": ["system:masters"]}, "status": {"state": "Active"}}
    for caller in ("regular", clerk):
        own = f"/apis/iam.kubesphere.io/v1beta1/users/{caller}"
        assert send(tenants, "GET", own, caller).code == 403
        assert send(tenants, "PATCH", own, caller, changed, MERGE).code == 403
        assert send(tenants, "PATCH", own + "/status", caller, changed, MERGE).code == 403
        assert send(tenants, "PUT", own, caller, iam("User", caller, spec={"email": ""})).code == 403
    bound = binding("GlobalRoleBinding", fresh(), clerk, PLATFORM_ADMIN)
    for prefix in ("/apis", "/kapi", "/clusters/host/apis", "/apis/clusters/host"):
        path = f"{prefix}/iam.kubesphere.io/v1beta1/globalrolebindings"
        assert send(tenants, "POST", path, clerk, bound).code in (400, 401, 403, 404), path
    assert not is_platform_admin(tenants, "regular")


def test_nobody_edits_himself_into_groups_or_clusters(tenants: Tenants) -> None:
    own = f"{USERS}/regular"
    for body in ({"spec": {"groups": ["admins"]}}, {"status": {"state": "Active"}},
                 {"metadata": {"annotations": {"iam.kubesphere.io/granted-clusters": "host"}}}):  # fmt: skip
        assert send(tenants, "PATCH", own, "regular", body, MERGE).code == 403
    assert send(tenants, "PUT", own, "regular", iam("User", "regular", spec={"email": ""})).code == 403
    change = {"password": "Another-0wn-Passw0rd"}
    assert send(tenants, "PUT", own + "/password", "regular", change).code in (403, 422)


def test_a_binding_says_whom_it_binds(tenants: Tenants) -> None:
    """8.3 M: a binding whose label names another than its subjects grants unseen and outlives its user."""
    hidden = binding("WorkspaceRoleBinding", fresh(), "regular",
                     {**PLATFORM_ADMIN, "kind": "WorkspaceRole", "name": f"{OURS}-viewer"})  # fmt: skip
    hidden["metadata"]["labels"] = {"iam.kubesphere.io/user-ref": "workspace-viewer"}
    base = f"{IAM}/workspaces/{OURS}/workspacerolebindings"
    made = send(tenants, "POST", base, "workspace-admin", hidden)
    try:
        assert made.code == 201, made
        assert made.json["metadata"]["labels"]["iam.kubesphere.io/user-ref"] == "regular"
        members = send(tenants, "GET", f"{IAM}/workspaces/{OURS}/workspacemembers", "workspace-admin").json["items"]
        assert "regular" in {member["metadata"]["name"] for member in members}
    finally:
        assert send(tenants, "DELETE", f"{base}/{hidden['metadata']['name']}", "workspace-admin").code == 200


def test_a_project_admin_gives_no_more_than_the_project(tenants: Tenants) -> None:
    base = f"{IAM}/namespaces/{project(OURS)}"
    wide = binding(
        "RoleBinding", fresh(), "project-admin", {**PLATFORM_ADMIN, "kind": "ClusterRole", "name": "cluster-admin"}
    )
    assert send(tenants, "POST", f"{base}/rolebindings", "project-admin", wide).code in (403, 422)
    member = [{"username": "project-admin", "roleRef": f"{OURS}-admin"}]
    assert send(tenants, "POST", f"{IAM}/workspaces/{OURS}/workspacemembers", "project-admin", member).code == 403
    own = {"username": "project-viewer", "roleRef": "admin"}
    assert send(tenants, "PUT", f"{base}/namespacemembers/project-viewer", "project-viewer", own).code == 403
