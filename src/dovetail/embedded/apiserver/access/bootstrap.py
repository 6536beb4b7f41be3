"""What every cluster has from the start: system namespaces, the basic roles and bindings, the ``kubernetes`` service.

Written at start when missing, and never changed afterwards: an administrator's edits stay. Roles are those of
Kubernetes' ``bootstrappolicy`` that anybody above this layer refers to. What the components with certificates of their
own may do is not said here: whoever starts the server hands in their roles (``ApiServerSettings.objects``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io/v1"
_LABEL = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_READ, _WRITE = ["get", "list", "watch"], ["create", "delete", "deletecollection", "patch", "update"]
_PATHS = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
]

_CORE_EDIT = [
    "configmaps",
    "endpoints",
    "events",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "services",
    "services/proxy",
]
_CORE_SUB = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "pods/eviction", "serviceaccounts/token"]
_CORE_VIEW = [
    "bindings",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "persistentvolumeclaims",
    "persistentvolumeclaims/status",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "replicationcontrollers/status",
    "resourcequotas",
    "resourcequotas/status",
    "serviceaccounts",
    "services",
    "services/status",
]
_OTHER_VIEW = [
    (
        "apps",
        [
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ],
    ),
    ("autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
    ("batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
    ("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
    ("networking.k8s.io", ["ingresses", "ingresses/status", "networkpolicies"]),
    ("discovery.k8s.io", ["endpointslices"]),
    ("events.k8s.io", ["events"]),
]
_OTHER_EDIT = [
    (
        "apps",
        [
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ],
    ),
    ("autoscaling", ["horizontalpodautoscalers"]),
    ("batch", ["cronjobs", "jobs"]),
    ("policy", ["poddisruptionbudgets"]),
    ("networking.k8s.io", ["ingresses", "networkpolicies"]),
    ("coordination.k8s.io", ["leases"]),
]


def _rule(groups: str, resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": [groups], "resources": resources, "verbs": verbs}


def _view() -> list[Object]:
    return [_rule("", _CORE_VIEW, _READ), *(_rule(group, names, _READ) for group, names in _OTHER_VIEW)]


def _edit() -> list[Object]:
    return [
        _rule("", _CORE_EDIT, _READ + _WRITE), _rule("", _CORE_SUB, ["create", "get"]),
        _rule("", ["serviceaccounts"], ["impersonate"]),
        *(_rule(group, names, _READ + _WRITE) for group, names in _OTHER_EDIT), *_view(),
    ]  # fmt: skip


def _admin() -> list[Object]:
    return [
        *_edit(), _rule("rbac.authorization.k8s.io", ["roles", "rolebindings"], _READ + _WRITE),
        _rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
    ]  # fmt: skip


def _role(name: str, rules: list[Object], labels: dict[str, str] | None = None, aggregate: str = "") -> Object:
    role: Object = {
        "apiVersion": _RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {**_LABEL, **(labels or {})}},
    }
    if aggregate:
        selector = {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{aggregate}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return {**role, "rules": rules}


def _binding(role: str, *groups: str) -> Object:
    subjects = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group} for group in groups]
    return {
        "apiVersion": _RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": role, "labels": dict(_LABEL)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": subjects,
    }  # fmt: skip


def objects() -> Iterator[Object]:
    """Every object, namespaces first."""
    for namespace in ("default", "kube-system", "kube-public", "kube-node-lease"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    anything = [_rule("*", ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
    yield _role("cluster-admin", anything)
    yield _role("admin", _admin(), aggregate="admin")
    yield _role("edit", _edit(), {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}, "edit")
    yield _role("view", _view(), {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}, "view")
    yield _role("system:discovery", [{"nonResourceURLs": _PATHS, "verbs": ["get"]}])
    public = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
    yield _role("system:public-info-viewer", [{"nonResourceURLs": public, "verbs": ["get"]}])
    reviews = _rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"])
    yield _role("system:basic-user", [reviews, _rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"])])
    issuer = {
        "nonResourceURLs": [
            "/.well-known/openid-configuration",
            "/.well-known/openid-configuration/",
            "/openid/v1/jwks",
            "/openid/v1/jwks/",
        ],
        "verbs": ["get"],
    }
    yield _role("system:service-account-issuer-discovery", [issuer])
    delegated = [
        _rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
        _rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
    ]
    yield _role("system:auth-delegator", delegated)
    yield _binding("cluster-admin", "system:masters")
    yield _binding("system:discovery", "system:authenticated")
    yield _binding("system:basic-user", "system:authenticated")
    yield _binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated")
    yield _binding("system:service-account-issuer-discovery", "system:serviceaccounts")


def service(address: str, port: int) -> Object:
    """The ``kubernetes`` service through which workloads find the API."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"clusterIP": address, "type": "ClusterIP", "sessionAffinity": "None", "ports": ports},
    }  # fmt: skip
