"""Rows: the official Python client."""

from tests.e2e.kube.cluster import Cluster
from tests.e2e.kube.table import row

AREA = "Client libraries"
CLIENT = "reference/using-api/client-libraries/"

INFORMER = """
import sys, time
from kubernetes import client, config
from kubernetes.informer import SharedInformer, ADDED, MODIFIED, DELETED

kubeconfig, namespace = sys.argv[1:]
config.load_kube_config(kubeconfig)
core = client.CoreV1Api()

def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"row": "yes"}), data=data)

seen = []
informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace, label_selector="row=yes")
for kind in (ADDED, MODIFIED, DELETED):
    informer.add_event_handler(kind, lambda *objects, kind=kind: seen.append((kind, objects[-1].metadata.name)))
core.create_namespaced_config_map(namespace, config_map("before"))
informer.start()
end = time.monotonic() + 20
while ("ADDED", "before") not in seen:
    assert time.monotonic() < end, seen
    time.sleep(0.02)
for number in range(10):
    core.create_namespaced_config_map(namespace, config_map(f"m{number}", x="1"))
    core.patch_namespaced_config_map(f"m{number}", namespace, {"data": {"x": "2"}})
core.delete_namespaced_config_map("m3", namespace)
wanted = {"before", *(f"m{n}" for n in range(10))} - {"m3"}
while {o.metadata.name for o in informer.cache.list()} != wanted or ("DELETED", "m3") not in seen:
    assert time.monotonic() < end, seen
    time.sleep(0.02)
informer.stop()
"""

TYPED = """
import sys
from kubernetes import client, config
kubeconfig, namespace = sys.argv[1:]
config.load_kube_config(kubeconfig)
apps, net, batch, auto = client.AppsV1Api(), client.NetworkingV1Api(), client.BatchV1Api(), client.AutoscalingV1Api()
core = client.CoreV1Api()
labels = {"app": "x"}
template = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels),
    spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="nginx")]))
made = apps.create_namespaced_deployment(namespace, client.V1Deployment(
    metadata=client.V1ObjectMeta(name="d"),
    spec=client.V1DeploymentSpec(selector=client.V1LabelSelector(match_labels=labels), template=template)))
assert made.spec.strategy.rolling_update.max_surge == "25%"
apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 4}})
assert apps.read_namespaced_deployment_scale("d", namespace).spec.replicas == 4
template.spec.restart_policy = "Never"
job = batch.create_namespaced_job(namespace, client.V1Job(
    metadata=client.V1ObjectMeta(name="j"), spec=client.V1JobSpec(template=template)))
assert job.spec.selector.match_labels["batch.kubernetes.io/controller-uid"] == job.metadata.uid
auto.create_namespaced_horizontal_pod_autoscaler(namespace, client.V1HorizontalPodAutoscaler(
    metadata=client.V1ObjectMeta(name="h"), spec=client.V1HorizontalPodAutoscalerSpec(
        max_replicas=3, target_cpu_utilization_percentage=70,
        scale_target_ref=client.V1CrossVersionObjectReference(kind="Deployment", name="d", api_version="apps/v1"))))
two = client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler("h", namespace)
assert two.spec.metrics[0].resource.target.average_utilization == 70
for number in range(25):
    core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"m{number}")))
page, names = None, []
while page is None or page.metadata._continue:
    page = core.list_namespaced_config_map(namespace, limit=7, _continue=page and page.metadata._continue)
    names += [i.metadata.name for i in page.items]
assert {f"m{n}" for n in range(25)} <= set(names) and len(names) == len(set(names))
core.delete_collection_namespaced_config_map(namespace, field_selector="metadata.name!=kube-root-ca.crt")
"""

LEASES = """
import sys, threading, time
from kubernetes import client, config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
kubeconfig, namespace = sys.argv[1:]
config.load_kube_config(kubeconfig)
led = []
def run(name):
    lock = LeaseLock("row", namespace, name)
    settings = electionconfig.Config(lock, lease_duration=30, renew_deadline=20, retry_period=1.1,
                                     onstarted_leading=lambda: led.append(name), onstopped_leading=lambda: None)
    leaderelection.LeaderElection(settings).run()
for name in ("a", "b"):
    threading.Thread(target=run, args=(name,), daemon=True).start()
end = time.monotonic() + 20
while True:  # until the leader has renewed its lease a few times, which the other must have seen
    time.sleep(0.1)
    leases = client.CoordinationV1Api().list_namespaced_lease(namespace).items
    if leases and leases[0].spec.renew_time.timestamp() - leases[0].spec.acquire_time.timestamp() > 2:
        break
    assert time.monotonic() < end, leases
assert len(led) == 1, led
assert leases[0].spec.holder_identity == led[0]
"""


@row(
    AREA,
    "the official Python client: typed objects of many groups, scale, paging, collections",
    "Python client",
    CLIENT,
)
def typed_client(cluster: Cluster) -> None:
    cluster.python(TYPED, cluster.namespace())


@row(AREA, "the official Python client's shared informer keeps an exact cache", "Python client", CLIENT)
def informer(cluster: Cluster) -> None:
    cluster.python(INFORMER, cluster.namespace())


@row(AREA, "leader election with Leases has one leader", "Python client", "concepts/architecture/leases/")
def leader_election(cluster: Cluster) -> None:
    cluster.python(LEASES, cluster.namespace())
