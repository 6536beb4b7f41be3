"""Workloads that do not get their pods, volumes that are not there, nodes that are not ready."""

from collections.abc import Iterator
from typing import Final

from dovetail.kube import is_deleting, key_of
from dovetail.lifecycle.doctor.causes.releases import refused_pods
from dovetail.lifecycle.doctor.commands import show
from dovetail.lifecycle.doctor.findings import Finding, Ref, Severity, cause, evidence
from dovetail.lifecycle.doctor.links import CLUSTER
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, event_text, items, last, ref_of
from dovetail.lifecycle.objects import mapping, spec_of, status_of

NOT_READY: Final = cause(
    "WorkloadNotReady",
    ("{subject} has {ready} of {wanted} pods ready", "See its pods."),
    ("{subject} 就绪 Pod 数为 {ready}/{wanted}", "查看其 Pod。"),
    depth=60,
)
TOO_SLOW: Final = cause(
    "RolloutStuck",
    ("The roll-out of {subject} does not come on: {why}", "See its pods."),
    ("{subject} 的滚动更新没有进展：{why}", "查看其 Pod。"),
    depth=58,
)
UNTENDED: Final = cause(
    "WorkloadUntended",
    (
        "Nobody makes pods for {subject}: the cluster's workload controllers do not see it",
        "See whether kube-controller-manager runs.",
    ),
    ("没有控制器为 {subject} 创建 Pod", "检查 kube-controller-manager 是否运行。"),
    depth=30,
)
NO_NODES: Final = cause(
    "NoNodes",
    (
        "This cluster has no nodes: it keeps objects and runs no pods",
        "Use a cluster with nodes to run the extension's workloads.",
    ),
    ("该集群没有节点：只保存对象，不运行 Pod", "如需运行扩展组件的工作负载，请使用有节点的集群。"),
    severity=Severity.NOTE,
    depth=1,
)
NODE_NOT_READY: Final = cause(
    "NodeNotReady",
    ("{subject} is not ready: {why}", "Look at the kubelet of that node."),
    ("{subject} 未就绪：{why}", "检查该节点的 kubelet。"),
    depth=10,
)
NO_STORAGE_CLASS: Final = cause(
    "StorageClassMissing",
    (
        "{subject} asks for the storage class {storage}, and there is none: {why}",
        "Make the StorageClass, mark one as the default, or name another in the extension's values.",
    ),
    (
        "{subject} 所需的存储类 {storage} 不存在：{why}",
        "创建该 StorageClass，设置默认存储类，或在扩展组件配置中指定其他存储类。",
    ),
    depth=15,
)
CLAIM_WAITS: Final = cause(
    "ClaimNotBound",
    ("{subject} gets no volume: {why}", "See the storage driver, or make a PersistentVolume that fits."),
    ("{subject} 未分配到存储卷：{why}", "检查存储驱动，或创建匹配的 PersistentVolume。"),
    depth=20,
)
CLAIM_LOST: Final = cause(
    "VolumeLost",
    ("The volume of {subject} is gone", "Restore the data, then make the claim anew."),
    ("{subject} 的存储卷已丢失", "恢复数据后重新创建 PVC。"),
    depth=15,
)

_WORKLOADS: Final = ("deployments", "statefulsets", "daemonsets")


def look(picture: Picture) -> Iterator[Finding]:
    yield from _nodes(picture)
    for plural in _WORKLOADS:
        for workload in picture.all(plural):
            if not is_deleting(workload):
                yield from _workload(picture, workload)
    for replicas in picture.all("replicasets"):
        if int(spec_of(replicas).get("replicas") or 0) > int(status_of(replicas).get("replicas") or 0):
            yield from refused_pods(picture, ref_of(replicas))
    for claim in picture.all("persistentvolumeclaims"):
        yield from _claim(picture, claim)


def counts(workload: Object) -> tuple[int, int]:
    """(ready, wanted)"""
    spec, status = spec_of(workload), status_of(workload)
    if workload.get("kind") == "DaemonSet":
        return int(status.get("numberReady") or 0), int(status.get("desiredNumberScheduled") or 0)
    return int(status.get("readyReplicas") or 0), int(spec.get("replicas", 1) or 0)


def _workload(picture: Picture, workload: Object) -> Iterator[Finding]:
    ref, (ready, wanted) = ref_of(workload), counts(workload)
    yield from refused_pods(picture, ref)
    progressing = condition_of(workload, "Progressing")
    if ready >= wanted or picture.is_new(workload, progressing.get("lastUpdateTime")):
        return
    if not status_of(workload).get("observedGeneration") and picture.all("nodes"):
        proof = evidence(ref, "status.observedGeneration is absent: no controller has looked at it")
        yield Finding(UNTENDED, ref, (proof,), commands=(show(ref),))
        return
    if progressing.get("status") == "False":
        why = f"{progressing.get('reason')}: {progressing.get('message')}"
        yield Finding(
            TOO_SLOW, ref, (evidence(f"{ref}, condition Progressing", why),), {"why": why}, commands=(show(ref),)
        )
    numbers = {"ready": str(ready), "wanted": str(wanted)}
    yield Finding(NOT_READY, ref, (evidence(ref, f"{ready} of {wanted} ready"),), numbers, commands=(show(ref),))


def _nodes(picture: Picture) -> Iterator[Finding]:
    nodes = picture.all("nodes")
    waits = any(picture.all(plural) for plural in (*_WORKLOADS, "jobs"))
    if picture.has_read("nodes") and not nodes and (waits or not picture.extension):
        yield Finding(NO_NODES, CLUSTER, (evidence("nodes", "the list is empty"),))
    hosts = {str(spec_of(pod).get("nodeName")) for pod in picture.all("pods")}
    for node in nodes:
        ready = condition_of(node, "Ready")
        if ready.get("status") != "True" and (not picture.extension or key_of(node).name in hosts):
            why = f"{ready.get('reason')}: {ready.get('message')}"
            ref = ref_of(node)
            proof = evidence(f"{ref}, condition Ready", why)
            yield Finding(NODE_NOT_READY, ref, (proof,), {"why": why}, commands=(show(ref),))


def _claim(picture: Picture, claim: Object) -> Iterator[Finding]:
    ref, phase = ref_of(claim), status_of(claim).get("phase")
    if phase == "Lost":
        yield Finding(CLAIM_LOST, ref, (evidence(ref, "status.phase is Lost"),), commands=(show(ref),))
    if phase != "Pending" or not _is_used(picture, ref):
        return
    event = last(picture.events_about(ref), "ProvisioningFailed", "FailedBinding", "ExternalProvisioning")
    why = event_text(event) if event else "it is Pending"
    proof = evidence(f"Event {event.get('reason')} about {ref}" if event else ref, why)
    wanted = spec_of(claim).get("storageClassName")
    names = {key_of(obj).name for obj in picture.all("storageclasses")}
    known = picture.has_read("storageclasses")
    absent = known and (wanted not in names if wanted else wanted is None and not names)
    found = NO_STORAGE_CLASS if absent else CLAIM_WAITS
    details = {"why": why, "storage": str(wanted or "(default)")}
    yield Finding(found, ref, (proof,), details, commands=(show(ref), "kubectl get storageclasses"))


def _is_used(picture: Picture, claim: Ref) -> bool:
    """A claim that no pod mounts may wait for its first consumer without anybody missing it."""
    return any(
        mapping(volume.get("persistentVolumeClaim")).get("claimName") == claim.name
        for pod in picture.all("pods")
        if key_of(pod).namespace == claim.namespace
        for volume in items(spec_of(pod), "volumes")
    )
