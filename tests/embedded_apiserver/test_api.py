"""The API over HTTP where kubectl does not look: lists in pages, versions, preconditions, media types, errors."""

import asyncio
import io
import json
import ssl
from typing import Any

import pytest

from .conftest import Http, Server, config_map, deployment

MERGE = "application/merge-patch+json"


@pytest.fixture
def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def fill(http: Http, path: str, count: int) -> None:
    for number in range(count):
        obj = config_map(f"c{number:02}", n=str(number))
        obj["metadata"]["labels"] = {"even": str(number % 2 == 0).lower()}
        assert (await http("POST", path, obj))[0] == 201


async def test_pages_show_one_snapshot(http: Http, path: str) -> None:
    await fill(http, path, 7)
    first = (await http("GET", f"{path}?limit=3"))[1]
    assert first["metadata"]["remainingItemCount"] == 4
    await http("DELETE", f"{path}/c04")
    await http("POST", path, config_map("c03a"))
    await http("PATCH", f"{path}/c05", {"data": {"n": "new"}}, content_type=MERGE)
    items, token = first["items"], first["metadata"]["continue"]
    while token:
        page = (await http("GET", f"{path}?limit=3&continue={token}"))[1]
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        items, token = items + page["items"], page["metadata"].get("continue")
    assert [(i["metadata"]["name"], i["data"]["n"]) for i in items] == [(f"c{n:02}", str(n)) for n in range(7)]
    exact = f"{path}?resourceVersion={first['metadata']['resourceVersion']}&resourceVersionMatch=Exact"
    assert len((await http("GET", exact))[1]["items"]) == 7
    assert len((await http("GET", path))[1]["items"]) == 7
    assert (await http("GET", f"{path}?continue=nonsense"))[0] == 400


async def test_selectors_and_limit(http: Http, path: str) -> None:
    await fill(http, path, 6)
    page = (await http("GET", f"{path}?labelSelector=even%3Dtrue&limit=2"))[1]
    assert [i["metadata"]["name"] for i in page["items"]] == ["c00", "c02"]
    assert "remainingItemCount" not in page["metadata"]
    rest = (await http("GET", f"{path}?labelSelector=even%3Dtrue&limit=2&continue={page['metadata']['continue']}"))[1]
    assert [i["metadata"]["name"] for i in rest["items"]] == ["c04"]
    one = (await http("GET", f"{path}?fieldSelector=metadata.name%3Dc03"))[1]
    assert [i["metadata"]["name"] for i in one["items"]] == ["c03"]
    assert (await http("GET", f"{path}?fieldSelector=data.n%3D1"))[0] == 400
    code, body = await http("DELETE", f"{path}?labelSelector=even%3Dtrue")
    assert (code, len(body["items"])) == (200, 3)
    assert len((await http("GET", path))[1]["items"]) == 3


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("resourceVersion=99999999", 504, "Timeout"),
        ("resourceVersion=x", 400, "BadRequest"),
        ("resourceVersionMatch=Exact", 422, "Invalid"),
        ("resourceVersionMatch=Never&resourceVersion=1", 422, "Invalid"),
        ("limit=x", 400, "BadRequest"),
        ("labelSelector=a%20b", 400, "BadRequest"),
    ],
)
async def test_wrong_list_options(http: Http, path: str, query: str, code: int, reason: str) -> None:
    found, body = await http("GET", f"{path}?{query}")
    assert (found, body["kind"], body["reason"]) == (code, "Status", reason)


async def test_preconditions_and_names(http: Http, path: str) -> None:
    code, made = await http("POST", path, {**config_map(""), "metadata": {"generateName": "gen-"}})
    name = made["metadata"]["name"]
    assert (code, name.startswith("gen-"), len(name)) == (201, True, 9)
    assert (await http("POST", path, config_map(name)))[1]["reason"] == "AlreadyExists"
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        code, body = await http("DELETE", f"{path}/{name}", {"preconditions": wrong})
        assert (code, body["reason"]) == (409, "Conflict")
    code, body = await http("DELETE", f"{path}/{name}", {"preconditions": {"uid": made["metadata"]["uid"]}})
    assert (code, body["status"], body["details"]["uid"]) == (200, "Success", made["metadata"]["uid"])
    code, body = await http("DELETE", f"{path}/{name}")
    assert (code, body["message"], body["details"]) == (
        404,
        f'configmaps "{name}" not found',
        {"name": name, "kind": "configmaps"},
    )


async def test_what_only_the_server_sets_stays(http: Http, path: str) -> None:
    obj = config_map("a")
    obj["metadata"] |= {
        "uid": "mine",
        "generation": 7,
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "deletionTimestamp": "2001-01-01T00:00:00Z",
    }
    made = (await http("POST", path, obj))[1]
    assert made["metadata"]["uid"] != "mine"
    assert not {"generation", "deletionTimestamp"} & made["metadata"].keys()
    assert not made["metadata"]["creationTimestamp"].startswith("2001")
    code, body = await http("PUT", f"{path}/a", {**made, "metadata": {**made["metadata"], "uid": "other"}})
    assert (code, "Precondition failed: UID" in body["message"]) == (409, True)
    code, body = await http("PUT", f"{path}/a", config_map("b"))
    assert (code, "does not match the name on the URL" in body["message"]) == (400, True)


async def test_generation_counts_changes_of_the_spec_only(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    await http("POST", path, deployment("d"))
    patches: list[tuple[str, Any, int]] = [
        ("d", {"metadata": {"labels": {"a": "b"}}}, 1),
        ("d", {"spec": {"replicas": 3}}, 2),
        ("d/status", {"status": {"replicas": 3}}, 2),
        ("d/scale", {"spec": {"replicas": 4}}, 3),
    ]
    for target, change, generation in patches:
        assert (await http("PATCH", f"{path}/{target}", change, content_type=MERGE))[0] == 200
        assert (await http("GET", f"{path}/d"))[1]["metadata"]["generation"] == generation


async def test_kinds_have_their_rules(http: Http, namespace: str) -> None:
    base = f"/api/v1/namespaces/{namespace}"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"a": "b"},
        "immutable": True,
    }
    made = (await http("POST", f"{base}/secrets", secret))[1]
    assert (made["data"], made["type"], "stringData" in made) == ({"a": "Yg=="}, "Opaque", False)
    code, body = await http("PATCH", f"{base}/secrets/s", {"stringData": {"a": "c"}}, content_type=MERGE)
    assert (code, "field is immutable when `immutable` is set" in body["message"]) == (422, True)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}], "type": "NodePort"},
    }
    spec = (await http("POST", f"{base}/services", service))[1]["spec"]
    assert spec["clusterIP"].startswith("10.96.")
    assert 30000 <= spec["ports"][0]["nodePort"] < 32768
    assert spec["ports"][0]["protocol"] == "TCP"
    code, body = await http("PATCH", f"{base}/services/s", {"spec": {"clusterIP": "10.96.3.3"}}, content_type=MERGE)
    assert (code, "may not change once set" in body["message"]) == (422, True)


async def test_events_are_one_thing_in_two_groups(http: Http, namespace: str) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "note": "it happened",
        "reason": "Why",
        "type": "Normal",
        "regarding": {"kind": "Pod", "name": "p", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "c",
        "reportingInstance": "i",
        "action": "a",
    }
    code, made = await http("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)
    assert (code, made["note"], made["apiVersion"]) == (201, "it happened", "events.k8s.io/v1")
    core = (await http("GET", f"/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3Dp"))[1][
        "items"
    ]
    assert core[0]["message"] == "it happened"


async def test_media_types(http: Http, path: str) -> None:
    yaml_body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {a: 'yes', on: k}\n"
    assert (await http("POST", path, yaml_body, content_type="application/yaml"))[0] == 201
    async with http.session.get(f"{http.server.url}{path}/y", headers={"accept": "application/yaml"}) as response:
        text = await response.text()
    assert "a: 'yes'" in text
    assert "'true': k" in text  # YAML 1.1: a key ``on`` is a boolean, and Go makes it a string
    assert (await http("POST", path, "x", content_type="text/html"))[0] == 415
    assert (await http("GET", path, accept="text/html"))[0] == 406
    assert (await http("GET", path, accept="application/vnd.kubernetes.protobuf, */*"))[0] == 200
    assert (await http("POST", path, b"{not json"))[0] == 400
    assert (await http("PATCH", f"{path}/y", {}, content_type="application/json"))[0] == 415
    assert (await http("POST", path, b"[" * 5000))[0] == 400
    big = io.BytesIO(json.dumps(config_map("big", x="y" * (3 << 20))).encode())
    async with http.session.post(http.server.url + path, data=big) as response:
        assert (response.status, (await response.json())["reason"]) == (413, "RequestEntityTooLarge")


async def test_paths_and_methods_that_do_not_exist(http: Http, namespace: str) -> None:
    for method, target, code in (
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/nothing/x", 404),
        ("GET", f"/api/v1/namespaces/{namespace}/nodes", 404),
        ("GET", f"/api/v1/namespaces/{namespace}/configmaps/x/log", 404),
        ("POST", "/api/v1/configmaps", 404),
        ("DELETE", "/version", 405),
        ("PATCH", "/apis/authorization.k8s.io/v1/subjectaccessreviews", 405),
        ("POST", f"/api/v1/namespaces/{namespace}/configmaps/x", 405),
    ):
        found, body = await http(method, target, {} if method != "GET" else None)
        assert (found, body["kind"], body["status"]) == (code, "Status", "Failure"), target


async def test_unknown_fields_are_warned_about(http: Http, path: str) -> None:
    body = json.dumps(config_map("w") | {"extra": 1})
    header = {"content-type": "application/json"}
    async with http.session.post(f"{http.server.url}{path}", data=body, headers=header) as response:
        assert response.status == 201
        assert response.headers["warning"] == '299 - "unknown field \\"extra\\""'
        assert "extra" not in await response.json()


async def test_discovery_in_both_forms_names_the_same(http: Http) -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = (await http("GET", "/apis", accept=aggregated))[1]["items"]
    for group in groups:
        name = group["metadata"]["name"]
        for version in group["versions"]:
            listed = (await http("GET", f"/apis/{name}/{version['version']}"))[1]["resources"]
            plain = {r["name"] for r in listed}
            subs = {
                f"{r['resource']}/{s['subresource']}" for r in version["resources"] for s in r.get("subresources", [])
            }
            assert plain == {r["resource"] for r in version["resources"]} | subs
    assert {g["name"] for g in (await http("GET", "/apis"))[1]["groups"]} == {g["metadata"]["name"] for g in groups}
    index = (await http("GET", "/openapi/v3"))[1]["paths"]
    for document in index.values():
        assert (await http("GET", document["serverRelativeURL"]))[0] == 200


async def test_many_writers_of_one_object_lose_nothing(http: Http, path: str) -> None:
    await http("POST", path, config_map("shared", n="0"))

    async def add() -> None:
        while True:
            obj = (await http("GET", f"{path}/shared"))[1]
            obj["data"]["n"] = str(int(obj["data"]["n"]) + 1)
            code, _ = await http("PUT", f"{path}/shared", obj)
            if code == 200:
                return
            assert code == 409

    await asyncio.gather(*(add() for _ in range(20)))
    assert (await http("GET", f"{path}/shared"))[1]["data"]["n"] == "20"


def test_plain_http_is_not_answered_and_old_tls_refused(server: Server) -> None:
    old = server.tls()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    import socket

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not raw.recv(100).startswith(b"HTTP/1.1 200")
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw,
        old.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
    ):
        assert tls.version() == "TLSv1.2"
