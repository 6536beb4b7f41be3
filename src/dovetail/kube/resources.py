"""What a resource is and where it lives: group, version, plural, kind, and the URL paths formed from them.

A `Resource` is plain data. Functions of this room take any object with the same five attributes (`ResourceLike`), so
that rooms which may not import this one can describe their kinds with a structure of their own. Names are checked as
the API server checks path segments: what could climb to another path is refused here instead of being sent.

The constants cover the kinds of Kubernetes that the platform touches; others are found by discovery.
"""

from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from dovetail.kube.errors import InvalidPath

Object = dict[str, Any]
"""A foreign JSON object. Never mutate one that came from a cache."""


class ResourceLike(Protocol):
    """Anything that names a resource; `group` is "" for the core group."""

    @property
    def group(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def namespaced(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object as the API serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`v1` for the core group, else `group/version`."""
        return api_version_of(self)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """See `path_of`."""
        return path_of(self, namespace, name, subresource)


def api_version_of(resource: ResourceLike) -> str:
    """The `apiVersion` of the resource's objects."""
    return f"{resource.group}/{resource.version}" if resource.group else resource.version


def path_of(
    resource: ResourceLike, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """The URL path of a collection, an object or a subresource, percent-encoded.

    Without `namespace` a namespaced resource's path is the one across all namespaces, which only collections have.
    Raises InvalidPath.
    """
    if namespace and not resource.namespaced:
        raise InvalidPath(resource.plural, "namespace", namespace, "was given for a cluster-scoped resource")
    if name is not None and resource.namespaced and not namespace:
        raise InvalidPath(resource.plural, "name", name, "needs a namespace")
    parts = [f"/apis/{resource.group}" if resource.group else "/api", resource.version]
    if namespace:
        parts += ["namespaces", _segment(resource.plural, "namespace", namespace)]
    parts.append(resource.plural)
    if name is not None:
        parts.append(_segment(resource.plural, "name", name))
    if subresource:
        parts += [_segment(resource.plural, "subresource", part) for part in subresource.split("/")]
    return "/".join(parts)


def _segment(plural: str, part: str, value: str) -> str:
    # Source of the rule: apimachinery's path.ValidatePathSegmentName.
    if value in ("", ".", ".."):
        raise InvalidPath(plural, part, value, "cannot be a path segment")
    if "/" in value or "%" in value:
        raise InvalidPath(plural, part, value, "may not contain '/' or '%'")
    return quote(value, safe=":@!$&'()*+,;=~")


def _core(plural: str, kind: str, namespaced: bool = True) -> Resource:
    return Resource("", "v1", plural, kind, namespaced)


def _rbac(plural: str, kind: str, namespaced: bool) -> Resource:
    return Resource("rbac.authorization.k8s.io", "v1", plural, kind, namespaced)


NAMESPACES = _core("namespaces", "Namespace", False)
NODES = _core("nodes", "Node", False)
CONFIGMAPS = _core("configmaps", "ConfigMap")
SECRETS = _core("secrets", "Secret")
SERVICES = _core("services", "Service")
ENDPOINTS = _core("endpoints", "Endpoints")
SERVICEACCOUNTS = _core("serviceaccounts", "ServiceAccount")
PODS = _core("pods", "Pod")
EVENTS = _core("events", "Event")
PERSISTENTVOLUMECLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICASETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
STATEFULSETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMONSETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
JOBS = Resource("batch", "v1", "jobs", "Job")
CRONJOBS = Resource("batch", "v1", "cronjobs", "CronJob")
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
ROLES = _rbac("roles", "Role", True)
ROLEBINDINGS = _rbac("rolebindings", "RoleBinding", True)
CLUSTERROLES = _rbac("clusterroles", "ClusterRole", False)
CLUSTERROLEBINDINGS = _rbac("clusterrolebindings", "ClusterRoleBinding", False)
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
