"""What ``kubectl get`` shows: columns of kinds, cells of pods, columns that definitions declare."""

from typing import Any

import pytest

from dovetail.embedded.apiserver.output.columns import BUILTIN
from dovetail.embedded.apiserver.output.tables import AGE, CREATED, Column, columns_for
from dovetail.embedded.apiserver.registry.kinds import builtin_kinds
from dovetail.embedded.apiserver.registry.resource import ResourceType
from dovetail.embedded.apiserver.schema.structural import Structural

from .conftest import Http, Server

NOW = 1_700_000_000.0
AGO = "2023-11-14T22:08:20Z"  # five minutes before


def cells(store: str, obj: dict[str, Any], columns: Any = None) -> dict[str, Any]:
    whole = {"metadata": {"name": "x", "creationTimestamp": AGO}, **obj}
    return {column.name: column.cell(whole, NOW) for column in columns or BUILTIN[store]}


def pod(spec: Any = None, **status: Any) -> dict[str, Any]:
    return {"spec": spec or {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"phase": "Running", **status}}


RUNNING = {"ready": True, "state": {"running": {}}}
CRASHED = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3}
CRASHED["lastState"] = {"terminated": {"finishedAt": "2023-11-14T22:12:20Z"}}
SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}], "containers": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("obj", "ready", "status", "restarts"),
    [
        (pod(), "0/2", "Running", "0"),
        (pod(containerStatuses=[RUNNING, RUNNING]), "2/2", "Running", "0"),
        (pod(containerStatuses=[RUNNING, CRASHED]), "1/2", "CrashLoopBackOff", "3 (60s ago)"),
        (pod(containerStatuses=[{"state": {"terminated": {"exitCode": 2}}}]), "0/2", "ExitCode:2", "0"),
        (pod(containerStatuses=[{"state": {"terminated": {"signal": 9}}}]), "0/2", "Signal:9", "0"),
        (
            pod(containerStatuses=[{"state": {"terminated": {"reason": "Completed"}}}, RUNNING]),
            "1/2",
            "NotReady",
            "0",
        ),
        (pod(reason="Evicted", phase="Failed"), "0/2", "Evicted", "0"),
        (pod(conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]), "0/2", "SchedulingGated", "0"),
        (
            pod(
                {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]},
                phase="Pending",
                initContainerStatuses=[{"name": "i", "state": {"running": {}}}],
            ),
            "0/1",
            "Init:0/1",
            "0",
        ),
        (
            pod(
                SIDECAR,
                initContainerStatuses=[{"name": "s", "started": True, **RUNNING, "restartCount": 1}],
                containerStatuses=[RUNNING],
            ),
            "2/2",
            "Running",
            "1",
        ),
        (
            pod(
                {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}]},
                initContainerStatuses=[{"name": "i", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}],
            ),
            "0/1",
            "Init:Error",
            "0",
        ),
    ],
)
def test_pods(obj: dict[str, Any], ready: str, status: str, restarts: str) -> None:
    shown = cells("/pods", obj)
    assert (shown["Ready"], shown["Status"], shown["Restarts"], shown["Age"]) == (ready, status, restarts, "5m")


IN = {"key": "a", "operator": "In", "values": ["b"]}


@pytest.mark.parametrize(
    ("store", "obj", "expected"),
    [
        (
            "/services",
            {"spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}]}},
            {"Cluster-IP": "<none>", "External-IP": "<pending>", "Port(s)": "80:30000/TCP", "Selector": "<none>"},
        ),
        (
            "apps/deployments",
            {
                "spec": {
                    "replicas": 2,
                    "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                }
            },
            {"Ready": "0/2", "Up-to-date": 0, "Selector": "a in (b)"},
        ),
        (
            "autoscaling/horizontalpodautoscalers",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "d"},
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                        }
                    ],
                }
            },
            {"Reference": "Deployment/d", "Targets": "cpu: <unknown>/80%", "MinPods": "<unset>"},
        ),
        (
            "batch/jobs",
            {
                "spec": {"completions": 3},
                "status": {"succeeded": 1, "startTime": AGO, "conditions": [{"type": "Suspended", "status": "True"}]},
            },
            {"Status": "Suspended", "Completions": "1/3", "Duration": "5m"},
        ),
        (
            "/endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 80}]}]},
            {"Endpoints": "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."},
        ),
        (
            "/nodes",
            {"spec": {"unschedulable": True}},
            {"Status": "Unknown,SchedulingDisabled", "Internal-IP": "<none>"},
        ),
        (
            "/events",
            {"regarding": {"kind": "Pod", "name": "p"}, "note": "text ", "eventTime": AGO, "reportingController": "c"},
            {"Object": "pod/p", "Message": "text", "Last Seen": "5m", "Count": 1, "Source": "c"},
        ),
        (
            "/resourcequotas",
            {"status": {"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}}},
            {"Request": "pods: 1/4", "Limit": "limits.cpu: 0/2"},
        ),
        (
            "certificates.k8s.io/certificatesigningrequests",
            {"spec": {"signerName": "s"}, "status": {"conditions": [{"type": "Approved"}], "certificate": "YQ=="}},
            {"SignerName": "s", "Condition": "Approved,Issued", "RequestedDuration": "<none>"},
        ),
    ],
)
def test_cells(store: str, obj: dict[str, Any], expected: dict[str, Any]) -> None:
    shown = cells(store, obj)
    assert {name: shown[name] for name in expected} == expected


def test_every_kind_has_columns_that_an_empty_object_fills() -> None:
    for resource in builtin_kinds():
        if "list" in resource.verbs:
            assert resource.store in BUILTIN or resource.stored_as, resource.store
            assert len(cells(resource.store, {}, columns_for(resource))) == len(columns_for(resource))


def declared(path: str, kind: str = "string") -> Column:
    columns = ({"name": "c", "type": kind, "jsonPath": path},)
    resource = ResourceType("g", "v", "p", "K", custom=Structural({"type": "object"}), columns=columns)
    return columns_for(resource)[1]


CUSTOM = {
    "spec": {"a": [1, 2], "b": {"c": "d"}, "n": 3.0, "t": AGO, "yes": True, "bad": "soon"},
    "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
}


@pytest.mark.parametrize(
    ("path", "kind", "shown"),
    [
        (".spec.a", "string", "[1,2]"),
        (".spec.a[*]", "string", "1"),
        (".spec.b", "string", '{"c":"d"}'),
        (".spec.n", "integer", 3),
        (".spec.b.c", "integer", None),
        (".spec.yes", "boolean", True),
        (".spec.t", "date", "5m"),
        (".spec.bad", "date", "<invalid>"),
        (".spec.gone", "string", None),
        ('.status.conditions[?(@.type=="Ready")].status', "string", "True"),
    ],
)
def test_declared_columns(path: str, kind: str, shown: Any) -> None:
    assert declared(path, kind).cell(CUSTOM, NOW) == shown


def test_roles_and_definitions_show_when_they_were_made() -> None:
    assert CREATED.type == "date"
    assert BUILTIN["rbac.authorization.k8s.io/roles"][1] is CREATED
    assert AGE.type == "string"


async def test_tables_over_http(http: Http, server: Server, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    for name in ("a", "b", "c"):
        await http("POST", path, {"metadata": {"name": name}, "data": {"k": "v"}})
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    code, table = await http("GET", f"{path}?limit=2&includeObject=None", accept=accept)
    assert (code, table["kind"], [row["cells"][:2] for row in table["rows"]]) == (200, "Table", [["a", 1], ["b", 1]])
    assert table["metadata"]["remainingItemCount"] == 1
    assert "object" not in table["rows"][0]
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    _, whole = await http("GET", f"{path}/a?includeObject=Object", accept=accept)
    assert whole["rows"][0]["object"]["data"] == {"k": "v"}


def test_kubectl_shows_them(server: Server, namespace: str) -> None:
    server.kubectl("-n", namespace, "create", "service", "clusterip", "s", "--tcp=80:8080")
    server.kubectl("-n", namespace, "create", "deployment", "d", "--image=nginx", "--replicas=2")
    server.kubectl("-n", namespace, "autoscale", "deployment", "d", "--max=3", "--cpu-percent=50")
    lines = server.kubectl("-n", namespace, "get", "svc,deploy,hpa", "-o", "wide").splitlines()
    shown = [" ".join(line.split()) for line in lines]
    assert "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR" in shown
    assert any(line.startswith("deployment.apps/d 0/2 0 0 ") and line.endswith("nginx nginx app=d") for line in shown)
    assert any("Deployment/d cpu: <unknown>/50% 1 3 0" in line for line in shown)
