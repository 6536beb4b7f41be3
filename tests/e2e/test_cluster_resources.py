"""/kapis/resources.kubesphere.io/v1alpha3: Kubernetes' kinds with the platform's grammar, as the caller."""

from typing import Any

from tests.e2e.attacks.clients import fresh, send
from tests.e2e.authz_matrix.callers import OURS, THEIRS, Tenants, project

BASE = "/kapis/resources.kubesphere.io/v1alpha3"
OWN = f"{BASE}/namespaces/{project(OURS)}"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"of": "test"}}, "data": data}


def test_lists_are_filtered_sorted_and_paged(tenants: Tenants) -> None:
    maps, mark = f"/api/v1/namespaces/{project(OURS)}/configmaps", fresh()
    names = [f"{mark}-{letter}" for letter in "abc"]
    for name in names:
        assert send(tenants, "POST", maps, "project-admin", config_map(name, letter=name[-1])).code == 201
    try:
        first = f"{OWN}/configmaps?name={mark}&sortBy=name&ascending=true&limit=2"
        for caller in ("project-viewer", "project-admin", "workspace-viewer", "workspace-admin", "platform-admin"):
            page = send(tenants, "GET", first, caller).json
            assert [one["metadata"]["name"] for one in page.get("items", [])] == names[:2], (caller, page)
            assert page["totalItems"] == 3
            assert "managedFields" not in page["items"][0]["metadata"]
        found = send(tenants, "GET", f"{OWN}/configmaps?name={mark}&fieldSelector=data.letter=b", "project-viewer").json
        assert [one["metadata"]["name"] for one in found["items"]] == [names[1]]
        labelled = f"{OWN}/configmaps?labelSelector=of+in+(test),!x&names={names[2]}"
        assert send(tenants, "GET", labelled, "project-viewer").json["totalItems"] == 1
        one = send(tenants, "GET", f"{OWN}/configmaps/{names[0]}", "project-viewer")
        assert (one.code, one.json["data"]) == (200, {"letter": "a"})
        assert send(tenants, "GET", f"{BASE}/configmaps?name={mark}", "platform-admin").json["totalItems"] == 3
    finally:
        for name in names:
            send(tenants, "DELETE", f"{maps}/{name}", "project-admin")


def test_nothing_is_read_that_the_caller_could_not_read(tenants: Tenants) -> None:
    theirs = f"{BASE}/namespaces/{project(THEIRS)}"
    for path in (f"{theirs}/pods", f"{theirs}/configmaps/x", f"{BASE}/nodes", f"{BASE}/namespaces"):
        for caller in ("regular", "project-viewer", "workspace-admin"):
            assert send(tenants, "GET", path, caller).code == 403, (path, caller)
    for caller in ("project-viewer", "workspace-viewer"):
        assert send(tenants, "GET", f"{OWN}/secrets", caller).code == 403, caller
    assert send(tenants, "GET", f"{OWN}/secrets", "project-admin").code == 200
    assert send(tenants, "GET", f"{OWN}/pods").code == 401
    assert send(tenants, "GET", f"{BASE}/namespaces/kubesphere-system/secrets", "workspace-admin").code == 403


def test_what_kubernetes_alone_would_allow_is_not_enough(tenants: Tenants) -> None:
    """A name that Kubernetes' own RBAC knows gives nothing here, as it gives nothing under /api."""
    rbac, name = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", fresh()
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "regular"}
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name}}
    body = {**bound, "roleRef": reference, "subjects": [subject]}
    assert send(tenants, "POST", rbac, "platform-admin", body).code == 201
    try:
        system = f"{BASE}/namespaces/kubesphere-system/secrets"
        for path in (system, f"{system}/x", f"{BASE}/nodes", f"{BASE}/namespaces/default", f"{OWN}/pods"):
            assert send(tenants, "GET", path, "regular").code == 403, path
        assert send(tenants, "GET", f"{BASE}/secrets", "regular").json["totalItems"] == 0
    finally:
        assert send(tenants, "DELETE", f"{rbac}/{name}", "platform-admin").code == 200


def test_a_list_across_namespaces_holds_what_the_caller_may_list(tenants: Tenants) -> None:
    name = fresh()
    for workspace in (OURS, THEIRS):
        maps = f"/api/v1/namespaces/{project(workspace)}/configmaps"
        assert send(tenants, "POST", maps, "platform-admin", config_map(name)).code == 201
    try:
        for caller, places in (
            ("regular", set()), ("project-viewer", {project(OURS)}), ("workspace-admin", {project(OURS)}),
            ("platform-admin", {project(OURS), project(THEIRS)}),
        ):  # fmt: skip
            page = send(tenants, "GET", f"{BASE}/configmaps?names={name}", caller).json
            assert {one["metadata"]["namespace"] for one in page["items"]} == places, caller
            assert page["totalItems"] == len(places)
        assert send(tenants, "GET", f"{BASE}/secrets", "project-viewer").json["totalItems"] == 0
    finally:
        for workspace in (OURS, THEIRS):
            path = f"/api/v1/namespaces/{project(workspace)}/configmaps/{name}"
            send(tenants, "DELETE", path, "platform-admin")


def test_what_is_not_there_and_what_cannot_be_read(tenants: Tenants) -> None:
    for path in (f"{OWN}/nodes", f"{OWN}/nothing", f"{BASE}/nothing", f"{BASE}/pods/x", f"{OWN}/configmaps/none",
                 f"{OWN}/configmaps/a%25b", f"{BASE}/nodes/none"):  # fmt: skip
        answer = send(tenants, "GET", path, "platform-admin")
        assert (answer.code, answer.json["reason"]) == (404, "NotFound"), path
    for query in ("labelSelector=a,,b", "q=x", "limit=0", "name=a&name=b"):
        assert send(tenants, "GET", f"{OWN}/pods?{query}", "project-viewer").code == 400, query
    assert send(tenants, "POST", f"{OWN}/configmaps", "platform-admin", config_map("x")).code == 404
