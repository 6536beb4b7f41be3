"""Rows: create, update, patch, apply, delete."""

import json

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import config_map, deployment, pod
from tests.e2e.kube.table import row

AREA = "Writing"
CONCEPTS = "reference/using-api/api-concepts/"
APPLY = "reference/using-api/server-side-apply/"
MAPS = "/api/v1/namespaces/{}/configmaps"


@row(AREA, "create, read, replace and delete go round with the real kubectl", "kubectl",
     "reference/kubectl/quick-reference/")  # fmt: skip
def round_trip(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a", x="1"))
    cluster.kubectl("-n", ns, "replace", "-f", "-", stdin=config_map("a", x="2"))
    assert cluster.get("-n", ns, "cm/a")["data"] == {"x": "2"}
    assert 'configmap "a" deleted' in cluster.kubectl("-n", ns, "delete", "cm/a")
    assert '(NotFound): configmaps "a" not found' in cluster.kubectl("-n", ns, "get", "cm/a", code=1)


@row(AREA, "an update with an old resourceVersion is a Conflict", "kubectl", CONCEPTS + "#resource-versions")
def stale_update(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a", x="1"))
    seen = cluster.get("-n", ns, "cm/a")
    cluster.kubectl("-n", ns, "label", "cm/a", "k=v")
    told = cluster.kubectl("-n", ns, "replace", "-f", "-", stdin=seen, code=1)
    assert "the object has been modified; please apply your changes to the latest version and try again" in told


@row(AREA, "generateName makes a name that is free", "HTTP", CONCEPTS + "#generated-values")
def generated_name(cluster: Cluster) -> None:
    ns = cluster.namespace()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
    names = {cluster.http("POST", MAPS.format(ns), body).json["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("made-") and len(name) == 10 for name in names)


@row(AREA, "a dry run answers as the real write would and stores nothing", "kubectl", CONCEPTS + "#dry-run")
def dry_run(cluster: Cluster) -> None:
    ns = cluster.namespace()
    shown = cluster.kubectl("-n", ns, "create", "deployment", "web", "--image=x", "--dry-run=server", "-o", "json")
    assert json.loads(shown)["spec"]["revisionHistoryLimit"] == 10
    assert "NotFound" in cluster.kubectl("-n", ns, "get", "deploy/web", code=1)


@row(AREA, "unknown and duplicate fields: refused with Strict, a warning with Warn, dropped with Ignore", "kubectl",
     CONCEPTS + "#field-validation")  # fmt: skip
def field_validation(cluster: Cluster) -> None:
    ns = cluster.namespace()
    wrong = {**deployment("web"), "spec": {**deployment("web")["spec"], "replica": 1}}
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=wrong, code=1)
    assert 'strict decoding error: unknown field "spec.replica"' in told
    told = cluster.kubectl("-n", ns, "create", "--validate=warn", "-f", "-", stdin=wrong)
    assert 'Warning: unknown field "spec.replica"' in told
    assert "Warning" not in cluster.kubectl("-n", ns, "replace", "--validate=ignore", "-f", "-", stdin=wrong)
    twice = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"d"},"data":{"a":"1"},"data":{"a":"2"}}'
    answer = cluster.http("POST", MAPS.format(ns) + "?fieldValidation=Strict", twice)
    assert (answer.code, "duplicate field" in answer.json["message"]) == (400, True)


@row(AREA, "JSON patch, with tests that must hold", "kubectl",
     "tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/")  # fmt: skip
def json_patch(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a", x="1", y="2"))
    change = '[{"op":"test","path":"/data/x","value":"1"},{"op":"remove","path":"/data/y"}]'
    cluster.kubectl("-n", ns, "patch", "cm/a", "--type=json", "-p", change)
    assert cluster.get("-n", ns, "cm/a")["data"] == {"x": "1"}
    refused = '[{"op":"test","path":"/data/x","value":"7"},{"op":"remove","path":"/data/x"}]'
    assert "server rejected our request" in cluster.kubectl(
        "-n", ns, "patch", "cm/a", "--type=json", "-p", refused, code=1
    )


@row(AREA, "merge patch removes with null", "kubectl",
     "tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/")  # fmt: skip
def merge_patch(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a", x="1", y="2"))
    cluster.kubectl("-n", ns, "patch", "cm/a", "--type=merge", "-p", '{"data":{"y":null,"z":"3"}}')
    assert cluster.get("-n", ns, "cm/a")["data"] == {"x": "1", "z": "3"}


@row(AREA, "strategic merge patch merges lists by their keys and obeys $patch", "kubectl",
     "tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/#notes-on-the-strategic-merge-patch")  # fmt: skip
def strategic_patch(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=deployment("web"))
    added = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}}
    cluster.kubectl("-n", ns, "patch", "deploy/web", "-p", json.dumps(added))
    names = [c["name"] for c in cluster.get("-n", ns, "deploy/web")["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["c", "side"]
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    cluster.kubectl("-n", ns, "patch", "deploy/web", "-p", json.dumps(gone))
    containers = cluster.get("-n", ns, "deploy/web")["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["c"]


@row(AREA, "kubectl apply changes what changed, removes what was dropped, leaves the rest", "kubectl",
     "tasks/manage-kubernetes-objects/declarative-config/")  # fmt: skip
def client_side_apply(cluster: Cluster) -> None:
    ns = cluster.namespace()
    assert "created" in cluster.kubectl("-n", ns, "apply", "-f", "-", stdin=config_map("a", x="1", y="2"))
    cluster.kubectl("-n", ns, "patch", "cm/a", "--type=merge", "-p", '{"data":{"other":"3"}}')
    assert "unchanged" in cluster.kubectl("-n", ns, "apply", "-f", "-", stdin=config_map("a", x="1", y="2"))
    assert "configured" in cluster.kubectl("-n", ns, "apply", "-f", "-", stdin=config_map("a", x="9"))
    assert cluster.get("-n", ns, "cm/a")["data"] == {"x": "9", "other": "3"}
    diff = cluster.kubectl("-n", ns, "diff", "-f", "-", stdin=config_map("a", x="8"), code=1)
    assert '-  x: "9"' in diff and '+  x: "8"' in diff  # noqa: PT018


@row(AREA, "server-side apply: conflicts name the other manager, force takes over, dropped fields go", "kubectl",
     APPLY + "#conflicts")  # fmt: skip
def server_side_apply(cluster: Cluster) -> None:
    ns = cluster.namespace()

    def apply(manager: str, obj: object, *options: str, code: int = 0) -> str:
        flags = ["-n", ns, "apply", "--server-side", f"--field-manager={manager}", "-f", "-", *options]
        return cluster.kubectl(*flags, stdin=obj, code=code)

    apply("one", config_map("a", x="1", y="1"))
    told = apply("two", config_map("a", x="2"), code=1)
    assert 'Apply failed with 1 conflict: conflict with "one": .data.x' in told
    apply("two", config_map("a", x="2"), "--force-conflicts")
    apply("one", config_map("a"))
    assert cluster.get("-n", ns, "cm/a")["data"] == {"x": "2"}


@row(AREA, "managedFields tell who set what, by which operation", "HTTP", APPLY + "#field-management")
def managed_fields(cluster: Cluster) -> None:
    ns = cluster.namespace()
    made = cluster.http("POST", MAPS.format(ns) + "?fieldManager=maker", config_map("a", x="1")).json
    (entry,) = made["metadata"]["managedFields"]
    assert {k: entry[k] for k in ("manager", "operation", "apiVersion", "fieldsType", "fieldsV1")} == {
        "manager": "maker", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, "f:x": {}}},
    }  # fmt: skip


@row(AREA, "generation grows with the spec and not with labels or the status", "kubectl",
     "reference/using-api/api-concepts/")  # fmt: skip
def generation(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=deployment("web"))
    cluster.kubectl("-n", ns, "label", "deploy/web", "k=v")
    cluster.kubectl("-n", ns, "patch", "deploy/web", "--subresource=status", "--type=merge", "-p",
                    '{"status":{"observedGeneration":1}}')  # fmt: skip
    assert cluster.get("-n", ns, "deploy/web")["metadata"]["generation"] == 1
    cluster.kubectl("-n", ns, "scale", "deploy/web", "--replicas=3")
    found = cluster.get("-n", ns, "deploy/web")
    assert (found["metadata"]["generation"], found["spec"]["replicas"]) == (2, 3)
    assert found["status"] == {"observedGeneration": 1}


@row(AREA, "an object with finalizers waits for the last of them", "kubectl",
     "concepts/overview/working-with-objects/finalizers/")  # fmt: skip
def finalizers(cluster: Cluster) -> None:
    ns = cluster.namespace()
    held = config_map("a")
    held["metadata"]["finalizers"] = ["rows.dovetail.dev/hold"]
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=held)
    cluster.kubectl("-n", ns, "delete", "cm/a", "--wait=false")
    assert cluster.get("-n", ns, "cm/a")["metadata"]["deletionTimestamp"]
    cluster.kubectl("-n", ns, "patch", "cm/a", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in cluster.kubectl("-n", ns, "get", "cm/a", code=1)


@row(AREA, "deletion with preconditions on uid and resourceVersion", "HTTP", CONCEPTS)
def preconditions(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("a"))
    wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "nobody"}}
    answer = cluster.http("DELETE", MAPS.format(ns) + "/a", wrong)
    assert (answer.code, answer.json["reason"]) == (409, "Conflict")
    assert cluster.http("DELETE", MAPS.format(ns) + "/a").json["status"] == "Success"


@row(AREA, "what a write may not do is Invalid, with a cause for each field", "HTTP",
     "reference/generated/kubernetes-api/v1.34/#status-v1-meta")  # fmt: skip
def invalid_causes(cluster: Cluster) -> None:
    ns = cluster.namespace()
    bad = deployment("web")
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    answer = cluster.http("POST", f"/apis/apps/v1/namespaces/{ns}/deployments", bad)
    assert (answer.code, answer.json["reason"]) == (422, "Invalid")
    assert answer.json["details"]["causes"] == [{
        "reason": "FieldValueInvalid", "field": "spec.template.metadata.labels",
        "message": 'Invalid value: {"app":"other"}: `selector` does not match template `labels`',
    }]  # fmt: skip


@row(AREA, "pods are defaulted and normalised as their users know it", "kubectl",
     "reference/kubernetes-api/workload-resources/pod-v1/")  # fmt: skip
def pod_defaults(cluster: Cluster) -> None:
    ns = cluster.namespace()
    made = pod("p")
    made["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1000m", "memory": "1024Mi"}}
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=made)
    found = cluster.get("-n", ns, "pod/p")
    container = found["spec"]["containers"][0]
    limits = {"cpu": "1", "memory": "1Gi"}
    assert container["resources"] == {"limits": limits, "requests": limits}
    assert (container["imagePullPolicy"], container["terminationMessagePath"]) == (
        "IfNotPresent", "/dev/termination-log",
    )  # fmt: skip
    assert found["spec"]["serviceAccountName"] == "default"
    assert found["spec"]["tolerations"][0]["key"] == "node.kubernetes.io/not-ready"
    assert found["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}


@row(AREA, "edit, set image, label, annotate and scale behave", "kubectl",
     "reference/kubectl/generated/kubectl_edit/")  # fmt: skip
def everyday_commands(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "deployment", "web", "--image=nginx:1", "--replicas=2")
    cluster.kubectl("-n", ns, "set", "image", "deploy/web", "nginx=nginx:2")
    cluster.kubectl("-n", ns, "annotate", "deploy/web", "note=one")
    cluster.kubectl("-n", ns, "autoscale", "deploy/web", "--min=1", "--max=3")
    found = cluster.get("-n", ns, "deploy/web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2"
    assert "Deployment/web" in cluster.kubectl("-n", ns, "get", "hpa")
    told = cluster.kubectl("-n", ns, "rollout", "status", "deploy/web", "--timeout=1s", code=1)
    assert "Waiting for deployment" in told
    cluster.kubectl("-n", ns, "expose", "deploy/web", "--port=80")
    assert cluster.get("-n", ns, "svc/web")["spec"]["clusterIP"].startswith("10.")


@row(AREA, "kubectl wait follows conditions and deletions", "kubectl",
     "reference/kubectl/generated/kubectl_wait/")  # fmt: skip
def waits(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=deployment("web"))
    status = {"status": {"conditions": [{"type": "Available", "status": "True", "reason": "r", "message": "m"}]}}
    cluster.kubectl("-n", ns, "patch", "deploy/web", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    assert "condition met" in cluster.kubectl(
        "-n", ns, "wait", "--for=condition=Available", "deploy/web", "--timeout=5s"
    )
    cluster.kubectl("-n", ns, "delete", "deploy/web", "--wait=true", "--timeout=10s")
    eventually(lambda: "No resources" in cluster.kubectl("-n", ns, "get", "deploy"))
