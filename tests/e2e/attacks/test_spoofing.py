"""Pretending: to be somebody else by headers, or to ask for something else by the path (8.3 H, pain 21)."""

import pytest

from tests.e2e.attacks.clients import PLATFORM_ADMIN, binding, fresh, is_platform_admin, send
from tests.e2e.authz_matrix.callers import IAM, OURS, TENANT, THEIRS, Tenants, project

ROLES = f"{IAM}/globalroles"
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
}  # fmt: skip


@pytest.mark.parametrize("headers", [
    {"Impersonate-User": "platform-admin"}, {"Impersonate-User": "admin", "Impersonate-Group": "system:masters"},
    {"impersonate-group": "system:masters"}, {"Impersonate-Uid": "0", "Impersonate-Extra-Scopes": "x"},
    {"X-Remote-User": "platform-admin"}, {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"},
    {"x_remote_user": "admin"}, {"X-Remote-Extra-Token": "x", "X-Remote-User": "admin"},
    {"X-Forwarded-User": "admin", "X-Forwarded-Groups": "system:masters"}, {"X-KubeSphere-Authorization": "Bearer x"},
    {"X-Original-URL": "/readyz", "X-Rewrite-URL": "/readyz"}, {"X-HTTP-Method-Override": "GET"},
    {"Connection": "X-Remote-User, Authorization", "X-Remote-User": "admin"},
])  # fmt: skip
def test_headers_make_nobody_somebody_else(tenants: Tenants, headers: dict[str, str]) -> None:
    for caller, refused in (("regular", (400, 401, 403)), ("", (400, 401))):
        for path in (ROLES, f"{IAM}/workspaces/{THEIRS}/workspaceroles", "/api/v1/secrets",
                     "/api/v1/namespaces/kubesphere-system/secrets"):  # fmt: skip
            answer = send(tenants, "GET", path, caller, headers=headers)
            assert answer.code in refused, (path, answer)
    body = binding("GlobalRoleBinding", fresh(), "regular", PLATFORM_ADMIN)
    assert send(tenants, "POST", f"{IAM}/globalrolebindings", "regular", body, headers=headers).code in (400, 401, 403)


def test_impersonation_does_not_ride_on_rights_that_one_has(tenants: Tenants) -> None:
    """A workspace's administrator calls Kubernetes as himself, whatever he writes into the headers."""
    path = f"/api/v1/namespaces/{project(OURS)}/configmaps"
    masters = {"Impersonate-User": "admin", "Impersonate-Group": "system:masters"}
    theirs = f"/api/v1/namespaces/{project(THEIRS)}/configmaps"
    assert send(tenants, "GET", path, "workspace-admin").code == 200
    assert send(tenants, "GET", path, "workspace-admin", headers=masters).code in (200, 400)
    assert send(tenants, "GET", theirs, "workspace-admin", headers=masters).code in (400, 403)


@pytest.mark.parametrize("path", [
    f"{IAM}/workspaces/{OURS}/../globalroles", f"{IAM}/workspaces/{OURS}/%2e%2e/globalroles",
    f"{IAM}/workspaces/{OURS}/..%2fglobalroles", f"{IAM}/workspaces/{OURS}%2f..%2fglobalroles",
    f"{IAM}/workspaces/{OURS}%2f..%2f{THEIRS}/workspaceroles", f"{IAM}/workspaces/{OURS}/..;/{THEIRS}/workspaceroles",
    f"{IAM}/workspaces/{OURS}/workspaceroles/..%2f..%2f{THEIRS}%2fworkspaceroles%2f{THEIRS}-admin",
    f"{IAM}/workspaces/{OURS}/%252e%252e/globalroles", f"{IAM}//globalroles", f"/{IAM}/globalroles",
    "//kapis//iam.kubesphere.io//v1beta1//globalroles", f"{IAM}/./globalroles", f"{IAM}/globalroles/.",
    f"{IAM}/workspaces/{OURS}//globalroles", f"{IAM}/workspaces//{THEIRS}/workspaceroles",
    f"{IAM}/workspaces/{OURS};x=1/globalroles", f"{IAM}/globalroles;jsessionid=1", f"{IAM}/globalroles%00",
    f"{IAM}/globalroles%20", f"{IAM}/GLOBALROLES", "/KAPIS/iam.kubesphere.io/v1beta1/globalroles",
    f"{IAM}/workspaces/{OURS}/..\\..\\globalroles", f"{IAM}/workspaces/{OURS}%5c..%5cglobalroles",
    f"{IAM}\\globalroles", f"{IAM}/globalroles?watch=1&watch=0", f"{IAM}/%67lobalroles",
    f"{IAM}/workspaces/{OURS}/globalroles",
    f"{IAM}/namespaces/{project(OURS)}/globalroles", f"/oauth/..{IAM}/globalroles", f"/oauth/%2e%2e{IAM}/globalroles",
    f"/dist/..%2f..{IAM}/globalroles", f"/readyz/..{IAM}/globalroles", f"/readyz/%2e%2e%2f..{IAM}/globalroles",
    f"/kapis/version/..{IAM.removeprefix('/kapis')}/globalroles", f"/clusters/host{IAM}/globalroles",
    f"/kapis/clusters/host{IAM.removeprefix('/kapis')}/globalroles", f"/proxy/..{IAM}/globalroles",
    "/kapis/iam.kubesphere.io%2fv1beta1/globalroles", "/kapis%2fiam.kubesphere.io/v1beta1/globalroles",
    f"{TENANT}/workspaces/{OURS}/namespaces/..%2f..%2f{THEIRS}%2fnamespaces%2f{project(THEIRS)}",
    f"{TENANT}/workspaces/{OURS}/namespaces/{project(THEIRS)}", f"http://127.0.0.1{IAM}/globalroles",
])  # fmt: skip
def test_no_spelling_of_a_path_gets_further(tenants: Tenants, path: str) -> None:
    """An answer may be a refusal, no such thing, or the console's page; never what the plain path refuses."""
    for caller in ("workspace-admin", "regular", ""):
        answer = send(tenants, "GET", path, caller)
        assert answer.code < 500, answer
        assert b'"rules"' not in answer.body
        assert b"platform-admin" not in answer.body.replace(b'User \\"platform-admin', b"")
        if answer.code == 200:
            assert b"<html" in answer.body.lower(), answer


def test_an_absolute_target_is_no_way_around(tenants: Tenants) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in (f"{IAM}//globalrolebindings", f"{IAM}/workspaces/{OURS}/%2e%2e/globalrolebindings/x"):
            body = binding("GlobalRoleBinding", fresh(), "workspace-admin", PLATFORM_ADMIN)
            answer = send(tenants, method, path, "workspace-admin", body if method != "DELETE" else None)
            assert 400 <= answer.code < 500, (method, path, answer)
    assert not is_platform_admin(tenants, "workspace-admin")


@pytest.mark.parametrize("caller", ["workspace-viewer", "project-viewer", "regular"])
@pytest.mark.parametrize("subresource", ["exec", "attach", "portforward", "proxy", "proxy/"])
def test_who_may_only_look_does_not_get_into_a_pod(tenants: Tenants, caller: str, subresource: str) -> None:
    """8.3 H: a WebSocket upgrade is a GET, and "view" holds get."""
    pod = f"/api/v1/namespaces/{project(OURS)}/pods/web/{subresource}"
    query = "?command=sh&stdin=true&stdout=true&tty=true"
    for path in (pod + query, f"/api/v1/proxy/namespaces/{project(OURS)}/pods/web"):
        for headers in (UPGRADE, {}, {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}):
            answer = send(tenants, "GET", path, caller, headers=headers)
            assert answer.code in (400, 403), (path, answer)
    if caller != "regular":
        assert send(tenants, "GET", f"/api/v1/namespaces/{project(OURS)}/pods", caller).code == 200
    let_in = send(tenants, "GET", pod + query, "workspace-admin", headers=UPGRADE)
    assert let_in.code not in (401, 403), "the administrator is let through, to a pod that is not there"


def test_viewers_see_no_secrets(tenants: Tenants) -> None:
    for caller in ("workspace-viewer", "project-viewer"):
        assert send(tenants, "GET", f"/api/v1/namespaces/{project(OURS)}/secrets", caller).code == 403
    for caller in ("workspace-admin", "project-admin", "regular"):
        assert send(tenants, "GET", "/api/v1/namespaces/kubesphere-system/secrets", caller).code == 403


def test_being_logged_in_lists_nothing_of_others(tenants: Tenants) -> None:
    """8.3 M: every user lists all namespaces, services, users and nodes."""
    for path in (f"{IAM}/users", "/api/v1/namespaces", "/api/v1/services", "/api/v1/nodes", f"{IAM}/loginrecords"):
        for caller in ("regular", "workspace-admin", "project-viewer"):
            assert send(tenants, "GET", path, caller).code == 403, (path, caller)
    for path in (f"{TENANT}/workspaces", f"{TENANT}/namespaces", f"{TENANT}/workspacetemplates"):
        assert send(tenants, "GET", path, "regular").json["totalItems"] == 0
    assert send(tenants, "GET", f"{TENANT}/workspaces/{THEIRS}", "regular").code in (403, 404)


def test_helpers_that_send_credentials_around_do_not_exist(tenants: Tenants) -> None:
    """8.3 H: git/verify and registry/blob would send any Secret's credentials to any address."""
    for path in ("git/verify", "registry/verify", "registry/blob"):
        body = {"secretRef": {"name": "x", "namespace": "kubesphere-system"}, "remoteUrl": "http://127.0.0.1:1/"}
        answer = send(tenants, "POST", f"/kapis/resources.kubesphere.io/v1alpha2/{path}", "platform-admin", body)
        assert answer.code in (404, 405), answer


def test_access_reviews_are_answered_in_their_order(tenants: Tenants) -> None:
    """8.3 L: the list came back in the order in which goroutines ended."""
    spec = {"user": "workspace-admin"}
    reviews = [
        {"spec": {**spec, "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace,
                                                 "resourceScope": "Namespace"}}}
        for namespace in [project(OURS), project(THEIRS)] * 40
    ]  # fmt: skip
    body = {"kind": "SubjectAccessReviewList", "items": reviews}
    answer = send(tenants, "POST", f"{IAM}/subjectaccessreviews", "platform-admin", body)
    assert [one["status"]["allowed"] for one in answer.json["items"]] == [True, False] * 40
    assert send(tenants, "POST", f"{IAM}/subjectaccessreviews", "regular", body).code == 403
