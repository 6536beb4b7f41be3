"""Strategies of kinds that need no more than their rules, and of claims, volumes, nodes and events.

A write of the status is not checked against the rules of the rest: it cannot change the rest.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from ..fielderrors import FieldError
from ..foreign import part
from . import autoscalers, endpoints, ingresses, network_policies, nodes, storage_classes, volumes
from .event_rules import event_errors
from .strategy import Context, Strategy

Object = dict[str, Any]
Rules = Callable[[Object, "Object | None"], Iterator[FieldError]]


class Checked(Strategy):
    """``rules(obj, old)`` gives the problems of an object; ``old`` is None for a new one."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return [] if context.subresource == "status" else list(self._rules(obj, old))


class Claims(Checked):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {"phase": "Pending"}
            _same_source(obj["spec"])


def _same_source(spec: Object) -> None:
    """``dataSource`` and ``dataSourceRef`` say the same, but for sources in other namespaces."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and reference is None:
        spec["dataSourceRef"] = copy.deepcopy(source)
    elif source is None and reference is not None and not reference.get("namespace"):
        spec["dataSource"] = {"apiGroup": None, **copy.deepcopy(reference)}


class Volumes(Checked):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": context.api.now()}
        elif context.subresource == "status":
            phase, before = part(obj, "status").get("phase"), part(old, "status")
            if phase != before.get("phase"):
                obj["status"].setdefault("lastPhaseTransitionTime", context.api.now())


class Nodes(Checked):
    """A node comes with its status; later only ``/status`` writes it."""

    keeps_status = True

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is not None and context.subresource != "status":
            obj["status"] = copy.deepcopy(old.get("status", {}))
        spec = obj.setdefault("spec", {})
        if spec.get("podCIDR") and not spec.get("podCIDRs"):
            spec["podCIDRs"] = [spec["podCIDR"]]

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(self._rules(obj, old))


class Autoscalers(Checked):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:  # the empty status of the version that is stored, whichever was sent
            obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}


class Events(Strategy):
    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return list(event_errors(obj, old, strict=bool(context.resource.group)))


_NETWORKING, _STORAGE = "networking.k8s.io", "storage.k8s.io"
STRATEGIES: dict[str, Strategy] = {
    "/endpoints": Checked(endpoints.endpoints_errors),
    "/events": Events(),
    "/nodes": Nodes(nodes.node_errors),
    "/persistentvolumeclaims": Claims(volumes.claim_errors),
    "/persistentvolumes": Volumes(volumes.volume_errors),
    "autoscaling/horizontalpodautoscalers": Autoscalers(autoscalers.autoscaler_errors),
    "coordination.k8s.io/leases": Checked(nodes.lease_errors),
    "discovery.k8s.io/endpointslices": Checked(endpoints.slice_errors),
    f"{_NETWORKING}/ingresses": Checked(ingresses.ingress_errors),
    f"{_NETWORKING}/ingressclasses": Checked(ingresses.class_errors),
    f"{_NETWORKING}/networkpolicies": Checked(network_policies.policy_errors),
    "node.k8s.io/runtimeclasses": Checked(nodes.runtime_class_errors),
    "policy/poddisruptionbudgets": Checked(autoscalers.budget_errors),
    f"{_STORAGE}/csidrivers": Checked(storage_classes.driver_errors),
    f"{_STORAGE}/csinodes": Checked(storage_classes.node_errors),
    f"{_STORAGE}/csistoragecapacities": Checked(storage_classes.capacity_errors),
    f"{_STORAGE}/storageclasses": Checked(storage_classes.class_errors),
    f"{_STORAGE}/volumeattachments": Checked(storage_classes.attachment_errors),
    f"{_STORAGE}/volumeattributesclasses": Checked(storage_classes.attributes_class_errors),
}
