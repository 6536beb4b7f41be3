"""Pods and templates come back with what kube-apiserver adds, and with nothing else. Expected objects are those that
kube-apiserver 1.36 gives (its defaults.go, its documentation)."""

import uuid
from typing import Any

import pytest

from .conftest import Http, Server

CONTAINER = {"name": "c", "image": "nginx"}
FULL_CONTAINER = {
    "name": "c", "image": "nginx", "resources": {}, "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File", "imagePullPolicy": "Always",
}  # fmt: skip
FULL_SPEC = {
    "containers": [FULL_CONTAINER], "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst", "securityContext": {}, "schedulerName": "default-scheduler",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(server: Server) -> str:
    """One namespace for all: nothing is kept in it."""
    name = f"pods{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    for account in ("default", "other"):
        server.kubectl("create", "serviceaccount", account, "-n", name)
    return f"/api/v1/namespaces/{name}"


def pod(**spec: Any) -> dict[str, Any]:
    quiet = {"automountServiceAccountToken": False, "containers": [CONTAINER]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {**quiet, **spec}}


async def created(http: Http, place: str, **spec: Any) -> dict[str, Any]:
    code, answer = await http("POST", f"{place}/pods?dryRun=All", pod(**spec))
    assert code == 201, answer
    return answer


async def test_a_small_pod_is_completed(http: Http, place: str) -> None:
    answer = await created(http, place)
    tolerations = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]
    assert answer["spec"] == {
        **FULL_SPEC, "enableServiceLinks": True, "automountServiceAccountToken": False,
        "serviceAccountName": "default", "serviceAccount": "default", "tolerations": tolerations,
        "priority": 0, "preemptionPolicy": "PreemptLowerPriority",
    }  # fmt: skip
    assert answer["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert answer["metadata"]["generation"] == 1


async def test_what_go_would_drop_is_dropped_and_pointers_keep_their_zeros(http: Http, place: str) -> None:
    full = {**CONTAINER, "args": [], "command": [], "env": [], "stdin": False, "workingDir": "", "volumeMounts": []}
    answer = await created(
        http, place, containers=[full], hostNetwork=False, hostPID=False, nodeSelector={}, volumes=[],
        shareProcessNamespace=False, terminationGracePeriodSeconds=0, hostUsers=True,
    )  # fmt: skip
    spec = answer["spec"]
    assert spec["containers"] == [FULL_CONTAINER]
    assert not {"hostNetwork", "hostPID", "nodeSelector", "volumes"} & set(spec)
    assert (spec["shareProcessNamespace"], spec["terminationGracePeriodSeconds"], spec["hostUsers"]) == (False, 0, True)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"), ("nginx:latest", "Always"), ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/a/b", "Always"), ("registry:5000/a/b:v1", "IfNotPresent"),
        ("a/b@sha256:" + "0" * 64, "IfNotPresent"),
        ("a/b:latest@sha256:" + "0" * 64, "Always"), ("NotAnImage", "IfNotPresent"),
    ],
)  # fmt: skip
async def test_pull_policy_follows_the_tag(http: Http, place: str, image: str, policy: str) -> None:
    answer = await created(http, place, containers=[{"name": "c", "image": image}])
    assert answer["spec"]["containers"][0]["imagePullPolicy"] == policy


VOLUMES = [
    ({}, {"emptyDir": {}}),
    ({"hostPath": {"path": "/x"}}, {"hostPath": {"path": "/x", "type": ""}}),
    ({"secret": {"secretName": "s"}}, {"secret": {"secretName": "s", "defaultMode": 420}}),
    ({"configMap": {"name": "m"}}, {"configMap": {"name": "m", "defaultMode": 420}}),
    (
        {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"downwardAPI": {
            "items": [{"path": "a", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}],
            "defaultMode": 420,
        }},
    ),
    (
        {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"projected": {
            "sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}], "defaultMode": 420,
        }},
    ),
    (
        {"iscsi": {"targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:storage", "lun": 0}},
        {"iscsi": {
            "targetPortal": "1.2.3.4", "iqn": "iqn.2001-04.com.example:storage", "lun": 0, "iscsiInterface": "default",
        }},
    ),
    (
        {"rbd": {"monitors": ["m"], "image": "i"}},
        {"rbd": {"monitors": ["m"], "image": "i", "pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"}},
    ),
    (
        {"azureDisk": {"diskName": "d", "diskURI": "https://d"}},
        {"azureDisk": {
            "diskName": "d", "diskURI": "https://d", "cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False,
            "kind": "Shared",
        }},
    ),
    ({"image": {"reference": "quay.io/a:v1"}}, {"image": {"reference": "quay.io/a:v1", "pullPolicy": "IfNotPresent"}}),
    (
        {"ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}},
        }}}},
        {"ephemeral": {"volumeClaimTemplate": {"metadata": {}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeMode": "Filesystem",
        }}}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), VOLUMES, ids=lambda v: next(iter(v), "none"))
async def test_volumes(http: Http, place: str, given: Any, expected: Any) -> None:
    answer = await created(http, place, volumes=[{"name": "v", **given}])
    assert answer["spec"]["volumes"] == [{"name": "v", **expected}]


async def test_probes_hooks_and_references(http: Http, place: str) -> None:
    timing = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    container = {
        **CONTAINER, "ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"grpc": {"port": 9}}, "startupProbe": {"exec": {"command": ["x"]}, "periodSeconds": 2},
        "lifecycle": {"preStop": {"httpGet": {"port": "web"}}},
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "B", "value": ""}],
    }  # fmt: skip
    answer = await created(http, place, containers=[container])
    assert answer["spec"]["containers"][0] == {
        **FULL_CONTAINER, "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **timing},
        "readinessProbe": {"grpc": {"port": 9, "service": ""}, **timing},
        "startupProbe": {"exec": {"command": ["x"]}, **timing, "periodSeconds": 2},
        "lifecycle": {"preStop": {"httpGet": {"path": "/", "port": "web", "scheme": "HTTP"}}},
        "env": [
            {"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}, {"name": "B"},
        ],
    }  # fmt: skip


async def test_requests_come_from_limits_and_decide_the_class_of_service(http: Http, place: str) -> None:
    limited = {**CONTAINER, "resources": {"limits": {"cpu": "0.5", "memory": "128Mi"}}}
    answer = await created(http, place, containers=[limited])
    both = {"cpu": "500m", "memory": "128Mi"}
    assert answer["spec"]["containers"][0]["resources"] == {"limits": both, "requests": both}
    assert answer["status"]["qosClass"] == "Guaranteed"
    burstable = {**CONTAINER, "resources": {"limits": {"memory": "1Gi"}, "requests": {"memory": "1Mi"}}}
    assert (await created(http, place, containers=[burstable]))["status"]["qosClass"] == "Burstable"


async def test_pod_level_resources_are_completed_from_containers(http: Http, place: str) -> None:
    container = {**CONTAINER, "resources": {"requests": {"cpu": "100m"}}}
    answer = await created(http, place, containers=[container], resources={"limits": {"cpu": "1", "memory": "1Gi"}})
    assert answer["spec"]["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"},
    }  # fmt: skip


async def test_ports_on_the_host_network_are_the_hosts(http: Http, place: str) -> None:
    container = {**CONTAINER, "ports": [{"containerPort": 80}]}
    answer = await created(http, place, hostNetwork=True, containers=[container])
    assert answer["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]


async def test_a_gated_pod_says_so(http: Http, place: str) -> None:
    answer = await created(http, place, schedulingGates=[{"name": "example.com/wait"}])
    condition = answer["status"]["conditions"][0]
    assert condition.pop("lastTransitionTime")
    assert condition == {
        "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastProbeTime": None,
        "message": "Scheduling is blocked due to non-empty scheduling gates",
    }  # fmt: skip


async def test_label_keys_become_requirements(http: Http, place: str) -> None:
    body = pod(topologySpreadConstraints=[{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["v"],
        "labelSelector": {"matchLabels": {"app": "a"}},
    }])  # fmt: skip
    body["metadata"]["labels"] = {"app": "a", "v": "1"}
    code, answer = await http("POST", f"{place}/pods?dryRun=All", body)
    assert code == 201, answer
    selector = answer["spec"]["topologySpreadConstraints"][0]["labelSelector"]
    assert selector["matchExpressions"] == [{"key": "v", "operator": "In", "values": ["1"]}]


async def test_the_old_name_of_the_service_account_counts(http: Http, place: str) -> None:
    spec = (await created(http, place, serviceAccount="other"))["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("other", "other")


async def test_pod_templates_get_what_templates_get(http: Http, place: str) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"name": "t"},
        "template": {"spec": {"containers": [CONTAINER]}},
    }
    code, answer = await http("POST", f"{place}/podtemplates", body)
    assert code == 201
    assert answer["template"] == {"metadata": {}, "spec": FULL_SPEC}
