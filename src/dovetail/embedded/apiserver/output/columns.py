"""The columns of built-in kinds, as kubectl users know them (Kubernetes ``pkg/printers/internalversion``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..foreign import part, parts
from .cells import at, computed, condition, keys, number, selector, text
from .columns_workloads import CONTAINERS, CRON, DAEMONS, DEPLOYMENTS, JOBS, PODS, REPLICAS, ratio
from .tables import AGE, CREATED, NAME, Column, since

Object = Mapping[str, Any]

# -- services and endpoints


def _external_ip(obj: Object) -> str:
    spec = part(obj, "spec")
    listed = ",".join(parts(spec, "externalIPs"))
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        ingress = parts(obj, "status", "loadBalancer", "ingress")
        return ",".join(i.get("ip") or i.get("hostname", "") for i in ingress) or listed or "<pending>"
    return listed or "<none>"


def _ports(obj: Object) -> str:
    shown: list[str] = []
    for port in parts(obj, "spec", "ports"):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _endpoints(obj: Object) -> str:
    shown: list[str] = []
    for subset in parts(obj, "subsets"):
        numbers = [f":{port['port']}" for port in parts(subset, "ports") if "port" in port] or [""]
        shown += [f"{address.get('ip')}{number}" for number in numbers for address in parts(subset, "addresses")]
    if len(shown) > 3:
        return ",".join(shown[:3]) + f" + {len(shown) - 3} more..."
    return ",".join(shown) or "<none>"


def _slice_ports(obj: Object) -> str:
    return ",".join(str(p.get("port", "*")) for p in parts(obj, "ports")) or "<unset>"


def _slice_endpoints(obj: Object) -> str:
    addresses = [address for endpoint in parts(obj, "endpoints") for address in parts(endpoint, "addresses")]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return ",".join(addresses[:3]) + more or "<unset>"


_SERVICES = (
    NAME, text("Type", "spec.type"), text("Cluster-IP", "spec.clusterIP", "<none>"),
    computed("External-IP", _external_ip), computed("Port(s)", _ports), AGE,
    computed("Selector", selector("spec.selector"), priority=1),
)  # fmt: skip

# -- access


def _role_ref(obj: Object) -> str:
    return f"{at(obj, 'roleRef.kind')}/{at(obj, 'roleRef.name')}"


def _subjects(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = [s for s in parts(obj, "subjects") if s.get("kind") == kind]
        return ", ".join(f"{s['namespace']}/{s['name']}" if kind == "ServiceAccount" else s["name"] for s in found)

    return cell


_BINDINGS = (
    NAME, computed("Role", _role_ref), AGE, computed("Users", _subjects("User"), priority=1),
    computed("Groups", _subjects("Group"), priority=1),
    computed("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)  # fmt: skip

# -- the rest


def _node_status(obj: Object) -> str:
    ready = "Ready" if condition(obj, "Ready") else "NotReady"
    return f"{ready},SchedulingDisabled" if at(obj, "spec.unschedulable") else ready


def _node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = part(obj["metadata"], "labels")
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


_NODES = (
    NAME, computed("Status", _node_status), computed("Roles", _node_roles), AGE,
    text("Version", "status.nodeInfo.kubeletVersion"),
)  # fmt: skip


def _event_object(obj: Object) -> str:
    involved = part(obj, "involvedObject")
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _event_seen(obj: Object, now: float) -> str:
    series = at(obj, "series.lastObservedTime")
    return since(series or obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp"), now)


_EVENTS = (
    Column("Last Seen", _event_seen), text("Type", "type"), text("Reason", "reason"), computed("Object", _event_object),
    text("Message", "message"), text("Source", "source.component", priority=1), number("Count", "count", 1),
    Column("Name", NAME.cell, priority=1),
)  # fmt: skip


def _hosts(obj: Object) -> str:
    return ",".join(rule.get("host") or "*" for rule in parts(obj, "spec", "rules")) or "*"


def _addresses(obj: Object) -> str:
    ingress = parts(obj, "status", "loadBalancer", "ingress")
    return ",".join(str(i.get("ip") or i.get("hostname") or "") for i in ingress)


_INGRESSES = (
    NAME, text("Class", "spec.ingressClassName", "<none>"), computed("Hosts", _hosts), computed("Address", _addresses),
    computed("Ports", lambda obj: "80, 443" if at(obj, "spec.tls") else "80"), AGE,
)  # fmt: skip


def _modes(path: str) -> Callable[[Object], str]:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return lambda obj: ",".join(str(short.get(mode, mode)) for mode in parts(obj, *path.split(".")))


_CLAIMS = (
    NAME, text("Status", "status.phase"), text("Volume", "spec.volumeName"),
    text("Capacity", "status.capacity.storage"),
    computed("Access Modes", _modes("status.accessModes")), text("StorageClass", "spec.storageClassName"),
    text("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"), AGE,
    text("VolumeMode", "spec.volumeMode", priority=1),
)  # fmt: skip


def _claim(obj: Object) -> str:
    reference = at(obj, "spec.claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


_VOLUMES = (
    NAME, text("Capacity", "spec.capacity.storage"), computed("Access Modes", _modes("spec.accessModes")),
    text("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"), text("Status", "status.phase"),
    computed("Claim", _claim),
    text("StorageClass", "spec.storageClassName"),
    text("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"),
    text("Reason", "status.reason"), AGE, text("VolumeMode", "spec.volumeMode", priority=1),
)  # fmt: skip


def _hooks(obj: Object) -> int:
    return len(parts(obj, "webhooks"))


_WEBHOOKS = (NAME, computed("Webhooks", _hooks, "integer"), AGE)


def _scaled(obj: Object) -> str:
    target = part(obj, "spec", "scaleTargetRef")
    return f"{target.get('kind')}/{target.get('name')}"


BUILTIN: dict[str, tuple[Column, ...]] = {
    "/pods": PODS,
    "/services": _SERVICES,
    "/configmaps": (NAME, computed("Data", keys("data", "binaryData"), "integer"), AGE),
    "/secrets": (NAME, text("Type", "type"), computed("Data", keys("data"), "integer"), AGE),
    "/namespaces": (NAME, text("Status", "status.phase"), AGE),
    "/nodes": _NODES,
    "/events": _EVENTS,
    "/endpoints": (NAME, computed("Endpoints", _endpoints), AGE),
    "/serviceaccounts": (NAME, computed("Secrets", lambda obj: len(parts(obj, "secrets")), "integer"), AGE),
    "/persistentvolumeclaims": _CLAIMS,
    "/persistentvolumes": _VOLUMES,
    "/replicationcontrollers": REPLICAS,
    "apps/deployments": DEPLOYMENTS,
    "apps/replicasets": REPLICAS,
    "apps/statefulsets": (NAME, computed("Ready", ratio("status.readyReplicas", "spec.replicas")), AGE, *CONTAINERS),
    "apps/daemonsets": DAEMONS,
    "batch/jobs": JOBS,
    "batch/cronjobs": CRON,
    "networking.k8s.io/ingresses": _INGRESSES,
    "networking.k8s.io/networkpolicies": (NAME, computed("Pod-Selector", selector("spec.podSelector")), AGE),
    "networking.k8s.io/ingressclasses": (
        NAME, text("Controller", "spec.controller"), text("Parameters", "spec.parameters.name", "<none>"), AGE,
    ),
    "rbac.authorization.k8s.io/roles": (NAME, CREATED),
    "rbac.authorization.k8s.io/clusterroles": (NAME, CREATED),
    "rbac.authorization.k8s.io/rolebindings": _BINDINGS,
    "rbac.authorization.k8s.io/clusterrolebindings": _BINDINGS,
    "coordination.k8s.io/leases": (NAME, text("Holder", "spec.holderIdentity"), AGE),
    "discovery.k8s.io/endpointslices": (
        NAME, text("AddressType", "addressType"), computed("Ports", _slice_ports),
        computed("Endpoints", _slice_endpoints), AGE,
    ),
    "storage.k8s.io/storageclasses": (
        NAME, text("Provisioner", "provisioner"), text("ReclaimPolicy", "reclaimPolicy"),
        text("VolumeBindingMode", "volumeBindingMode"),
        computed("AllowVolumeExpansion", lambda obj: bool(obj.get("allowVolumeExpansion"))), AGE,
    ),
    "scheduling.k8s.io/priorityclasses": (
        NAME, number("Value", "value"), computed("Global-Default", lambda obj: bool(obj.get("globalDefault"))), AGE,
        text("PreemptionPolicy", "preemptionPolicy"),
    ),
    "policy/poddisruptionbudgets": (
        NAME, text("Min Available", "spec.minAvailable", "N/A"), text("Max Unavailable", "spec.maxUnavailable", "N/A"),
        number("Allowed Disruptions", "status.disruptionsAllowed"), AGE,
    ),
    "apiextensions.k8s.io/customresourcedefinitions": (NAME, CREATED),
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": _WEBHOOKS,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": _WEBHOOKS,
    "autoscaling/horizontalpodautoscalers": (
        NAME, computed("Reference", _scaled),
        computed("Targets", lambda obj: "<unknown>"),
        number("MinPods", "spec.minReplicas"), number("MaxPods", "spec.maxReplicas"),
        number("Replicas", "status.currentReplicas"), AGE,
    ),
}  # fmt: skip
