"""The APIServices of the groups that this server serves itself: pure functions from the catalogue to objects.

As kube-apiserver's autoregistration does: one for each group and version, ``Available`` for the reason ``Local``; the
priorities of the built-in groups are Kubernetes', those of custom resources follow the order of their versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType

Object = dict[str, Any]

LABEL = "kube-aggregator.kubernetes.io/automanaged"
OWN_GROUP = "apiregistration.k8s.io"  # served by the aggregator itself, which lists no service for it
_CUSTOM = (1000, 100)
_OTHER = (16000, 15)
_GROUPS = {
    "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600,
    "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
    "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500,
    "node.k8s.io": 16300, "discovery.k8s.io": 16200, "flowcontrol.apiserver.k8s.io": 16100, "resource.k8s.io": 15200,
}  # fmt: skip
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30}


def local_services(catalogue: Catalogue, now: str) -> Iterator[Object]:
    """What should be there, complete but for what the server adds to metadata."""
    for group in catalogue.groups():
        if group == OWN_GROUP:
            continue
        versions = catalogue.versions(group)
        for place, version in enumerate(versions):
            served = catalogue.of(group, version)
            if served and not any(resource.remote for resource in served):
                yield _service(group, version, _priorities(served[0], place), served[0].custom is not None, now)


def _priorities(resource: ResourceType, place: int) -> tuple[int, int]:
    if resource.custom is not None:
        return _CUSTOM[0], _CUSTOM[1] - place
    group = _GROUPS.get(resource.group, _OTHER[0])
    return group, _VERSIONS.get((resource.group, resource.version), _OTHER[1])


def _service(group: str, version: str, priorities: tuple[int, int], custom: bool, now: str) -> Object:
    spec: Object = {"groupPriorityMinimum": priorities[0], "version": version, "versionPriority": priorities[1]}
    if group:
        spec["group"] = group
    available = {
        "lastTransitionTime": now, "message": "Local APIServices are always available", "reason": "Local",
        "status": "True", "type": "Available",
    }  # fmt: skip
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{version}.{group}", "labels": {LABEL: "true" if custom else "onstart"}},
        "spec": spec,
        "status": {"conditions": [available]},
    }
