"""Rows: the controllers that the API itself needs."""

import time

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import config_map
from tests.e2e.kube.table import row

AREA = "Controllers"
GC = "concepts/architecture/garbage-collection/"


def _owned(cluster: Cluster, ns: str) -> None:
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("owner"))
    uid = cluster.get("-n", ns, "cm/owner")["metadata"]["uid"]
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": True}
    ]
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=child)


def _exists(cluster: Cluster, ns: str, name: str) -> bool:
    return "NotFound" not in cluster.kubectl("-n", ns, "get", f"cm/{name}", code=None)


@row(AREA, "dependents go in the background", "kubectl", GC + "#background-deletion")
def background(cluster: Cluster) -> None:
    ns = cluster.namespace()
    _owned(cluster, ns)
    cluster.kubectl("-n", ns, "delete", "cm/owner", "--cascade=background")
    eventually(lambda: not _exists(cluster, ns, "child"))


@row(AREA, "foreground deletion takes the dependents first", "kubectl", GC + "#foreground-deletion")
def foreground(cluster: Cluster) -> None:
    ns = cluster.namespace()
    _owned(cluster, ns)
    held = '{"metadata":{"finalizers":["rows.dovetail.dev/hold"]}}'
    cluster.kubectl("-n", ns, "patch", "cm/child", "--type=merge", "-p", held)
    cluster.kubectl("-n", ns, "delete", "cm/owner", "--cascade=foreground", "--wait=false")
    eventually(lambda: "deletionTimestamp" in cluster.get("-n", ns, "cm/child")["metadata"])
    assert _exists(cluster, ns, "owner")
    cluster.kubectl("-n", ns, "patch", "cm/child", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: not _exists(cluster, ns, "owner"))


@row(AREA, "orphaned dependents stay, without the reference", "kubectl", GC + "#orphan-dependents")
def orphan(cluster: Cluster) -> None:
    ns = cluster.namespace()
    _owned(cluster, ns)
    cluster.kubectl("-n", ns, "delete", "cm/owner", "--cascade=orphan")
    eventually(lambda: not _exists(cluster, ns, "owner"))
    assert "ownerReferences" not in cluster.get("-n", ns, "cm/child")["metadata"]


@row(AREA, "a namespace takes everything in it along", "kubectl",
     "concepts/overview/working-with-objects/namespaces/")  # fmt: skip
def namespaces(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a"))
    cluster.kubectl("-n", ns, "create", "deployment", "web", "--image=x")
    cluster.kubectl("delete", "ns", ns, "--timeout=20s")
    assert "NotFound" in cluster.kubectl("get", "ns", ns, code=1)


@row(AREA, "every namespace has its default account and the cluster's root certificate", "kubectl",
     "concepts/security/service-accounts/#default-service-accounts")  # fmt: skip
def furniture(cluster: Cluster) -> None:
    ns = cluster.namespace()
    eventually(lambda: _exists(cluster, ns, "kube-root-ca.crt"))
    authority = cluster.get("-n", ns, "cm/kube-root-ca.crt")["data"]["ca.crt"]
    assert authority.startswith("-----BEGIN CERTIFICATE-----")
    cluster.kubectl("-n", ns, "delete", "serviceaccount", "default")
    eventually(lambda: "default" in cluster.kubectl("-n", ns, "get", "sa", "-o", "name"))


@row(AREA, "token secrets of service accounts are filled in and removed with the account", "kubectl",
     "concepts/configuration/secret/#serviceaccount-token-secrets")  # fmt: skip
def token_secrets(cluster: Cluster) -> None:
    ns = cluster.namespace()
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "robot"}},
    }  # fmt: skip
    cluster.kubectl("-n", ns, "create", "serviceaccount", "robot")
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=secret)
    eventually(lambda: "token" in cluster.get("-n", ns, "secret/t").get("data", {}))
    cluster.kubectl("-n", ns, "delete", "serviceaccount", "robot")
    eventually(lambda: "NotFound" in cluster.kubectl("-n", ns, "get", "secret/t", code=None))


@row(AREA, "hand-made Endpoints are mirrored into EndpointSlices", "kubectl",
     "concepts/services-networking/endpoint-slices/#endpointslice-mirroring")  # fmt: skip
def mirroring(cluster: Cluster) -> None:
    ns = cluster.namespace()
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": {"ports": [{"port": 5432}]},
    }  # fmt: skip
    endpoints = {
        "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "db"},
        "subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 5432}]}],
    }  # fmt: skip
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[service, endpoints])
    selector = "endpointslice.kubernetes.io/managed-by=endpointslicemirroring-controller.k8s.io"
    eventually(lambda: cluster.get("-n", ns, "endpointslices", "-l", selector)["items"])
    (found,) = cluster.get("-n", ns, "endpointslices", "-l", selector)["items"]
    assert found["endpoints"][0]["addresses"] == ["192.0.2.1"]
    cluster.kubectl("-n", ns, "annotate", "endpoints/db", "note=new")
    name = found["metadata"]["name"]
    eventually(lambda: "note" in cluster.get("-n", ns, "endpointslices", name)["metadata"].get("annotations", {}))
    (same,) = cluster.get("-n", ns, "endpointslices", "-l", selector)["items"]
    assert same["metadata"]["uid"] == found["metadata"]["uid"], "a slice is kept as long as it fits"


@row(AREA, "claims and volumes in use are protected from deletion", "kubectl",
     "concepts/storage/persistent-volumes/#storage-object-in-use-protection")  # fmt: skip
def storage_protection(cluster: Cluster) -> None:
    ns = cluster.namespace()
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }  # fmt: skip
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=claim)
    assert cluster.get("-n", ns, "pvc/c")["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    cluster.kubectl("-n", ns, "delete", "pvc/c", "--timeout=20s")


@row(AREA, "controllers write nothing while nothing happens", "HTTP",
     "reference/using-api/api-concepts/#resource-versions")  # fmt: skip
def at_rest(cluster: Cluster) -> None:
    def version() -> str:
        return cluster.http("GET", "/api/v1/namespaces/default/configmaps").json["metadata"]["resourceVersion"]

    def rests() -> bool:
        before = version()
        time.sleep(2)
        return version() == before

    eventually(rests)
