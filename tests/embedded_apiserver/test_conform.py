"""Conforming to built-in kinds: what Go's decoder takes, refuses and writes again."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.embedded.apiserver.schema import node as n
from dovetail.embedded.apiserver.schema.builtin import definitions
from dovetail.embedded.apiserver.schema.conform import Mismatch, conform
from dovetail.embedded.apiserver.schema.gotimes import TimeMalformed, micro_time, second_time
from dovetail.embedded.apiserver.schema.node import Node

KINDS = definitions()


def kind(name: str) -> Node:
    group, version, kind_ = name.split("/")
    return KINDS.kind_node(group, version, kind_)


@pytest.mark.parametrize(
    ("name", "given_", "written"),
    [
        (
            "/v1/Service",
            {"metadata": {"name": "x", "labels": {}}, "spec": {"ports": [{"port": 80, "targetPort": 0}], "type": ""}},
            {
                "metadata": {"name": "x"},
                "spec": {"ports": [{"port": 80, "targetPort": 0}]},
                "status": {"loadBalancer": {}},
            },
        ),
        (
            "rbac.authorization.k8s.io/v1/ClusterRole",
            {"metadata": {"name": "x"}, "rules": []},
            {"metadata": {"name": "x"}, "rules": None},
        ),
        (
            "/v1/Event",
            {"involvedObject": {}, "eventTime": "2024-01-01T00:00:00.5+02:00"},
            {
                "metadata": {},
                "involvedObject": {},
                "eventTime": "2023-12-31T22:00:00.500000Z",
                "source": {},
                "firstTimestamp": None,
                "lastTimestamp": None,
                "reportingComponent": "",
                "reportingInstance": "",
            },
        ),
        (
            "/v1/Secret",
            {"data": {"empty": "", "folded": "YWJj\nZGVm", "gone": None}, "immutable": False},
            {"metadata": {}, "data": {"empty": "", "folded": "YWJjZGVm", "gone": ""}, "immutable": False},
        ),
        (
            "networking.k8s.io/v1/NetworkPolicy",
            {"spec": {"ingress": [None], "egress": []}},
            {"metadata": {}, "spec": {"podSelector": {}, "ingress": [{}]}},
        ),
    ],
)
def test_what_go_writes_again(name: str, given_: Any, written: Any) -> None:
    unknown: list[str] = []
    assert conform(kind(name), given_, unknown) == written
    assert unknown == []


def test_unknown_fields_are_dropped_and_named() -> None:
    unknown: list[str] = []
    service = {"metadata": {"name": "x", "owner": 1}, "spec": {"ports": [{"port": 80, "prot": "TCP"}]}, "Kind": "x"}
    conform(kind("/v1/Service"), service, unknown)
    assert unknown == ["metadata.owner", "spec.ports[0].prot", "Kind"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "/v1/Service",
            {"metadata": {"labels": "a=b"}},
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            "/v1/Service",
            {"spec": {"ports": {}}},
            "json: cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort",
        ),
        (
            "/v1/Service",
            {"spec": {"ports": [{"port": "http"}]}},
            "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        (
            "/v1/Service",
            {"spec": {"type": True}},
            "json: cannot unmarshal bool into Go struct field ServiceSpec.spec.type of type v1.ServiceType",
        ),
        (
            "apps/v1/Deployment",
            {"spec": {"replicas": 3_000_000_000}},
            "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "apps/v1/Deployment",
            {"spec": {"replicas": 1.5}},
            "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "apps/v1/Deployment",
            {"spec": []},
            "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
        ),
        (
            "/v1/ConfigMap",
            {"data": {"a": 1}},
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        ("/v1/Secret", {"data": {"a": "YWJ"}}, "illegal base64 data at input byte 0"),
        ("/v1/Secret", {"data": {"a": "YWJj%"}}, "illegal base64 data at input byte 4"),
        (
            "/v1/LimitRange",
            {"spec": {"limits": [{"max": {"cpu": "lots"}}]}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            "/v1/Service",
            {"metadata": {"creationTimestamp": "soon"}},
            'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"',
        ),
        (
            "/v1/Service",
            {"metadata": {"creationTimestamp": 5}},
            "json: cannot unmarshal number into Go value of type string",
        ),
    ],
)
def test_a_wrong_type_is_told_in_go(name: str, value: Any, text: str) -> None:
    with pytest.raises(Mismatch) as caught:
        conform(kind(name), value, [])
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "seconds", "micros"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.000000Z"),
        ("2024-02-29T23:59:59.123456789-01:30", "2024-03-01T01:29:59Z", "2024-03-01T01:29:59.123456Z"),
    ],
)
def test_times_are_utc(text: str, seconds: str, micros: str) -> None:
    assert (second_time(text), micro_time(text)) == (seconds, micros)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2024-13-01T00:00:00Z", "month out of range"),
        ("2023-02-29T00:00:00Z", "day out of range"),
        ("2024-01-01T00:00:00", 'cannot parse "" as "Z07:00"'),
        ("2024-01-01t00:00:00Z", 'cannot parse "t00:00:00Z" as "T"'),
        ("2024-01-01T00:00:00Zx", 'extra text: "x"'),
    ],
)
def test_what_is_wrong_with_a_time(text: str, problem: str) -> None:
    with pytest.raises(TimeMalformed, match=problem):
        second_time(text)


def values(node: Node, depth: int) -> st.SearchStrategy[Any]:
    """Values that conform, with nulls, zeros and empty collections in them."""
    if node.kind == n.STRUCT:
        if not depth:
            return st.just({})
        some = {name: st.none() | values(child, depth - 1) for name, child in node.fields.items()}
        return st.fixed_dictionaries({}, optional=some)
    if node.kind == n.LIST:
        return st.lists(st.none() | values(node.item, depth), max_size=2)
    if node.kind == n.MAP:
        return st.dictionaries(st.sampled_from(["a", "b"]), st.none() | values(node.item, depth), max_size=2)
    return st.sampled_from(
        {
            n.STRING: ["", "x"],
            n.INTEGER: [0, 1, -1],
            n.NUMBER: [0.0, 1.5],
            n.BOOLEAN: [False, True],
            n.TIME: ["2024-01-01T00:00:00Z", "2024-01-01T12:00:00.25+05:00"],
            n.BYTES: ["", "YQ=="],
            n.QUANTITY: ["0", "1000m", 2],
            n.INT_OR_STRING: [0, "50%", ""],
            n.ANY: [None, 1, {}],
            n.FREE: [{}, {"a": None}],
        }[node.kind]
    )


SAMPLE = ["/v1/Service", "apps/v1/Deployment", "networking.k8s.io/v1/Ingress", "autoscaling/v2/HorizontalPodAutoscaler"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_conforming_twice_changes_nothing(data: st.DataObject) -> None:
    node = kind(data.draw(st.sampled_from(SAMPLE)))
    once = conform(node, data.draw(values(node, 4)), [])
    assert conform(node, once, []) == once
