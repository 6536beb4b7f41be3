"""Defaults of built-in kinds: those on whose presence clients rely. In place. Source: Kubernetes'
``zz_generated.defaults``.

Not every default of Kubernetes is here; what is missing reads as the same behaviour, absent from the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..foreign import part, parts
from .pods import defaults as pods
from .policies import default_limit_range
from .workloads import defaults as workloads

Object = dict[str, Any]


def apply_defaults(store: str, obj: Object) -> None:
    """``store`` is group/plural."""
    rule = _RULES.get(store)
    if rule is not None:
        rule(obj)


def _fill(target: Object, **values: Any) -> None:
    for name, value in values.items():
        if target.get(name) in (None, ""):
            target[name] = value


def _service(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    _fill(spec, type="ClusterIP", sessionAffinity="None")
    for port in parts(spec, "ports"):
        _fill(port, protocol="TCP")
        if "targetPort" not in port and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, externalTrafficPolicy="Cluster")


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")


def _binding(obj: Object) -> None:
    if reference := part(obj, "roleRef"):
        _fill(reference, apiGroup="rbac.authorization.k8s.io")
    for subject in parts(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, apiGroup="rbac.authorization.k8s.io")


def _claim(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), volumeMode="Filesystem")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _volume_object(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _storage_class(obj: Object) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _network_policy(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*parts(spec, "ingress"), *parts(spec, "egress")]:
        for port in parts(rule, "ports"):
            _fill(port, protocol="TCP")


def _autoscaler(obj: Object) -> None:
    obj.setdefault("spec", {}).setdefault("minReplicas", 1)


def _webhooks(obj: Object) -> None:
    for hook in parts(obj, "webhooks"):
        _fill(hook, failurePolicy="Fail", matchPolicy="Equivalent")
        hook.setdefault("timeoutSeconds", 10)
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        for rule in parts(hook, "rules"):
            _fill(rule, scope="*")
        if isinstance(part(hook, "clientConfig").get("service"), dict):
            hook["clientConfig"]["service"].setdefault("port", 443)


def _priority_class(obj: Object) -> None:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")


_RULES: dict[str, Callable[[Object], None]] = {
    "/pods": pods.pod, "/services": _service, "/secrets": _secret, "/replicationcontrollers": workloads.replicas,
    "/limitranges": default_limit_range, "/persistentvolumeclaims": _claim, "/persistentvolumes": _volume_object,
    "apps/deployments": workloads.deployment, "apps/replicasets": workloads.replicas,
    "apps/statefulsets": workloads.stateful_set, "apps/daemonsets": workloads.daemon_set,
    "batch/jobs": workloads.job, "batch/cronjobs": workloads.cron_job,
    "rbac.authorization.k8s.io/rolebindings": _binding, "rbac.authorization.k8s.io/clusterrolebindings": _binding,
    "storage.k8s.io/storageclasses": _storage_class, "networking.k8s.io/networkpolicies": _network_policy,
    "autoscaling/horizontalpodautoscalers": _autoscaler, "scheduling.k8s.io/priorityclasses": _priority_class,
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": _webhooks,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": _webhooks,
}  # fmt: skip
