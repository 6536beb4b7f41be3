"""Writes over HTTP as kube-apiserver answers them: order of checks, codes, words, dry runs, strictness, deletion."""

import asyncio
import json
from typing import Any

import pytest

from .conftest import Http, config_map, deployment

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"


@pytest.fixture
def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def unreadable(why: str) -> str:
    return f"the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; {why}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", unreadable("json parse error: unexpected end of JSON input (<empty>)")),
        (
            b"{not json",
            unreadable(
                "json parse error: invalid character 'n' looking for beginning of object key string ({not json)"
            ),
        ),
        (
            b'{"kind":"Secret","apiVersion":"v1"}',
            'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): '
            "unknown conversion",
        ),
        (
            b'{"kind":"Nothing","apiVersion":"v1"}',
            'Nothing in version "v1" cannot be handled as a ConfigMap: no kind "Nothing" is registered for version '
            '"v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
        (
            b'{"kind":"ConfigMap","apiVersion":"v2"}',
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
        (
            b'{"metadata":{"name":"x","namespace":"elsewhere"}}',
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            b'{"data":{"a":1}}',
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct '
            "field ConfigMap.data of type string",
        ),
    ],
)
async def test_bodies_that_are_no_objects(http: Http, path: str, body: bytes, message: str) -> None:
    code, answer = await http("POST", path, body)
    assert (code, answer["reason"], answer["message"]) == (400, "BadRequest", message)
    assert (await http("POST", path, b"[1]"))[0] == 400


async def test_names_and_versions_of_updates(http: Http, path: str) -> None:
    made = (await http("POST", path, config_map("a")))[1]
    code, body = await http("PUT", f"{path}/a", {"metadata": {}})
    assert (code, body["message"]) == (
        400,
        "the name of the object (a based on URL) was undeterminable: name must be provided",
    )
    assert (await http("PUT", f"{path}/missing", config_map("missing")))[0] == 404
    assert (await http("PUT", f"{path}/a", config_map("a", x="1")))[0] == 200  # unconditional
    code, body = await http("PUT", f"{path}/a", made)
    assert (code, body["reason"], "the object has been modified" in body["message"]) == (409, "Conflict", True)
    code, body = await http("PUT", f"{path}/a", {"metadata": {"name": "a", "uid": "other"}})
    namespace, uid = made["metadata"]["namespace"], made["metadata"]["uid"]
    assert (code, body["message"]) == (
        409,
        f'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: '
        f"/registry/configmaps/{namespace}/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
        f"precondition: other, UID in object meta: {uid}",
    )
    change = {"metadata": {"uid": "other"}}
    code, body = await http("PATCH", f"{path}/a", change, content_type=MERGE)
    assert (code, body["details"]["causes"][0]["field"]) == (422, "metadata.uid")
    code, body = await http("POST", path, {"metadata": {"name": "b", "resourceVersion": "7"}})
    assert (code, body["message"]) == (500, "resourceVersion should not be set on objects to be created")
    assert "reason" not in body


async def test_kinds_that_an_update_creates(http: Http, namespace: str) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {}}
    assert (await http("PUT", f"{leases}/l", lease))[0] == 201
    code, body = await http("PUT", f"{leases}/l", lease)
    wanted = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert (code, body["message"]) == (422, f'leases.coordination.k8s.io "l" is invalid: {wanted}')
    endpoints = f"/api/v1/namespaces/{namespace}/endpoints/e"
    body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "e"}}
    assert [(await http("PUT", endpoints, body))[0] for _ in range(2)] == [201, 200]


async def test_generated_names(http: Http, path: str) -> None:
    made = [await http("POST", path, {"metadata": {"generateName": "g-"}}) for _ in range(5)]
    assert {code for code, _ in made} == {201}
    assert len({obj["metadata"]["name"] for _, obj in made}) == 5
    taken = {"metadata": {"name": made[0][1]["metadata"]["name"], "generateName": "g-"}}
    code, body = await http("POST", path, taken)
    assert (code, body["reason"], body["details"]["retryAfterSeconds"]) == (409, "AlreadyExists", 1)
    assert body["message"].endswith("already exists, the server was not able to generate a unique name for the object")


@pytest.mark.parametrize(
    ("method", "query", "message"),
    [
        ("POST", "dryRun=Some", 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]'),
        ("PUT", "fieldValidation=Loose", 'UpdateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported'),
        ("POST", f"fieldManager={'m' * 129}", "fieldManager: Too long: may not be more than 128 bytes"),
        ("POST", "fieldManager=a%07", "invalid character U+0007 (at position 1)"),
        ("PATCH", "force=true", 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for'),
        ("DELETE", "propagationPolicy=No", 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported'),
        (
            "DELETE",
            "propagationPolicy=Orphan&orphanDependents=true",
            "orphanDependents and deletionPropagation cannot be both set",
        ),
    ],
)
async def test_options(http: Http, path: str, method: str, query: str, message: str) -> None:
    target = path if method == "POST" else f"{path}/a"
    headers = {"content_type": MERGE} if method == "PATCH" else {}
    code, body = await http(method, f"{target}?{query}", None if method == "DELETE" else {}, **headers)
    assert (code, body["reason"], message in body["message"]) == (422, "Invalid", True), body["message"]


async def test_unknown_and_repeated_fields(http: Http, path: str) -> None:
    body = b'{"metadata":{"name":"a","labels":{"x":"1","x":"2"}},"odd":1,"data":{},"data":{"k":"v"}}'
    complaints = ['duplicate field "metadata.labels.x"', 'unknown field "odd"', 'duplicate field "data"']
    code, answer = await http("POST", f"{path}?fieldValidation=Strict", body)
    prefix = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
    assert (code, answer["message"]) == (400, prefix + ", ".join(complaints))

    async def warnings(method: str, query: str, sent: bytes, media: str) -> list[str]:
        url = f"{http.server.url}{path}{query}"
        async with http.session.request(method, url, data=sent, headers={"content-type": media}) as response:
            assert response.status < 300, await response.text()
            return response.headers.getall("warning", [])

    shown = ["299 - " + json.dumps(text) for text in complaints]
    assert await warnings("POST", "?dryRun=All", body, "application/json") == shown
    assert await warnings("POST", "?fieldValidation=Ignore", body, "application/json") == []
    yaml = b"metadata:\n  name: b\ndata:\n  a: '1'\n  a: '2'\n"
    assert await warnings("POST", "", yaml, "application/yaml") == ['299 - "line 5: key \\"a\\" already set in map"']
    assert await warnings("PATCH", "/a", b'{"odd":1}', MERGE) == ['299 - "unknown field \\"odd\\""']


async def test_patches_that_do_not_fit(http: Http, namespace: str, path: str) -> None:
    await http("POST", path, config_map("a", x="1"))
    strict = "?fieldValidation=Strict"
    code, body = await http("PATCH", f"{path}/a{strict}", {"odd": 1, "data": {"y": "2"}}, content_type=STRATEGIC)
    shown = '"map[data:map[y:2] odd:1]"'
    assert (code, body["message"]) == (
        422,
        f' "" is invalid: patch: Invalid value: {shown}: strict decoding error: unknown field "odd"',
    )
    code, body = await http("PATCH", f"{path}/a{strict}", {"odd": 1}, content_type=MERGE)
    assert (code, body["details"]["causes"][0]["field"]) == (422, "patch")
    missing = [{"op": "remove", "path": "/data/none"}]
    code, body = await http("PATCH", f"{path}/a", missing, content_type=JSON_PATCH)
    text = "the server rejected our request due to an error in our request"
    assert (code, body["reason"], body["message"], body["details"]) == (422, "Invalid", text, {})
    code, body = await http("PATCH", f"{path}/a", b"{", content_type=MERGE)
    assert (code, body["message"]) == (400, "error decoding patch: unexpected end of JSON input")
    code, body = await http("PATCH", f"{path}/a", [], content_type=MERGE)
    text = "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
    assert (code, body["message"]) == (400, text)
    assert (await http("PATCH", f"{path}/none", {}, content_type=MERGE))[0] == 404
    code, body = await http("PATCH", f"{path}/a", {}, content_type="application/json")
    assert (code, body["reason"]) == (415, "UnsupportedMediaType")


async def test_patches_are_made_again_until_they_fit(http: Http, path: str) -> None:
    await http("POST", path, config_map("a"))
    changes = [{"data": {f"k{n}": "v"}} for n in range(30)]
    results = await asyncio.gather(*(http("PATCH", f"{path}/a", c, content_type=MERGE) for c in changes))
    assert {code for code, _ in results} == {200}
    assert len((await http("GET", f"{path}/a"))[1]["data"]) == 30


async def test_dry_runs_change_nothing(http: Http, path: str) -> None:
    code, obj = await http("POST", f"{path}?dryRun=All", config_map("a"))
    assert (code, "resourceVersion" in obj["metadata"], "uid" in obj["metadata"]) == (201, False, True)
    assert (await http("GET", f"{path}/a"))[0] == 404
    before = (await http("POST", path, config_map("a", x="1")))[1]
    code, obj = await http("PATCH", f"{path}/a?dryRun=All", {"data": {"x": "2"}}, content_type=MERGE)
    assert (code, obj["data"], obj["metadata"]["resourceVersion"]) == (
        200,
        {"x": "2"},
        before["metadata"]["resourceVersion"],
    )
    wish = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}
    assert (await http("PATCH", f"{path}/new?dryRun=All&fieldManager=m", wish, content_type=APPLY))[0] == 201
    assert (await http("DELETE", f"{path}/a", {"dryRun": ["All"]}))[0] == 200
    assert (await http("DELETE", f"{path}/a?dryRun=All"))[0] == 200
    assert (await http("DELETE", f"{path}?dryRun=All"))[0] == 200
    assert (await http("GET", path))[1]["items"] == [
        {key: value for key, value in before.items() if key not in ("kind", "apiVersion")}
    ]


async def _unreadable_objects_are_none(http: Http, path: str) -> None:
    """The option to delete what cannot be read is not dropped in silence: nothing is deleted with it."""
    option = "ignoreStoreReadErrorWithClusterBreakingPotential"
    await http("POST", path, config_map("readable"))
    wanted = (
        f'DeleteOptions.meta.k8s.io "" is invalid: {option}: Invalid value: true: it is exclusively used to delete '
        "corrupt object(s), try again by removing this option"
    )
    for where, body in (
        (f"{path}/readable", {option: True}),
        (f"{path}/readable?{option}=true", None),
        (path, {option: True}),
    ):
        code, answer = await http("DELETE", where, body)
        assert (code, answer["reason"], answer["message"]) == (422, "Invalid", wanted)
    assert (await http("DELETE", f"{path}/readable", {option: "yes"}))[0] == 400
    assert (await http("DELETE", f"{path}/readable", {option: False}))[0] == 200


async def test_deletions(http: Http, path: str) -> None:
    made = (await http("POST", path, config_map("a")))[1]["metadata"]
    code, body = await http("DELETE", f"{path}/a", {"preconditions": {"uid": "other"}})
    assert (code, body["message"]) == (
        409,
        'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match the UID '
        f"in record ({made['uid']}). The object might have been deleted and then recreated",
    )
    code, body = await http("DELETE", f"{path}/a", {"preconditions": {"resourceVersion": "1"}})
    assert (code, "The object might have been modified" in body["message"]) == (409, True)
    assert (await http("DELETE", f"{path}/a", {"kind": "ConfigMap", "apiVersion": "v1"}))[0] == 400
    code, body = await http("DELETE", f"{path}/a", {"preconditions": {"uid": made["uid"]}})
    assert (code, body["status"], body["details"]) == (
        200,
        "Success",
        {"name": "a", "kind": "configmaps", "uid": made["uid"]},
    )
    await _unreadable_objects_are_none(http, path)
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await http("POST", path, held)
    code, body = await http("DELETE", f"{path}/held?orphanDependents=false")
    assert (code, body["metadata"]["deletionGracePeriodSeconds"]) == (202, 0)
    assert body["metadata"]["finalizers"] == ["example.com/hold"]
    code, body = await http("DELETE", f"{path}/held?propagationPolicy=Foreground")
    assert (code, body["metadata"]["finalizers"]) == (200, ["example.com/hold", "foregroundDeletion"])
    assert (await http("PATCH", f"{path}/held", {"metadata": {"finalizers": None}}, content_type=MERGE))[0] == 200
    assert (await http("GET", f"{path}/held"))[0] == 404


async def test_deleting_collections(http: Http, path: str) -> None:
    for name in "abcd":
        await http("POST", path, {"metadata": {"name": name, "labels": {"of": "us"}}})
    code, body = await http("DELETE", f"{path}?limit=2&labelSelector=of%3Dus")
    assert (code, body["kind"], [i["metadata"]["name"] for i in body["items"]]) == (200, "ConfigMapList", ["a", "b"])
    assert body["metadata"]["continue"]
    assert (await http("DELETE", f"{path}?labelSelector=of%3Dothers"))[1]["items"] == []
    await http("DELETE", path)
    assert (await http("GET", path))[1]["items"] == []


async def test_repeated_owners_count_once(http: Http, path: str) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u-1"}
    url = http.server.url + path
    async with http.session.post(url, json={"metadata": {"name": "a", "ownerReferences": [owner, owner]}}) as response:
        assert response.status == 201
        assert "duplicate UID(s) observed: u-1" in response.headers["warning"]
        assert len((await response.json())["metadata"]["ownerReferences"]) == 1


async def test_scale(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    made = (await http("POST", path, deployment("d", replicas=2)))[1]["metadata"]
    scale = (await http("GET", f"{path}/d/scale"))[1]
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert (scale["status"], scale["metadata"]["uid"]) == ({"replicas": 0, "selector": "app=d"}, made["uid"])
    stale = scale | {"metadata": scale["metadata"] | {"resourceVersion": "1"}}
    code, body = await http("PUT", f"{path}/d/scale", stale)
    assert (code, body["reason"]) == (409, "Conflict")
    code, body = await http("PUT", f"{path}/d/scale?dryRun=All", scale | {"spec": {"replicas": 9}})
    assert (code, body["spec"]) == (200, {"replicas": 9})
    code, body = await http("PUT", f"{path}/d/scale", scale | {"spec": {"replicas": -1}})
    wanted = 'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    assert (code, body["message"]) == (422, wanted)
    code, body = await http("PUT", f"{path}/d/scale", {"metadata": {"name": "d"}, "spec": {"replicas": 3}})
    assert (code, body["spec"]) == (200, {"replicas": 3})
    wish: dict[str, Any] = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}}
    wish["spec"] = {"replicas": 5}
    apply = f"{path}/d/scale?fieldManager=scaler"
    code, body = await http("PATCH", apply, wish, content_type=APPLY)
    assert (code, body["reason"]) == (409, "Conflict")
    assert (await http("PATCH", f"{apply}&force=true", wish, content_type=APPLY))[1]["spec"] == {"replicas": 5}
    obj = (await http("GET", f"{path}/d"))[1]
    owners = [(e["manager"], e["operation"], e.get("subresource")) for e in obj["metadata"]["managedFields"]]
    assert ("scaler", "Apply", "scale") in owners
    assert (obj["spec"]["replicas"], obj["metadata"]["generation"]) == (5, 3)


async def test_status_writes_keep_to_the_status(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await http("POST", path, deployment("d"))
    change = {"metadata": {"annotations": {"a": "b"}}, "spec": {"replicas": 7}, "status": {"replicas": 1}}
    code, obj = await http("PATCH", f"{path}/d/status", change, content_type=MERGE)
    assert (code, obj["spec"]["replicas"], obj["status"]["replicas"]) == (200, 1, 1)
    assert obj["metadata"]["annotations"] == {"a": "b"}
    fields = [e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e.get("subresource") == "status"]
    assert fields[0]["f:status"] == {"f:replicas": {}}
    assert "f:spec" not in fields[0]
    code, obj = await http("PATCH", f"{path}/d", {"status": {"replicas": 9}}, content_type=MERGE)
    assert (code, obj["status"]["replicas"]) == (200, 1)
    assert any(e.get("subresource") == "status" for e in obj["metadata"]["managedFields"])


async def test_who_is_refused_finds_what_was_in_the_way(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"

    async def make(name: str) -> tuple[int, int]:
        code, _ = await http("POST", path, {"metadata": {"name": name}})
        return code, (await http("GET", f"{path}/{name}"))[0]

    for number in range(30):
        found = await asyncio.gather(*(make(f"both-{number}") for _ in range(4)))
        assert sorted(found) == [(201, 200), (409, 200), (409, 200), (409, 200)]
