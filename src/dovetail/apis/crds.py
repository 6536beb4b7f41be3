"""CustomResourceDefinitions of every kind of ours, generated from the wire models.

`crds()` is pure and deterministic; installing them in a cluster is up to the caller. They are meant for any Kubernetes
API from 1.25 on.
"""

from typing import Any

from dovetail.apis import (
    extensions_v1alpha1,
    iam_v1beta1,
    kubesphere_v1alpha1,
    quota_v1alpha2,
    serviceaccounts_v1alpha1,
    tenant_v1beta1,
)
from dovetail.apis.kind import Column, Kind
from dovetail.apis.schema import object_schema

KINDS: tuple[Kind, ...] = (
    *extensions_v1alpha1.KINDS,
    *kubesphere_v1alpha1.KINDS,
    *serviceaccounts_v1alpha1.KINDS,
    *iam_v1beta1.KINDS,
    *tenant_v1beta1.KINDS,
    *quota_v1alpha2.KINDS,
)
CATEGORY = "kubesphere"
"""`kubectl get kubesphere` lists all of them."""


def crds() -> list[dict[str, Any]]:
    """All CustomResourceDefinitions, sorted by name. The caller may change what it gets."""
    return sorted((crd(kind) for kind in KINDS), key=lambda crd: crd["metadata"]["name"])


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    resource = kind.resource
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.crd_name, "labels": {"app.kubernetes.io/part-of": "dovetail"}},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": _names(kind),
            "versions": [_version(kind)],
        },
    }


def _names(kind: Kind) -> dict[str, Any]:
    names: dict[str, Any] = {
        "kind": kind.resource.kind,
        "listKind": f"{kind.resource.kind}List",
        "plural": kind.resource.plural,
        "singular": kind.resource.kind.lower(),
        "categories": [CATEGORY],
    }
    return {**names, "shortNames": list(kind.short_names)} if kind.short_names else names


def _version(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
        "schema": {"openAPIV3Schema": object_schema(kind.model)},
    }


def _column(column: Column) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return {**shown, "priority": column.priority} if column.priority else shown
