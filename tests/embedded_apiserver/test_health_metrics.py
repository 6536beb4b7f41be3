"""Health checks, metrics, version and the keys for service account tokens."""

from typing import Any

import pytest

from dovetail.embedded.apiserver.discovery.health import Health
from dovetail.embedded.apiserver.discovery.metrics import Metrics
from dovetail.embedded.apiserver.requests import Query, RequestInfo

from .conftest import Http, config_map
from .test_discovery import raw

# -- the checks


def text_of(health: Health, path: str, query: bytes = b"") -> tuple[int, str]:
    answer = health.answer(path, Query(query))
    assert answer is not None
    assert isinstance(answer.body, bytes)
    return answer.code, answer.body.decode()


def test_all_is_well() -> None:
    health = Health()
    assert text_of(health, "/livez") == (200, "ok")
    expected = "[+]ping ok\n[+]log ok\n[+]etcd ok\nlivez check passed\n"
    assert text_of(health, "/livez", b"verbose") == (200, expected)
    assert text_of(health, "/readyz/ping") == (200, "ok")
    assert health.answer("/readyz/nothing", Query(b"")) is None


def test_a_check_that_fails_is_told_without_its_reason() -> None:
    health = Health()
    health.add("etcd", lambda: "disk full")
    lines = "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\nhealthz check failed\n"
    assert text_of(health, "/healthz") == (500, lines)
    assert text_of(health, "/healthz/etcd") == (500, "internal server error: disk full\n")
    lines = "[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\nhealthz check passed\n"
    assert text_of(health, "/healthz", b"verbose&exclude=etcd") == (200, lines)


def test_a_server_that_stops_is_alive_but_not_ready() -> None:
    health = Health()
    health.stopping = True
    assert text_of(health, "/livez") == (200, "ok")
    code, text = text_of(health, "/readyz")
    assert code == 500
    assert "[-]shutdown failed: reason withheld\n" in text
    assert text.endswith("readyz check failed\n")


def test_what_cannot_be_excluded_is_named() -> None:
    _, text = text_of(Health(), "/livez", b"verbose&exclude=none&exclude=ping")
    assert text.startswith("[+]ping excluded: ok\n")
    assert 'warn: some health checks cannot be excluded: no matches for "none"\n' in text


async def test_health_by_http(http: Http, nobody: Http) -> None:
    response, body = await raw(nobody, "/readyz?verbose")
    assert response.status == 200
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert body.decode().endswith("readyz check passed\n")
    assert (await raw(http, "/livez/ping"))[1] == b"ok"
    assert (await raw(http, "/livez/none"))[0].status == 404


# -- metrics


def test_counters_are_in_the_text_form_of_prometheus() -> None:
    metrics = Metrics()
    info = RequestInfo("list", "/api/v1/pods", True, "", "v1", "", "pods")
    metrics.observed(info, 200, 0.03)
    metrics.observed(info, 200, 100.0)
    metrics.gauges.append(lambda: {"apiserver_storage_objects": {'resource="pods"': 3}})
    lines = metrics.text().decode().splitlines()
    labels = 'dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"'
    assert f'apiserver_request_total{{code="200",component="apiserver",{labels}}} 2' in lines
    name = "apiserver_request_duration_seconds"
    assert f'{name}_bucket{{component="apiserver",{labels},le="0.05"}} 1' in lines
    assert f'{name}_bucket{{component="apiserver",{labels},le="60"}} 1' in lines
    assert f'{name}_bucket{{component="apiserver",{labels},le="+Inf"}} 2' in lines
    assert f'{name}_count{{component="apiserver",{labels}}} 2' in lines
    assert 'apiserver_storage_objects{resource="pods"} 3' in lines


def test_what_clients_invent_is_no_label() -> None:
    metrics = Metrics()
    for name in ("a", "b"):
        metrics.observed(RequestInfo("get", "", True, "", "v1", "n", "pods", "p", name), 404, 0.0)
    lines = [line for line in metrics.text().decode().splitlines() if line.startswith("apiserver_request_total")]
    assert len(lines) == 1


async def test_metrics_by_http(http: Http, namespace: str) -> None:
    code, _ = await http("POST", f"/api/v1/namespaces/{namespace}/configmaps", config_map("c"))
    assert code == 201
    response, body = await raw(http, "/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    names: dict[str, float] = {}
    for line in body.decode().splitlines():
        if not line.startswith("#"):
            name, _, number = line.rpartition(" ")
            names[name] = float(number)
    counted = [name for name in names if 'resource="configmaps"' in name and 'verb="POST"' in name]
    assert any(name.startswith("apiserver_request_total") and 'code="201"' in name for name in counted)
    assert names['apiserver_storage_objects{resource="namespaces"}'] >= 4
    assert names['apiserver_resource_objects{group="",resource="namespaces"}'] >= 4
    assert names["process_resident_memory_bytes"] > 1 << 20
    assert any(name.startswith("kubernetes_build_info{") for name in names)


async def test_metrics_are_not_for_everybody(nobody: Http) -> None:
    response, _ = await raw(nobody, "/metrics")
    assert response.status in (401, 403)


# -- the rest


async def test_the_version_is_one_that_clients_can_compare(http: Http) -> None:
    _, body = await http("GET", "/version")
    assert (body["major"], body["minor"]) == ("1", "36")
    assert body["gitVersion"].startswith("v1.36.")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/.well-known/openid-configuration", "application/json"), ("/openid/v1/jwks", "application/jwk-set+json")],
)
async def test_keys_may_be_kept_for_an_hour(http: Http, path: str, kind: str) -> None:
    response, _ = await raw(http, path)
    assert response.status == 200
    assert response.headers["content-type"] == kind
    assert response.headers["cache-control"] == "public, max-age=3600"
    body: Any = await response.json(content_type=None)
    assert body
