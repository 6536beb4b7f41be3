"""ResourceQuota: never overrun, given back at once, and refused in the words of Kubernetes."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.admission.plugins.resource_quota.scopes import covers
from dovetail.embedded.apiserver.admission.plugins.resource_quota.usage import usage

from .conftest import Http, Server, config_map

Object = dict[str, Any]
MERGE = {"content_type": "application/merge-patch+json"}


class Quotas:
    """Requests in one namespace; a quota is put into force as its controller does it."""

    def __init__(self, http: Http, namespace: str) -> None:
        self.http, self.namespace = http, namespace

    async def create(self, plural: str, obj: Object) -> tuple[int, Any]:
        return await self.http("POST", self.path(plural), obj)

    def path(self, plural: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}"

    async def limit(self, name: str, hard: dict[str, str], **spec: Any) -> Object:
        code, made = await self.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
        assert (code, made["status"]) == (201, {}), made
        _, made = await self.http(
            "PATCH", self.path(f"resourcequotas/{name}/status"), {"status": {"hard": made["spec"]["hard"]}}, **MERGE
        )
        assert made["status"]["hard"] == made["spec"]["hard"]
        return made["status"]["used"]

    async def used(self, name: str) -> dict[str, str]:
        _, found = await self.http("GET", self.path(f"resourcequotas/{name}"))
        return found["status"]["used"]


@pytest.fixture
def quotas(http: Http, namespace: str) -> Quotas:
    return Quotas(http, namespace)


def pod(name: str, requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **spec: Any) -> Object:
    resources = {"requests": requests or {}, "limits": limits or {}}
    container = {"name": "c", "image": "nginx", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


async def test_a_hundred_at_once_never_get_more_than_there_is(quotas: Quotas) -> None:
    assert await quotas.limit("q", {"count/configmaps": "10", "requests.cpu": "1", "pods": "7"}) == {
        "count/configmaps": "0", "requests.cpu": "0", "pods": "0",
    }  # fmt: skip
    maps = [quotas.create("configmaps", config_map(f"c{number}")) for number in range(60)]
    pods = [quotas.create("pods", pod(f"p{number}", {"cpu": "150m"})) for number in range(40)]
    answers = await asyncio.gather(*maps, *pods)
    made = [body["kind"] for code, body in answers if code == 201]
    assert (made.count("ConfigMap"), made.count("Pod")) == (10, 6)
    assert {body["reason"] for code, body in answers if code == 403} == {"Forbidden"}
    assert {code for code, _ in answers} == {201, 403}
    assert await quotas.used("q") == {"count/configmaps": "10", "requests.cpu": "900m", "pods": "6"}


async def test_what_is_deleted_is_given_back_at_once(quotas: Quotas) -> None:
    await quotas.create("configmaps", config_map("before"))
    assert await quotas.limit("q", {"configmaps": "2", "count/configmaps": "5"}) == {
        "configmaps": "1", "count/configmaps": "1",
    }  # fmt: skip
    assert (await quotas.create("configmaps", config_map("a")))[0] == 201
    code, refusal = await quotas.create("configmaps", config_map("b"))
    assert (code, refusal["message"]) == (
        403, 'configmaps "b" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: '
        "configmaps=2",
    )  # fmt: skip
    await quotas.http("DELETE", quotas.path("configmaps/a"))
    assert (await quotas.used("q"))["configmaps"] == "1"
    assert (await quotas.create("configmaps", config_map("b")))[0] == 201
    await quotas.http("DELETE", quotas.path("configmaps"))
    assert await quotas.used("q") == {"configmaps": "0", "count/configmaps": "0"}


async def test_a_dry_run_is_refused_but_takes_nothing(quotas: Quotas) -> None:
    await quotas.limit("q", {"configmaps": "1"})
    assert (await quotas.http("POST", quotas.path("configmaps?dryRun=All"), config_map("a")))[0] == 201
    assert await quotas.used("q") == {"configmaps": "0"}
    await quotas.create("configmaps", config_map("a"))
    assert (await quotas.http("POST", quotas.path("configmaps?dryRun=All"), config_map("b")))[0] == 403
    assert (await quotas.http("DELETE", quotas.path("configmaps/a?dryRun=All")))[0] == 200
    assert await quotas.used("q") == {"configmaps": "1"}


async def test_pods_must_state_what_is_limited(quotas: Quotas) -> None:
    await quotas.limit("q", {"cpu": "2", "limits.memory": "2Gi", "pods": "10"})
    code, refusal = await quotas.create("pods", pod("p"))
    assert (code, refusal["message"]) == (
        403, 'pods "p" is forbidden: failed quota: q: must specify cpu for: c; limits.memory for: c',
    )  # fmt: skip
    code, refusal = await quotas.create("pods", pod("p", {"cpu": "3"}, {"memory": "3Gi"}))
    assert (code, refusal["message"]) == (
        403, 'pods "p" is forbidden: exceeded quota: q, requested: cpu=3,limits.memory=3Gi, used: '
        "cpu=0,limits.memory=0, limited: cpu=2,limits.memory=2Gi",
    )  # fmt: skip
    assert (await quotas.create("pods", pod("p", {"cpu": "1500m"}, {"memory": "1536Mi"})))[0] == 201
    assert await quotas.used("q") == {"cpu": "1500m", "limits.memory": "1536Mi", "pods": "1"}


async def test_a_finished_pod_takes_only_its_place(quotas: Quotas) -> None:
    await quotas.limit("q", {"requests.memory": "1Gi", "pods": "1", "count/pods": "9"})
    await quotas.create("pods", pod("p", {"memory": "1Gi"}))
    path = quotas.path("pods/p/status")
    await quotas.http("PATCH", path, {"status": {"phase": "Succeeded"}}, **MERGE)
    assert await quotas.used("q") == {"requests.memory": "0", "pods": "0", "count/pods": "1"}
    assert (await quotas.create("pods", pod("next", {"memory": "1Gi"})))[0] == 201
    await quotas.http("DELETE", quotas.path("pods/p?gracePeriodSeconds=0"))
    assert await quotas.used("q") == {"requests.memory": "1Gi", "pods": "1", "count/pods": "1"}


def service(name: str, kind: str, ports: int) -> Object:
    listed = [{"name": f"p{number}", "port": 80 + number} for number in range(ports)]
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": listed}}


async def test_services_are_counted_by_kind_and_port(quotas: Quotas) -> None:
    await quotas.limit("q", {"services": "3", "services.nodeports": "2", "services.loadbalancers": "0"})
    code, made = await quotas.create("services", service("a", "NodePort", 2))
    assert code == 201, made["message"]
    assert await quotas.used("q") == {"services": "1", "services.nodeports": "2", "services.loadbalancers": "0"}
    _, refusal = await quotas.create("services", service("b", "LoadBalancer", 1))
    assert refusal["message"] == (
        'services "b" is forbidden: exceeded quota: q, requested: services.loadbalancers=1,services.nodeports=1, used: '
        "services.loadbalancers=0,services.nodeports=2, limited: services.loadbalancers=0,services.nodeports=2"
    )
    _, found = await quotas.http("GET", quotas.path("services/a"))
    found["spec"]["type"] = "ClusterIP"
    for port in found["spec"]["ports"]:
        port.pop("nodePort", None)
    assert (await quotas.http("PUT", quotas.path("services/a"), found))[0] == 200
    assert await quotas.used("q") == {"services": "1", "services.nodeports": "0", "services.loadbalancers": "0"}


async def test_claims_are_counted_by_class(quotas: Quotas) -> None:
    by_class = "gold.storageclass.storage.k8s.io"
    hard = {"requests.storage": "5Gi", f"{by_class}/requests.storage": "2Gi", f"{by_class}/persistentvolumeclaims": "1"}
    await quotas.limit("q", hard)
    request = {"resources": {"requests": {"storage": "2Gi"}}, "accessModes": ["ReadWriteOnce"]}
    gold = {"metadata": {"name": "g"}, "spec": {**request, "storageClassName": "gold"}}
    assert (await quotas.create("persistentvolumeclaims", gold))[0] == 201
    plain = {"metadata": {"name": "p"}, "spec": {**request, "storageClassName": ""}}
    assert (await quotas.create("persistentvolumeclaims", plain))[0] == 201
    assert await quotas.used("q") == {
        "requests.storage": "4Gi", f"{by_class}/requests.storage": "2Gi", f"{by_class}/persistentvolumeclaims": "1",
    }  # fmt: skip
    code, refusal = await quotas.create("persistentvolumeclaims", {**gold, "metadata": {"name": "g2"}})
    assert code == 403
    assert (
        f"requested: {by_class}/persistentvolumeclaims=1,{by_class}/requests.storage=2Gi,requests.storage=2Gi"
        in (refusal["message"])
    )


async def test_scopes_choose_pods(quotas: Quotas) -> None:
    await quotas.limit("short", {"pods": "1"}, scopes=["Terminating"])
    await quotas.limit("modest", {"pods": "1"}, scopes=["BestEffort"])
    selector = {"matchExpressions": [
        {"scopeName": "PriorityClass", "operator": "In", "values": ["system-cluster-critical"]}
    ]}  # fmt: skip
    await quotas.limit("critical", {"pods": "0"}, scopeSelector=selector)
    assert (await quotas.create("pods", pod("long", {"cpu": "1"})))[0] == 201
    assert (await quotas.create("pods", pod("job", {"cpu": "1"}, activeDeadlineSeconds=60)))[0] == 201
    _, refusal = await quotas.create("pods", pod("job2", {"cpu": "1"}, activeDeadlineSeconds=60))
    assert refusal["message"] == (
        'pods "job2" is forbidden: exceeded quota: short, requested: pods=1, used: pods=1, limited: pods=1'
    )
    _, refusal = await quotas.create("pods", pod("top", {"cpu": "1"}, priorityClassName="system-cluster-critical"))
    assert "exceeded quota: critical" in refusal["message"]
    assert [await quotas.used(name) for name in ("short", "modest", "critical")] == [
        {"pods": "1"}, {"pods": "0"}, {"pods": "0"},
    ]  # fmt: skip


async def test_a_quota_that_nobody_put_into_force_limits_nothing(quotas: Quotas) -> None:
    await quotas.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "0"}}})
    assert (await quotas.create("configmaps", config_map("a")))[0] == 201


async def test_custom_resources_are_counted(quotas: Quotas, server: Server) -> None:
    group = f"{quotas.namespace}.example.com"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }  # fmt: skip
    assert (await quotas.http("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd))[0] == 201
    await quotas.limit("q", {f"count/widgets.{group}": "1"})
    path = f"/apis/{group}/v1/namespaces/{quotas.namespace}/widgets"
    codes: list[int] = []
    for name in ("a", "b"):
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": name}}
        codes.append((await quotas.http("POST", path, widget))[0])
    assert codes == [201, 403]
    assert await quotas.used("q") == {f"count/widgets.{group}": "1"}


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        (
            {"hard": {"flowers": "1"}},
            ("spec.hard[flowers]", 'Invalid value: "flowers": must be a standard resource for quota'),
        ),
        ({"hard": {"pods": "1500m"}}, ("spec.hard[pods]", 'Invalid value: "1500m": must be an integer')),
        ({"hard": {"cpu": "-1"}}, ("spec.hard[cpu]", 'Invalid value: "-1": must be greater than or equal to 0')),
        (
            {"hard": {"services": "1"}, "scopes": ["BestEffort"]},
            ("spec.scopes", 'Invalid value: ["BestEffort"]: unsupported scope applied to resource'),
        ),
        (
            {"hard": {"pods": "1"}, "scopes": ["Terminating", "NotTerminating"]},
            ("spec.scopes", 'Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'),
        ),
    ],
)
async def test_quotas_are_checked_themselves(quotas: Quotas, spec: Object, cause: tuple[str, str]) -> None:
    code, refusal = await quotas.create("resourcequotas", {"metadata": {"name": "q"}, "spec": spec})
    assert code == 422
    assert cause in [(found["field"], found["message"]) for found in refusal["details"]["causes"]]


async def test_who_charged_is_recorded(quotas: Quotas) -> None:
    await quotas.limit("q", {"configmaps": "3"})
    await quotas.create("configmaps", config_map("a"))
    _, found = await quotas.http("GET", quotas.path("resourcequotas/q"))
    entries = {(e["manager"], e.get("subresource", "")) for e in found["metadata"]["managedFields"]}
    assert ("kube-apiserver", "status") in entries


async def test_the_books_agree_with_a_count_after_any_history(quotas: Quotas) -> None:
    """Creations, deletions, changes of type and finished pods, all at once and in any order."""
    hard = {
        "pods": "9", "count/pods": "30", "requests.cpu": "5", "services": "8", "services.nodeports": "9",
        "requests.storage": "20Gi", "persistentvolumeclaims": "7", "count/services": "50",
    }  # fmt: skip
    await quotas.limit("q", hard)
    await quotas.limit("short", {"pods": "4"}, scopes=["Terminating"])
    chance = random.Random(7)

    async def act(number: int) -> int:
        name = f"x{chance.randrange(12)}"
        await asyncio.sleep(chance.random() * 0.3)
        action = chance.randrange(7)
        if action == 0:
            limits = {"activeDeadlineSeconds": 9} if chance.random() < 0.5 else {}
            return (await quotas.create("pods", pod(name, {"cpu": f"{chance.randrange(1, 900)}m"}, **limits)))[0]
        if action == 1:
            return (await quotas.create("services", service(name, chance.choice(["ClusterIP", "NodePort"]), 2)))[0]
        if action == 2:
            request = {"resources": {"requests": {"storage": f"{chance.randrange(1, 4)}Gi"}}}
            claim = {"metadata": {"name": name}, "spec": {**request, "accessModes": ["ReadWriteOnce"]}}
            return (await quotas.create("persistentvolumeclaims", claim))[0]
        if action == 3:
            done = {"status": {"phase": chance.choice(["Succeeded", "Failed"])}}
            return (await quotas.http("PATCH", quotas.path(f"pods/{name}/status"), done, **MERGE))[0]
        if action == 4:
            kind = {"spec": {"type": chance.choice(["ClusterIP", "NodePort"])}}
            return (await quotas.http("PATCH", quotas.path(f"services/{name}"), kind, **MERGE))[0]
        if action == 5:
            plural = chance.choice(["pods", "services"])
            return (await quotas.http("DELETE", quotas.path(f"{plural}/{name}?gracePeriodSeconds=0")))[0]
        path = quotas.path(f"persistentvolumeclaims/{name}")
        await quotas.http("DELETE", path)
        return (await quotas.http("PATCH", path, {"metadata": {"finalizers": None}}, **MERGE))[0]

    codes = await asyncio.gather(*(act(number) for number in range(200)))
    assert {200, 201, 403, 404} <= set(codes) <= {200, 201, 403, 404, 409, 422}
    for name in ("q", "short"):
        path = quotas.path(f"resourcequotas/{name}/status")
        kept = await quotas.used(name)
        _, counted = await quotas.http("PATCH", path, {"status": {"used": None}}, **MERGE)
        assert kept == counted["status"]["used"]


def test_node_ports_are_counted_by_intent() -> None:
    lb = {"spec": {"type": "LoadBalancer", "ports": [{"port": 1}, {"port": 2, "nodePort": 30000}]}}
    assert usage("/services", lb)["services.nodeports"] == "2"
    lb["spec"]["allocateLoadBalancerNodePorts"] = False
    assert usage("/services", lb)["services.nodeports"] == "1"


@given(st.booleans(), st.booleans(), st.booleans())
def test_a_scope_and_its_opposite_part_all_pods(deadline: bool, modest: bool, crossing: bool) -> None:
    spec: Object = {"containers": [{"resources": {} if modest else {"limits": {"cpu": "1"}}}]}
    if deadline:
        spec["activeDeadlineSeconds"] = 1
    if crossing:
        term = {"namespaceSelector": {}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    def holds(scope: str) -> bool:
        return covers({"spec": {"scopes": [scope]}}, "/pods", {"spec": spec})

    assert (holds("Terminating"), holds("NotTerminating")) == (deadline, not deadline)
    assert (holds("BestEffort"), holds("NotBestEffort")) == (modest, not modest)
    assert holds("CrossNamespacePodAffinity") is crossing
    assert not covers({"spec": {"scopes": ["Terminating"]}}, "/configmaps", {})
