"""Reading and changing what belongs to another workspace (8.3 C)."""

from urllib.parse import quote

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
from tests.e2e.authz_matrix.callers import IAM, OURS, TENANT, THEIRS, Tenants, project

ROLES = f"{IAM}/workspaces/{OURS}/workspaceroles"
ADMIN = "workspace-admin"
SELECTORS = (
    "!x", "!kubesphere.io/workspace", "x notin (y)", f"kubesphere.io/workspace in ({THEIRS})",
    f"kubesphere.io/workspace={THEIRS}", f"kubesphere.io/workspace!={OURS}", "kubesphere.io/workspace",
    f"kubesphere.io/workspace in ({OURS},{THEIRS})", " ",
)  # fmt: skip


LISTS = (
    ROLES, f"{IAM}/workspaces/{OURS}/workspacerolebindings", f"{IAM}/workspaces/{OURS}/roles",
    f"{TENANT}/workspaces/{OURS}/namespaces", f"{TENANT}/workspaces", f"{TENANT}/workspacetemplates",
    f"{TENANT}/namespaces",
)  # fmt: skip


@pytest.mark.parametrize("path", LISTS)
def test_no_selector_widens_a_list(tenants: Tenants, path: str) -> None:
    for selector in SELECTORS:
        for encoded in (quote(selector), quote(selector, safe="").replace("%2F", "%252F"), selector.replace(" ", "+")):
            answer = send(tenants, "GET", f"{path}?labelSelector={encoded}", ADMIN)
            assert answer.code in (200, 400), (selector, answer)
            shown = answer.json.get("items", []) if answer.code == 200 else []
            assert THEIRS not in str([one["metadata"] for one in shown]), selector


def test_a_selector_that_cannot_be_read_shows_nothing(tenants: Tenants) -> None:
    for selector in ("a,,b", "a in (", "=", "a==b==c", "a in b", "!!x", "x>y", "%00", "(x)"):
        answer = send(tenants, "GET", f"{ROLES}?labelSelector={quote(selector)}", ADMIN)
        assert (answer.code, answer.json["reason"]) == (400, "BadRequest"), selector
        assert "labelSelector" in answer.json["message"]


def test_a_parameter_given_twice_is_refused(tenants: Tenants) -> None:
    for query in (
        f"labelSelector=a&labelSelector=kubesphere.io/workspace={THEIRS}",
        f"labelSelector=a&label%53elector=kubesphere.io/workspace={THEIRS}",
        "limit=1&limit=-1", "name=a&name=b",
    ):  # fmt: skip
        assert send(tenants, "GET", f"{ROLES}?{query}", ADMIN).code == 400, query


def test_a_field_that_is_not_shown_cannot_be_searched(tenants: Tenants) -> None:
    for query in ("fieldSelector=spec.password=~argon2", "fieldSelector=spec.password!="):
        answer = send(tenants, "GET", f"{IAM}/users?{query}", "platform-admin")
        assert (answer.code, answer.json["totalItems"]) == (200, 0), query
    everybody = send(tenants, "GET", f"{IAM}/users?sortBy=spec.password", "platform-admin")
    assert b"argon2" not in everybody.body


def test_objects_of_another_workspace_are_not_there(tenants: Tenants) -> None:
    theirs, name = f"{ROLES}/{THEIRS}-admin", f"{THEIRS}-admin"
    attempts = [
        send(tenants, "GET", theirs, ADMIN),
        send(tenants, "PUT", theirs, ADMIN, iam("WorkspaceRole", name, rules=EVERYTHING)),
        send(tenants, "PATCH", theirs, ADMIN, {"rules": []}, MERGE),
        send(tenants, "PATCH", theirs, ADMIN, [{"op": "remove", "path": "/rules"}], JSON_PATCH),
        send(tenants, "DELETE", theirs, ADMIN),
    ]
    assert [answer.code for answer in attempts] == [404] * 5
    direct = f"{IAM}/workspaces/{THEIRS}/workspaceroles/{name}"
    assert send(tenants, "GET", direct, ADMIN).code == 403
    assert send(tenants, "GET", direct, "platform-admin").json["rules"] == EVERYTHING


def test_nothing_moves_to_another_workspace(tenants: Tenants) -> None:
    name = fresh()
    assert send(tenants, "POST", ROLES, ADMIN, iam("WorkspaceRole", name)).code == 201
    try:
        path = "/metadata/labels/kubesphere.io~1workspace"
        for body, content in (
            ({"metadata": {"labels": {"kubesphere.io/workspace": THEIRS}}}, MERGE),
            ({"metadata": {"labels": None}}, MERGE),
            ([{"op": "replace", "path": path, "value": THEIRS}], JSON_PATCH),
            ([{"op": "remove", "path": "/metadata/labels"}], JSON_PATCH),
            ([{"op": "remove", "path": "/metadata/resourceVersion"}, {"op": "replace", "path": path, "value": THEIRS}],
             JSON_PATCH),
        ):  # fmt: skip
            assert send(tenants, "PATCH", f"{ROLES}/{name}", ADMIN, body, content).code == 400, body
        labels = send(tenants, "GET", f"{ROLES}/{name}", ADMIN).json["metadata"]["labels"]
        assert labels["kubesphere.io/workspace"] == OURS
    finally:
        assert send(tenants, "DELETE", f"{ROLES}/{name}", ADMIN).code == 200


def test_a_new_object_lands_where_the_url_says(tenants: Tenants) -> None:
    labelled = iam("WorkspaceRole", fresh(), rules=[])
    labelled["metadata"]["labels"] = {"kubesphere.io/workspace": THEIRS}
    elsewhere = iam("Role", fresh(), rules=[])
    elsewhere["metadata"]["namespace"] = project(THEIRS)
    for path, body in (
        (ROLES, labelled), (f"{IAM}/namespaces/{project(OURS)}/roles", elsewhere),
        (f"{IAM}/workspaces/{OURS}/namespaces/{project(OURS)}/roles", elsewhere),
    ):  # fmt: skip
        answer = send(tenants, "POST", path, ADMIN, body)
        assert answer.code == 400, answer
        assert THEIRS in answer.json["message"]
    theirs = f"{IAM}/namespaces/{project(THEIRS)}/roles"
    assert send(tenants, "POST", theirs, ADMIN, iam("Role", fresh(), rules=[])).code == 403
    crossed = f"{IAM}/workspaces/{OURS}/namespaces/{project(THEIRS)}/roles"
    assert send(tenants, "GET", crossed, ADMIN).code in (403, 404)


def test_a_project_is_not_taken_over_by_its_label(tenants: Tenants) -> None:
    moved = {"metadata": {"labels": {"kubesphere.io/workspace": OURS}}}
    for path in (f"/api/v1/namespaces/{project(THEIRS)}", f"{TENANT}/workspaces/{OURS}/namespaces/{project(THEIRS)}",
                 f"{TENANT}/workspaces/{THEIRS}/namespaces/{project(THEIRS)}"):  # fmt: skip
        assert send(tenants, "PATCH", path, ADMIN, moved, MERGE).code in (403, 404), path
    given_away = {"metadata": {"labels": {"kubesphere.io/workspace": THEIRS}}}
    own = f"/api/v1/namespaces/{project(OURS)}"
    assert send(tenants, "PATCH", own, ADMIN, given_away, MERGE).code >= 400
    seen = send(tenants, "GET", own, "platform-admin").json["metadata"]["labels"]
    assert seen["kubesphere.io/workspace"] == OURS


@pytest.mark.parametrize("caller", ["workspace-admin", "project-admin"])
def test_a_narrow_url_writes_nothing_wide(tenants: Tenants, caller: str) -> None:
    """The two worst of 8.3: a role of the platform through a workspace's or a project's URL."""
    mine = binding("GlobalRoleBinding", fresh(), caller, PLATFORM_ADMIN)
    cluster = binding(
        "ClusterRoleBinding", fresh(), caller, {**PLATFORM_ADMIN, "kind": "ClusterRole", "name": "cluster-admin"}
    )
    for place in (
        f"/workspaces/{OURS}",
        f"/namespaces/{project(OURS)}",
        f"/workspaces/{OURS}/namespaces/{project(OURS)}",
        "",
    ):
        for plural, body in (
            ("globalrolebindings", mine), ("clusterrolebindings", cluster),
            ("globalroles", iam("GlobalRole", fresh(), rules=EVERYTHING)),
            ("roletemplates", iam("RoleTemplate", fresh(), spec={"rules": EVERYTHING})),
            ("builtinroles", iam("BuiltinRole", fresh(), role={"kind": "Role", "rules": EVERYTHING})),
            ("groups", iam("Group", fresh())),
            ("groupbindings", iam("GroupBinding", fresh(), users=[caller], groupRef={"kind": "Group", "name": "g"})),
        ):  # fmt: skip
            path = f"{IAM}{place}/{plural}"
            assert send(tenants, "POST", path, caller, body).code in (403, 404), path
            assert send(tenants, "GET", path, caller).code in (403, 404) or not place, path
            admin = send(tenants, "POST", path, "platform-admin", body).code if place else 404
            assert admin == 404, path
    assert not is_platform_admin(tenants, caller)
