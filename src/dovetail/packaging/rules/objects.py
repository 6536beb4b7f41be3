"""Rules about rendered objects: what a cluster would refuse, or Helm would not do as its author thinks."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, warning
from dovetail.packaging.manifests import mapping
from dovetail.packaging.metadata import METADATA_FILE
from dovetail.packaging.versions import Constraint, Version

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_1035: Final = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SEGMENT: Final = re.compile(r"(?!\.\.?\Z)[^/%]+")

_NAMES: Final[Mapping[str, re.Pattern[str]]] = {
    "Service": _LABEL_1035,
    "Namespace": _LABEL,
    "ServiceAccount": _SUBDOMAIN,
    "Role": _SEGMENT,
    "ClusterRole": _SEGMENT,
    "RoleBinding": _SEGMENT,
    "ClusterRoleBinding": _SEGMENT,
    "CertificateSigningRequest": _SEGMENT,
}
_SELECTED: Final = frozenset({"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"})

_REMOVED: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    **{("extensions/v1beta1", kind): ("1.16.0", "apps/v1") for kind in ("Deployment", "DaemonSet", "ReplicaSet")},
    **{("apps/v1beta1", kind): ("1.16.0", "apps/v1") for kind in ("Deployment", "StatefulSet")},
    **{("apps/v1beta2", kind): ("1.16.0", "apps/v1") for kind in _SELECTED},
    ("extensions/v1beta1", "NetworkPolicy"): ("1.16.0", "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy"): ("1.16.0", "Pod Security admission"),
    ("extensions/v1beta1", "Ingress"): ("1.22.0", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress"): ("1.22.0", "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass"): ("1.22.0", "networking.k8s.io/v1"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): ("1.22.0", "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "APIService"): ("1.22.0", "apiregistration.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest"): ("1.22.0", "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease"): ("1.22.0", "coordination.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass"): ("1.22.0", "scheduling.k8s.io/v1"),
    **{
        ("admissionregistration.k8s.io/v1beta1", kind): ("1.22.0", "admissionregistration.k8s.io/v1")
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
    },
    **{
        (f"rbac.authorization.k8s.io/{old}", kind): ("1.22.0", "rbac.authorization.k8s.io/v1")
        for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
        for old in ("v1beta1", "v1alpha1")
    },
    **{("storage.k8s.io/v1beta1", kind): ("1.22.0", "storage.k8s.io/v1") for kind in ("StorageClass", "CSIDriver")},
    ("batch/v1beta1", "CronJob"): ("1.25.0", "batch/v1"),
    ("policy/v1beta1", "PodDisruptionBudget"): ("1.25.0", "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy"): ("1.25.0", "Pod Security admission"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): ("1.25.0", "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event"): ("1.25.0", "events.k8s.io/v1"),
    ("node.k8s.io/v1beta1", "RuntimeClass"): ("1.25.0", "node.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): ("1.25.0", "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): ("1.26.0", "autoscaling/v2"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity"): ("1.27.0", "storage.k8s.io/v1"),
    **{
        (f"flowcontrol.apiserver.k8s.io/{old}", kind): (gone, "flowcontrol.apiserver.k8s.io/v1")
        for kind in ("FlowSchema", "PriorityLevelConfiguration")
        for old, gone in (("v1beta1", "1.26.0"), ("v1beta2", "1.29.0"), ("v1beta3", "1.32.0"))
    },
}


def nothing(examined: Examined) -> Iterator[Finding]:
    """The releases together must install something."""
    if examined.views and not any(view.objects or view.crds or view.findings for view in examined.views):
        message = "with the default values nothing is installed anywhere"
        yield warning("nothing-rendered", METADATA_FILE, message, "Look at the tags and conditions of dependencies")


def supported(examined: Examined) -> Iterator[Finding]:
    """The Kubernetes at hand must be one that the extension says it works with."""
    wanted = examined.package.metadata.kube_version
    if wanted and not Constraint.parse(wanted).accepts(examined.kube_version):
        message = f"it asks for Kubernetes {wanted} and was rendered for {examined.kube_version}"
        fix = "Correct kubeVersion, or check with another --kube-version"
        yield error("kubernetes-unsupported", examined.at("kubeVersion"), message, fix)


def unreadable(examined: Examined) -> Iterator[Finding]:
    """What kept a view from being read."""
    for view in examined.views:
        yield from view.findings


def repeated(examined: Examined) -> Iterator[Finding]:
    """The same object twice in one release."""
    for view in examined.views:
        seen: dict[tuple[str, str, str, str], str] = {}
        for obj in view.objects:
            hook = str(obj.annotations.get("helm.sh/hook", ""))
            key = (obj.group, obj.kind, obj.namespace, f"{obj.name} {hook}")
            if obj.name and key in seen:
                message = f"{obj.title} is rendered twice, also at {seen[key]}"
                yield warning("object-repeated", obj.place, message, "Remove one of them")
            seen.setdefault(key, obj.place)


def names(examined: Examined) -> Iterator[Finding]:
    """apiVersion and a name that the kind allows. An object with generateName has no name yet."""
    for obj in examined.objects:
        if not obj.api_version or not (obj.name or obj.metadata.get("generateName")):
            missing = "metadata.name" if obj.api_version else "apiVersion"
            yield error("manifest-not-object", obj.place, f"a {obj.kind} has no {missing}", f"Add {missing}")
        elif obj.name and not _NAMES.get(obj.kind, _SUBDOMAIN).fullmatch(obj.name):
            message = f"{obj.name!r} cannot be the name of a {obj.kind}"
            fix = "Use lower-case letters, digits and hyphens, at most 63"
            yield warning("object-name-invalid", obj.place, message, fix)


def selectors(examined: Examined) -> Iterator[Finding]:
    """Workloads must select their pods."""
    for obj in examined.objects:
        selector = mapping(mapping(obj.value.get("spec")).get("selector"))
        if obj.kind in _SELECTED and not (selector.get("matchLabels") or selector.get("matchExpressions")):
            message = f"{obj.title} has no selector"
            yield error("selector-missing", obj.place, message, "Add spec.selector.matchLabels")


def removed_apis(examined: Examined) -> Iterator[Finding]:
    """Versions of APIs that the Kubernetes at hand no longer serves."""
    for obj in examined.objects:
        gone, instead = _REMOVED.get((obj.api_version, obj.kind), ("", ""))
        if gone and examined.kube_version >= Version.parse(gone):
            message = f"{obj.title} uses {obj.api_version}, which Kubernetes {gone[:-2]} removed"
            yield error("api-removed", obj.place, message, f"Use {instead}")


def kept_items(examined: Examined) -> Iterator[Finding]:
    """`helm.sh/resource-policy` counts on documents only."""
    for obj in examined.objects:
        if obj.in_list and "helm.sh/resource-policy" in obj.annotations:
            message = f"helm.sh/resource-policy of {obj.title} has no effect inside a List"
            yield error("resource-policy-in-list", obj.place, message, "Write the object as a document of its own")


RULES: Final[tuple[Callable[[Examined], Iterator[Finding]], ...]] = (
    supported, unreadable, nothing, repeated, names, selectors, removed_apis, kept_items,
)  # fmt: skip
