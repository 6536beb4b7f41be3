"""The table of built-in kinds: names and verbs only; their fields come from ``schema.builtin``.

Columns: group/version, kind, plural, short names, flags. Flags: ``c`` cluster-scoped, ``s`` status subresource, ``S``
scale subresource, ``g`` has a generation, ``a`` in category "all", ``x`` in category "api-extensions", ``1`` create
only (a review: nothing is stored), ``r`` read only, ``d`` not deleted in bulk.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

from ..objects.autoscaler_versions import first_version, to_second
from ..objects.events import to_core, to_version
from ..schema.builtin import definitions
from ..schema.node import ANY_NODE, Node
from .resource import ALL_VERBS, Conversion, ResourceType

_TABLE = """
v1 Binding bindings - 1
v1 ComponentStatus componentstatuses cs cr
v1 ConfigMap configmaps cm -
v1 Endpoints endpoints ep -
v1 Event events ev -
v1 LimitRange limitranges limits -
v1 Namespace namespaces ns csd
v1 Node nodes no cs
v1 PersistentVolumeClaim persistentvolumeclaims pvc s
v1 PersistentVolume persistentvolumes pv cs
v1 Pod pods po sag
v1 PodTemplate podtemplates - -
v1 ReplicationController replicationcontrollers rc sSga
v1 ResourceQuota resourcequotas quota s
v1 Secret secrets - -
v1 ServiceAccount serviceaccounts sa -
v1 Service services svc sa
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations - cgx
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations - cgx
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions crd,crds csgx
apiregistration.k8s.io/v1 APIService apiservices - csx
apps/v1 ControllerRevision controllerrevisions - -
apps/v1 DaemonSet daemonsets ds sga
apps/v1 Deployment deployments deploy sSga
apps/v1 ReplicaSet replicasets rs sSga
apps/v1 StatefulSet statefulsets sts sSga
authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews - c1
authentication.k8s.io/v1 TokenReview tokenreviews - c1
authorization.k8s.io/v1 LocalSubjectAccessReview localsubjectaccessreviews - 1
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews - c1
authorization.k8s.io/v1 SelfSubjectRulesReview selfsubjectrulesreviews - c1
authorization.k8s.io/v1 SubjectAccessReview subjectaccessreviews - c1
autoscaling/v1 HorizontalPodAutoscaler horizontalpodautoscalers hpa sa
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers hpa sa
batch/v1 CronJob cronjobs cj sga
batch/v1 Job jobs - sga
certificates.k8s.io/v1 CertificateSigningRequest certificatesigningrequests csr cs
coordination.k8s.io/v1 Lease leases - -
discovery.k8s.io/v1 EndpointSlice endpointslices - g
events.k8s.io/v1 Event events ev -
networking.k8s.io/v1 Ingress ingresses ing sg
networking.k8s.io/v1 IngressClass ingressclasses - cg
networking.k8s.io/v1 NetworkPolicy networkpolicies netpol g
node.k8s.io/v1 RuntimeClass runtimeclasses - c
policy/v1 PodDisruptionBudget poddisruptionbudgets pdb sg
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings - c
rbac.authorization.k8s.io/v1 ClusterRole clusterroles - c
rbac.authorization.k8s.io/v1 RoleBinding rolebindings - -
rbac.authorization.k8s.io/v1 Role roles - -
scheduling.k8s.io/v1 PriorityClass priorityclasses pc cg
storage.k8s.io/v1 CSIDriver csidrivers - c
storage.k8s.io/v1 CSINode csinodes - c
storage.k8s.io/v1 CSIStorageCapacity csistoragecapacities - -
storage.k8s.io/v1 StorageClass storageclasses sc c
storage.k8s.io/v1 VolumeAttachment volumeattachments - cs
storage.k8s.io/v1 VolumeAttributesClass volumeattributesclasses vac c
"""

# Field selectors that kube-apiserver supports beyond metadata.name and metadata.namespace.
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_SELECTABLE = {
    "/pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    "/events": (
        *(f"involvedObject.{name}" for name in _REFERENCE), "reason", "reportingComponent", "source", "type",
    ),
    "events.k8s.io/events": (
        *(f"regarding.{name}" for name in _REFERENCE), "reason", "reportingController", "type",
    ),
    "/namespaces": ("status.phase",),
    "/nodes": ("spec.unschedulable",),
    "/secrets": ("type",),
    "/services": ("spec.clusterIP", "spec.type"),
    "/replicationcontrollers": ("status.replicas",),
    "batch/jobs": ("status.successful",),
    "certificates.k8s.io/certificatesigningrequests": ("spec.signerName",),
}  # fmt: skip

_SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".spec.selector",
}
_UPDATES = ("get", "patch", "update")
_CONNECT = ("create", "get")
_PROXY = ("create", "delete", "get", "patch", "update")
_EXTRA: dict[str, dict[str, tuple[str, ...]]] = {
    "namespaces": {"finalize": ("update",)},
    "pods": {
        "attach": _CONNECT, "binding": ("create",), "ephemeralcontainers": _UPDATES, "eviction": ("create",),
        "exec": _CONNECT, "log": ("get",), "portforward": _CONNECT, "proxy": _PROXY, "resize": _UPDATES,
    },
    "services": {"proxy": _PROXY},
    "nodes": {"proxy": _PROXY},
    "serviceaccounts": {"token": ("create",)},
    "certificatesigningrequests": {"approval": _UPDATES},
}  # fmt: skip
_DEPRECATED = {
    "/componentstatuses": "v1 ComponentStatus is deprecated in v1.19+",
    "/endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}
_OTHER_STORE = {"events.k8s.io/events": "/events"}
_CONVERSIONS = {
    "events.k8s.io/v1/events": Conversion(to_core, partial(to_version, "events.k8s.io")),
    "autoscaling/v1/horizontalpodautoscalers": Conversion(to_second, first_version),
}


def _shape(group: str, version: str, kind: str) -> Node:
    try:
        return definitions().kind_node(group, version, kind)
    except KeyError:
        return ANY_NODE


@cache
def builtin_stores() -> frozenset[str]:
    """``group/plural`` of every built-in kind."""
    return frozenset(resource.store for resource in builtin_kinds())


def builtin_kinds() -> Iterator[ResourceType]:
    """Every built-in kind, in the order of the table."""
    for line in _TABLE.strip().splitlines():
        api_version, kind, plural, short, flags = line.split()
        group, _, version = api_version.rpartition("/")
        yield _resource(group, version, kind, plural, () if short == "-" else tuple(short.split(",")), flags)


def _verbs(flags: str) -> tuple[str, ...]:
    if "1" in flags:
        return ("create",)
    if "r" in flags:
        return ("get", "list")
    return tuple(verb for verb in ALL_VERBS if verb != "deletecollection" or "d" not in flags)


def _resource(group: str, version: str, kind: str, plural: str, short: tuple[str, ...], flags: str) -> ResourceType:
    subresources = dict(_EXTRA.get(plural, {}))
    if "s" in flags:
        subresources["status"] = _UPDATES
    if "S" in flags:
        subresources["scale"] = _UPDATES
    categories = ("all",) if "a" in flags else ("api-extensions",) if "x" in flags else ()
    return ResourceType(
        group, version, plural, kind,
        namespaced="c" not in flags, singular=kind.lower(), short_names=short, categories=categories,
        verbs=_verbs(flags),
        subresources=subresources, generation="g" in flags, list_kind=f"{kind}List",
        selectable=_SELECTABLE.get(f"{group}/{plural}", ()), scale_paths=_SCALE if "S" in flags else {},
        shape=lambda: _shape(group, version, kind), stored_as=_OTHER_STORE.get(f"{group}/{plural}", ""),
        deprecation=_DEPRECATED.get(f"{group}/{plural}", ""),
        conversion=_CONVERSIONS.get(f"{group}/{version}/{plural}"),
    )  # fmt: skip
