"""Faults of pods, volumes, nodes and admission, under an extension that is installed and well otherwise.

Admission is the real one: what would make a pod is refused by the API itself, and its words become the event that a
ReplicaSet's controller leaves. What a kubelet and a scheduler tell is written in their own words.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dovetail.kube import (
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    REPLICASETS,
    Forbidden,
    Object,
    Resource,
)
from tests.lifecycle.doctor.lifecycle_faults import QUOTAS, until_account
from tests.lifecycle.doctor.rig import Rig
from tests.lifecycle.platform import until, until_gone

NAME = "podful"
SPACE = f"extension-{NAME}"
IMAGE = "images.test/web:1"
RANGES = Resource("", "v1", "limitranges", "LimitRange")

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": IMAGE}]}}
WORKLOAD = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: main, image: "{IMAGE}"}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80}}]}}
---
apiVersion: extensions.kubesphere.io/v1alpha1
kind: ReverseProxy
metadata: {{name: podful-web}}
spec:
  matcher: {{path: "/proxy/podful-web/*", method: "*"}}
  upstream: {{service: {{namespace: {SPACE}, name: web, port: 80}}}}
"""


@dataclass
class Pods:
    """The extension's only workload, and the pods that it should have."""

    rig: Rig
    deployment: Object
    replicas: Object

    async def pod(self, **spec: Any) -> Object:
        owner = owner_of(self.replicas, "apps/v1", "ReplicaSet")
        metadata = {"name": "web-1", "namespace": SPACE, "labels": {"app": "web"}, "ownerReferences": [owner]}
        whole = {"containers": [{"name": "main", "image": IMAGE}], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole}
        return await self.rig.client.create(PODS, pod)

    async def waiting(self, reason: str, message: str, **more: Any) -> Object:
        pod = await self.pod(nodeName="doctors-node")
        await self.container(pod, {"waiting": {"reason": reason, "message": message}}, **more)
        return pod

    async def container(self, pod: Object, state: Object, phase: str = "Pending", **more: Any) -> None:
        told = {
            "name": "main",
            "image": IMAGE,
            "imageID": "",
            "ready": False,
            "restartCount": 4,
            "state": state,
            **more,
        }
        conditions = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
        await self.rig.status(PODS, pod, phase=phase, containerStatuses=[told | more], conditions=conditions)

    async def unschedulable(self, message: str, **spec: Any) -> None:
        pod = await self.pod(**spec)
        told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        await self.rig.status(PODS, pod, phase="Pending", conditions=[told])

    async def refused(self, **spec: Any) -> None:
        """The API refuses the pod, and the ReplicaSet's controller tells it."""
        try:
            await self.pod(**spec)
        except Forbidden as error:
            await self.rig.event(self.replicas, "FailedCreate", f"Error creating: {error.message}")
        else:
            raise AssertionError("the pod was admitted")

    async def clear(self) -> None:
        client = self.rig.client
        for resource in (PODS, PERSISTENTVOLUMECLAIMS, QUOTAS, RANGES, EVENTS):
            for obj in (await client.list(resource, SPACE)).items:
                name = obj["metadata"]["name"]
                if obj["metadata"].get("finalizers"):
                    await client.patch(resource, name, {"metadata": {"finalizers": None}}, SPACE)
                await client.delete(resource, name, SPACE, grace_period=0)
                if resource is not EVENTS:
                    await until_gone(client, resource, name, SPACE)
        level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}
        await client.patch(NAMESPACES, SPACE, level)


def owner_of(obj: Object, api_version: str, kind: str) -> Object:
    meta = obj["metadata"]
    return {"apiVersion": api_version, "kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}


async def install(rig: Rig) -> Pods:
    """The extension with its Deployment, as the controllers of a cluster have taken notice of it."""
    permissions = (
        "kind: ClusterRole\nrules:\n- {verbs: ['*'], apiGroups: [extensions.kubesphere.io], resources: ['*']}\n"
    )
    await rig.publish(NAME, **{"templates/web.yaml": WORKLOAD, "permissions.yaml": permissions})
    await rig.plan(NAME)
    await rig.until_state(NAME, "Installed")
    await until_account(rig, SPACE)
    deployment = await rig.client.get(DEPLOYMENTS, "web", SPACE)
    metadata = {"name": "web-5c4", "namespace": SPACE, "labels": {"app": "web"}}
    metadata["ownerReferences"] = [owner_of(deployment, "apps/v1", "Deployment")]  # type: ignore[assignment]
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
    replicas = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
    made = await rig.client.create(REPLICASETS, replicas)
    await rig.status(REPLICASETS, made, replicas=0, observedGeneration=1)
    await rig.status(DEPLOYMENTS, deployment, observedGeneration=deployment["metadata"]["generation"], replicas=1)
    return Pods(rig, deployment, made)


async def over_quota(pods: Pods) -> None:
    await make(pods.rig, QUOTAS, "no-pods", {"hard": {"pods": "0"}})
    await counted(pods.rig, "no-pods", "pods")
    await pods.refused()


async def needs_limits(pods: Pods) -> None:
    await make(pods.rig, QUOTAS, "compute", {"hard": {"limits.cpu": "2"}})
    await counted(pods.rig, "compute", "limits.cpu")
    await pods.refused()


async def out_of_range(pods: Pods) -> None:
    await make(pods.rig, RANGES, "small", {"limits": [{"type": "Container", "max": {"cpu": "100m"}}]})
    wanted = {"name": "main", "image": IMAGE, "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "2"}}}
    await pods.refused(containers=[wanted])


async def pod_security(pods: Pods) -> None:
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await pods.rig.client.patch(NAMESPACES, SPACE, level)
    await pods.refused(hostNetwork=True)


async def account_missing(pods: Pods) -> None:
    await pods.refused(serviceAccountName="nobody")


async def priority_missing(pods: Pods) -> None:
    await pods.refused(priorityClassName="urgent")


async def make(rig: Rig, resource: Resource, name: str, spec: Object) -> None:
    meta = {"name": name, "namespace": SPACE}
    await rig.client.create(resource, {"apiVersion": "v1", "kind": resource.kind, "metadata": meta, "spec": spec})


async def counted(rig: Rig, name: str, what: str) -> None:
    await until(
        lambda: rig.client.get(QUOTAS, name, SPACE),
        lambda obj: what in (obj.get("status") or {}).get("used", {}),
        "the quota to be counted",
    )


async def crashes(pods: Pods) -> None:
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": "panic: no database"}}
    await pods.waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", lastState=ended)


async def out_of_memory(pods: Pods) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    await pods.waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", lastState=ended)


async def killed_by_probe(pods: Pods) -> None:
    ended = {"terminated": {"exitCode": 137, "reason": "Error"}}
    pod = await pods.waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container", lastState=ended)
    await pods.rig.event(pod, "Killing", "Container main failed liveness probe, will be restarted")


async def not_ready(pods: Pods) -> None:
    pod = await pods.pod(nodeName="doctors-node")
    await pods.container(pod, {"running": {}}, phase="Running")
    await pods.rig.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")


async def secret_missing(pods: Pods) -> None:
    await pods.waiting("CreateContainerConfigError", 'secret "database" not found')


async def key_missing(pods: Pods) -> None:
    await pods.waiting("CreateContainerConfigError", f"couldn't find key password in Secret {SPACE}/database")


async def volume_source_missing(pods: Pods) -> None:
    pod = await pods.waiting("ContainerCreating", "")
    text = 'MountVolume.SetUp failed for volume "config" : configmap "web-config" not found'
    await pods.rig.event(pod, "FailedMount", text)


async def cannot_mount(pods: Pods) -> None:
    pod = await pods.waiting("ContainerCreating", "")
    await pods.rig.event(
        pod, "FailedMount", 'MountVolume.MountDevice failed for volume "pv-1": rpc error: DeadlineExceeded'
    )


async def no_network(pods: Pods) -> None:
    pod = await pods.waiting("ContainerCreating", "")
    text = 'Failed to create pod sandbox: plugin type="calico" failed (add): error getting ClusterInformation'
    await pods.rig.event(pod, "FailedCreatePodSandBox", text)


async def claimed(pods: Pods, storage: str | None) -> Object:
    spec: Object = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    if storage:
        spec["storageClassName"] = storage
    await make(pods.rig, PERSISTENTVOLUMECLAIMS, "data", spec)
    claim = await pods.rig.client.get(PERSISTENTVOLUMECLAIMS, "data", SPACE)
    await pods.rig.status(PERSISTENTVOLUMECLAIMS, claim, phase="Pending")
    text = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    await pods.unschedulable(text, volumes=volumes)
    return claim


async def no_storage_class(pods: Pods) -> None:
    claim = await claimed(pods, "fast")
    await pods.rig.event(claim, "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found')


async def not_provisioned(pods: Pods) -> None:
    storage = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)
    meta = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "slow"}}
    await pods.rig.client.apply(storage, {**meta, "provisioner": "disk.example.org"}, field_manager="test")
    claim = await claimed(pods, "slow")
    text = "Waiting for a volume to be created either by the external provisioner 'disk.example.org' or manually"
    await pods.rig.event(claim, "ExternalProvisioning", text)


async def node_down(pods: Pods) -> None:
    pod = await pods.pod(nodeName="lost-node")
    await pods.rig.add_node("lost-node", ready="Unknown")
    await pods.container(pod, {"running": {}}, phase="Running")


async def evicted(pods: Pods) -> None:
    pod = await pods.pod(nodeName="doctors-node")
    message = "The node was low on resource: ephemeral-storage."
    await pods.rig.status(PODS, pod, phase="Failed", reason="Evicted", message=message)


async def end_node(pods: Pods) -> None:
    for node in (await pods.rig.client.list(NODES)).items:
        if node["metadata"]["name"] == "lost-node":
            await pods.rig.client.delete(NODES, "lost-node")


PULLING = f'Back-off pulling image "{IMAGE}": ErrImagePull: '


def waits(reason: str, message: str) -> Callable[[Pods], Awaitable[Any]]:
    return lambda pods: pods.waiting(reason, message)


def placed(message: str) -> Callable[[Pods], Awaitable[Any]]:
    return lambda pods: pods.unschedulable(message)


FAULTS: dict[str, tuple[str, Callable[[Pods], Awaitable[Any]]]] = {
    "image absent": ("ImageNotFound", waits("ImagePullBackOff", f"{PULLING}rpc error: code = NotFound: not found")),
    "image login": ("ImageLoginRefused", waits("ErrImagePull", f"{PULLING}pull access denied, authorization failed")),
    "image registry": ("ImageUnreachable", waits("ErrImagePull", f"{PULLING}dial tcp 10.0.0.9:443: i/o timeout")),
    "image name": (
        "ImageNameInvalid",
        waits("InvalidImageName", "invalid reference format"),
    ),
    "image processor": ("ImageArchitecture", waits("ErrImagePull", f"{PULLING}no match for platform in manifest")),
    "crash": ("ContainerCrashes", crashes),
    "memory": ("OutOfMemory", out_of_memory),
    "liveness": ("LivenessProbeFails", killed_by_probe),
    "readiness": ("ReadinessProbeFails", not_ready),
    "secret": ("ReferenceMissing", secret_missing),
    "key of a secret": ("ReferenceMissing", key_missing),
    "volume source": ("ReferenceMissing", volume_source_missing),
    "command": (
        "ContainerCannotStart",
        waits("RunContainerError", 'exec: "serve": executable file not found'),
    ),
    "mount": ("MountFailed", cannot_mount),
    "network": ("SandboxFailed", no_network),
    "room": ("NoRoomOnNodes", placed("0/1 nodes are available: 1 Insufficient memory. preemption: not helpful")),
    "labels": (
        "NoMatchingNode",
        placed("0/1 nodes are available: 1 node(s) didn't match node selector."),
    ),
    "taints": ("NodesTainted", placed("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.")),
    "storage class": ("StorageClassMissing", no_storage_class),
    "provisioner": ("ClaimNotBound", not_provisioned),
    "node": ("NodeNotReady", node_down),
    "eviction": ("Evicted", evicted),
    "quota": ("QuotaExceeded", over_quota),
    "quota without limits": ("QuotaNeedsLimits", needs_limits),
    "limit range": ("OutOfLimitRange", out_of_range),
    "pod security": ("PodSecurityRefused", pod_security),
    "account": ("ServiceAccountMissing", account_missing),
    "priority class": ("PriorityClassMissing", priority_missing),
}
