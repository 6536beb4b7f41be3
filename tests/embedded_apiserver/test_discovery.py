"""Discovery as kube-apiserver answers it, by HTTP and through kubectl."""

import uuid
from typing import Any

import aiohttp

from .conftest import Http, Server

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
KUBECTL = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)

Object = dict[str, Any]


def definition(group: str, *versions: str) -> Object:
    served = [
        {
            "name": version, "served": True, "storage": version == versions[0], "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }
        for version in versions
    ]  # fmt: skip
    names = {"plural": "gears", "kind": "Gear", "shortNames": ["gr"], "categories": ["all"]}
    spec = {"group": group, "scope": "Cluster", "names": names, "versions": served}
    meta = {"name": f"gears.{group}"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


async def raw(http: Http, path: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.session.get(http.server.url + path, headers=sent, allow_redirects=False) as response:
        return response, await response.read()


async def test_the_versions_of_the_core_group(http: Http) -> None:
    code, body = await http("GET", "/api")
    assert code == 200
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": http.server.url.removeprefix("https://")}
    assert body == {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


async def test_groups_stand_in_the_order_of_their_priority(http: Http) -> None:
    _, body = await http("GET", "/apis")
    names = [group["name"] for group in body["groups"]]
    wanted = [
        "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
        "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
        "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
        "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io",
    ]  # fmt: skip
    assert [name for name in names if name in wanted] == wanted
    apps = next(group for group in body["groups"] if group["name"] == "apps")
    version = {"groupVersion": "apps/v1", "version": "v1"}
    assert apps == {"name": "apps", "versions": [version], "preferredVersion": version}
    _, alone = await http("GET", "/apis/apps")
    assert alone == {"kind": "APIGroup", "apiVersion": "v1", **apps}


async def test_resources_of_the_core_group(http: Http) -> None:
    _, body = await http("GET", "/api/v1")
    assert (body["kind"], body["groupVersion"], "apiVersion" in body) == ("APIResourceList", "v1", False)
    entries = {entry["name"]: entry for entry in body["resources"]}
    assert list(entries) == sorted(entries)
    assert entries["pods"] == {
        "name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "shortNames": ["po"],
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        "categories": ["all"], "storageVersionHash": "xPOwRZ+Yhw8=",
    }  # fmt: skip
    assert entries["serviceaccounts/token"] == {
        "name": "serviceaccounts/token", "singularName": "", "namespaced": True, "group": "authentication.k8s.io",
        "version": "v1", "kind": "TokenRequest", "verbs": ["create"],
    }  # fmt: skip
    assert entries["replicationcontrollers/scale"]["group"] == "autoscaling"


async def test_resources_of_a_group(http: Http) -> None:
    _, body = await http("GET", "/apis/apps/v1")
    assert (body["apiVersion"], body["groupVersion"]) == ("v1", "apps/v1")
    entries = {entry["name"]: entry for entry in body["resources"]}
    assert entries["deployments"]["storageVersionHash"] == "8aSe+NMegvE="
    assert entries["deployments/scale"]["kind"] == "Scale"
    assert entries["deployments/status"]["kind"] == "Deployment"
    assert entries["deployments/status"]["verbs"] == ["get", "patch", "update"]


async def test_everything_in_one_document(http: Http) -> None:
    response, _ = await raw(http, "/apis", accept=KUBECTL)
    assert response.headers["content-type"] == AGGREGATED
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == "public"
    code, body = await http("GET", "/api", accept=AGGREGATED)
    assert code == 200
    (core,) = body["items"]
    assert core["metadata"] == {}
    (version,) = core["versions"]
    assert (version["version"], version["freshness"]) == ("v1", "Current")
    pods = next(resource for resource in version["resources"] if resource["resource"] == "pods")
    assert pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    assert (pods["scope"], pods["singularResource"]) == ("Namespaced", "pod")
    accounts = next(resource for resource in version["resources"] if resource["resource"] == "serviceaccounts")
    kind = {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}
    assert accounts["subresources"] == [{"subresource": "token", "responseKind": kind, "verbs": ["create"]}]


async def test_the_beta_form_and_the_plain_form_when_asked_first(http: Http) -> None:
    response, _ = await raw(http, "/apis", accept=AGGREGATED.replace("v=v2", "v=v2beta1"))
    assert "v=v2beta1" in response.headers["content-type"]
    response, _ = await raw(http, "/apis", accept=f"application/json,{AGGREGATED}")
    assert response.headers["content-type"] == "application/json"
    response, _ = await raw(http, "/apis", accept="application/json;as=Other;v=v9,*/*")
    assert response.headers["content-type"] == "application/json"
    response, _ = await raw(http, "/apis", accept="application/yaml")
    assert response.headers["content-type"] == "application/yaml"


async def test_a_client_that_has_the_document_gets_304(http: Http) -> None:
    response, body = await raw(http, "/api", accept=AGGREGATED)
    tag = response.headers["etag"]
    assert tag.startswith('"')
    assert body
    again, rest = await raw(http, "/api", accept=AGGREGATED, if_none_match=tag)
    assert (again.status, rest) == (304, b"")
    other, _ = await raw(http, "/api", accept=AGGREGATED, if_none_match='"something else"')
    assert other.status == 200


async def test_custom_resources_come_and_go_at_once(http: Http) -> None:
    group = f"t{uuid.uuid4().hex[:8]}.example.com"
    before, _ = await raw(http, "/apis", accept=AGGREGATED)
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    code, _ = await http("POST", crds, definition(group, "v1alpha1", "v1", "v1beta1"))
    assert code == 201
    code, found = await http("GET", f"/apis/{group}")
    assert (code, [v["version"] for v in found["versions"]]) == (200, ["v1", "v1beta1", "v1alpha1"])
    assert found["preferredVersion"]["version"] == "v1"
    _, listed = await http("GET", f"/apis/{group}/v1")
    gear = listed["resources"][0]
    assert (gear["name"], gear["singularName"], gear["namespaced"]) == ("gears", "gear", False)
    assert (gear["shortNames"], gear["categories"]) == (["gr"], ["all"])
    _, groups = await http("GET", "/apis")
    names = [listed["name"] for listed in groups["groups"]]
    assert names.index(group) > names.index("apiextensions.k8s.io"), "custom groups come after the built-in ones"
    after, _ = await raw(http, "/apis", accept=AGGREGATED)
    assert after.headers["etag"] != before.headers["etag"]
    await http("DELETE", f"{crds}/gears.{group}")
    assert (await raw(http, f"/apis/{group}"))[0].status == 404
    assert (await raw(http, f"/apis/{group}/v1"))[0].status == 404


async def test_what_is_not_there_is_told_as_go_tells_it(http: Http) -> None:
    for path in ("/apis/none.example.com", "/apis/apps/v9", "/api/v2", "/nowhere"):
        response, body = await raw(http, path)
        assert (response.status, body) == (404, b"404 page not found\n")


async def test_the_index_names_what_is_served(http: Http) -> None:
    _, body = await http("GET", "/")
    paths = body["paths"]
    assert paths == sorted(paths)
    assert {"/api", "/apis/apps/v1", "/readyz/ping", "/openapi/v3", "/openid/v1/jwks", "/metrics"} <= set(paths)


def test_kubectl_lists_what_it_can_do(server: Server) -> None:
    table = server.kubectl("api-resources", "--api-group=apps", "--no-headers", "-o", "wide")
    line = next(line for line in table.splitlines() if line.startswith("deployments"))
    assert line.split()[:5] == ["deployments", "deploy", "apps/v1", "true", "Deployment"]
    assert "apps/v1" in server.kubectl("api-versions").splitlines()
