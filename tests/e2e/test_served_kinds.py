"""Other people's kinds under /kapis: a CustomResourceDefinition with the label gets the platform's endpoints."""

from typing import Any

from tests.e2e.attacks.clients import MERGE, fresh, send
from tests.e2e.authz_matrix.callers import OURS, THEIRS, Tenants, project
from tests.e2e.demo.world import expect, wait

GROUP = "gardens.example.org"
LABEL = "kubesphere.io/resource-served"


def definition(plural: str, kind: str, scope: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {LABEL: "true"}},
        "spec": {"group": GROUP, "scope": scope, "names": {"plural": plural, "kind": kind}, "versions": [version]},
    }  # fmt: skip


def thing(kind: str, name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name, "labels": labels}}


def test_a_labelled_definition_is_served_by_the_place_of_its_objects(tenants: Tenants) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    base, admin = f"/kapis/{GROUP}/v1", "workspace-admin"
    gardens, beds = f"{base}/workspaces/{OURS}/gardens", f"{base}/namespaces/{project(OURS)}/beds"
    for made in (definition("gardens", "Garden", "Cluster"), definition("beds", "Bed", "Namespaced")):
        expect(send(tenants, "POST", crds, "platform-admin", made), 201)
    try:
        for path in (gardens, beds):
            wait(lambda path=path: send(tenants, "GET", path, admin).code == 200, f"{path} to be served",
                 also=lambda path=path: repr(send(tenants, "GET", path, admin)))  # fmt: skip
        mine, other = fresh(), fresh(THEIRS)
        made = send(tenants, "POST", gardens, admin, thing("Garden", mine))
        assert (made.code, made.json["metadata"]["labels"]["kubesphere.io/workspace"]) == (201, OURS)
        theirs = thing("Garden", other, **{"kubesphere.io/workspace": THEIRS})
        assert send(tenants, "POST", f"{base}/gardens", "platform-admin", theirs).code == 201
        for query in ("", "?labelSelector=!x", "?fieldSelector=metadata.name!=x", "?sortBy=name&limit=10"):
            listed = send(tenants, "GET", gardens + query, admin).json
            assert [one["metadata"]["name"] for one in listed["items"]] == [mine], query
            assert listed["metadata"]["continue"] == "1"
        for method, body, content in (("GET", None, ""), ("DELETE", None, ""), ("PATCH", {"a": 1}, MERGE)):
            assert send(tenants, method, f"{gardens}/{other}", admin, body, content).code == 404, method
        assert send(tenants, "GET", f"{base}/gardens", admin).code == 403
        assert send(tenants, "GET", f"{base}/namespaces/{project(OURS)}/gardens", "platform-admin").code == 404
        assert send(tenants, "POST", beds, "project-admin", thing("Bed", mine)).code == 201
        assert send(tenants, "PATCH", f"{beds}/{mine}", "project-admin", {"spec": {"a": 1}}, MERGE).json["spec"] == {
            "a": 1
        }
        assert send(tenants, "POST", f"{base}/beds", "platform-admin", thing("Bed", mine)).code == 404
        assert send(tenants, "GET", f"{base}/workspaces/{OURS}/beds", admin).json["metadata"]["continue"] == "1"
        assert send(tenants, "GET", beds, "regular").code == 403
        unlabelled = {"metadata": {"labels": {LABEL: None}}}
        expect(send(tenants, "PATCH", f"{crds}/beds.{GROUP}", "platform-admin", unlabelled, MERGE), 200)
        wait(lambda: send(tenants, "GET", beds, "platform-admin").code == 404, "beds not to be served any more")
    finally:
        for plural in ("gardens", "beds"):
            send(tenants, "DELETE", f"{crds}/{plural}.{GROUP}", "platform-admin")
