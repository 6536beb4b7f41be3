"""The official Python client and its informer, unmodified, in processes of their own (it is heavy and warns a lot)."""

import subprocess
import sys

from .conftest import Server

PROGRAM = """
import sys, time
from kubernetes import client, config, dynamic, watch
from kubernetes.informer import SharedInformer, ADDED, MODIFIED, DELETED

kubeconfig, namespace = sys.argv[1:]
config.load_kube_config(kubeconfig)
core, apps = client.CoreV1Api(), client.AppsV1Api()

def config_map(name, **data):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)

def eventually(check):
    end = time.monotonic() + 20
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)

seen = []
informer = SharedInformer(core.list_namespaced_config_map, namespace=namespace)
for kind in (ADDED, MODIFIED, DELETED):
    informer.add_event_handler(kind, lambda *objects, kind=kind: seen.append((kind, objects[-1].metadata.name)))
core.create_namespaced_config_map(namespace, config_map("before", x="1"))
informer.start()
eventually(lambda: ("ADDED", "before") in seen)
core.create_namespaced_config_map(namespace, config_map("a", x="1"))
core.patch_namespaced_config_map("a", namespace, {"data": {"x": "2"}})
core.delete_namespaced_config_map("a", namespace)
eventually(lambda: [e for e in seen if e[1] == "a"] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")])
informer.stop()

events = [e["type"] for e in watch.Watch().stream(core.list_namespaced_config_map, namespace, timeout_seconds=1)]
assert events == ["ADDED"], events

try:
    core.create_namespaced_config_map(namespace, config_map("before"))
except client.ApiException as error:
    assert error.status == 409 and "AlreadyExists" in error.body
else:
    raise AssertionError("created twice")

labels = {"app": "x"}
limits = client.V1ResourceRequirements(limits={"cpu": "1"})
container = client.V1Container(name="c", image="nginx", resources=limits)
pod = client.V1PodTemplateSpec(
    metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container]))
spec = client.V1DeploymentSpec(selector=client.V1LabelSelector(match_labels=labels), template=pod)
named = client.V1ObjectMeta(name="d")
made = apps.create_namespaced_deployment(namespace, client.V1Deployment(metadata=named, spec=spec))
assert made.spec.replicas == 1
assert made.spec.template.spec.containers[0].resources.limits == {"cpu": "1"}
apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 4}})
assert apps.read_namespaced_deployment_scale("d", namespace).spec.replicas == 4

every = dynamic.DynamicClient(client.ApiClient())
things = every.resources.get(api_version="v1", kind="ConfigMap")
applied = things.server_side_apply(
    body={"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"k": "v"}},
    namespace=namespace, field_manager="py",
)
assert applied.data.k == "v"
review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(
    resource_attributes=client.V1ResourceAttributes(verb="get", resource="pods")))
assert client.AuthorizationV1Api().create_self_subject_access_review(review).status.allowed
print("all good")
"""


def test_the_official_client_and_its_informer(server: Server, namespace: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(server.kubeconfig), namespace],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stdout.endswith("all good\n"), done.stdout + done.stderr
