"""Names that somebody else will have: users who are yet to come, roles and bindings of workspaces that are yet to come;
and programs that share the name of the session that none of them has."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.e2e.attacks.clients import MERGE, PLATFORM_ADMIN, binding, fresh, iam, send
from tests.e2e.authz_matrix.callers import IAM, OURS, PASSWORD, TENANT, THEIRS, Tenants, project
from tests.e2e.demo.world import expect, wait

USERS = f"{IAM}/users"
ADMIN = "platform-admin"
KEEPER = "keeper"


@pytest.fixture(scope="module")
def keeper(tenants: Tenants) -> Iterator[str]:
    """Somebody who keeps users and roles of the cluster, and holds nothing else."""
    role = fresh("keeper-")
    rules = [{"verbs": ["*"], "apiGroups": ["iam.kubesphere.io"], "resources": ["users", "clusterroles"]}]
    expect(send(tenants, "POST", f"{IAM}/globalroles", ADMIN, iam("GlobalRole", role, rules=rules)), 201)
    made = _user(KEEPER)
    made["metadata"]["annotations"] = {"iam.kubesphere.io/globalrole": role}
    wait(lambda: send(tenants, "POST", USERS, ADMIN, made).code == 201, "the keeper's role to be known")
    tenants.tokens[KEEPER] = tenants.fresh_token(KEEPER)
    wait(lambda: all(send(tenants, "GET", USERS, KEEPER).code == 200 for _ in range(4)), "the keeper to see users")
    yield KEEPER
    assert send(tenants, "DELETE", f"{USERS}/{KEEPER}", ADMIN).code == 200
    assert send(tenants, "DELETE", f"{IAM}/globalroles/{role}", ADMIN).code == 200


def _user(name: str) -> dict[str, Any]:
    return iam("User", name, spec={"email": "", "password": PASSWORD})


def test_a_new_user_takes_nothing_that_waits_for_the_name(tenants: Tenants, keeper: str) -> None:
    name = fresh("heir-")
    waiting = binding("GlobalRoleBinding", fresh(), name, PLATFORM_ADMIN)
    path = f"{IAM}/globalrolebindings"
    expect(send(tenants, "POST", path, ADMIN, waiting), 201)
    try:
        refused = send(tenants, "POST", USERS, keeper, _user(name))
        assert refused.code == 403, refused.body
        assert send(tenants, "GET", f"{USERS}/{name}", ADMIN).code == 404
    finally:
        expect(send(tenants, "DELETE", f"{path}/{waiting['metadata']['name']}", ADMIN), 200)
    wait(lambda: send(tenants, "POST", USERS, keeper, _user(name)).code == 201, "the name to be free of rights")
    assert send(tenants, "DELETE", f"{USERS}/{name}", keeper).code == 200


def test_who_keeps_users_locks_out_no_administrator(tenants: Tenants, keeper: str) -> None:
    one = f"{USERS}/{ADMIN}"
    for change in (
        {"status": {"state": "Disabled"}},
        {"metadata": {"annotations": {"iam.kubesphere.io/globalrole": ""}}},
        {"metadata": {"annotations": {"iam.kubesphere.io/uninitialized": "true"}}},
    ):
        assert send(tenants, "PATCH", one, keeper, change, MERGE).code == 403, change
    assert send(tenants, "DELETE", one, keeper).code == 403
    assert send(tenants, "PATCH", one, keeper, {"spec": {"displayName": "The Admin"}}, MERGE).code == 200
    assert send(tenants, "GET", f"{IAM}/globalroles", ADMIN).code == 200


def test_a_role_takes_no_templates_that_its_writer_does_not_see(tenants: Tenants, keeper: str) -> None:
    """By labels a role takes what is there and what is yet to come; so does one that says to be the copy of another."""
    path, label = f"{IAM}/clusterroles", "iam.kubesphere.io/aggregate-to-" + fresh("later-")
    selector = {"roleSelector": {"matchExpressions": [{"key": label, "operator": "Exists"}]}}
    by_label = iam("ClusterRole", fresh(), rules=[], aggregationRoleTemplates=selector)
    by_name = iam("ClusterRole", fresh(), rules=[])
    by_name["metadata"]["annotations"] = {"iam.kubesphere.io/auto-aggregate": "true"}
    copy = iam("ClusterRole", fresh(), rules=[])
    copy["metadata"] |= {**by_name["metadata"], "labels": {"iam.kubesphere.io/builtin-role": "cluster-viewer"}}
    for role in (by_label, by_name, copy):
        assert send(tenants, "POST", path, keeper, role).code == 403, role
    plain = iam("ClusterRole", fresh(), rules=[])
    one = f"{path}/{plain['metadata']['name']}"
    expect(send(tenants, "POST", path, keeper, plain), 201)
    try:
        expect(send(tenants, "PATCH", one, keeper, {"metadata": {"annotations": {"seen": "yes"}}}, MERGE), 200)
        for change in (
            {"aggregationRoleTemplates": selector},
            {"metadata": {"annotations": {"iam.kubesphere.io/auto-aggregate": "true"}}},
        ):
            assert send(tenants, "PATCH", one, keeper, change, MERGE).code == 403, change
    finally:
        assert send(tenants, "DELETE", one, ADMIN).code == 200


def test_nobody_takes_the_names_of_a_workspace_that_is_yet_to_come(tenants: Tenants) -> None:
    base, victim, owner = f"{IAM}/workspaces/{OURS}", fresh("later-"), f"{THEIRS}-owner"
    role = f"{victim}-admin"
    taken = send(tenants, "POST", f"{base}/workspaceroles", "workspace-admin", iam("WorkspaceRole", role, rules=[]))
    assert taken.code == 422, taken.body
    reference = {"apiGroup": "iam.kubesphere.io", "kind": "WorkspaceRole", "name": f"{OURS}-viewer"}
    name = f"{owner}-{role}-" + sha256(f"{owner}/{role}".encode()).hexdigest()[:8]
    bound = binding("WorkspaceRoleBinding", name, "regular", reference)
    assert send(tenants, "POST", f"{base}/workspacerolebindings", "workspace-admin", bound).code == 422
    spec = {"template": {"spec": {"manager": owner}}}
    template = {"metadata": {"name": victim}, "spec": spec}
    expect(send(tenants, "POST", f"{TENANT}/workspacetemplates", ADMIN, template), 201)
    try:
        member = f"{IAM}/workspaces/{victim}/workspacemembers/{owner}"
        wait(lambda: send(tenants, "GET", member, ADMIN).code == 200, "the manager to be a member")
        roles = f"{IAM}/workspaces/{victim}/workspaceroles/{role}"
        wait(lambda: send(tenants, "GET", roles, ADMIN).code == 200, "the administrator's role")
    finally:
        assert send(tenants, "DELETE", f"{TENANT}/workspacetemplates/{victim}", ADMIN).code == 200


def test_tenants_bring_no_programs_of_their_own_into_the_gateway(tenants: Tenants) -> None:
    base, name = f"{IAM}/workspaces/{OURS}/workspaceroles", fresh("prog-")
    role = iam("WorkspaceRole", name, rules=[])
    module = {"iam.kubesphere.io/rego-override": "package authz\ndefault allow = false"}
    with_module = {**role, "metadata": {**role["metadata"], "annotations": module}}
    assert send(tenants, "POST", base, "workspace-admin", with_module).code == 403
    expect(send(tenants, "POST", base, "workspace-admin", role), 201)
    try:
        change = {"metadata": {"annotations": module}}
        assert send(tenants, "PATCH", f"{base}/{name}", "workspace-admin", change, MERGE).code == 403
        assert send(tenants, "PATCH", f"{base}/{name}", ADMIN, change, MERGE).code == 200
    finally:
        assert send(tenants, "DELETE", f"{base}/{name}", ADMIN).code == 200


def test_the_log_out_of_one_program_ends_no_other(tenants: Tenants) -> None:
    base = f"/kapis/kubesphere.io/v1alpha1/namespaces/{project(OURS)}/serviceaccounts"
    names = (fresh("one-"), fresh("two-"))
    for name in names:
        account = {"apiVersion": "kubesphere.io/v1alpha1", "kind": "ServiceAccount", "metadata": {"name": name}}
        expect(send(tenants, "POST", base, "project-admin", account), 201)
    try:
        for name in names:
            answer = send(tenants, "POST", f"{base}/{name}/token", "project-admin", {})
            expect(answer, 201)
            tenants.tokens[name] = answer.json["status"]["token"]

        def known(name: str) -> bool:
            codes = {send(tenants, "GET", "/kapis/kubesphere.io/v1alpha1/extensions", name).code for _ in range(4)}
            return codes == {200}

        for name in names:
            wait(lambda name=name: known(name), f"{name} to be known")
        send(tenants, "POST", "/oauth/logout", names[0])
        send(tenants, "GET", "/oauth/logout", names[0])
        expect(send(tenants, "GET", "/kapis/kubesphere.io/v1alpha1/extensions", "project-admin"), 200)
        assert all(known(names[1]) for _ in range(5))
    finally:
        for name in names:
            tenants.tokens.pop(name, None)
            assert send(tenants, "DELETE", f"{base}/{name}", "project-admin").code == 200


@pytest.mark.parametrize("subresource", ["", "/status", "/finalize"])
def test_a_project_stays_in_its_workspace_and_under_its_restrictions(tenants: Tenants, subresource: str) -> None:
    path, caller = f"/api/v1/namespaces/{project(OURS)}", "project-admin"
    stored = send(tenants, "GET", path, ADMIN)
    expect(stored, 200)
    before = stored.json["metadata"]["labels"]
    for labels in ({"kubesphere.io/workspace": THEIRS}, {"pod-security.kubernetes.io/enforce": "privileged"}):
        changed = {**stored.json, "metadata": {**stored.json["metadata"], "labels": {**before, **labels}}}
        answers = {send(tenants, "PUT", path + subresource, caller, changed).code}
        if subresource != "/finalize":
            answers.add(
                send(tenants, "PATCH", path + subresource, caller, {"metadata": {"labels": labels}}, MERGE).code
            )
        assert answers == {403}, (subresource, labels, answers)
    assert send(tenants, "GET", path, ADMIN).json["metadata"]["labels"] == before


def test_no_role_or_binding_is_made_to_stay_for_ever(tenants: Tenants) -> None:
    base, name = f"{IAM}/workspaces/{OURS}/workspaceroles", fresh("stays-")
    role = iam("WorkspaceRole", name, rules=[])
    kept = {"metadata": {"finalizers": ["evil.example/never"]}}
    stubborn = {**role, "metadata": {**role["metadata"], **kept["metadata"]}}
    assert send(tenants, "POST", base, "workspace-admin", stubborn).code == 400
    expect(send(tenants, "POST", base, "workspace-admin", role), 201)
    for path in (f"{base}/{name}", f"{base}/{OURS}-admin"):
        assert send(tenants, "PATCH", path, "workspace-admin", kept, MERGE).code == 400, path
    assert send(tenants, "DELETE", f"{base}/{name}", "workspace-admin").code == 200
