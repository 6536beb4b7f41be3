"""Discovery: /api, /apis, /apis/G, /apis/G/V, and the aggregated form (apidiscovery.k8s.io/v2). Pure functions of the
catalogue, with the fields that kube-apiserver writes and no others.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType

Document = dict[str, Any]

AGGREGATED = ("v2", "v2beta1")
# What a subresource's requests are, where that is not the kind it belongs to: (group, version, kind). Without a group
# and version the kind is one of the resource's own version.
_SUB_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "serviceaccounts/token": ("authentication.k8s.io", "v1", "TokenRequest"),
    "pods/eviction": ("policy", "v1", "Eviction"),
    "pods/binding": ("", "", "Binding"),
    "pods/attach": ("", "", "PodAttachOptions"),
    "pods/exec": ("", "", "PodExecOptions"),
    "pods/portforward": ("", "", "PodPortForwardOptions"),
    "pods/proxy": ("", "", "PodProxyOptions"),
    "services/proxy": ("", "", "ServiceProxyOptions"),
    "nodes/proxy": ("", "", "NodeProxyOptions"),
}


def core_versions(server: str) -> Document:
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(catalogue: Catalogue) -> Document:
    groups = [_group(catalogue, name) for name in catalogue.groups() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalogue: Catalogue, name: str) -> Document | None:
    if name not in catalogue.groups() or not name:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(catalogue, name)}


def _group(catalogue: Catalogue, name: str) -> Document:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in catalogue.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def resource_list(catalogue: Catalogue, name: str, version: str) -> Document | None:
    found = catalogue.of(name, version)
    if not found:
        return None
    resources = [entry for resource in found for entry in _entries(catalogue, resource)]
    if not name:  # the oldest document of all has no apiVersion
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
    group_version = f"{name}/{version}"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _entries(catalogue: Catalogue, resource: ResourceType) -> Iterator[Document]:
    entry: Document = {
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": list(resource.verbs),
    }  # fmt: skip
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if hashed := _storage_hash(catalogue, resource):
        entry["storageVersionHash"] = hashed
    yield entry
    for name, verbs in sorted(resource.subresources.items()):
        yield _sub_entry(resource, name, verbs)


def _sub_entry(resource: ResourceType, name: str, verbs: tuple[str, ...]) -> Document:
    entry: Document = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    sub_group, version, kind = _sub_kind(resource, name)
    if sub_group:
        entry |= {"group": sub_group, "version": version}
    return {**entry, "kind": kind, "verbs": list(verbs)}


def _sub_kind(resource: ResourceType, name: str) -> tuple[str, str, str]:
    found = _SUB_KINDS.get(f"{resource.plural}/{name}") or _SUB_KINDS.get(name)
    return found if found is not None else ("", "", resource.kind)


def _storage_hash(catalogue: Catalogue, resource: ResourceType) -> str:
    """What tells clients that the stored form changed: a digest of the version that is stored."""
    if "get" not in resource.verbs or "create" not in resource.verbs:
        return ""
    group, version = resource.group, resource.version
    if resource.stored_as:
        group, version = resource.stored_as.partition("/")[0], "v1"
    elif resource.custom is not None:
        if len(_versions(catalogue, resource)) > 1:  # which of them is stored is not known here
            return ""
    else:
        version = _versions(catalogue, resource)[0]
    digest = hashlib.sha256(f"{group}/{version}/{resource.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _versions(catalogue: Catalogue, resource: ResourceType) -> list[str]:
    found = [v for v in catalogue.versions(resource.group) if catalogue.find(resource.group, v, resource.plural)]
    return found or [resource.version]


# -- aggregated


def aggregated(catalogue: Catalogue, core: bool, version: str) -> Document:
    """Everything below /api (``core``) or /apis in one document."""
    names = [name for name in catalogue.groups() if (not name) is core]
    items = [_aggregated_group(catalogue, name) for name in names]
    return {
        "kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items,
    }  # fmt: skip


def _aggregated_group(catalogue: Catalogue, name: str) -> Document:
    versions = [
        {"version": version, "resources": [_aggregated(r) for r in catalogue.of(name, version)], "freshness": "Current"}
        for version in catalogue.versions(name)
    ]
    return {"metadata": {"name": name} if name else {}, "versions": versions}


def _kind(group_name: str, version: str, kind: str) -> Document:
    return {"group": group_name, "version": version, "kind": kind}


def _aggregated(resource: ResourceType) -> Document:
    entry: Document = {
        "resource": resource.plural, "responseKind": _kind("", "", resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular, "verbs": list(resource.verbs),
    }  # fmt: skip
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {"subresource": name, "responseKind": _kind(*_sub_kind(resource, name)), "verbs": list(verbs)}
            for name, verbs in sorted(resource.subresources.items())
        ]
    return entry
