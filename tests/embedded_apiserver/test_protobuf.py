"""Objects in protobuf: there and back by property, and over HTTP as Go clients send and ask for it."""

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.embedded.apiserver.schema import node as n
from dovetail.embedded.apiserver.schema.builtin import definitions
from dovetail.embedded.apiserver.schema.conform import conform
from dovetail.embedded.apiserver.schema.node import Node
from dovetail.embedded.apiserver.schema.protobuf import NotDecodable, decode
from dovetail.embedded.apiserver.schema.protobuf_writing import NotEncodable, encode, encode_event
from dovetail.embedded.apiserver.verbs.reading import PAGE

from .conftest import Http, config_map, deployment
from .test_discovery import definition, raw

PROTOBUF = "application/vnd.kubernetes.protobuf"

Object = dict[str, Any]

KINDS = [
    ("", "v1", "Pod"), ("", "v1", "Service"), ("", "v1", "Secret"), ("", "v1", "Node"), ("", "v1", "Event"),
    ("apps", "v1", "Deployment"), ("apps", "v1", "StatefulSet"), ("batch", "v1", "CronJob"), ("", "v1", "Status"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler"), ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"), ("coordination.k8s.io", "v1", "Lease"),
    ("certificates.k8s.io", "v1", "CertificateSigningRequest"), ("discovery.k8s.io", "v1", "EndpointSlice"),
    ("apiregistration.k8s.io", "v1", "APIService"), ("storage.k8s.io", "v1", "CSIDriver"),
]  # fmt: skip

words = st.text("abcxyz", min_size=1, max_size=4)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    n.STRING: words,
    n.INTEGER: st.integers(1, 1 << 20) | st.integers(-5, -1),
    n.NUMBER: st.floats(0.5, 2.0),
    n.BOOLEAN: st.just(True),
    n.TIME: st.sampled_from(["2026-01-01T00:00:00Z", "1999-12-31T23:59:59Z"]),
    n.BYTES: st.sampled_from(["YQ==", "AAEC"]),
    n.QUANTITY: st.sampled_from(["1", "100m", "2Gi"]),
    n.INT_OR_STRING: st.integers(0, 99) | words,
    n.FREE: st.fixed_dictionaries({"f:a": st.just({})}),
    n.ANY: st.fixed_dictionaries({"a": st.integers()}),
}


def numbered(node: Node) -> set[str]:
    found: set[str] = set()

    def add(wire: Any) -> None:
        for target in wire.values():
            if isinstance(target, str):
                found.add(target)
            else:
                add(target)

    add(node.wire)
    return found


def values(node: Node, depth: int) -> st.SearchStrategy[Any]:
    if node.kind in SCALARS:
        return SCALARS[node.kind]
    if node.kind == n.LIST:
        return st.lists(st.deferred(lambda: values(node.item, depth - 1)), min_size=1, max_size=2)
    if node.kind == n.MAP:
        return st.dictionaries(words, st.deferred(lambda: values(node.item, depth - 1)), min_size=1, max_size=2)
    names = sorted(numbered(node) - {"apiVersion", "kind"}) if depth > 0 else []
    fields = {name: st.deferred(lambda name=name: values(node.child(name), depth - 1)) for name in names}
    return (
        st.lists(st.sampled_from(names), unique=True, max_size=3).flatmap(
            lambda chosen: st.fixed_dictionaries({name: fields[name] for name in chosen})
        )
        if names
        else st.just({})
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[2])
@settings(max_examples=4, deadline=None)
@given(st.data())
def test_there_and_back(kind: tuple[str, str, str], data: st.DataObject) -> None:
    group, version, name = kind
    node = definitions().kind_node(*kind)
    api_version = f"{group}/{version}" if group else version
    obj = {**data.draw(values(node, 5)), "apiVersion": api_version, "kind": name}
    assert conform(node, decode(encode(obj)), []) == conform(node, obj, [])


def test_a_list_is_a_message_of_messages() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": "7"},
        "items": [config_map("a")],
    }
    body = encode(obj)
    assert body.startswith(b"k8s\0")
    assert body.endswith(b"\x12\x05\x0a\x03\x0a\x01a")
    assert b"\x12\x017" in body


def test_an_event_is_a_frame() -> None:
    frame = encode_event({"type": "ADDED", "object": config_map("a")})
    (size,) = struct.unpack(">I", frame[:4])
    assert len(frame) == 4 + size
    assert frame[4:11] == b"\x0a\x05ADDED"
    assert decode(frame[frame.index(b"k8s\0") :]) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
    }  # fmt: skip


def test_nothing_is_left_out_silently() -> None:
    with pytest.raises(NotEncodable):
        encode({"apiVersion": "v1", "kind": "ConfigMap", "bogus": 1})
    with pytest.raises(NotEncodable):
        encode({"apiVersion": "example.com/v1", "kind": "Thing"})
    body = encode(config_map("a")).replace(b"\x0a\x03\x0a\x01a", b"\x7a\x03\x0a\x01a")
    with pytest.raises(NotDecodable, match="unknown protobuf field number"):
        decode(body)


def test_fields_newer_than_the_descriptors_have_their_numbers() -> None:
    container = {
        "name": "c",
        "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}],
    }
    spec = {"containers": [container], "hostnameOverride": "h"}
    obj = {"apiVersion": "v1", "kind": "Pod", "spec": spec}
    assert decode(encode(obj))["spec"] == spec


# -- over HTTP


async def test_typed_clients_send_protobuf_and_take_json(http: Http, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    body = encode(deployment("web", replicas=0))
    code, made = await http("POST", path, body, content_type=PROTOBUF, accept=f"{PROTOBUF}, */*")
    assert (code, made["spec"]["replicas"]) == (201, 0)
    made["spec"]["replicas"] = 3
    code, changed = await http("PUT", f"{path}/web", encode(made), content_type=PROTOBUF)
    assert (code, changed["spec"]["replicas"]) == (200, 3)
    assert changed["spec"]["template"] == made["spec"]["template"]


async def test_a_field_that_has_no_meaning_here_is_refused(http: Http, namespace: str) -> None:
    body = encode(config_map("c")).replace(b"\x0a\x03\x0a\x01c", b"\x7a\x03\x0a\x01c")
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    code, status = await http("POST", path, body, content_type=PROTOBUF)
    assert (code, status["reason"]) == (400, "BadRequest")
    assert "unknown protobuf field number" in status["message"]


async def test_clients_that_read_nothing_else_get_protobuf(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await http("POST", path, config_map("c", x="1"))
    response, body = await raw(http, f"{path}/c", accept=PROTOBUF)
    assert (response.status, response.headers["content-type"]) == (200, PROTOBUF)
    found = decode(body)
    assert (found["kind"], found["data"], found["metadata"]["name"]) == ("ConfigMap", {"x": "1"}, "c")
    response, body = await raw(http, path, accept=PROTOBUF)
    assert response.headers["content-type"] == PROTOBUF
    assert b"ConfigMapList" in body
    response, body = await raw(http, f"{path}/none", accept=PROTOBUF)
    status = decode(body)
    assert (response.status, status["kind"], status["reason"], status["code"]) == (404, "Status", "NotFound", 404)


async def test_large_answers_and_streams_in_protobuf_are_not_compressed(http: Http, namespace: str) -> None:
    """gzip came before protobuf once, which then had bytes to read that are not JSON."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    assert (await http("POST", path, config_map("large", x="y" * 200_000)))[0] == 201
    await asyncio.gather(*(http("POST", path, config_map(f"c{number}")) for number in range(PAGE)))
    response, body = await raw(http, f"{path}/large", accept=PROTOBUF, accept_encoding="gzip")
    assert (response.status, response.headers["content-type"]) == (200, PROTOBUF), body[:300]
    assert decode(body)["data"] == {"x": "y" * 200_000}
    for form in ("", ";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"):
        response, body = await raw(http, path, accept=PROTOBUF + form, accept_encoding="gzip")
        assert (response.status, response.headers["content-type"]) == (200, PROTOBUF), body[:300]
        assert "content-encoding" not in response.headers
        assert body.startswith(b"k8s\0")
        assert b"large" in body
        assert b"c499" in body


async def test_a_watch_in_frames(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    await http("POST", path, config_map("c", x="1"))
    response, body = await raw(http, f"{path}?watch=1&timeoutSeconds=1", accept=f"{PROTOBUF};stream=watch")
    assert response.headers["content-type"] == f"{PROTOBUF};stream=watch"
    (size,) = struct.unpack(">I", body[:4])
    assert body[4:11] == b"\x0a\x05ADDED"
    assert decode(body[body.index(b"k8s\0") : 4 + size])["metadata"]["name"] == "c"


async def test_custom_resources_have_no_protobuf(http: Http) -> None:
    group = "protobuf.example.com"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await http("POST", crds, definition(group, "v1"))
    response, body = await raw(http, f"/apis/{group}/v1/gears", accept=PROTOBUF)
    assert response.status == 406
    assert b"only the following media types are accepted: application/json, application/yaml" in body
    await http("DELETE", f"{crds}/gears.{group}")
