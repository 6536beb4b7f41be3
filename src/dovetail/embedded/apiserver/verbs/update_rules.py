"""What an update of a kind may do: create the object, do without a resource version, change metadata through /status.

The tables are those of the strategies in kube-apiserver (AllowCreateOnUpdate, AllowUnconditionalUpdate, the status
strategies). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import Conflict, Invalid
from ..fielderrors import FieldError, invalid
from ..registry.resource import ResourceType
from ..storage.records import Record

_RBAC = "rbac.authorization.k8s.io"
_CREATED_BY_UPDATE = {
    "coordination.k8s.io/leases", "/endpoints", "/events", "/limitranges", "/services",
    "scheduling.k8s.io/priorityclasses",
    *(f"{_RBAC}/{plural}" for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")),
}  # fmt: skip
_VERSION_NEEDED = {
    "coordination.k8s.io/leases", "policy/poddisruptionbudgets", "node.k8s.io/runtimeclasses",
    "storage.k8s.io/csidrivers", "storage.k8s.io/csinodes", "storage.k8s.io/csistoragecapacities",
    "storage.k8s.io/volumeattachments", "admissionregistration.k8s.io/mutatingwebhookconfigurations",
    "admissionregistration.k8s.io/validatingwebhookconfigurations",
    "apiextensions.k8s.io/customresourcedefinitions", "apiregistration.k8s.io/apiservices",
}  # fmt: skip
_IMMUTABLE = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
# Where kube-apiserver keeps a kind, when it is not under its plural name: shown in some conflicts.
_PREFIXES = {
    "/services": "services/specs",
    "/endpoints": "services/endpoints",
    "/nodes": "minions",
    "/replicationcontrollers": "controllers",
    "networking.k8s.io/ingresses": "ingress",
    "apiextensions.k8s.io/customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
    "apiregistration.k8s.io/apiservices": "apiregistration.k8s.io/apiservices",
}


def created_by_update(resource: ResourceType) -> bool:
    return resource.store in _CREATED_BY_UPDATE


def check_version(resource: ResourceType, record: Record, wanted: Any) -> None:
    """Raises Conflict, or Invalid when the kind is only updated with a version."""
    if wanted:
        if wanted != str(record.rev):
            raise Conflict(resource.group, resource.plural, record.name)
    elif resource.custom is not None or resource.store in _VERSION_NEEDED:
        error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise Invalid(resource.group, resource.plural, record.name, [error])


def check_uid(resource: ResourceType, record: Record, wanted: Any, found: str) -> None:
    """A whole object that names another uid is about another object. Raises Conflict."""
    if not wanted or wanted == found:
        return
    prefix = _PREFIXES.get(resource.store) or (resource.store if resource.custom is not None else resource.plural)
    key = "/".join(part for part in ("/registry", prefix, record.namespace, record.name) if part)
    why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
    text = f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
    raise Conflict(resource.group, resource.plural, record.name, text)


def immutable_errors(meta: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldError]:
    """Fields of the server that a client states differently; leaving them out is fine."""
    for name in _IMMUTABLE:
        value = meta.get(name)
        if value is not None and value != "" and value != old.get(name):
            yield invalid(f"metadata.{name}", value, "field is immutable")


def status_keeps_metadata(resource: ResourceType) -> bool:
    """Whether /status leaves labels, annotations and finalizers alone."""
    return resource.custom is not None or resource.store == "apiextensions.k8s.io/customresourcedefinitions"
