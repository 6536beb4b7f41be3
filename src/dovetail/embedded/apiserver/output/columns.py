"""The columns of built-in kinds, as kubectl users know them (Kubernetes ``pkg/printers/internalversion``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .tables import AGE, CREATED, NAME, Column, since

Object = Mapping[str, Any]


def _at(obj: Any, path: str, default: Any = None) -> Any:
    for part in path.split("."):
        if not isinstance(obj, Mapping) or part not in obj:
            return default
        obj = obj[part]
    return obj


def text(title: str, path: str, default: str = "", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: str(_at(obj, path, default) or default), priority=priority)


def number(title: str, path: str, priority: int = 0) -> Column:
    return Column(title, lambda obj, _: _at(obj, path, 0) or 0, type="integer", priority=priority)


def computed(title: str, cell: Callable[[Object], Any], kind: str = "string", priority: int = 0) -> Column:
    return Column(title, lambda obj, _: cell(obj), type=kind, priority=priority)


def _keys(*paths: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(_at(obj, path) or {}) for path in paths)


def _selector(path: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        selector = _at(obj, path) or {}
        labels = (
            selector.get("matchLabels", {}) if "matchLabels" in selector or "matchExpressions" in selector else selector
        )
        return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or "<none>"

    return cell


def _templates(path: str, field: str) -> Callable[[Object], str]:
    return lambda obj: ",".join(str(c.get(field, "")) for c in _at(obj, path) or []) or "<none>"


_CONTAINERS = (
    computed("Containers", _templates("spec.template.spec.containers", "name"), priority=1),
    computed("Images", _templates("spec.template.spec.containers", "image"), priority=1),
)
_SELECTOR = computed("Selector", _selector("spec.selector"), priority=1)

# -- pods


def _pod_ready(obj: Object) -> str:
    statuses = _at(obj, "status.containerStatuses") or []
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(_at(obj, 'spec.containers') or [])}"


def _pod_status(obj: Object) -> str:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    reason = str(_at(obj, "status.reason") or _at(obj, "status.phase") or "Unknown")
    for status in _at(obj, "status.containerStatuses") or []:
        state = status.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        reason = str(waiting.get("reason") or ended.get("reason") or reason)
    return reason


def _pod_restarts(obj: Object) -> str:
    return str(sum(int(s.get("restartCount", 0)) for s in _at(obj, "status.containerStatuses") or []))


_PODS = (
    NAME, computed("Ready", _pod_ready), computed("Status", _pod_status), computed("Restarts", _pod_restarts), AGE,
    text("IP", "status.podIP", "<none>", 1), text("Node", "spec.nodeName", "<none>", 1),
    text("Nominated Node", "status.nominatedNodeName", "<none>", 1),
    computed("Readiness Gates", lambda obj: "<none>", priority=1),
)  # fmt: skip

# -- services and endpoints


def _external_ip(obj: Object) -> str:
    spec = obj.get("spec") or {}
    listed = ",".join(spec.get("externalIPs") or [])
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        ingress = _at(obj, "status.loadBalancer.ingress") or []
        return ",".join(i.get("ip") or i.get("hostname", "") for i in ingress) or listed or "<pending>"
    return listed or "<none>"


def _ports(obj: Object) -> str:
    shown: list[str] = []
    for port in _at(obj, "spec.ports") or []:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or "<none>"


def _endpoints(obj: Object) -> str:
    shown: list[str] = []
    for subset in obj.get("subsets") or []:
        for port in subset.get("ports") or [{}]:
            number_text = f":{port['port']}" if "port" in port else ""
            shown += [f"{address.get('ip')}{number_text}" for address in subset.get("addresses") or []]
    if len(shown) > 3:
        return ",".join(shown[:3]) + f" + {len(shown) - 3} more..."
    return ",".join(shown) or "<none>"


def _slice_ports(obj: Object) -> str:
    return ",".join(str(p.get("port", "*")) for p in obj.get("ports") or []) or "<unset>"


def _slice_endpoints(obj: Object) -> str:
    addresses = [address for endpoint in obj.get("endpoints") or [] for address in endpoint.get("addresses") or []]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return ",".join(addresses[:3]) + more or "<unset>"


_SERVICES = (
    NAME, text("Type", "spec.type"), text("Cluster-IP", "spec.clusterIP", "<none>"),
    computed("External-IP", _external_ip), computed("Port(s)", _ports), AGE,
    computed("Selector", _selector("spec.selector"), priority=1),
)  # fmt: skip

# -- workloads


def _ratio(ready: str, wanted: str) -> Callable[[Object], str]:
    return lambda obj: f"{_at(obj, ready, 0) or 0}/{_at(obj, wanted, 0) or 0}"


_DEPLOYMENTS = (
    NAME, computed("Ready", _ratio("status.readyReplicas", "spec.replicas")),
    number("Up-to-date", "status.updatedReplicas"), number("Available", "status.availableReplicas"), AGE,
    *_CONTAINERS, _SELECTOR,
)  # fmt: skip
_REPLICAS = (
    NAME, number("Desired", "spec.replicas"), number("Current", "status.replicas"), number("Ready", "status.readyReplicas"),
    AGE, *_CONTAINERS, _SELECTOR,
)  # fmt: skip
_DAEMONS = (
    NAME, number("Desired", "status.desiredNumberScheduled"), number("Current", "status.currentNumberScheduled"),
    number("Ready", "status.numberReady"), number("Up-to-date", "status.updatedNumberScheduled"),
    number("Available", "status.numberAvailable"),
    computed("Node Selector", _selector("spec.template.spec.nodeSelector")), AGE, *_CONTAINERS, _SELECTOR,
)  # fmt: skip


def _condition(obj: Object, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in _at(obj, "status.conditions") or [])


def _job_status(obj: Object) -> str:
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if _condition(obj, kind):
            return shown
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else "Running"


def _job_duration(obj: Object, now: float) -> str:
    started = _at(obj, "status.startTime")
    ended = _at(obj, "status.completionTime")
    if not started:
        return ""
    from datetime import datetime

    return since(started, datetime.fromisoformat(ended).timestamp() if ended else now)


_JOBS = (
    NAME, computed("Status", _job_status), computed("Completions", _ratio("status.succeeded", "spec.completions")),
    Column("Duration", _job_duration), AGE, *_CONTAINERS, _SELECTOR,
)  # fmt: skip
_CRON = (
    NAME, text("Schedule", "spec.schedule"), text("Timezone", "spec.timeZone", "<none>"),
    computed("Suspend", lambda obj: str(bool(_at(obj, "spec.suspend")))),
    computed("Active", lambda obj: len(_at(obj, "status.active") or []), "integer"),
    Column("Last Schedule", lambda o, now: since(_at(o, "status.lastScheduleTime"), now) if _at(o, "status.lastScheduleTime") else "<none>"),
    AGE,
)  # fmt: skip

# -- access


def _role_ref(obj: Object) -> str:
    return f"{_at(obj, 'roleRef.kind')}/{_at(obj, 'roleRef.name')}"


def _subjects(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = [s for s in obj.get("subjects") or [] if s.get("kind") == kind]
        return ", ".join(f"{s['namespace']}/{s['name']}" if kind == "ServiceAccount" else s["name"] for s in found)

    return cell


_BINDINGS = (
    NAME, computed("Role", _role_ref), AGE, computed("Users", _subjects("User"), priority=1),
    computed("Groups", _subjects("Group"), priority=1), computed("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)  # fmt: skip

# -- the rest


def _node_status(obj: Object) -> str:
    ready = "Ready" if _condition(obj, "Ready") else "NotReady"
    return f"{ready},SchedulingDisabled" if _at(obj, "spec.unschedulable") else ready


def _node_roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


_NODES = (
    NAME, computed("Status", _node_status), computed("Roles", _node_roles), AGE,
    text("Version", "status.nodeInfo.kubeletVersion"),
)  # fmt: skip


def _event_object(obj: Object) -> str:
    involved = obj.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _event_seen(obj: Object, now: float) -> str:
    series = _at(obj, "series.lastObservedTime")
    return since(series or obj.get("lastTimestamp") or obj.get("eventTime") or obj.get("firstTimestamp"), now)


_EVENTS = (
    Column("Last Seen", _event_seen), text("Type", "type"), text("Reason", "reason"), computed("Object", _event_object),
    text("Message", "message"), text("Source", "source.component", priority=1), number("Count", "count", 1),
    Column("Name", NAME.cell, priority=1),
)  # fmt: skip


def _hosts(obj: Object) -> str:
    return ",".join(rule.get("host") or "*" for rule in _at(obj, "spec.rules") or []) or "*"


def _addresses(obj: Object) -> str:
    ingress = _at(obj, "status.loadBalancer.ingress") or []
    return ",".join(str(i.get("ip") or i.get("hostname") or "") for i in ingress)


_INGRESSES = (
    NAME, text("Class", "spec.ingressClassName", "<none>"), computed("Hosts", _hosts), computed("Address", _addresses),
    computed("Ports", lambda obj: "80, 443" if _at(obj, "spec.tls") else "80"), AGE,
)  # fmt: skip


def _modes(path: str) -> Callable[[Object], str]:
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    return lambda obj: ",".join(short.get(mode, mode) for mode in _at(obj, path) or [])


_CLAIMS = (
    NAME, text("Status", "status.phase"), text("Volume", "spec.volumeName"), text("Capacity", "status.capacity.storage"),
    computed("Access Modes", _modes("status.accessModes")), text("StorageClass", "spec.storageClassName"),
    text("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"), AGE,
    text("VolumeMode", "spec.volumeMode", priority=1),
)  # fmt: skip


def _claim(obj: Object) -> str:
    reference = _at(obj, "spec.claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


_VOLUMES = (
    NAME, text("Capacity", "spec.capacity.storage"), computed("Access Modes", _modes("spec.accessModes")),
    text("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"), text("Status", "status.phase"), computed("Claim", _claim),
    text("StorageClass", "spec.storageClassName"), text("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>"),
    text("Reason", "status.reason"), AGE, text("VolumeMode", "spec.volumeMode", priority=1),
)  # fmt: skip


def _hooks(obj: Object) -> int:
    return len(obj.get("webhooks") or [])


BUILTIN: dict[str, tuple[Column, ...]] = {
    "/pods": _PODS,
    "/services": _SERVICES,
    "/configmaps": (NAME, computed("Data", _keys("data", "binaryData"), "integer"), AGE),
    "/secrets": (NAME, text("Type", "type"), computed("Data", _keys("data"), "integer"), AGE),
    "/namespaces": (NAME, text("Status", "status.phase"), AGE),
    "/nodes": _NODES,
    "/events": _EVENTS,
    "/endpoints": (NAME, computed("Endpoints", _endpoints), AGE),
    "/serviceaccounts": (NAME, computed("Secrets", lambda obj: len(obj.get("secrets") or []), "integer"), AGE),
    "/persistentvolumeclaims": _CLAIMS,
    "/persistentvolumes": _VOLUMES,
    "/replicationcontrollers": _REPLICAS,
    "apps/deployments": _DEPLOYMENTS,
    "apps/replicasets": _REPLICAS,
    "apps/statefulsets": (NAME, computed("Ready", _ratio("status.readyReplicas", "spec.replicas")), AGE, *_CONTAINERS),
    "apps/daemonsets": _DAEMONS,
    "batch/jobs": _JOBS,
    "batch/cronjobs": _CRON,
    "networking.k8s.io/ingresses": _INGRESSES,
    "networking.k8s.io/networkpolicies": (NAME, computed("Pod-Selector", _selector("spec.podSelector")), AGE),
    "networking.k8s.io/ingressclasses": (NAME, text("Controller", "spec.controller"), text("Parameters", "spec.parameters.name", "<none>"), AGE),
    "rbac.authorization.k8s.io/roles": (NAME, CREATED),
    "rbac.authorization.k8s.io/clusterroles": (NAME, CREATED),
    "rbac.authorization.k8s.io/rolebindings": _BINDINGS,
    "rbac.authorization.k8s.io/clusterrolebindings": _BINDINGS,
    "coordination.k8s.io/leases": (NAME, text("Holder", "spec.holderIdentity"), AGE),
    "discovery.k8s.io/endpointslices": (
        NAME, text("AddressType", "addressType"), computed("Ports", _slice_ports), computed("Endpoints", _slice_endpoints), AGE,
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
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": (NAME, computed("Webhooks", _hooks, "integer"), AGE),
    "admissionregistration.k8s.io/validatingwebhookconfigurations": (NAME, computed("Webhooks", _hooks, "integer"), AGE),
    "autoscaling/horizontalpodautoscalers": (
        NAME, computed("Reference", lambda o: f"{_at(o, 'spec.scaleTargetRef.kind')}/{_at(o, 'spec.scaleTargetRef.name')}"),
        computed("Targets", lambda obj: "<unknown>"), number("MinPods", "spec.minReplicas"), number("MaxPods", "spec.maxReplicas"),
        number("Replicas", "status.currentReplicas"), AGE,
    ),
}  # fmt: skip
