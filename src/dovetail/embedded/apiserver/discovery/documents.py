"""Discovery: /api, /apis, /apis/G, /apis/G/V, and the aggregated form (apidiscovery.k8s.io/v2). Pure functions of the
catalogue.
"""

from __future__ import annotations

from typing import Any

from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType

Document = dict[str, Any]

AGGREGATED = ("v2", "v2beta1")
_SUB_KINDS = {
    "scale": ("autoscaling", "v1", "Scale"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
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
    resources = [entry for resource in found for entry in _entries(resource)]
    group_version = f"{name}/{version}" if name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _entries(resource: ResourceType) -> list[Document]:
    entry: Document = {
        "name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced,
        "kind": resource.kind, "verbs": list(resource.verbs),
    }  # fmt: skip
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return [entry, *(_sub_entry(resource, name, verbs) for name, verbs in resource.subresources.items())]


def _sub_entry(resource: ResourceType, name: str, verbs: tuple[str, ...]) -> Document:
    entry: Document = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
    if name in _SUB_KINDS:
        sub_group, version, kind = _SUB_KINDS[name]
        return {**entry, "group": sub_group, "version": version, "kind": kind, "verbs": list(verbs)}
    return {**entry, "kind": resource.kind, "verbs": list(verbs)}


# -- aggregated


def aggregated(catalogue: Catalogue, core: bool, version: str) -> Document:
    """Everything below /api (``core``) or /apis in one document."""
    names = [name for name in catalogue.groups() if (not name) is core]
    items = [_aggregated_group(catalogue, name) for name in names]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _aggregated_group(catalogue: Catalogue, name: str) -> Document:
    versions = [
        {"version": version, "resources": [_aggregated(r) for r in catalogue.of(name, version)], "freshness": "Current"}
        for version in catalogue.versions(name)
    ]
    meta: Document = {"creationTimestamp": None}
    return {"metadata": {"name": name, **meta} if name else meta, "versions": versions}


def _kind(group_name: str, version: str, kind: str) -> Document:
    return {"group": group_name, "version": version, "kind": kind}


def _aggregated(resource: ResourceType) -> Document:
    own = _kind(resource.group, resource.version, resource.kind)
    entry: Document = {
        "resource": resource.plural, "responseKind": own,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular, "verbs": list(resource.verbs),
    }  # fmt: skip
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": _kind(*_SUB_KINDS[name]) if name in _SUB_KINDS else own,
                "verbs": list(verbs),
            }
            for name, verbs in resource.subresources.items()
        ]
    return entry
