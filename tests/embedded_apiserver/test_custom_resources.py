"""Custom resources from definition to deletion, over HTTP and with kubectl."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from .conftest import Http, Server

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "replicas": {"type": "integer", "default": 2},
        "color": {"type": "string", "enum": ["red", "blue"]},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
            },
        },
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    },
}
STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(group: str, *versions: str, **changes: Any) -> dict[str, Any]:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    names = {"plural": "widgets", "kind": "Widget", "shortNames": [f"w{group[1:4]}"], "categories": ["gadgets"]}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": STATUS}}}
    listed = [
        {
            "name": v,
            "served": True,
            "storage": n == 0,
            "schema": schema,
            "subresources": {"status": {}, "scale": scale},
            "additionalPrinterColumns": columns,
        }
        for n, v in enumerate(versions or ("v1",))
    ]
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": listed, **changes}
    meta = {"name": f"widgets.{group}"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


@pytest.fixture
async def group(http: Http) -> AsyncIterator[str]:
    name = f"g{uuid.uuid4().hex[:8]}.example.dev"
    code, body = await http("POST", CRDS, definition(name, "v1", "v1beta1"))
    assert code == 201, body
    yield name
    await http("DELETE", f"{CRDS}/widgets.{name}")


def widget(group: str, name: str = "w", version: str = "v1", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}/{version}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


async def test_a_definition_is_served_when_its_creation_answers(http: Http, group: str, namespace: str) -> None:
    code, made = await http("POST", f"/apis/{group}/v1/namespaces/{namespace}/widgets", widget(group, gone=1))
    assert code == 201
    assert made["spec"] == {"size": 1, "replicas": 2}
    assert made["metadata"]["generation"] == 1
    crd = (await http("GET", f"{CRDS}/widgets.{group}"))[1]
    conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["spec"]["names"]["listKind"] == "WidgetList"


async def test_versions_show_one_object(http: Http, group: str, namespace: str) -> None:
    await http("POST", f"/apis/{group}/v1/namespaces/{namespace}/widgets", widget(group))
    code, other = await http("GET", f"/apis/{group}/v1beta1/namespaces/{namespace}/widgets/w")
    assert (code, other["apiVersion"]) == (200, f"{group}/v1beta1")
    listed = (await http("GET", f"/apis/{group}/v1beta1/widgets"))[1]
    assert (listed["kind"], listed["items"][0]["apiVersion"]) == ("WidgetList", f"{group}/v1beta1")


async def test_problems_are_an_invalid_status_with_causes(http: Http, group: str, namespace: str) -> None:
    code, body = await http(
        "POST", f"/apis/{group}/v1/namespaces/{namespace}/widgets", widget(group, size=0, color="green")
    )
    assert (code, body["reason"]) == (422, "Invalid")
    assert {c["field"] for c in body["details"]["causes"]} == {"spec.size", "spec.color"}
    assert body["message"].startswith(f'Widget.{group} "w" is invalid: [')
    code, body = await http(
        "POST", f"/apis/{group}/v1/namespaces/{namespace}/widgets?fieldValidation=Strict", widget(group, gone=1)
    )
    assert code == 400
    assert 'strict decoding error: unknown field "spec.gone"' in body["message"]
    code, body = await http(
        "POST",
        f"/apis/{group}/v1/namespaces/{namespace}/widgets",
        {**widget(group), "metadata": {"name": "w", "labels": "a=b"}},
    )
    assert code == 400
    assert (
        "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string"
        in body["message"]
    )


async def test_status_and_spec_have_their_own_doors(http: Http, group: str, namespace: str) -> None:
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    made = (await http("POST", path, {**widget(group), "status": {"replicas": 9}}))[1]
    assert "status" not in made
    changed = {**made, "spec": {"size": 5, "replicas": 2}, "status": {"replicas": 1}}
    code, told = await http("PUT", f"{path}/w/status", changed)
    assert (code, told["spec"]["size"], told["status"], told["metadata"]["generation"]) == (200, 1, {"replicas": 1}, 1)
    changed["metadata"] = {**told["metadata"]}
    changed["status"] = {"replicas": 77}
    told = (await http("PUT", f"{path}/w", changed))[1]
    assert (told["spec"]["size"], told["status"], told["metadata"]["generation"]) == (5, {"replicas": 1}, 2)
    code, body = await http("PUT", f"{path}/w", changed)
    assert (code, body["reason"]) == (409, "Conflict")
    changed["metadata"].pop("resourceVersion")
    code, body = await http("PUT", f"{path}/w", changed)
    assert (code, "must be specified for an update" in body["message"]) == (422, True)


async def test_scale(http: Http, group: str, namespace: str) -> None:
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    await http("POST", path, widget(group))
    merge = "application/merge-patch+json"
    await http("PATCH", f"{path}/w/status", {"status": {"replicas": 1, "selector": "a=b"}}, content_type=merge)
    scale = (await http("GET", f"{path}/w/scale"))[1]
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 2},
        {"replicas": 1, "selector": "a=b"},
    )
    code, scale = await http("PATCH", f"{path}/w/scale", {"spec": {"replicas": 7}}, content_type=merge)
    assert (code, scale["spec"]) == (200, {"replicas": 7})
    assert (await http("GET", f"{path}/w"))[1]["spec"]["replicas"] == 7


async def test_apply_merges_keyed_lists_and_sets(http: Http, group: str, namespace: str) -> None:
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets/w"
    apply = {"content_type": "application/apply-patch+yaml"}
    one = widget(group, ports=[{"name": "a", "port": 1}], tags=["x"])
    assert (await http("PATCH", f"{path}?fieldManager=one", one, **apply))[0] == 201
    two = widget(group, ports=[{"name": "b", "port": 2}], tags=["y"])
    code, both = await http("PATCH", f"{path}?fieldManager=two", two, **apply)
    assert code == 200, both
    assert [p["name"] for p in both["spec"]["ports"]] == ["a", "b"]
    assert sorted(both["spec"]["tags"]) == ["x", "y"]
    only = (await http("PATCH", f"{path}?fieldManager=one", widget(group), **apply))[1]
    assert (only["spec"]["ports"], only["spec"]["tags"]) == ([{"name": "b", "port": 2}], ["y"])
    assert (await http("PATCH", path, one, **apply))[0] == 422  # a field manager is required
    code, _ = await http("PATCH", path, {}, content_type="application/strategic-merge-patch+json")
    assert code == 415


async def test_kubectl_shows_the_columns_short_names_and_categories(
    server: Server, http: Http, group: str, namespace: str
) -> None:
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    await http("POST", path, widget(group, size=3))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await http("PATCH", f"{path}/w/status", ready, content_type="application/merge-patch+json")
    shown = server.kubectl("-n", namespace, "get", f"w{group[1:4]}").split()
    assert shown[:8] == ["NAME", "SIZE", "READY", "AGE", "w", "3", "True", shown[7]]
    assert f"widget.{group}/w" in server.kubectl("-n", namespace, "get", "gadgets", "-o", "name")
    explained = server.kubectl("explain", f"w{group[1:4]}.spec")
    assert "size\t<integer> -required-" in explained


async def test_deleting_a_definition_deletes_its_instances_and_waits_for_their_finalizers(
    http: Http, namespace: str
) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.dev"
    await http("POST", CRDS, definition(group))
    path = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
    held = widget(group, "held")
    held["metadata"]["finalizers"] = ["example.dev/hold"]
    await http("POST", path, held)
    await http("POST", path, widget(group, "free"))
    code, crd = await http("DELETE", f"{CRDS}/widgets.{group}")
    assert (code, bool(crd["metadata"]["deletionTimestamp"])) == (200, True)
    assert [i["metadata"]["name"] for i in (await http("GET", path))[1]["items"]] == ["held"]
    free = [{"op": "remove", "path": "/metadata/finalizers"}]
    await http("PATCH", f"{path}/held", free, content_type="application/json-patch+json")
    assert (await http("GET", f"{CRDS}/widgets.{group}"))[0] == 404
    assert (await http("GET", path))[0] == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"scope": "Everywhere"}, 'spec.scope: Unsupported value: "Everywhere"'),
        ({"versions": []}, "must have exactly one version marked as storage version"),
        ({"names": {"plural": "gizmos", "kind": "Gizmo"}}, "must be spec.names.plural"),
    ],
)
async def test_a_wrong_definition_is_refused(http: Http, change: dict[str, Any], told: str) -> None:
    code, body = await http("POST", CRDS, definition(f"g{uuid.uuid4().hex[:8]}.example.dev", **change))
    assert code == 422
    assert told in json.dumps(body["message"].replace('"', "'")).replace("'", '"')


async def test_a_conversion_webhook_is_refused_where_it_would_be_called(http: Http) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.dev"
    client = {"service": {"namespace": "default", "name": "converter"}}
    settings = {"conversionReviewVersions": ["v1"], "clientConfig": client}
    webhook = {"conversion": {"strategy": "Webhook", "webhook": settings}}
    code, body = await http("POST", CRDS, definition(group, "v1", "v2", **webhook))
    assert code == 422
    assert "conversion webhooks are not supported" in body["message"]
    assert (await http("POST", CRDS, definition(group, "v1", **webhook)))[0] == 201
    await http("DELETE", f"{CRDS}/widgets.{group}")
