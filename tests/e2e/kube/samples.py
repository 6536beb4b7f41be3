"""Objects that several rows use."""

from typing import Any

Object = dict[str, Any]


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> Object:
    meta: Object = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def pod(name: str, **spec: Any) -> Object:
    containers = [{"name": "c", "image": "registry.example/app:1"}]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec},
    }  # fmt: skip


def deployment(name: str, **spec: Any) -> Object:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx:1"}]}}
    whole = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": whole}


def definition(plural: str, kind: str, properties: Object, scope: str = "Namespaced", **version: Any) -> Object:
    """A CustomResourceDefinition of group rows.dovetail.dev with one version v1 and `spec` of these properties."""
    spec = properties if "type" in properties else {"type": "object", "properties": properties}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    names = {"plural": plural, "kind": kind, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.rows.dovetail.dev"},
        "spec": {"group": "rows.dovetail.dev", "scope": scope, "names": names, "versions": [served]},
    }  # fmt: skip


def custom(kind: str, name: str, **spec: Any) -> Object:
    return {"apiVersion": "rows.dovetail.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
