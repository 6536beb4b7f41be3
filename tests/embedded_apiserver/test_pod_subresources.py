"""Subresources of pods: binding, eviction, graceful deletion, and what the API says while no node can be reached."""

from typing import Any

import pytest

from .conftest import Http

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


@pytest.fixture
async def pods(http: Http, namespace: str) -> str:
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default"}}
    await http("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", account)
    return f"/api/v1/namespaces/{namespace}/pods"


async def make(http: Http, pods: str, name: str, node: str = "", phase: str = "", **spec: Any) -> None:
    containers = [{"name": "c", "image": "x"}]
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "labels": {"app": "a"}}}
    code, answer = await http("POST", pods, body | {"spec": {"containers": containers, **spec}})
    assert code == 201, answer
    if node:
        assert (await bind(http, pods, name, node))[0] == 201
    if phase:
        status = {"status": {"phase": phase}}
        assert (await http("PATCH", f"{pods}/{name}/status", status, content_type=MERGE))[0] == 200


async def bind(http: Http, pods: str, name: str, node: str, **meta: Any) -> tuple[int, Any]:
    body = {"kind": "Binding", "apiVersion": "v1", "metadata": {"name": name, **meta}}
    return await http("POST", f"{pods}/{name}/binding", body | {"target": {"kind": "Node", "name": node}})


async def test_binding(http: Http, pods: str) -> None:
    await make(http, pods, "p")
    code, body = await bind(http, pods, "p", "n1", annotations={"a": "b"})
    assert (code, body) == (
        201,
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201},
    )
    pod = (await http("GET", f"{pods}/p"))[1]
    assert (pod["spec"]["nodeName"], pod["metadata"]["annotations"]) == ("n1", {"a": "b"})
    scheduled = {c["type"]: c["status"] for c in pod["status"]["conditions"]}
    assert scheduled["PodScheduled"] == "True"
    code, body = await bind(http, pods, "p", "n2")
    text = 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    assert (code, body["message"]) == (409, text)
    assert (await bind(http, pods, "missing", "n1"))[1]["message"] == 'pods "missing" not found'
    body = {"kind": "Binding", "apiVersion": "v1", "metadata": {"name": "q"}, "target": {"name": "n1"}}
    code, answer = await http("POST", f"{pods}/p/binding", body)
    assert (code, answer["message"]) == (400, "name in URL does not match name in Binding object")
    await make(http, pods, "q")
    assert (await http("POST", pods.replace("/pods", "/bindings"), body))[0] == 201
    assert (await http("GET", f"{pods}/q"))[1]["spec"]["nodeName"] == "n1"


async def test_a_pod_on_a_node_goes_gracefully(http: Http, pods: str) -> None:
    await make(http, pods, "free")
    code, body = await http("DELETE", f"{pods}/free")
    assert (code, body["kind"], body["metadata"]["deletionGracePeriodSeconds"]) == (200, "Pod", 0)
    assert (await http("GET", f"{pods}/free"))[0] == 404
    await make(http, pods, "p", "n1", "Running")
    first = (await http("DELETE", f"{pods}/p"))[1]["metadata"]
    assert first["deletionGracePeriodSeconds"] == 30
    again = (await http("DELETE", f"{pods}/p?gracePeriodSeconds=60"))[1]["metadata"]
    assert again == first  # only a shorter time counts
    shorter = (await http("DELETE", f"{pods}/p", {"gracePeriodSeconds": 5}))[1]["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 5
    assert shorter["deletionTimestamp"] < first["deletionTimestamp"]
    assert (await http("GET", f"{pods}/p"))[0] == 200
    assert (await http("DELETE", f"{pods}/p?gracePeriodSeconds=0"))[0] == 200
    assert (await http("GET", f"{pods}/p"))[0] == 404
    await make(http, pods, "done", "n1", "Succeeded")
    await http("DELETE", f"{pods}/done")
    assert (await http("GET", f"{pods}/done"))[0] == 404


async def evict(http: Http, pods: str, name: str, query: str = "", **fields: Any) -> tuple[int, Any]:
    body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": name}, **fields}
    return await http("POST", f"{pods}/{name}/eviction{query}", body)


async def test_eviction_keeps_to_the_budget(http: Http, pods: str, namespace: str) -> None:
    budgets = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"
    budget = {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "metadata": {"name": "b"}}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}
    assert (await http("POST", budgets, budget | {"spec": spec}))[0] == 201
    for name in ("p", "q"):
        await make(http, pods, name, "n1", "Running")

    async def allow(count: int, healthy: int) -> None:
        status = {"observedGeneration": 1, "disruptionsAllowed": count, "desiredHealthy": 2, "currentHealthy": healthy}
        change = {"status": status | {"expectedPods": 2}}
        assert (await http("PATCH", f"{budgets}/b/status", change, content_type=MERGE))[0] == 200

    code, body = await evict(http, pods, "p")
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget b is still being processed by the server."}
    assert (code, body["reason"], body["details"]) == (
        429,
        "TooManyRequests",
        {"causes": [cause], "retryAfterSeconds": 10},
    )
    await allow(0, 1)
    code, body = await evict(http, pods, "p")
    assert (code, body["message"]) == (429, "Cannot evict pod as it would violate the pod's disruption budget.")
    wanted = "The disruption budget b needs 2 healthy pods and has 1 currently"
    assert body["details"]["causes"][0]["message"] == wanted
    await allow(1, 1)
    assert (await evict(http, pods, "p", "?dryRun=All"))[0] == 201
    assert (await http("GET", f"{budgets}/b"))[1]["status"]["disruptionsAllowed"] == 1
    assert (await evict(http, pods, "p"))[1]["status"] == "Success"
    assert (await http("GET", f"{pods}/p"))[1]["metadata"]["deletionGracePeriodSeconds"] == 30
    status = (await http("GET", f"{budgets}/b"))[1]["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["p"])
    assert (await evict(http, pods, "q"))[0] == 429
    await make(http, pods, "waiting")
    assert (await evict(http, pods, "waiting"))[0] == 201  # it does not run yet
    assert (await http("GET", f"{pods}/waiting"))[0] == 404
    code, body = await http("POST", f"{pods}/q/eviction", {"metadata": {"name": "other"}})
    assert (code, body["message"]) == (400, "name in URL does not match name in Eviction object")
    assert (await evict(http, pods, "missing"))[0] == 404


async def test_what_needs_a_node(http: Http, pods: str) -> None:
    await make(http, pods, "p")
    assert (await http("GET", f"{pods}/missing/log"))[0] == 404
    async with http.session.get(f"{http.server.url}{pods}/p/log") as response:
        assert (response.status, await response.text()) == (204, "")
    for target in ("exec?command=ls&stdout=true", "attach?stdout=true", "portforward?ports=80"):
        code, body = await http("POST", f"{pods}/p/{target}")
        assert (code, body["message"]) == (400, "pod p does not have a host assigned")
    code, body = await http("GET", f"{pods}/p/exec?command=ls&container=other")
    assert (code, body["message"]) == (400, "container other is not valid for pod p")
    assert (await http("GET", f"{pods}/p/proxy/"))[1]["message"] == "address not allowed"
    code, body = await http("GET", f"{pods}/p/log?tailLines=-1")
    wanted = 'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'
    assert (code, body["message"]) == (422, wanted)
    await bind(http, pods, "p", "lost")
    assert (await http("GET", f"{pods}/p/log"))[1]["message"] == 'nodes "lost" not found'
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "lost"}}
    assert (await http("POST", "/api/v1/nodes", node))[0] == 201
    code, body = await http("GET", f"{pods}/p/log")
    assert (code, body["message"]) == (500, "no preferred addresses found; known addresses: []")
    addresses = {"status": {"addresses": [{"type": "InternalIP", "address": "10.1.2.3"}]}}
    await http("PATCH", "/api/v1/nodes/lost/status", addresses, content_type=MERGE)
    code, body = await http("POST", f"{pods}/p/exec?command=ls")
    text = "error dialing backend: dial tcp 10.1.2.3:10250: connect: connection refused"
    assert (code, body["message"]) == (500, text)
    await http("DELETE", "/api/v1/nodes/lost")
    code, body = await http("GET", f"{pods.replace('/pods', '/services')}/none/proxy/")
    assert (code, body["reason"]) == (404, "NotFound")
    several = [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]
    await make(http, pods, "two", containers=several, initContainers=[{"name": "i", "image": "x"}])
    text = "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]"
    assert (await http("GET", f"{pods}/two/log"))[1]["message"] == text


async def test_subresources_write_their_part_only(http: Http, pods: str) -> None:
    await make(http, pods, "p", "n1", "Running")
    spec = {"containers": [{"name": "c", "image": "other"}], "ephemeralContainers": [{"name": "d", "image": "debug"}]}
    code, pod = await http("PATCH", f"{pods}/p/ephemeralcontainers", {"spec": spec}, content_type=STRATEGIC)
    assert (code, pod["spec"]["containers"][0]["image"]) == (200, "x"), pod
    assert [c["name"] for c in pod["spec"]["ephemeralContainers"]] == ["d"]
    sized = [{"name": "c", "image": "x", "resources": {"requests": {"cpu": "500m"}}}]
    await make(http, pods, "q", containers=sized)
    resources = {"requests": {"cpu": "1"}}
    change = {"containers": [{"name": "c", "image": "other", "resources": resources}]}
    code, pod = await http("PATCH", f"{pods}/q/resize", {"spec": change}, content_type=STRATEGIC)
    assert code == 200, pod
    assert (pod["spec"]["containers"][0]["image"], pod["spec"]["containers"][0]["resources"]) == ("x", resources)


async def test_connections_need_their_verb(http: Http, nobody: Http, pods: str) -> None:
    await make(http, pods, "p")
    for method, verb in (("POST", "create"), ("GET", "get")):
        code, body = await nobody(method, f"{pods}/p/exec?command=ls")
        assert (code, f'cannot {verb} resource "pods/exec"' in body["message"]) == (403, True)
