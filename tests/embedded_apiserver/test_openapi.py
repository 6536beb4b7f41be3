"""OpenAPI v2 and v3: by HTTP, and through kubectl explain, apply and its validation."""

import uuid
from typing import Any

import pytest

from .conftest import Http, Server, config_map
from .test_discovery import raw

V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"

Object = dict[str, Any]


@pytest.fixture
def thing(server: Server) -> Object:
    group = f"o{uuid.uuid4().hex[:8]}.example.com"
    spec = {
        "description": "What it is.", "type": "object", "required": ["size"],
        "properties": {
            "size": {"type": "integer", "description": "How many."},
            "either": {"x-kubernetes-int-or-string": True},
            "parts": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
        },
    }  # fmt: skip
    schema = {"type": "object", "description": "A thing.", "properties": {"spec": spec}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    plural = f"things{group[1:5]}"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "versions": [version],
            "names": {"plural": plural, "kind": plural.title()},
        },
    }  # fmt: skip
    server.kubectl("create", "-f", "-", stdin=definition)
    return {"group": group, "plural": plural, "kind": plural.title(), "name": f"{plural}.{group}"}


async def test_the_index_of_v3_leads_to_documents_that_may_be_kept_for_ever(http: Http) -> None:
    _, index = await http("GET", "/openapi/v3")
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    response, body = await raw(http, url)
    assert response.status == 200
    assert response.headers["cache-control"] == "public, immutable"
    assert "expires" in response.headers
    tag = response.headers["etag"]
    assert url.endswith(f"?hash={tag.strip(chr(34))}")
    again, rest = await raw(http, url, if_none_match=tag)
    assert (again.status, rest) == (304, b"")
    moved, _ = await raw(http, "/openapi/v3/apis/apps/v1?hash=OLD")
    assert (moved.status, moved.headers["location"]) == (301, url)
    assert (await raw(http, "/openapi/v3/apis/none/v1"))[0].status == 404
    assert body.startswith(b'{"openapi":"3.0.0"')


async def test_a_document_of_v3_names_kinds_keys_and_strategies(http: Http) -> None:
    _, body = await http("GET", "/openapi/v3/apis/apps/v1")
    schemas = body["components"]["schemas"]
    deployment = schemas["io.k8s.api.apps.v1.Deployment"]
    assert deployment["x-kubernetes-group-version-kind"] == [{"group": "apps", "version": "v1", "kind": "Deployment"}]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert "containers" in schemas["io.k8s.api.core.v1.PodSpec"]["required"]
    assert schemas["io.k8s.api.apps.v1.DeploymentList"]["required"] == ["items"]
    item = body["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert item["patch"]["x-kubernetes-action"] == "patch"
    assert {p["name"] for p in item["patch"]["parameters"]} >= {"fieldValidation", "dryRun"}
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status" in body["paths"]


async def test_every_reference_of_every_document_leads_somewhere(http: Http) -> None:
    _, index = await http("GET", "/openapi/v3")
    for path in index["paths"]:
        _, body = await http("GET", f"/openapi/v3/{path}")
        names = set(body["components"]["schemas"])
        assert {ref.rpartition("/")[2] for ref in references(body)} <= names
    _, body = await http("GET", "/openapi/v2")
    assert {ref.rpartition("/")[2] for ref in references(body)} <= set(body["definitions"])


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return here + [ref for child in value.values() for ref in references(child)]
    return [ref for child in value for ref in references(child)] if isinstance(value, list) else []


async def test_v2_comes_as_json_and_as_protobuf(http: Http) -> None:
    response, body = await raw(http, "/openapi/v2")
    assert response.headers["content-type"] == "application/json"
    assert body.startswith(b'{"swagger":"2.0"')
    response, body = await raw(http, "/openapi/v2", accept=V2_PROTOBUF)
    assert response.headers["content-type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert body.startswith(b"\x0a\x032.0")
    again, _ = await raw(http, "/openapi/v2", accept=V2_PROTOBUF, if_none_match=response.headers["etag"])
    assert again.status == 304
    assert (await raw(http, "/openapi/v2", accept="text/html"))[0].status == 406


async def test_hashes_follow_the_definitions(http: Http, server: Server, thing: Object) -> None:
    _, before = await http("GET", "/openapi/v3")
    path = f"apis/{thing['group']}/v1"
    patch = [
        {
            "op": "add",
            "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/more",
            "value": {"type": "string"},
        }
    ]
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    code, _ = await http("PATCH", f"{crds}/{thing['name']}", patch, content_type="application/json-patch+json")
    assert code == 200
    _, after = await http("GET", "/openapi/v3")
    assert before["paths"][path] != after["paths"][path]
    assert before["paths"]["apis/apps/v1"] == after["paths"]["apis/apps/v1"]
    await http("DELETE", f"{crds}/{thing['name']}")
    _, gone = await http("GET", "/openapi/v3")
    assert path not in gone["paths"]


def test_kubectl_explains_built_in_kinds(server: Server) -> None:
    text = server.kubectl("explain", "deployment.spec")
    assert "selector\t<LabelSelector> -required-" in text
    assert "replicas\t<integer>" in text
    deep = server.kubectl("explain", "pod", "--recursive")
    assert "limits\t<map[string]Quantity>" in deep
    assert "targetPort\t<IntOrString>" in server.kubectl("explain", "service.spec.ports")
    assert "containerPort\t<integer> -required-" in server.kubectl(
        "explain", "pod.spec.containers.ports", "--output", "plaintext-openapiv2"
    )


def test_kubectl_explains_custom_resources(server: Server, thing: Object) -> None:
    for output in ("plaintext", "plaintext-openapiv2"):
        text = server.kubectl("explain", f"{thing['plural']}.spec", "--output", output)
        assert "What it is." in text
        assert "size\t<integer> -required-" in text
        assert "How many." in text
    assert "parts\t<[]Object>" in server.kubectl("explain", thing["plural"], "--recursive")


def test_kubectl_validates_against_it(server: Server, namespace: str, thing: Object) -> None:
    obj = {**config_map("c"), "bogus": 1}
    text = server.kubectl("apply", "--validate=strict", "-n", namespace, "-f", "-", stdin=obj, code=1)
    assert 'unknown field "bogus"' in text
    custom = {"apiVersion": f"{thing['group']}/v1", "kind": thing["kind"], "metadata": {"name": "t"}}
    good = {**custom, "spec": {"size": 1, "parts": [{"name": "a"}]}}
    for _ in range(2):
        server.kubectl("apply", "--server-side", "--validate=strict", "-n", namespace, "-f", "-", stdin=good)
    bad = {**custom, "spec": {"size": 1, "bogus": True}}
    text = server.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=bad, code=1)
    assert ".spec.bogus: field not declared in schema" in text
