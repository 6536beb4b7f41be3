"""Request paths, JSON paths, ages, protobuf, events in two shapes, version order."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.objects.events import to_core, to_version
from dovetail.embedded.apiserver.output.age import human_duration
from dovetail.embedded.apiserver.output.jsonpath import compile_path
from dovetail.embedded.apiserver.registry.catalogue import version_rank
from dovetail.embedded.apiserver.requests import Query, parse
from dovetail.embedded.apiserver.schema.protobuf import NotDecodable, decode


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET /api/v1/pods", "list /v1 pods"),
        ("GET /api/v1/namespaces", "list /v1 namespaces"),
        ("GET /api/v1/namespaces/x", "get /v1 namespaces x in=x"),
        ("PUT /api/v1/namespaces/x/finalize", "update /v1 namespaces x finalize in=x"),
        ("GET /api/v1/namespaces/x/pods/p/log", "get /v1 pods p log in=x"),
        ("GET /apis/apps/v1/namespaces/x/deployments?watch=true", "watch apps/v1 deployments in=x"),
        ("GET /apis/apps/v1/watch/deployments", "watch apps/v1 deployments"),
        ("DELETE /apis/apps/v1/namespaces/x/deployments", "deletecollection apps/v1 deployments in=x"),
        ("PATCH /apis/apps/v1/namespaces/x/deployments/d/scale", "patch apps/v1 deployments d scale in=x"),
        ("GET /apis/a.b/v1/things/x%2Fy", "get a.b/v1 things x/y"),
        ("GET /apis/apps/v1", "get"),
        ("GET /healthz", "get"),
        ("POST /version", "post"),
    ],
)
def test_what_a_path_asks_for(request_line: str, expected: str) -> None:
    method, _, url = request_line.partition(" ")
    path, _, query = url.partition("?")
    info = parse(method, path, Query(query.encode()))
    parts = [info.verb]
    if info.is_resource:
        parts += [f"{info.group}/{info.version}", info.plural, info.name, info.subresource]
        parts += [f"in={info.namespace}"] if info.namespace else []
    assert " ".join(filter(None, parts)) == expected


CRD = {
    "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
    "metadata": {"annotations": {"a.b/c": "d"}},
    "items": [1, 2, 3],
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".status.conditions[0].type", ["A"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Gone')].status", []),
        (".status.conditions[*].type", ["A", "Ready"]),
        (r".metadata.annotations.a\.b/c", ["d"]),
        (".metadata.annotations['a.b/c']", ["d"]),
        ("{.items[-1]}", [3]),
        (".nothing.here", []),
    ],
)
def test_json_paths(path: str, found: list[Any]) -> None:
    assert compile_path(path)(CRD) == found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (312, "5m12s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def test_versions_are_ordered_as_kubernetes_orders_them() -> None:
    ordered = ["v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"]
    shuffled = sorted(ordered)
    assert sorted(shuffled, key=version_rank) == ordered


# -- protobuf


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version.encode()) + field(2, kind.encode())) + field(2, message)


def test_an_object_in_protobuf() -> None:
    meta = field(1, b"x") + field(2, b"") + field(8, b"") + field(11, field(1, b"app") + field(2, b""))
    port = field(1, b"http") + field(3, 80) + field(4, field(1, 1) + field(2, 0) + field(3, b"web")) + field(5, 0)
    spec = field(1, port) + field(2, field(1, b"app") + field(2, b"x")) + field(13, 0)
    assert decode(envelope("v1", "Service", field(1, meta) + field(2, spec))) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "x", "labels": {"app": ""}},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "web"}], "selector": {"app": "x"}},
    }


def test_an_embedded_struct_is_flattened_and_a_pointers_zero_is_kept() -> None:
    volume = field(1, b"v") + field(2, field(6, field(1, b"s")))
    pod = decode(envelope("v1", "Pod", field(2, field(1, volume) + field(4, 0) + field(21, 0))))
    assert pod["spec"] == {
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"k8s\0\xff",
        envelope("v1", "Nothing", b""),
        envelope("v1", "ConfigMap", field(99, b"x")),
        envelope("v1", "ConfigMap", b"\x0a\x7f"),
    ],
)
def test_what_cannot_be_read_from_protobuf_is_refused(body: bytes) -> None:
    with pytest.raises(NotDecodable):
        decode(body)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_protobuf_reader(body: bytes) -> None:
    for message in (body, envelope("v1", "Pod", body), envelope("apps/v1", "Deployment", field(2, body))):
        try:
            decode(b"k8s\0" + message if message is body else message)
        except NotDecodable:
            continue


def test_events_have_two_shapes() -> None:
    new = {"regarding": {"kind": "Pod"}, "note": "n", "reportingController": "c", "reason": "r", "metadata": {}}
    empty = {"eventTime": None, "source": {}, "firstTimestamp": None, "lastTimestamp": None, "reportingInstance": ""}
    core = to_core(new)
    assert core == {
        "involvedObject": {"kind": "Pod"}, "message": "n", "reportingComponent": "c", "reason": "r", "metadata": {},
        **empty,
    }  # fmt: skip
    zero = {
        "deprecatedFirstTimestamp": None,
        "deprecatedLastTimestamp": None,
        "deprecatedSource": {},
        "eventTime": None,
    }
    assert orjson.loads(to_version("events.k8s.io", orjson.dumps(core))) == {**new, **zero, "eventTime": None}
    assert orjson.loads(to_version("", orjson.dumps(core))) == core
