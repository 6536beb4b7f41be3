"""What a client takes: weights, ranges and parameters of Accept, read the same way by all who ask."""

import pytest

from dovetail.embedded.apiserver.discovery.negotiation import choose
from dovetail.embedded.apiserver.errors import NotAcceptable
from dovetail.embedded.apiserver.media_types import JSON, OFFERED, PROTOBUF, YAML, ranges, takes_gzip
from dovetail.embedded.apiserver.protobuf_replies import in_json, translates
from dovetail.embedded.apiserver.verbs.output import negotiate

from .conftest import Http
from .test_discovery import raw

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def plainly(accept: str) -> str:
    """How an object leaves."""
    try:
        return YAML if negotiate(accept).yaml else JSON
    except NotAcceptable:
        return ""


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("APPLICATION/YAML", YAML),
        ("application/yaml, application/json", YAML),
        ("application/yaml;q=0.5, application/json", JSON),
        ("application/yaml;q=0.5, */*;q=0.4", YAML),
        ("application/json;q=0, application/yaml;q=0.1", YAML),
        ("application/json;q=0", ""),
        ("application/json;q=many", ""),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("text/html", ""),
        ("application/json;charset=utf-8", JSON),
    ],
)
def test_objects_and_documents_agree(accept: str, chosen: str) -> None:
    assert plainly(accept) == chosen
    assert (choose({b"accept": accept.encode()}, OFFERED) or "") == chosen


def test_of_two_forms_the_heavier_is_taken() -> None:
    assert negotiate(f"application/json;q=0.5,{TABLE}").kind == "table"
    assert negotiate(f"{TABLE};q=0.5,application/json").kind == "plain"
    assert negotiate(f"application/json;as=Unknown,{TABLE}").kind == "table"


@pytest.mark.parametrize(
    ("accept", "only"),
    [
        (PROTOBUF, True),
        (f"{PROTOBUF};stream=watch", True),
        (f"{PROTOBUF}, application/json;q=0", True),
        (f"{PROTOBUF}, text/html", True),
        (f"{PROTOBUF}, application/json;q=0.1", False),
        (f"{PROTOBUF}, */*", False),
        (f"{PROTOBUF};q=0", False),
        ("application/json", False),
    ],
)
def test_protobuf_is_for_those_who_take_nothing_else(accept: str, only: bool) -> None:
    assert translates(accept.encode(), "application/json;charset=utf-8") is only
    assert (in_json(accept) != accept) is only
    assert not translates(accept.encode(), "text/plain")


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True), ("deflate, gzip", True), ("br;q=1.0, gzip;q=0.5", True), ("gzip;q=1.0", True), ("GZIP", True),
        ("gzip;q=0", False), ("", False), ("*", False), ("identity", False), ("x-gzip", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken


def test_ranges_keep_their_order_among_equals() -> None:
    found = ranges("b/b;q=0.5;x=1, a/a, c/c;q=0.5, d/d")
    assert [one.media for one in found] == ["a/a", "d/d", "b/b", "c/c"]
    assert found[2].parameters == {"x": "1"}


async def test_weights_count_over_http(http: Http, namespace: str) -> None:
    for path in (f"/api/v1/namespaces/{namespace}", "/apis/apps/v1"):
        response, _ = await raw(http, path, accept="application/yaml;q=0.2, application/json;q=0.1")
        assert response.content_type == YAML
        response, _ = await raw(http, path, accept="application/yaml;q=0.2, application/json;q=0.3")
        assert response.content_type == JSON
