"""What the in-memory API serves: kinds, how they behave, and the discovery documents that tell of them."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import orjson

_RBAC = "rbac.authorization.k8s.io"
_KS = "kubesphere.io"
_EXT = "extensions.kubesphere.io"


class Kind(NamedTuple):
    """A resource. `custom` ones have a generation, a status of its own, and need a resourceVersion to be replaced."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    custom: bool = False
    status: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def _custom(group: str, plural: str, kind: str) -> Kind:
    return Kind(group, "v1alpha1", plural, kind, namespaced=False, custom=True, status=True)


NAMESPACE = Kind("", "v1", "namespaces", "Namespace", namespaced=False, status=True)
CONFIGMAP = Kind("", "v1", "configmaps", "ConfigMap")
SECRET = Kind("", "v1", "secrets", "Secret")
SERVICEACCOUNT = Kind("", "v1", "serviceaccounts", "ServiceAccount")
EVENT = Kind("", "v1", "events", "Event")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")
ROLE = Kind(_RBAC, "v1", "roles", "Role")
ROLEBINDING = Kind(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTERROLE = Kind(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTERROLEBINDING = Kind(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
HIDDEN = (
    Kind("apps", "v1", "statefulsets", "StatefulSet"), Kind("apps", "v1", "daemonsets", "DaemonSet"),
    Kind("batch", "v1", "cronjobs", "CronJob"), Kind("batch", "v1", "jobs", "Job"), Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    _custom(_EXT, "apiservices", "APIService"), _custom(_EXT, "extensionentries", "ExtensionEntry"),
    _custom(_KS, "apiservices", "APIService"), _custom(_KS, "jsbundles", "JSBundle"),
    _custom(_KS, "reverseproxies", "ReverseProxy"),
)  # fmt: skip
"""Served, but left out of discovery: there are none of them in any run, and looking through them costs time."""
REPOSITORY = _custom(_KS, "repositories", "Repository")
CATEGORY = _custom(_KS, "categories", "Category")
EXTENSION = _custom(_KS, "extensions", "Extension")
EXTENSIONVERSION = _custom(_KS, "extensionversions", "ExtensionVersion")
INSTALLPLAN = _custom(_KS, "installplans", "InstallPlan")
SUBSCRIPTION = _custom(_KS, "subscriptions", "Subscription")
JSBUNDLE = _custom(_EXT, "jsbundles", "JSBundle")
REVERSEPROXY = _custom(_EXT, "reverseproxies", "ReverseProxy")

KINDS = (
    NAMESPACE, CONFIGMAP, SECRET, SERVICEACCOUNT, EVENT, LEASE, ROLE, ROLEBINDING, CLUSTERROLE, CLUSTERROLEBINDING,
    REPOSITORY, CATEGORY, EXTENSION, EXTENSIONVERSION, INSTALLPLAN, SUBSCRIPTION, JSBUNDLE, REVERSEPROXY,
    DEPLOYMENT, *HIDDEN,
)  # fmt: skip

_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


class Place(NamedTuple):
    """Where a request goes: a collection (no name), an object, or a part of one."""

    kind: Kind
    namespace: str
    name: str
    subresource: str


def kind_of(api_version: str, kind: str) -> Kind | None:
    return _BY_NAME.get((api_version, kind))


@lru_cache(maxsize=8192)
def place_of(path: str) -> Place | None:
    """The place that a path names, or None: 404."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group, rest = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    if len(rest) < 2:
        return None
    version, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and (group, version, rest[2]) in _BY_PATH:
        namespace, rest = rest[1], rest[2:]
    kind = _BY_PATH.get((group, version, rest[0]))
    if kind is None or len(rest) > 3:
        return None
    return Place(kind, namespace, rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else "")


def _discovery(groups: Iterable[str]) -> bytes:
    items: list[object] = []
    for group in groups:
        served = [kind for kind in KINDS if kind.group == group and kind not in HIDDEN]
        resources = [
            {
                "resource": kind.plural,
                "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
                "scope": "Namespaced" if kind.namespaced else "Cluster",
                "verbs": _VERBS,
            }
            for kind in served
        ]
        items.append(
            {"metadata": {"name": group}, "versions": [{"version": served[0].version, "resources": resources}]}
        )
    return orjson.dumps({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items})


def _resources() -> dict[str, bytes]:
    """The older form of discovery: a document for each group version."""
    found: dict[str, bytes] = {}
    for version in dict.fromkeys(kind.api_version for kind in KINDS):
        served = [
            {"name": kind.plural, "kind": kind.kind, "namespaced": kind.namespaced, "verbs": _VERBS}
            for kind in KINDS
            if kind.api_version == version
        ]
        document = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": served}
        found[f"/apis/{version}" if "/" in version else f"/api/{version}"] = orjson.dumps(document)
    return found


DOCUMENTS = _resources() | {
    "/version": orjson.dumps({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}),
    "/api": _discovery([""]),
    "/apis": _discovery(sorted({kind.group for kind in KINDS if kind.group and kind not in HIDDEN})),
}
