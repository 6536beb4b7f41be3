"""Rows: admission, what may still change or refuse an authorized write."""

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import config_map, deployment, pod
from tests.e2e.kube.table import row

AREA = "Admission"


@row(
    AREA,
    "resource quotas are never overrun, and show what is used",
    "kubectl",
    "concepts/policy/resource-quotas/",
)
def quotas(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("-n", ns, "create", "quota", "q", "--hard=pods=1,requests.cpu=1")
    eventually(lambda: cluster.get("-n", ns, "quota/q").get("status", {}).get("used", {}).get("pods") == "0")
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("a"), code=1)
    assert "must specify requests.cpu for: c" in told
    sized = pod("a")
    sized["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "600m"}}
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=sized)
    assert cluster.get("-n", ns, "quota/q")["status"]["used"] == {"pods": "1", "requests.cpu": "600m"}
    sized["metadata"]["name"] = "b"
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=sized, code=1)
    assert "exceeded quota: q, requested: pods=1,requests.cpu=600m, used: pods=1,requests.cpu=600m" in told


@row(AREA, "limit ranges fill in and bound the resources of containers", "kubectl", "concepts/policy/limit-range/")
def limit_ranges(cluster: Cluster) -> None:
    ns = cluster.namespace()
    limits = {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin={
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [limits]},
    })  # fmt: skip
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("a"))
    resources = cluster.get("-n", ns, "pod/a")["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "500m"}, "requests": {"cpu": "100m"}}
    big = pod("b")
    big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=big, code=1)
    assert "maximum cpu usage per Container is 1, but limit is 2" in told


@row(AREA, "pod security levels by namespace labels: enforce refuses, warn warns", "kubectl",
     "concepts/security/pod-security-admission/")  # fmt: skip
def pod_security(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("label", "ns", ns, "pod-security.kubernetes.io/enforce=restricted",
                    "pod-security.kubernetes.io/warn=restricted")  # fmt: skip
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("a"), code=1)
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in told
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=deployment("web"))
    assert 'Warning: would violate PodSecurity "restricted:latest"' in told


@row(AREA, "a namespace that is being deleted takes no new objects; a missing one is NotFound", "kubectl",
     "reference/access-authn-authz/admission-controllers/#namespacelifecycle")  # fmt: skip
def namespace_lifecycle(cluster: Cluster) -> None:
    told = cluster.kubectl("-n", "nowhere", "create", "-f", "-", stdin=config_map("a"), code=1)
    assert 'namespaces "nowhere" not found' in told
    ns = cluster.namespace()
    held = config_map("held")
    held["metadata"]["finalizers"] = ["rows.dovetail.dev/hold"]
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=held)
    cluster.kubectl("delete", "ns", ns, "--wait=false")
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=config_map("a"), code=1)
    assert "because it is being terminated" in told
    cluster.kubectl("-n", ns, "patch", "cm/held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    eventually(lambda: "NotFound" in cluster.kubectl("get", "ns", ns, code=None))


@row(AREA, "priority classes", "kubectl", "concepts/scheduling-eviction/pod-priority-preemption/")
def priorities(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.kubectl("create", "priorityclass", f"{ns}-high", "--value=1000", "--description=rows")
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("a", priorityClassName=f"{ns}-high"))
    assert cluster.get("-n", ns, "pod/a")["spec"]["priority"] == 1000
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=pod("b", priorityClassName="missing"), code=1)
    assert "no PriorityClass with name missing was found" in told
    cluster.kubectl("delete", "priorityclass", f"{ns}-high")


@row(AREA, "evictions respect disruption budgets", "HTTP", "concepts/scheduling-eviction/api-eviction/")
def evictions(cluster: Cluster) -> None:
    ns = cluster.namespace()
    made = pod("a")
    made["metadata"]["labels"] = {"app": "a"}
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=made)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a", "namespace": ns}}
    path = f"/api/v1/namespaces/{ns}/pods/a/eviction"
    cluster.kubectl("-n", ns, "create", "pdb", "p", "--selector=app=a", "--min-available=1")
    running = '{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}'
    cluster.kubectl("-n", ns, "patch", "pod/a", "--subresource=status", "--type=merge", "-p", running)
    answer = cluster.http("POST", path, eviction)
    assert (answer.code, answer.json["reason"]) == (429, "TooManyRequests")
    cluster.kubectl("-n", ns, "delete", "pdb", "p")
    assert cluster.http("POST", path, eviction).code == 201
