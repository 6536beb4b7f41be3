"""The columns of built-in kinds, as kubectl users know them (Kubernetes ``pkg/printers/internalversion``).

Kinds that Kubernetes has no columns for (roles, limit ranges, definitions) show when they were created.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..foreign import part, parts
from ..objects.events import core_names
from .age import human_duration
from .cells import at, computed, condition, flag, keys, number, text
from .columns_network import NETWORK
from .columns_pods import PODS
from .columns_storage import STORAGE
from .columns_workloads import WORKLOADS
from .tables import AGE, CREATED, NAME, Column, since

Object = Mapping[str, Any]

# -- access


def _role_ref(obj: Object) -> str:
    return f"{at(obj, 'roleRef.kind')}/{at(obj, 'roleRef.name')}"


def _subjects(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = [s for s in parts(obj, "subjects") if s.get("kind") == kind]
        return ", ".join(
            f"{s.get('namespace', '')}/{s['name']}" if kind == "ServiceAccount" else s["name"] for s in found
        )

    return cell


_BINDINGS = (
    NAME, computed("Role", _role_ref), AGE, computed("Users", _subjects("User"), priority=1),
    computed("Groups", _subjects("Group"), priority=1),
    computed("ServiceAccounts", _subjects("ServiceAccount"), priority=1),
)  # fmt: skip


def _request_state(obj: Object) -> str:
    kinds = [c.get("type") for c in parts(obj, "status", "conditions")]
    state = "Denied" if "Denied" in kinds else "Approved" if "Approved" in kinds else "Pending"
    state += ",Failed" if "Failed" in kinds else ""
    return state + (",Issued" if at(obj, "status.certificate") else "")


def _requested_duration(obj: Object) -> str:
    seconds = at(obj, "spec.expirationSeconds")
    return "<none>" if seconds is None else human_duration(seconds)


# -- nodes and events


def _node_status(obj: Object) -> str:
    known = any(c.get("type") == "Ready" for c in parts(obj, "status", "conditions"))
    ready = ("Ready" if condition(obj, "Ready") else "NotReady") if known else "Unknown"
    return f"{ready},SchedulingDisabled" if at(obj, "spec.unschedulable") else ready


def _node_roles(obj: Object) -> str:
    prefix, labels = "node-role.kubernetes.io/", part(obj["metadata"], "labels")
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)} | {labels.get("kubernetes.io/role")}
    return ",".join(sorted(role for role in roles if role)) or "<none>"


def _address(kind: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = (a.get("address") for a in parts(obj, "status", "addresses") if a.get("type") == kind)
        return str(next(found, "<none>"))

    return cell


_NODES = (
    NAME, computed("Status", _node_status), computed("Roles", _node_roles), AGE,
    text("Version", "status.nodeInfo.kubeletVersion"), computed("Internal-IP", _address("InternalIP"), priority=1),
    computed("External-IP", _address("ExternalIP"), priority=1),
    text("OS-Image", "status.nodeInfo.osImage", "<unknown>", 1),
    text("Kernel-Version", "status.nodeInfo.kernelVersion", "<unknown>", 1),
    text("Container-Runtime", "status.nodeInfo.containerRuntimeVersion", "<unknown>", 1),
)  # fmt: skip


def _about(obj: Object) -> str:
    involved = part(obj, "involvedObject")
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name")
    return f"{kind}/{name}" if name else kind


def _first_seen(obj: Object, now: float) -> str:
    return since(obj.get("firstTimestamp") or obj.get("eventTime"), now)


def _last_seen(obj: Object, now: float) -> str:
    series = at(obj, "series.lastObservedTime")
    return (
        since(series, now)
        if series
        else since(obj["lastTimestamp"], now)
        if obj.get("lastTimestamp")
        else (_first_seen(obj, now))
    )


def _times(obj: Object) -> int:
    return at(obj, "series.count") or obj.get("count") or 1


def _source(obj: Object) -> str:
    source = part(obj, "source")
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance")
    return f"{component}, {host}" if host else str(component)


_CORE_EVENTS = (
    Column("Last Seen", _last_seen), text("Type", "type"), text("Reason", "reason"), computed("Object", _about),
    text("Subobject", "involvedObject.fieldPath", priority=1), computed("Source", _source, priority=1),
    computed("Message", lambda obj: str(obj.get("message", "")).strip()), Column("First Seen", _first_seen, priority=1),
    computed("Count", _times, priority=1), Column("Name", NAME.cell, priority=1),
)  # fmt: skip


def _as_core(column: Column) -> Column:
    """Events of events.k8s.io are shown like those of core/v1."""

    def cell(obj: Object, now: float) -> Any:
        return column.cell(core_names(obj), now)

    return dataclasses.replace(column, cell=cell)


_EVENTS = tuple(map(_as_core, _CORE_EVENTS))

# -- the rest


def _quota(limits: bool) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        hard, used = part(obj, "status", "hard"), part(obj, "status", "used")
        names = sorted(name for name in hard if name.startswith("limits.") is limits)
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in names)

    return cell


def _component(field: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        healthy = [c for c in parts(obj, "conditions") if c.get("type") == "Healthy"]
        return str(healthy[0].get(field, "")) if healthy else ""

    return cell


def _health(obj: Object) -> str:
    return {"True": "Healthy", "False": "Unhealthy"}.get(_component("status")(obj), "Unknown")


def _service(obj: Object) -> str:
    service = at(obj, "spec.service")
    return f"{service.get('namespace')}/{service.get('name')}" if service else "Local"


def _available(obj: Object) -> str:
    for found in parts(obj, "status", "conditions"):
        if found.get("type") == "Available":
            status = str(found.get("status"))
            return status if status == "True" else f"{status} ({found.get('reason', '')})"
    return "Unknown"


def _count(*path: str) -> Callable[[Object], int]:
    return lambda obj: len(parts(obj, *path))


_WEBHOOKS = (NAME, computed("Webhooks", _count("webhooks"), "integer"), AGE)

BUILTIN: dict[str, tuple[Column, ...]] = {
    **NETWORK,
    **STORAGE,
    **WORKLOADS,
    "/pods": PODS,
    "/nodes": _NODES,
    "/events": _EVENTS,
    "/configmaps": (NAME, computed("Data", keys("data", "binaryData")), AGE),
    "/secrets": (NAME, text("Type", "type"), computed("Data", keys("data")), AGE),
    "/namespaces": (NAME, text("Status", "status.phase"), AGE),
    "/serviceaccounts": (NAME, computed("Secrets", _count("secrets")), AGE),
    "/limitranges": (NAME, CREATED),
    "/resourcequotas": (
        NAME, computed("Request", _quota(limits=False)), computed("Limit", _quota(limits=True)), AGE,
    ),
    "/componentstatuses": (
        NAME, computed("Status", _health), computed("Message", _component("message")),
        computed("Error", _component("error")),
    ),
    "rbac.authorization.k8s.io/roles": (NAME, CREATED),
    "rbac.authorization.k8s.io/clusterroles": (NAME, CREATED),
    "rbac.authorization.k8s.io/rolebindings": _BINDINGS,
    "rbac.authorization.k8s.io/clusterrolebindings": _BINDINGS,
    "certificates.k8s.io/certificatesigningrequests": (
        NAME, AGE, text("SignerName", "spec.signerName", "<none>"), text("Requestor", "spec.username"),
        computed("RequestedDuration", _requested_duration), computed("Condition", _request_state),
    ),
    "coordination.k8s.io/leases": (NAME, text("Holder", "spec.holderIdentity"), AGE),
    "node.k8s.io/runtimeclasses": (NAME, text("Handler", "handler"), AGE),
    "scheduling.k8s.io/priorityclasses": (
        NAME, number("Value", "value"), flag("Global-Default", "globalDefault"), AGE,
        text("PreemptionPolicy", "preemptionPolicy"),
    ),
    "apiextensions.k8s.io/customresourcedefinitions": (NAME, CREATED),
    "apiregistration.k8s.io/apiservices": (
        NAME, computed("Service", _service), computed("Available", _available), AGE,
    ),
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": _WEBHOOKS,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": _WEBHOOKS,
}  # fmt: skip
