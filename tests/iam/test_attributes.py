"""The grammar of requests: worked examples, the readings that differ between servers, and any input at all."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dovetail.iam.attributes import (
    ALWAYS_GLOBAL,
    GLOBAL_UNLESS_WORKSPACE,
    METHOD_VERBS,
    PREFIXES,
    TUNNELS,
    Attributes,
    parse,
)

TABLE = Path(__file__).with_name("attributes_table.md")
COLUMNS = {
    "verb": "verb", "path": "path", "cluster": "cluster", "prefix": "api_prefix", "group": "api_group",
    "version": "api_version", "workspace": "workspace", "namespace": "namespace", "resource": "resource",
    "subresource": "subresource", "name": "name", "scope": "scope",
}  # fmt: skip


def rows() -> list[tuple[str, dict[str, str]]]:
    """(request, cells by column) of every row of the table."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("request", "---"):
            found.append(
                (cells[0], dict(zip(COLUMNS, ("" if cell == "-" else cell for cell in cells[1:]), strict=True)))
            )
    return found


@pytest.mark.parametrize(("request_line", "cells"), rows(), ids=[request for request, _ in rows()])
def test_the_table(request_line: str, cells: dict[str, str]) -> None:
    method, _, target = request_line.partition(" ")
    found = parse(method, *target.partition("?")[::2])
    assert not found.ambiguous
    assert found.resource_request == bool(cells["scope"])
    irrelevant = {"path"} if found.resource_request else {"scope"}
    told = {column: getattr(found, field) for column, field in COLUMNS.items() if column not in irrelevant}
    assert told == {column: cell for column, cell in cells.items() if column not in irrelevant}


def test_the_table_is_complete() -> None:
    """Every verb, prefix, scope, tunnel and kind of Global scope that the grammar knows has a row."""
    read = [cells for _, cells in rows()]
    assert {cells["verb"] for cells in read} >= {
        *METHOD_VERBS.values(), "list", "watch", "deletecollection", "proxy", "post", "options", "",
    }  # fmt: skip
    assert {cells["prefix"] for cells in read} == {*PREFIXES, ""}
    assert {cells["scope"] for cells in read} == {"Global", "Workspace", "Namespace", "Cluster", ""}
    assert {(cells["resource"], cells["subresource"]) for cells in read if cells["verb"] == "create"} >= TUNNELS
    globals_here = {(cells["group"], cells["resource"]) for cells in read if cells["scope"] == "Global"}
    assert globals_here == ALWAYS_GLOBAL | GLOBAL_UNLESS_WORKSPACE


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize(
    "target",
    ["pods/p/exec", "pods/p/attach", "pods/p/portforward", "pods/p/proxy", "services/s/proxy", "nodes/n/proxy/x"],
)
def test_reaching_into_a_workload_is_create(method: str, target: str) -> None:
    assert parse(method, f"/api/v1/namespaces/n/{target}").verb == "create"
    assert parse(method, f"/apis/x.io/v1/namespaces/n/{target}").verb == "create"


@pytest.mark.parametrize(
    "path",
    ["/", "", "/api", "/api/v1", "/apis/apps/v1", "/version", "/dist/foo/index.js", "/oauth/token", "/clusters",
     "/clusters/x", "/clusters/x/api", "/clusters/x/api/v1", "/kapis/clusters/x/g/v1", "/proxy/a//b", "/proxy/a%2Fb"],
)  # fmt: skip
def test_plain_paths(path: str) -> None:
    found = parse("GET", path)
    assert not found.resource_request
    assert not found.ambiguous
    assert found.verb == "get"


def test_an_encoded_slash_never_makes_a_segment() -> None:
    assert parse("GET", "/proxy/a%2Fb/c").path == "/proxy/a%2Fb/c"
    assert parse("GET", "/proxy/%61/").path == "/proxy/a/"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/namespaces/n/../../secrets", ""), ("/api/v1/%2e%2e/secrets", ""), ("/dist/..%2f..%2fetc", ""),
        ("/api/v1/foos/x/y/..%2f..%2fz", ""), ("/proxy/a/..%5c..%5cb", ""), ("/proxy/./a", ""),
        ("/api/v1/namespaces%2Fkube-system%2Fsecrets", ""), ("/api/v1/namespaces/n/pods/p%2Fexec", ""),
        ("/apis/g%2Fv1/v1/secrets", ""), ("//api/v1/secrets", ""),
        ("/api//v1/secrets", ""), ("/api/v1//secrets", ""), ("/api/v1/namespaces//secrets", ""),
        ("/clusters//api/v1/secrets", ""), ("/clusters/x//api/v1/secrets", ""), ("/proxy/%ff", ""), ("/a%00b", ""),
        ("/api/v1/pods", "watch=0&watch=1"), ("/api/v1/pods", "&".join(["watch=1"] * 300)),
    ],
)  # fmt: skip
def test_what_servers_read_differently_is_ambiguous(path: str, query: str) -> None:
    assert parse("GET", path, query).ambiguous


SEGMENT = st.sampled_from(
    ["api", "apis", "kapis", "kapi", "v1", "clusters", "c", "workspaces", "workspacetemplates", "w", "namespaces", "n",
     "status", "finalize", "proxy", "watch", "pods", "exec", "x", "", ".", "..", "%2e%2e", "%2F", "%", "%zz", "é"]
)  # fmt: skip
PATHS = st.lists(SEGMENT, max_size=12).map(lambda parts: "/" + "/".join(parts)) | st.text(max_size=60)
QUERIES = st.text(max_size=40) | st.lists(
    st.sampled_from(["watch", "watch=1", "watch=false", "fieldSelector=metadata.name=x", "labelSelector=a=b", "%", "="])
).map("&".join)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "", "get"])


@given(METHODS | st.text(max_size=8), PATHS, QUERIES)
@example("GET", "/clusters/x/api/v1", "")
@example("GET", "/api/v1/workspaces", "watch")
def test_any_input_gives_attributes(method: str, path: str, query: str) -> None:
    found = parse(method, path, query)
    assert isinstance(found, Attributes)
    assert found == parse(method, path, query)
    if found.resource_request and not found.ambiguous:
        assert found.api_prefix
        assert found.api_version
        assert found.resource
        assert not any("/" in part for part in (found.api_group, found.resource, found.subresource, found.name))
        assert found.verb not in {"list", "deletecollection"} or method.upper() in {"GET", "HEAD", "DELETE"}


@given(st.lists(SEGMENT, max_size=10), METHODS)
def test_dot_segments_never_pass(parts: list[str], method: str) -> None:
    for hostile in ("..", "%2e%2e", "%2E.", "a%2f..", "..%5cx"):
        assert parse(method, "/" + "/".join([*parts, hostile, "x"])).ambiguous
