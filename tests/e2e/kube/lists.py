"""Rows: discovery, lists, selectors, output forms."""

import json

from tests.e2e.kube.cluster import Cluster
from tests.e2e.kube.samples import config_map, deployment, pod
from tests.e2e.kube.table import row

CONCEPTS = "reference/using-api/api-concepts/"
DISCOVERY = "concepts/overview/kubernetes-api/"
MAPS = "/api/v1/namespaces/{}/configmaps"


@row("Discovery", "api-resources and api-versions list every kind with its short names", "kubectl",
     "reference/kubectl/generated/kubectl_api-resources/")  # fmt: skip
def api_resources(cluster: Cluster) -> None:
    shown = cluster.kubectl("api-resources")
    for line in ("deploy", "netpol", "hpa", "crd,crds", "pvc", "cj", "csr", "quota", "pdb"):
        assert f" {line} " in shown, line
    versions = cluster.kubectl("api-versions").split()
    assert {"v1", "apps/v1", "autoscaling/v1", "autoscaling/v2", "policy/v1", "discovery.k8s.io/v1"} <= set(versions)


@row("Discovery", "aggregated discovery answers unchanged documents with 304", "HTTP",
     DISCOVERY + "#aggregated-discovery")  # fmt: skip
def aggregated_discovery(cluster: Cluster) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    first = cluster.http("GET", "/apis", Accept=accept)
    assert first.json["kind"] == "APIGroupDiscoveryList"
    tag = next(value for name, value in first.headers.items() if name.lower() == "etag")
    assert cluster.http("GET", "/apis", Accept=accept, If_None_Match=tag).code == 304


@row("Discovery", "OpenAPI v3 by group version, with hashes in the addresses", "HTTP",
     DISCOVERY + "#openapi-v3")  # fmt: skip
def openapi_v3(cluster: Cluster) -> None:
    index = cluster.http("GET", "/openapi/v3").json["paths"]
    address = index["apis/apps/v1"]["serverRelativeURL"]
    assert "?hash=" in address
    document = cluster.http("GET", address).json
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]


@row("Discovery", "explain knows the fields of every kind", "kubectl",
     "reference/kubectl/generated/kubectl_explain/")  # fmt: skip
def explain(cluster: Cluster) -> None:
    shown = cluster.kubectl("explain", "deployment.spec.strategy.rollingUpdate")
    assert "maxSurge" in shown
    assert "restartPolicy" in cluster.kubectl("explain", "pod.spec", "--recursive")


@row("Discovery", "health: livez, readyz with verbose and single checks, version", "HTTP",
     "reference/using-api/health-checks/")  # fmt: skip
def health(cluster: Cluster) -> None:
    assert cluster.http("GET", "/livez").raw == b"ok"
    shown = cluster.http("GET", "/readyz?verbose").raw.decode()
    assert "[+]ping ok" in shown
    assert "readyz check passed" in shown
    assert cluster.http("GET", "/readyz/ping").raw == b"ok"
    assert cluster.http("GET", "/version").json["minor"] == "36"


@row("Discovery", "metrics in Prometheus' form under kube-apiserver's names", "HTTP",
     "reference/instrumentation/metrics/")  # fmt: skip
def metrics(cluster: Cluster) -> None:
    shown = cluster.http("GET", "/metrics").raw.decode()
    assert "apiserver_request_total{" in shown
    assert "apiserver_request_duration_seconds_bucket{" in shown


@row("Lists", "limit and continue give a consistent snapshot while objects change", "HTTP",
     CONCEPTS + "#retrieving-large-results-sets-in-chunks")  # fmt: skip
def pages(cluster: Cluster) -> None:
    ns = cluster.namespace()
    for number in range(7):
        cluster.http("POST", MAPS.format(ns), config_map(f"m{number}"))
    before = [i["metadata"]["name"] for i in cluster.http("GET", MAPS.format(ns)).json["items"]]
    page = cluster.http("GET", MAPS.format(ns) + "?limit=3").json
    assert page["metadata"]["remainingItemCount"] == len(before) - 3
    cluster.http("DELETE", MAPS.format(ns) + "/m5")
    cluster.http("POST", MAPS.format(ns), config_map("m55"))
    names = [i["metadata"]["name"] for i in page["items"]]
    while token := page["metadata"].get("continue"):
        page = cluster.http("GET", MAPS.format(ns) + f"?limit=3&continue={token}").json
        names += [i["metadata"]["name"] for i in page["items"]]
    assert names == before


@row("Lists", "resourceVersionMatch=Exact shows the list as it was", "HTTP",
     CONCEPTS + "#semantics-for-get-and-list")  # fmt: skip
def exact_version(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("old"))
    version = cluster.http("GET", MAPS.format(ns)).json["metadata"]["resourceVersion"]
    cluster.http("DELETE", MAPS.format(ns) + "/old")
    past = cluster.http("GET", MAPS.format(ns) + f"?resourceVersion={version}&resourceVersionMatch=Exact").json
    assert "old" in [i["metadata"]["name"] for i in past["items"]]
    future = cluster.http("GET", MAPS.format(ns) + "?resourceVersion=99999999")
    assert future.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@row("Lists", "label selectors: equality, sets, existence", "kubectl",
     "concepts/overview/working-with-objects/labels/#label-selectors")  # fmt: skip
def label_selectors(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[
        config_map("a", {"tier": "front"}), config_map("b", {"tier": "back", "old": "yes"}), config_map("c"),
    ])  # fmt: skip

    def found(selector: str) -> set[str]:
        names = cluster.kubectl("-n", ns, "get", "cm", "-l", selector, "-o", "name").split()
        return {name.rpartition("/")[2] for name in names} - {"kube-root-ca.crt"}

    assert found("tier=front") == {"a"}
    assert found("tier!=front") == {"b", "c"}
    assert found("tier in (front,back),!old") == {"a"}
    assert found("tier notin (front)") == {"b", "c"}


@row("Lists", "field selectors of each kind, and the error for the others", "kubectl",
     "concepts/overview/working-with-objects/field-selectors/")  # fmt: skip
def field_selectors(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[pod("a"), pod("b", restartPolicy="Never")])
    shown = cluster.kubectl("-n", ns, "get", "pods", "--field-selector=spec.restartPolicy=Never", "-o", "name")
    assert shown.split() == ["pod/b"]
    told = cluster.kubectl("-n", ns, "get", "pods", "--field-selector=spec.foo=x", code=1)
    assert "field label not supported: spec.foo" in told


@row("Lists", "tables: the columns that kubectl users expect, wide ones too", "kubectl",
     CONCEPTS + "#receiving-resources-as-tables")  # fmt: skip
def tables(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[pod("a"), deployment("web")])
    assert cluster.kubectl("-n", ns, "get", "pods").split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert "0/1" in cluster.kubectl("-n", ns, "get", "deploy")
    wide = cluster.kubectl("-n", ns, "get", "deploy", "-o", "wide")
    assert "CONTAINERS" in wide
    assert "app=web" in wide
    assert "NODE" in cluster.kubectl("-n", ns, "get", "pods", "-o", "wide")


@row("Lists", "metadata only: PartialObjectMetadataList", "HTTP", CONCEPTS + "#metadata-only-fetches")
def partial_metadata(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("a", x="1"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    found = cluster.http("GET", MAPS.format(ns), Accept=accept).json
    assert found["kind"] == "PartialObjectMetadataList"
    assert all("data" not in item for item in found["items"])


@row(
    "Lists",
    "describe, get -o yaml, json, jsonpath and custom-columns, sorted",
    "kubectl",
    "reference/kubectl/#output-options",
)
def outputs(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[config_map("b", x="1"), config_map("a", x="2")])
    shown = cluster.kubectl("-n", ns, "get", "cm", "--sort-by=.data.x", "-o", "custom-columns=N:.metadata.name")
    assert [word for word in shown.split() if word in "ab"] == ["b", "a"]
    assert "x:\n----\n1" in cluster.kubectl("-n", ns, "describe", "cm/b")
    assert json.loads(cluster.kubectl("-n", ns, "get", "cm/a", "-o", "json"))["data"] == {"x": "2"}


@row("Lists", "Accept: application/yaml, and 406 for what is not served", "HTTP",
     CONCEPTS + "#alternate-representations-of-resources")  # fmt: skip
def media_types(cluster: Cluster) -> None:
    assert cluster.http("GET", "/api/v1/namespaces/default", Accept="application/yaml").raw.startswith(
        b"apiVersion: v1"
    )
    assert cluster.http("GET", "/api/v1/namespaces/default", Accept="text/html").code == 406
