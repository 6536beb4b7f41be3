"""The built-in lines of the table, and the cluster as an upstream."""

import stat
from pathlib import Path

import pytest

from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.gateway.cluster_upstream import cluster_upstream
from dovetail.kube import ClusterConfig, ExecPlugin
from dovetail.kube.errors import ConfigError
from dovetail.routing.compiler import CompilerInput, compile_table
from dovetail.routing.matching import Matcher
from dovetail.routing.model import Upstream
from dovetail.routing.upstreams import with_key

CLUSTER = with_key(Upstream(key="", authority="cluster"))
BUILT_IN = BuiltIn(internal("/run/control.sock"), internal("/run/console.sock"), CLUSTER)


def matcher() -> Matcher:
    given = CompilerInput(routes=BUILT_IN.routes(), upstreams=BUILT_IN.upstreams)
    compilation = compile_table(given)
    assert not compilation.problems
    return Matcher(compilation.table)


@pytest.mark.parametrize(
    ("method", "path", "route", "access"),
    [
        ("POST", "/oauth/token", "builtin/oauth", "public"),
        ("GET", "/.well-known/openid-configuration", "builtin/oauth-discovery", "public"),
        ("GET", "/kapis/version", "builtin/kapis-version", "public"),
        ("GET", "/kapis/iam.kubesphere.io/v1beta1/users", "builtin/kapis", "authorized"),
        ("GET", "/api/v1/namespaces", "builtin/cluster-api", "authorized"),
        ("PATCH", "/apis/apps/v1/deployments", "builtin/cluster-apis", "authorized"),
        ("GET", "/readyz", "builtin/readyz", "public"),
        ("GET", "/readyz/workers", "builtin/readyz", "public"),
        ("GET", "/metrics", "builtin/metrics", "authorized"),
        ("GET", "/openapi/v3", "builtin/cluster-openapi", "authorized"),
        ("GET", "/openapi/v3/apis/apps/v1", "builtin/cluster-openapi", "authorized"),
        ("GET", "/openapi/v3/kapis", "builtin/openapi-v3", "authorized"),
        ("GET", "/openapi/v3/kapis/a.io/v1", "builtin/openapi-v3", "authorized"),
        ("GET", "/openapi/v2/kapis", "builtin/openapi-v2", "authorized"),
        ("GET", "/swagger-ui/", "builtin/console", "public"),
        ("GET", "/dist/greeter/index.js", "builtin/bundles", "public"),
        ("GET", "/console/api/boot", "builtin/console-api", "authenticated"),
        ("GET", "/", "builtin/console", "public"),
        ("GET", "/login", "builtin/console", "public"),
        ("GET", "/apisx", "builtin/console", "public"),
    ],
)
def test_who_answers_what(method: str, path: str, route: str, access: str) -> None:
    found = matcher().find(method, path)

    assert found is not None
    assert (found.id, found.access) == (route, access)


def test_the_page_is_only_read() -> None:
    assert matcher().find("POST", "/anything") is None


def test_only_the_cluster_is_called_as_the_user() -> None:
    for route in BUILT_IN.routes():
        assert (route.identity == "impersonate") == (route.upstream == CLUSTER.key)


def test_inline_credentials_become_private_files(tmp_path: Path) -> None:
    config = ClusterConfig(
        server="https://kube.example.org:6443/prefix", ca_data="CA", client_cert_data="CERT", client_key_data="KEY"
    )
    upstream = cluster_upstream(config, tmp_path)

    assert upstream.tls is not None
    assert upstream.base_path == "/prefix"
    assert (upstream.tls.ca_pem, upstream.tls.server_name) == ("CA", "kube.example.org")
    key = Path(upstream.tls.client_key_file)
    assert key.read_text() == "KEY"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "KEY" not in repr(upstream)


def test_a_token_is_named_by_its_file(tmp_path: Path) -> None:
    inline = cluster_upstream(ClusterConfig(server="http://a", token="secret"), tmp_path)
    named = cluster_upstream(ClusterConfig(server="http://a", token_file=Path("/t")), tmp_path)

    assert Path(inline.bearer_token_file).read_text() == "secret"
    assert named.bearer_token_file == "/t"


def test_credentials_that_workers_cannot_use_are_refused_with_the_way_out(tmp_path: Path) -> None:
    config = ClusterConfig(server="https://a", exec=ExecPlugin("v1", "aws"))
    with pytest.raises(ConfigError, match="client certificate or a token"):
        cluster_upstream(config, tmp_path)
