"""Rows: what is not supported, and the Status with which it is refused. `says` is "what: how"."""

import json
from http.client import HTTPSConnection
from typing import Any

from tests.e2e.kube.aggregation import sums_server
from tests.e2e.kube.cluster import Cluster
from tests.e2e.kube.samples import definition, pod
from tests.e2e.kube.table import row

AREA = "Not supported"


def _not_served(cluster: Cluster, group_version: str, plural: str) -> None:
    answer = cluster.http("GET", f"/apis/{group_version}/{plural}")
    assert answer.code == 404
    assert group_version not in cluster.kubectl("api-versions").split() or plural not in cluster.kubectl(
        "api-resources", f"--api-group={group_version.partition('/')[0]}", "-o", "name"
    )


@row(AREA, "ValidatingAdmissionPolicy, MutatingAdmissionPolicy and their bindings: 404, not in discovery", "HTTP",
     "reference/access-authn-authz/validating-admission-policy/", supported=False)  # fmt: skip
def admission_policies(cluster: Cluster) -> None:
    for plural in ("validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies"):
        _not_served(cluster, "admissionregistration.k8s.io/v1", plural)


def _websocket(cluster: Cluster, path: str) -> tuple[int, Any]:
    """The answer to a WebSocket's handshake; urllib would replace its Connection header."""
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    connection = HTTPSConnection("127.0.0.1", cluster.port, timeout=30, context=cluster.tls())
    try:
        connection.request("GET", path, headers=upgrade)
        with connection.getresponse() as response:
            return response.status, json.load(response)
    finally:
        connection.close()


@row(
    AREA,
    "Upgraded connections and OpenAPI of aggregated API servers: 501 for a WebSocket; explain does not know the kinds",
    "HTTP",
    "concepts/extend-kubernetes/api-extension/apiserver-aggregation/",
    supported=False,
)
def aggregated_upgrades(cluster: Cluster) -> None:
    ns = cluster.namespace()
    with sums_server(cluster, ns):
        path = f"/apis/sums.example.dev/v1/namespaces/{ns}/sums/one"
        assert cluster.http("GET", path).code == 200
        code, status = _websocket(cluster, path)
        assert (code, status["reason"]) == (501, "NotImplemented")
        assert "upgraded connections are not forwarded" in status["message"]
        told = cluster.kubectl("explain", "sums.sums.example.dev", code=1)
        assert "sums.example.dev" in told


@row(AREA, "Conversion webhooks: a definition with several versions and strategy Webhook is Invalid", "kubectl",
     "tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/", supported=False)  # fmt: skip
def conversion_webhooks(cluster: Cluster) -> None:
    crd = definition("converts", "Convert", {"n": {"type": "integer"}})
    crd["spec"]["versions"].append({**crd["spec"]["versions"][0], "name": "v2", "storage": False})
    client = {"url": "https://127.0.0.1:1/convert"}
    crd["spec"]["conversion"] = {
        "strategy": "Webhook", "webhook": {"clientConfig": client, "conversionReviewVersions": ["v1"]},
    }  # fmt: skip
    told = cluster.kubectl("create", "-f", "-", stdin=crd, code=1)
    assert "conversion webhooks are not supported" in told


@row(AREA, "API priority and fairness (FlowSchema, PriorityLevelConfiguration): 404; too many requests at once get 429",
     "HTTP", "concepts/cluster-administration/flow-control/", supported=False)  # fmt: skip
def flow_control(cluster: Cluster) -> None:
    _not_served(cluster, "flowcontrol.apiserver.k8s.io/v1", "flowschemas")


@row(AREA, "Dynamic resource allocation (resource.k8s.io): 404", "HTTP",
     "concepts/scheduling-eviction/dynamic-resource-allocation/", supported=False)  # fmt: skip
def resource_claims(cluster: Cluster) -> None:
    _not_served(cluster, "resource.k8s.io/v1", "resourceclaims")


@row(AREA, "Deletion of objects that cannot be read (ignoreStoreReadErrorWithClusterBreakingPotential): 422 Invalid",
     "HTTP", "reference/kubernetes-api/common-definitions/delete-options/", supported=False)  # fmt: skip
def unreadable_objects(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "configmap", "a")
    option = {"ignoreStoreReadErrorWithClusterBreakingPotential": True}
    answer = cluster.http("DELETE", f"/api/v1/namespaces/{ns}/configmaps/a", option)
    assert (answer.code, answer.json["reason"]) == (422, "Invalid")
    assert cluster.get("-n", ns, "configmap/a")["metadata"]["name"] == "a"


@row(AREA, "Answers in CBOR: 406 (JSON, YAML and protobuf are there)", "HTTP",
     "reference/using-api/api-concepts/#cbor-resource-encoding", supported=False)  # fmt: skip
def cbor(cluster: Cluster) -> None:
    assert cluster.http("GET", "/api/v1/namespaces", Accept="application/cbor").code == 406


@row(AREA, "Logs, exec, attach and port-forward without a node: what Kubernetes answers for a pod without a host",
     "kubectl", "reference/kubectl/generated/kubectl_logs/", supported=False)  # fmt: skip
def node_streams(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("a"))
    assert cluster.http("GET", f"/api/v1/namespaces/{ns}/pods/a/log").code == 204
    told = cluster.kubectl("-n", ns, "exec", "a", "--", "true", code=1)
    assert "pod a does not have a host assigned" in told
