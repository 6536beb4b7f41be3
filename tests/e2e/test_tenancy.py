"""Workspaces, projects, members and quotas with real users through the gateway: what each may do, and what nobody may.

One platform over HTTPS. `wade` manages workspace acme with the projects shop and mill, `vera` is a viewer of shop,
`stan` a stranger who manages workspace evil with the project lair, `prov` may make workspaces and nothing else.
"""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.web import Answer
from tests.e2e.demo.world import World, expect, expect_status, wait
from tests.e2e.running import create_user
from tests.e2e.test_kubectl_through_gateway import Kubectl

pytestmark = pytest.mark.e2e

TENANT = "/kapis/tenant.kubesphere.io/v1beta1"
IAM = "/kapis/iam.kubesphere.io/v1beta1"
QUOTA = "/kapis/quota.kubesphere.io/v1alpha2"
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
LABEL = "kubesphere.io/workspace"
USERS = ("wade", "vera", "stan", "prov", "mary")


@dataclass
class Tenants:
    """The platform with its users; calls answer, whatever the code."""

    world: World

    def get(self, user: str, path: str) -> Answer:
        return self.world.get(path, user)

    def post(self, user: str, path: str, body: Any) -> Answer:
        return self.world.send("POST", path, user, body)

    def put(self, user: str, path: str, body: Any) -> Answer:
        return self.world.send("PUT", path, user, body)

    def patch(self, user: str, path: str, body: Any, content: str = MERGE_PATCH) -> Answer:
        return self.world.send("PATCH", path, user, body, content)

    def delete(self, user: str, path: str) -> Answer:
        return self.world.send("DELETE", path, user)

    def shown(self, user: str, path: str) -> set[str]:
        """What a list shows now, while it changes."""
        return {item["metadata"]["name"] for item in self.get(user, path).json["items"]}

    def names(self, user: str, path: str) -> set[str]:
        """What a list shows; all pages of one item each must agree with the whole, and with the total."""
        answer = self.get(user, path)
        expect(answer, 200)
        found = [item["metadata"]["name"] for item in answer.json["items"]]
        assert answer.json["totalItems"] == len(found) == len(set(found))
        mark = "&" if "?" in path else "?"
        paged = [self.get(user, f"{path}{mark}limit=1&page={page}").json for page in range(1, len(found) + 2)]
        assert [item["metadata"]["name"] for page in paged for item in page["items"]] == found
        assert {page["totalItems"] for page in paged} == {len(found)}
        return set(found)

    def workspace(self, name: str, manager: str, user: str = "admin") -> None:
        expect(self.post(user, f"{TENANT}/workspacetemplates", template(name, manager)), 201)
        path = f"{IAM}/workspaces/{name}/workspacemembers"
        wait(lambda: self.get(manager, path).code == 200, f"{manager} to administer {name}")

    def project(self, user: str, workspace: str, name: str) -> None:
        expect(self.post(user, f"{TENANT}/workspaces/{workspace}/namespaces", {"metadata": {"name": name}}), 201)
        roles = f"{IAM}/namespaces/{name}/roles/viewer"
        wait(lambda: self.get(user, roles).code == 200, f"the roles of {name}")
        wait(lambda: self.get(user, f"/api/v1/namespaces/{name}/pods").code == 200, f"{user} to work in {name}")

    def invite(self, user: str, path: str, member: str, role: str) -> None:
        expect(self.post(user, f"{IAM}/{path}", [{"username": member, "roleRef": role}]), 201)

    def kubectl(self, user: str, home: Path) -> Kubectl:
        return Kubectl(self.world, user, home)


def template(name: str, manager: str = "", **metadata: Any) -> dict[str, Any]:
    spec = {"template": {"spec": {"manager": manager}}} if manager else {}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def pod(name: str, cpu: str = "10m") -> dict[str, Any]:
    container = {"name": "c", "image": "example.org/none:1", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}


@pytest.fixture(scope="module")
def tenants(secure_world: World) -> Iterator[Tenants]:
    made = Tenants(secure_world)
    for user in USERS:
        create_user(secure_world, user)
    expect(made.patch("admin", f"{IAM}/users/prov", {"metadata": {"annotations": {
        "iam.kubesphere.io/globalrole": "platform-self-provisioner"}}}), 200)  # fmt: skip
    made.workspace("acme", "wade")
    made.workspace("evil", "stan")
    for user, workspace, name in (("wade", "acme", "shop"), ("wade", "acme", "mill"), ("stan", "evil", "lair")):
        made.project(user, workspace, name)
    made.invite("wade", "namespaces/shop/namespacemembers", "vera", "viewer")
    wait(lambda: made.get("vera", "/api/v1/namespaces/shop/pods").code == 200, "vera to see shop")
    for user, name in (("wade", "shop"), ("wade", "mill"), ("stan", "lair")):
        expect(made.post(user, f"/api/v1/namespaces/{name}/pods", pod(f"{name}-pod")), 201)
    try:
        yield made
    finally:
        for name in ("acme", "evil"):
            made.delete("admin", f"{TENANT}/workspacetemplates/{name}?propagationPolicy=Background")


def test_lists_show_exactly_what_each_may_see(tenants: Tenants) -> None:
    projects, workspaces = f"{TENANT}/namespaces", f"{TENANT}/workspaces"
    assert tenants.names("wade", projects) == {"shop", "mill"}
    assert tenants.names("vera", projects) == {"shop"}
    assert tenants.names("stan", projects) == {"lair"}
    assert tenants.names("prov", projects) == tenants.names("prov", workspaces) == set()
    assert {"shop", "mill", "lair", "kube-system", "default"} <= tenants.names("admin", projects)
    for path in (workspaces, f"{TENANT}/workspacetemplates"):
        assert tenants.names("wade", path) == {"acme"}
        assert tenants.names("stan", path) == {"evil"}
        assert {"acme", "evil", "system-workspace"} <= tenants.names("admin", path)
        assert tenants.names("wade", path.replace("v1beta1", "v1alpha3")) == {"acme"}
    assert tenants.names("wade", f"{TENANT}/workspaces/acme/namespaces") == {"shop", "mill"}
    assert tenants.names("vera", f"{TENANT}/workspaces/acme/namespaces") == {"shop"}
    assert tenants.names("stan", f"{TENANT}/workspaces/acme/namespaces") == set()
    assert tenants.names("wade", f"{TENANT}/clusters") == {"host"} == tenants.names("vera", f"{TENANT}/clusters")
    assert tenants.names("prov", f"{TENANT}/clusters") == set()
    assert tenants.names("wade", f"{TENANT}/workspaces/acme/clusters") == {"host"}
    assert tenants.names("stan", f"{TENANT}/workspaces/acme/clusters") == set()


@pytest.mark.parametrize(
    "trick",
    [
        "labelSelector=!x", "labelSelector=kubesphere.io/workspace", "labelSelector=kubesphere.io/workspace=evil",
        "labelSelector=kubesphere.io/workspace%20in%20(acme,evil)", "labelSelector=kubesphere.io/workspace!=acme",
        "label=kubesphere.io/workspace=evil", "names=lair,kube-system,shop,evil", "namespace=lair", "name=l",
        "fieldSelector=metadata.name!=nothing", "sortBy=name&ascending=true", "annotation=kubesphere.io/creator=stan",
    ],
)  # fmt: skip
def test_no_selector_widens_a_list(tenants: Tenants, trick: str) -> None:
    for path in ("namespaces", "workspaces/acme/namespaces", "workspaces/evil/namespaces"):
        assert tenants.names("vera", f"{TENANT}/{path}?{trick}") <= {"shop"}
        assert tenants.names("wade", f"{TENANT}/{path}?{trick}") <= {"shop", "mill"}
    for path in ("workspaces", "workspacetemplates"):
        assert tenants.names("wade", f"{TENANT}/{path}?{trick}") <= {"acme"}


@pytest.mark.parametrize("query", ["labelSelector=a=(", "fieldSelector=x", "limit=many", "bogus=1", "page=0"])
def test_what_cannot_be_read_is_refused(tenants: Tenants, query: str) -> None:
    for path in (
        "namespaces",
        "workspaces",
        "workspaces/acme/namespaces",
        "clusters",
        "workspaces/acme/resourcequotas",
    ):
        expect_status(tenants.get("wade", f"{TENANT}/{path}?{query}"), 400, "BadRequest")
    expect_status(tenants.get("wade", f"{IAM}/workspaces/acme/workspacemembers?{query}"), 400, "BadRequest")


def test_what_is_not_seen_is_not_read_either(tenants: Tenants) -> None:
    for user in ("stan", "prov", "vera"):
        for path in (
            f"{TENANT}/workspaces/acme", f"{TENANT}/workspacetemplates/acme",
            f"{TENANT}/workspaces/acme/namespaces/mill",
            f"{TENANT}/workspaces/acme/resourcequotas", f"{IAM}/workspaces/acme/workspacemembers",
            f"{IAM}/namespaces/mill/namespacemembers", f"{IAM}/clustermembers", "/api/v1/namespaces/mill/pods",
            f"{TENANT}/workspaces/evil/namespaces/mill", f"{TENANT}/workspaces/nowhere/namespaces/mill",
        ):  # fmt: skip
            refused, nothing = (
                tenants.get(user, path),
                tenants.get(user, path.replace("acme", "nil").replace("mill", "nil")),
            )
            assert refused.code in {403, 404}, (user, path)
            if path != f"{TENANT}/workspaces/evil/namespaces/mill":
                assert refused.code == nothing.code, "the code tells whether it exists"
    expect_status(tenants.get("wade", f"{TENANT}/workspaces/acme/namespaces/lair"), 403, "Forbidden")
    expect_status(tenants.get("admin", f"{TENANT}/workspaces/acme/namespaces/lair"), 404, "NotFound")


def test_kubectl_shows_a_project_viewer_the_pods_of_his_projects_only(tenants: Tenants, tmp_path: Path) -> None:
    kubectl = tenants.kubectl("vera", tmp_path)
    assert "shop-pod" in kubectl.says("get", "pods", "-n", "shop", "-o", "name")
    for arguments in (("get", "pods", "-n", "mill"), ("get", "pods", "-n", "lair"), ("get", "pods", "-A"),
                      ("get", "ns"), ("get", "secrets", "-n", "shop"), ("delete", "pod", "shop-pod", "-n", "shop"),
                      ("exec", "-n", "shop", "shop-pod", "--", "true"), ("get", "workspaces")):  # fmt: skip
        done = kubectl(*arguments)
        assert done.returncode != 0, arguments
        assert "Forbidden" in done.stderr, (arguments, done.stderr)


def test_members(tenants: Tenants) -> None:
    members = f"{IAM}/workspaces/acme/workspacemembers"
    tenants.invite("wade", "workspaces/acme/workspacemembers", "mary", "acme-regular")
    try:
        shown = tenants.get("wade", f"{members}/mary").json["metadata"]["annotations"]
        assert shown["iam.kubesphere.io/workspacerole"] == "acme-regular"
        assert tenants.names("wade", members) == {"wade", "mary"}
        assert tenants.names("wade", f"{members}?name=ar") == {"mary"}
        assert tenants.names("mary", f"{TENANT}/workspaces") == {"acme"}
        assert b"password" not in tenants.get("wade", members).body
        expect(tenants.put("wade", f"{members}/mary", {"username": "mary", "roleRef": "acme-viewer"}), 200)
        wait(lambda: tenants.shown("mary", f"{TENANT}/namespaces") == {"shop", "mill"}, "mary to view all of acme")
        bindings = f"{IAM}/workspaces/acme/workspacerolebindings?labelSelector=iam.kubesphere.io/user-ref=mary"
        assert len(tenants.get("wade", bindings).json["items"]) == 1
        tenants.invite("wade", "namespaces/mill/namespacemembers", "mary", "operator")
        assert tenants.names("wade", f"{TENANT}/workspaces/acme/workspacemembers/mary/namespaces") == {"shop", "mill"}
        assert tenants.names("mary", f"{TENANT}/workspaces/acme/workspacemembers/mary/namespaces") == {"shop", "mill"}
    finally:
        expect(tenants.delete("wade", f"{members}/mary"), 200)
    wait(lambda: tenants.get("mary", "/api/v1/namespaces/mill/pods").code == 403, "mary to be out of the project, too")
    expect_status(tenants.get("wade", f"{members}/mary"), 404, "NotFound")
    expect_status(tenants.get("wade", f"{IAM}/namespaces/mill/namespacemembers/mary"), 404, "NotFound")
    assert tenants.names("mary", f"{TENANT}/workspaces") == set()
    expect_status(tenants.delete("wade", f"{members}/mary"), 404, "NotFound")


def test_what_is_wrong_with_an_invitation_is_told_and_nothing_is_written(tenants: Tenants) -> None:
    members = f"{IAM}/workspaces/acme/workspacemembers"
    good = {"username": "mary", "roleRef": "acme-viewer"}
    for bad, code in (
        ({"username": "nobody", "roleRef": "acme-viewer"}, 422), ({"username": "mary", "roleRef": "none"}, 422),
        ({"username": "mary", "roleRef": "evil-admin"}, 422), ({"username": "mary"}, 400), ("mary", 400),
        ({"username": ["mary"], "roleRef": "acme-viewer"}, 400),
    ):  # fmt: skip
        expect(tenants.post("wade", members, [good, bad]), code)
    expect(tenants.post("wade", members, []), 400)
    expect(tenants.put("wade", f"{members}/wade", {"username": "mary", "roleRef": "acme-viewer"}), 400)
    expect_status(tenants.put("wade", f"{members}/mary", good), 404, "NotFound")
    expect_status(tenants.post("wade", f"{IAM}/workspaces/none/workspacemembers", [good]), 403, "Forbidden")
    expect_status(tenants.delete("wade", f"{members}/wade"), 409, "Conflict")
    assert tenants.names("wade", members) == {"wade"}


def test_nobody_gives_what_he_does_not_hold(tenants: Tenants) -> None:
    tenants.invite("wade", "namespaces/shop/namespacemembers", "mary", "operator")
    try:
        for role in ("admin", "operator"):
            expect(
                tenants.post(
                    "mary", f"{IAM}/namespaces/shop/namespacemembers", [{"username": "mary", "roleRef": role}]
                ),
                403,
            )
        for scope in ("workspaces/acme/workspacemembers", "clustermembers", "workspaces/evil/workspacemembers"):
            for role in ("acme-admin", "evil-admin", "cluster-admin"):
                for user in ("mary", "vera"):
                    refused = tenants.post(user, f"{IAM}/{scope}", [{"username": user, "roleRef": role}])
                    expect_status(refused, 403, "Forbidden")
        refused = tenants.post("wade", f"{IAM}/clustermembers", [{"username": "wade", "roleRef": "cluster-admin"}])
        expect_status(refused, 403, "Forbidden")
    finally:
        expect(tenants.delete("wade", f"{IAM}/namespaces/shop/namespacemembers/mary"), 200)


def test_who_may_make_workspaces_gets_his_own_and_nothing_more(tenants: Tenants) -> None:
    path = f"{TENANT}/workspacetemplates"
    try:
        expect_status(tenants.post("prov", path, template("provided", "wade")), 403, "Forbidden")
        expect(tenants.post("prov", path, template("provided")), 201)
        assert tenants.names("prov", f"{TENANT}/workspaces") == {"provided"}
        assert tenants.get("prov", f"{path}/provided").json["spec"]["template"]["spec"]["manager"] == "prov"
        for taken in ("acme", "evil", "system-workspace"):
            expect_status(tenants.post("prov", path, template(taken)), 409, "AlreadyExists")
        for bad in ("Big", "a.b", "-a", "x" * 64, ""):
            assert tenants.post("prov", path, template(bad)).code in {400, 422}, bad
        grab = [{"op": "add", "path": "/spec/placement", "value": {"clusters": [{"name": "m1"}]}}]
        expect_status(tenants.patch("prov", f"{path}/provided", grab, JSON_PATCH), 403, "Forbidden")
        expect_status(tenants.get("prov", f"{TENANT}/workspaces/acme"), 403, "Forbidden")
        quota = {"metadata": {"name": "mine"}, "spec": {"quota": {"hard": {"pods": "1"}}}}
        expect_status(tenants.post("prov", f"{TENANT}/workspaces/provided/resourcequotas", quota), 403, "Forbidden")
    finally:
        expect(tenants.delete("prov", f"{path}/provided"), 200)
    wait(lambda: tenants.get("admin", f"{path}/provided").code == 404, "the workspace to go")
    assert tenants.names("prov", f"{TENANT}/workspaces") == set()


def test_a_workspace_is_edited_within_its_url(tenants: Tenants) -> None:
    path = f"{TENANT}/workspacetemplates/acme"
    described = [{"op": "add", "path": "/metadata/annotations", "value": {"kubesphere.io/description": "Tools"}}]
    expect(tenants.patch("wade", path, described, JSON_PATCH), 200)
    stored = tenants.get("wade", path).json
    assert stored["metadata"]["annotations"]["kubesphere.io/description"] == "Tools"
    expect(tenants.put("wade", path, {**stored, "metadata": {"name": "evil"}}), 400)
    expect(tenants.put("wade", path, {**stored, "kind": "GlobalRole"}), 400)
    old = {**stored, "metadata": {**stored["metadata"], "resourceVersion": "1"}}
    expect_status(tenants.put("wade", path, old), 409, "Conflict")
    expect_status(
        tenants.patch("wade", path, {"spec": {"placement": {"clusters": []}}}, "text/plain"),
        415,
        "UnsupportedMediaType",
    )
    expect_status(
        tenants.patch("wade", path, [{"op": "replace", "path": "/metadata/name", "value": "x"}], JSON_PATCH),
        400,
        "BadRequest",
    )
    unknown = [{"op": "add", "path": "/spec/template/spec/manager", "value": "nobody"}]
    expect_status(tenants.patch("wade", path, unknown, JSON_PATCH), 422, "Invalid")
    for method in ("PUT", "PATCH", "DELETE"):
        body = stored if method == "PUT" else {"metadata": {"labels": {"a": "b"}}} if method == "PATCH" else None
        for kind in ("workspacetemplates", "workspaces"):
            content = MERGE_PATCH if method == "PATCH" else "application/json"
            refused = tenants.world.send(method, f"{TENANT}/{kind}/acme", "stan", body, content)
            expect_status(refused, 403, "Forbidden")


def test_a_foreign_workspaces_objects_are_out_of_reach(tenants: Tenants) -> None:
    foreign = tenants.get("admin", f"{IAM}/workspaces/acme/workspaceroles/acme-viewer")
    expect(foreign, 200)
    for base in ("workspaces/evil/workspaceroles", "workspaces/evil/workspacerolebindings"):
        name = "acme-viewer" if base.endswith("roles") else tenants.get(
            "wade", f"{IAM}/workspaces/acme/workspacerolebindings").json["items"][0]["metadata"]["name"]  # fmt: skip
        for answer in (
            tenants.get("stan", f"{IAM}/{base}/{name}"), tenants.delete("stan", f"{IAM}/{base}/{name}"),
            tenants.put("stan", f"{IAM}/{base}/{name}", foreign.json),
            tenants.patch("stan", f"{IAM}/{base}/{name}", {"metadata": {"labels": {"a": "b"}}}),
        ):  # fmt: skip
            assert answer.code in {400, 403, 404}, answer
    for path in (
        "namespaces/lair/clusterrolebindings",
        "workspaces/evil/globalrolebindings",
        "workspaces/evil/globalroles",
    ):
        everything = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "iam.kubesphere.io"}
        subject = {"kind": "User", "name": "stan"}
        role = {"metadata": {"name": "grab"}, "subjects": [subject], "roleRef": everything}
        assert tenants.post("stan", f"{IAM}/{path}", role).code in {403, 404}
    assert tenants.delete("stan", f"{TENANT}/workspaces/evil/namespaces/shop").code in {403, 404}
    expect(tenants.get("wade", f"{IAM}/workspaces/acme/workspaceroles/acme-viewer"), 200)


def test_projects_are_bound_to_their_workspace(tenants: Tenants) -> None:
    path = f"{TENANT}/workspaces/acme/namespaces"
    other = {"metadata": {"name": "moved", "labels": {LABEL: "evil"}}}
    expect_status(tenants.post("wade", path, other), 400, "BadRequest")
    for name in ("kube-own", "kubesphere-own", "extension-own"):
        expect_status(tenants.post("wade", path, {"metadata": {"name": name}}), 403, "Forbidden")
    expect_status(tenants.post("wade", path, {"metadata": {"name": "shop"}}), 409, "AlreadyExists")
    expect_status(tenants.post("wade", path, {"metadata": {"name": "UPPER"}}), 422, "Invalid")
    lifted = {"metadata": {"name": "lifted", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    expect_status(tenants.post("wade", path, lifted), 403, "Forbidden")
    expect_status(tenants.patch("wade", f"{path}/shop", {"metadata": {"labels": {LABEL: "evil"}}}), 400, "BadRequest")
    expect(tenants.patch("wade", f"{path}/shop", {"metadata": {"labels": {"tier": "gold"}, "annotations": {
        "kubesphere.io/creator": "stan", "dovetail.dev/project-admin": "stan"}}}), 200)  # fmt: skip
    stored = tenants.get("wade", f"{path}/shop").json["metadata"]
    assert (stored["labels"]["tier"], stored["annotations"]["kubesphere.io/creator"]) == ("gold", "wade")
    assert "dovetail.dev/project-admin" not in stored["annotations"]
    expect_status(
        tenants.delete("admin", f"{TENANT}/workspaces/system-workspace/namespaces/kube-system"), 403, "Forbidden"
    )
    expect_status(tenants.delete("admin", f"{TENANT}/workspacetemplates/system-workspace"), 403, "Forbidden")


@pytest.mark.parametrize("change", [{"labels": {LABEL: "evil"}}, {"labels": {LABEL: None}},
                                    {"annotations": {"dovetail.dev/project-admin": "wade"}}])  # fmt: skip
def test_a_project_administrator_does_not_move_his_project_through_kubernetes(
    tenants: Tenants, change: dict[str, Any]
) -> None:
    refused = tenants.patch("wade", "/api/v1/namespaces/shop", {"metadata": change})
    expect_status(refused, 403, "Forbidden")
    assert "adopt workspaces.tenant.kubesphere.io" in refused.json["message"], refused.json
    expect(tenants.patch("wade", "/api/v1/namespaces/shop", {"metadata": {"annotations": {"note": "mine"}}}), 200)


def test_a_namespace_is_adopted_by_who_may_and_comes_without_members(tenants: Tenants) -> None:
    made = {"metadata": {"name": "found", "annotations": {"kubesphere.io/creator": "stan"}}}
    expect(tenants.post("admin", "/api/v1/namespaces", made), 201)
    try:
        expect(tenants.patch("admin", "/api/v1/namespaces/found", {"metadata": {"labels": {LABEL: "acme"}}}), 200)
        wait(lambda: tenants.get("wade", "/api/v1/namespaces/found/pods").code == 200, "acme to have it")
        assert tenants.names("admin", f"{IAM}/namespaces/found/namespacemembers") == set()
        wait(lambda: tenants.get("wade", f"{IAM}/namespaces/found/roles/viewer").code == 200, "its roles")
        tenants.invite("wade", "namespaces/found/namespacemembers", "vera", "viewer")
        wait(lambda: tenants.get("vera", "/api/v1/namespaces/found/pods").code == 200, "vera to see it")
        expect(tenants.patch("admin", "/api/v1/namespaces/found", {"metadata": {"labels": {LABEL: "evil"}}}), 200)
        wait(lambda: tenants.get("stan", "/api/v1/namespaces/found/pods").code == 200, "evil to have it")
        wait(lambda: tenants.get("vera", "/api/v1/namespaces/found/pods").code == 403, "vera to stay behind")
        expect(tenants.get("wade", "/api/v1/namespaces/found/pods"), 403)
    finally:
        tenants.delete("admin", "/api/v1/namespaces/found")


def test_a_quota_holds_for_all_projects_on_every_way(tenants: Tenants, tmp_path: Path) -> None:
    path = f"{TENANT}/workspaces/evil/resourcequotas"
    tenants.project("stan", "evil", "den")
    hard = {"pods": "3", "requests.cpu": "300m", "services": "1", "persistentvolumeclaims": "1"}
    quota = {"metadata": {"name": "evil"}, "spec": {"quota": {"hard": hard}}}
    for user in ("stan", "wade"):
        expect_status(tenants.post(user, path, quota), 403, "Forbidden")
    expect(tenants.post("admin", path, {**quota, "spec": {**quota["spec"], "selector": {LABEL: "acme"}}}), 400)
    expect(tenants.post("admin", path, {**quota, "spec": {"quota": {"hard": {"pods": "lots"}}}}), 422)
    expect(tenants.post("admin", path, quota), 201)
    try:
        wait(lambda: used(tenants).get("pods") == "1", "the quota to know lair's pod", also=lambda: repr(used(tenants)))
        direct = tenants.world.kubectl
        share = ("get", "resourcequota", "workspace-quota.evil", "-o", "jsonpath={.status.hard.pods}", "-n")
        wait(lambda: direct(*share, "den") == "2", "den to have its share")
        expect(tenants.post("stan", "/api/v1/namespaces/den/pods", pod("one")), 201)
        wait(lambda: direct(*share, "lair") == "2", "lair's share to shrink")
        expect(tenants.post("stan", "/api/v1/namespaces/lair/pods", pod("two")), 201)
        wait(lambda: direct(*share, "den") == "1", "den's share to shrink")
        refused = tenants.post("stan", "/api/v1/namespaces/den/pods", pod("three"))
        expect_status(refused, 403, "Forbidden")
        assert "exceeded quota: workspace-quota.evil, requested: pods=1" in refused.json["message"]
        through = tenants.kubectl("stan", tmp_path)("create", "-n", "den", "-f", "-", stdin=manifest(pod("three")))
        assert "exceeded quota: workspace-quota.evil" in through.stderr
        for namespace in ("den", "lair"):
            assert "exceeded quota: workspace-quota.evil" in refusal(tenants, namespace, manifest(pod("three")))
        expect(tenants.delete("stan", "/api/v1/namespaces/lair/pods/two"), 200)
        wait(lambda: direct(*share, "den") == "2", "den's share to grow")
        assert "requested: requests.cpu=290m" in refusal(tenants, "den", manifest(pod("big", "290m")))
        direct("create", "service", "clusterip", "only", "--tcp=80", "-n", "lair")
        wait(lambda: used(tenants).get("services") == "1", "the service to count")
        wait(lambda: direct(*(part.replace("pods", "services") for part in share), "den") == "0", "den to have none")
        service = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"ports": [{"port": 1}]}}'
        assert "requested: services=1" in refusal(tenants, "den", service)
        for verb in ("patch", "delete"):
            target = "/api/v1/namespaces/den/resourcequotas/workspace-quota.evil"
            body = {"spec": {"hard": {"pods": "99"}}}
            tried = tenants.delete("stan", target) if verb == "delete" else tenants.patch("stan", target, body)
            expect_status(tried, 403, "Forbidden")
            assert "is a share of the quota" in tried.json["message"]
        raised = tenants.patch("stan", f"{target}/status", {"status": {"hard": {"pods": "99"}}})
        expect_status(raised, 403, "Forbidden")
        for base in (f"{QUOTA}/workspaces/evil/resourcequotas", path):
            assert tenants.put("stan", f"{base}/evil", quota).code in {403, 404}
            assert tenants.delete("stan", f"{base}/evil").code in {403, 404}
        assert tenants.get("stan", f"{path}/evil").json["status"]["total"]["hard"]["pods"] == "3"
        expect_status(tenants.get("wade", f"{path}/evil"), 403, "Forbidden")
    finally:
        expect(tenants.delete("admin", f"{path}/evil"), 200)
        tenants.delete("stan", f"{TENANT}/workspaces/evil/namespaces/den")
    wait(lambda: "workspace-quota" not in tenants.world.kubectl("get", "resourcequota", "-A"), "the shares to go")


def used(tenants: Tenants) -> dict[str, str]:
    status = tenants.get("admin", f"{TENANT}/workspaces/evil/resourcequotas/evil").json.get("status", {})
    return status.get("total", {}).get("used", {})


def manifest(obj: dict[str, Any]) -> str:
    import json

    return json.dumps(obj)


def refusal(tenants: Tenants, namespace: str, text: str) -> str:
    """What kubectl says, past the gateway, to an administrator of the cluster."""
    kubeconfig = str(tenants.world.platform.kubeconfig)
    done = subprocess.run(
        ["kubectl", "--kubeconfig", kubeconfig, "create", "-n", namespace, "-f", "-"],
        input=text, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.mark.parametrize("policy", ["Orphan", "Background", "Foreground"])
def test_a_deleted_workspace_leaves_no_access(tenants: Tenants, policy: str) -> None:
    name, project = f"brief-{policy.lower()}", f"brief-project-{policy.lower()}"
    tenants.workspace(name, "stan")
    try:
        tenants.project("stan", name, project)
        tenants.invite("stan", f"workspaces/{name}/workspacemembers", "mary", f"{name}-viewer")
        quota = {"metadata": {"name": name}, "spec": {"quota": {"hard": {"pods": "5"}}}}
        expect(tenants.post("admin", f"{TENANT}/workspaces/{name}/resourcequotas", quota), 201)
        begun = time.monotonic()
        expect(tenants.delete("stan", f"{TENANT}/workspaces/{name}?propagationPolicy={policy}"), 200)
        wait(lambda: tenants.get("stan", f"/api/v1/namespaces/{project}/pods").code in {403, 404}, "access to end")
        wait(lambda: tenants.get("admin", f"{TENANT}/workspacetemplates/{name}").code == 404, "the workspace to go")
        assert time.monotonic() - begun < 20
        selector = ("-A", "-l", f"{LABEL}={name}", "-o", "name")
        kinds = "workspaceroles,workspacerolebindings,workspaces,resourcequotas.quota.kubesphere.io"
        assert tenants.world.kubectl("get", kinds, *selector) == ""
        namespace = f"/api/v1/namespaces/{project}"
        if policy == "Orphan":
            left = tenants.get("admin", namespace).json["metadata"]["labels"]
            assert LABEL not in left
            bindings = "rolebindings.iam.kubesphere.io"
            wait(lambda: tenants.world.kubectl("get", bindings, "-n", project, "-o", "name") == "", "its members to go")
        else:
            wait(lambda: tenants.get("admin", namespace).code == 404, "the project to go")
        assert tenants.names("mary", f"{TENANT}/workspaces") == set()
    finally:
        tenants.delete("admin", f"/api/v1/namespaces/{project}")


def test_a_name_is_free_when_nothing_is_left_of_it(tenants: Tenants) -> None:
    made = {"metadata": {"name": "relic", "labels": {LABEL: "bygone"}}}
    expect(tenants.post("admin", "/api/v1/namespaces", made), 201)
    try:
        wait(lambda: "relic" in tenants.shown("admin", f"{TENANT}/namespaces"), "the namespace to be known")
        refused = tenants.post("prov", f"{TENANT}/workspacetemplates", template("bygone"))
        expect_status(refused, 409, "Conflict")
    finally:
        tenants.delete("admin", "/api/v1/namespaces/relic")


def test_a_placement_without_the_host_is_told_and_takes_the_workspace_away(tenants: Tenants) -> None:
    path = f"{TENANT}/workspacetemplates/roving"
    tenants.workspace("roving", "stan")
    try:
        away = {"spec": {"placement": {"clusters": [{"name": "m1"}]}}}
        expect_status(tenants.patch("stan", path, away), 403, "Forbidden")
        expect(tenants.patch("admin", path, away), 200)
        wait(lambda: tenants.get("admin", f"{TENANT}/workspaces/roving").code == 404, "the workspace to leave")
        conditions = tenants.get("admin", path).json["status"]["conditions"]
        told = next(one for one in conditions if one["type"] == "Placed")
        assert (told["status"], told["reason"]) == ("False", "ClusterUnknown")
        assert "m1" in told["message"]
        expect(tenants.patch("admin", path, {"spec": {"placement": {"clusters": [{"name": "host"}]}}}), 200)
        wait(lambda: tenants.shown("stan", f"{TENANT}/workspaces") == {"evil", "roving"}, "the workspace to come back")
    finally:
        tenants.delete("admin", path)


def test_counts_tell_no_more_than_the_lists(tenants: Tenants) -> None:
    def counts(user: str, path: str) -> dict[str, int]:
        found = tenants.get(user, f"{TENANT}/{path}")
        expect(found, 200)
        return {one["metric_name"]: one["value"] for one in found.json["results"]}

    assert counts("wade", "metrics") == {"workspaces": 1, "projects": 2}
    assert counts("vera", "metrics") == {"workspaces": 0, "projects": 1}
    assert counts("admin", "metrics")["users"] >= 6
    assert counts("wade", "workspaces/acme/metrics")["workspace_projects"] == 2
    assert set(counts("stan", "workspaces/acme/metrics").values()) == {0}


def test_projects_that_create_in_the_same_moment_get_no_more_than_there_is(tenants: Tenants) -> None:
    path, allowed = f"{TENANT}/workspaces/rush/resourcequotas", 7
    tenants.workspace("rush", "stan")
    projects = [f"rush-{number}" for number in range(3)]
    try:
        for project in projects:
            tenants.project("stan", "rush", project)
        quota = {"metadata": {"name": "rush"}, "spec": {"quota": {"hard": {"pods": str(allowed)}}}}
        expect(tenants.post("admin", path, quota), 201)
        shares = ("get", "resourcequota", "-A", "-l", "quota.kubesphere.io/share-of", "-o")
        wait(
            lambda: tenants.world.kubectl(*shares, "jsonpath={.items[*].status.hard.pods}").split().count("7") == 3,
            "the shares of rush",
        )
        configuration = ("get", "validatingwebhookconfiguration", "dovetail-tenancy", "-o", "yaml")
        wait(lambda: "rush" in tenants.world.kubectl(*configuration), "the API server to ask")
        with ThreadPoolExecutor(12) as threads:
            made = [
                threads.submit(tenants.post, "stan", f"/api/v1/namespaces/{project}/pods", pod(f"pod-{number}"))
                for number in range(12)
                for project in projects
            ]
        answers = [one.result() for one in made]
        assert [answer.code for answer in answers].count(201) == allowed
        refused = [answer.json["message"] for answer in answers if answer.code != 201]
        assert all("exceeded quota: workspace-quota.rush" in message for message in refused), refused
        assert any("used: pods=7, limited: pods=7 (all projects" in message for message in refused), refused
        tenants.delete("stan", f"/api/v1/namespaces/{projects[0]}/pods")
        wait(
            lambda: tenants.post("stan", f"/api/v1/namespaces/{projects[1]}/pods", pod("late")).code == 201,
            "room for one more",
        )
    finally:
        tenants.delete("admin", f"{TENANT}/workspaces/rush?propagationPolicy=Background")
