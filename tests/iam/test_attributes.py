"""The grammar of requests: worked examples, the readings that differ between servers, and any input at all."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dovetail.iam.attributes import Attributes, parse


def of(**fields: object) -> dict[str, object]:
    return fields


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/namespaces/a/pods", "",
         of(api_prefix="api", namespace="a", resource="pods", verb="list", scope="Namespace")),
        ("GET", "/clusters/m1/apis/apps/v1/deployments", "",
         of(cluster="m1", api_group="apps", api_version="v1", resource="deployments", verb="list", scope="Cluster")),
        ("GET", "/kapis/clusters/m1/apps/v1/deployments", "",
         of(cluster="m1", api_group="apps", resource="deployments", verb="list")),
        ("GET", "/kapis/tenant.kubesphere.io/v1beta1/workspaces/ws1/namespaces", "",
         of(workspace="ws1", resource="namespaces", namespace="", verb="list", scope="Workspace")),
        ("GET", "/kapis/tenant.kubesphere.io/v1beta1/workspaces/ws1", "",
         of(workspace="ws1", resource="workspaces", name="ws1", verb="get", scope="Workspace")),
        ("GET", "/kapis/tenant.kubesphere.io/v1beta1/workspaces", "",
         of(workspace="", resource="workspaces", verb="list", scope="Global")),
        ("PUT", "/kapis/iam.kubesphere.io/v1beta1/users/u1/password", "",
         of(resource="users", subresource="password", name="u1", verb="update", scope="Global")),
        ("GET", "/kapis/foo.io/v1/namespaces/n/foos/x/y", "",
         of(namespace="n", resource="foos", name="x", subresource="y", verb="get", scope="Namespace")),
        ("GET", "/kapis/foo.io/v1/workspaces/w/namespaces/n/foos/x", "",
         of(workspace="w", namespace="n", resource="foos", name="x", scope="Namespace")),
        ("PUT", "/api/v1/namespaces/n/status", "",
         of(namespace="n", resource="namespaces", name="n", subresource="status")),
        ("GET", "/api/v1/namespaces/n/pods/p/log/deeper/still", "",
         of(resource="pods", name="p", subresource="log")),
        ("GET", "/api/v1/watch/namespaces/n/pods", "", of(verb="watch", resource="pods", namespace="n")),
        ("POST", "/kapis/g/v1/watch/foos", "", of(verb="create", resource="watch", name="foos")),
        ("GET", "/api/v1/proxy/nodes/n/secret/path", "", of(verb="proxy", resource="nodes", subresource="")),
        ("HEAD", "/api/v1/nodes/n", "", of(verb="get")),
        ("PATCH", "/api/v1/nodes/n", "", of(verb="patch")),
        ("DELETE", "/api/v1/nodes/n", "", of(verb="delete")),
        ("DELETE", "/api/v1/nodes", "", of(verb="deletecollection")),
        ("BREW", "/api/v1/nodes", "", of(verb="", resource_request=True)),
        ("GET", "/api/v1/pods", "watch=true", of(verb="watch")),
        ("GET", "/api/v1/pods", "watch", of(verb="watch")),
        ("GET", "/api/v1/pods", "watch=0", of(verb="list")),
        ("GET", "/api/v1/pods", "%77atch=1", of(verb="watch")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name%3Dx", of(verb="list", name="x")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name==x&watch=1", of(verb="watch", name="x")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name!=x", of(name="")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name=x&fieldSelector=metadata.name=y", of(name="")),
        ("GET", "/api/v1/pods", "fieldSelector=metadata.name=x,metadata.name=y", of(name="")),
        ("POST", "/api/v1/pods", "fieldSelector=metadata.name=x", of(verb="create", name="")),
        ("DELETE", "/api/v1/pods", "fieldSelector=metadata.name=x", of(verb="deletecollection", name="x")),
        ("GET", "/api/v1/namespaces", "watch=1&labelSelector=kubesphere.io/workspace=w1",
         of(workspace="w1", scope="Workspace")),
        ("GET", "/api/v1/namespaces", "labelSelector=kubesphere.io/workspace=w1", of(workspace="", scope="Cluster")),
        ("GET", "/api/v1/namespaces", "watch=1&labelSelector=!kubesphere.io/workspace=w1", of(workspace="")),
        ("GET", "/kapis/iam.kubesphere.io/v1beta1/workspaces/w/globalrolebindings", "", of(scope="Global")),
        ("GET", "/%61pi/v1/secrets", "", of(resource="secrets", resource_request=True)),
        ("GET", "/api/v1/secrets/", "", of(resource="secrets", verb="list")),
    ],
)  # fmt: skip
def test_resources(method: str, path: str, query: str, expected: dict[str, object]) -> None:
    found = parse(method, path, query)
    assert not found.ambiguous
    assert found.resource_request
    assert {name: getattr(found, name) for name in expected} == expected


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
