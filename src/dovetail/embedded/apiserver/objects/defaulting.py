"""Defaults of built-in kinds: those on whose presence clients rely. In place. Source: Kubernetes'
``zz_generated.defaults``.

Not every default of Kubernetes is here; what is missing reads as the same behaviour, absent from the object.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from typing import Any

from ..foreign import part, parts
from .pods import defaults as pods
from .policies import default_limit_range, default_quota
from .service_rules import externally_accessible
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
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec["sessionAffinity"] == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        client.setdefault("timeoutSeconds", 10800)
    for port in parts(spec, "ports"):
        _fill(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
    if spec["type"] != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster")
    if externally_accessible(spec):
        _fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def _endpoints(obj: Object) -> None:
    for subset in parts(obj, "subsets"):
        for port in parts(subset, "ports"):
            _fill(port, protocol="TCP")


def _slice(obj: Object) -> None:
    for port in parts(obj, "ports"):
        port.setdefault("name", "")
        _fill(port, protocol="TCP")


def _namespace(obj: Object) -> None:
    name = part(obj, "metadata").get("name")
    if name:
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _secret(obj: Object) -> None:
    texts = part(obj, "stringData")
    obj.pop("stringData", None)
    for key, text in texts.items():
        obj.setdefault("data", {})[key] = base64.b64encode(str(text).encode()).decode()
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
    spec = obj.setdefault("spec", {})
    _fill(spec, volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _fill(obj.setdefault("status", {}), phase="Pending")
    if "hostPath" in spec:
        spec["hostPath"].setdefault("type", "")
    if "iscsi" in spec:
        _fill(spec["iscsi"], iscsiInterface="default")
    if "rbd" in spec:
        _fill(spec["rbd"], pool="rbd", user="admin", keyring="/etc/ceph/keyring")
    if "azureDisk" in spec:
        disk = spec["azureDisk"]
        _fill(disk, cachingMode="ReadWrite", kind="Shared", fsType="ext4")
        disk.setdefault("readOnly", False)


def _storage_class(obj: Object) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _driver(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    for name, value in _DRIVER.items():
        spec.setdefault(name, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


_DRIVER = {
    "attachRequired": True, "podInfoOnMount": False, "storageCapacity": False, "requiresRepublish": False,
    "seLinuxMount": False, "fsGroupPolicy": "ReadWriteOnceWithFSType",
}  # fmt: skip


def _network_policy(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for rule in [*parts(spec, "ingress"), *parts(spec, "egress")]:
        for port in parts(rule, "ports"):
            _fill(port, protocol="TCP")


def _ingress_class(obj: Object) -> None:
    parameters = part(obj, "spec").get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def _autoscaler(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("minReplicas", 1)
    if obj.get("apiVersion") != "autoscaling/v2":
        return  # the default metric of version 1 comes with its conversion
    if not spec.get("metrics"):
        spec["metrics"] = [copy.deepcopy(_CPU)]
    behavior = spec.get("behavior")
    if behavior is not None:
        pods, percent = ({"type": kind, "value": value, "periodSeconds": 15} for kind, value in _STEPS)
        _scaling(behavior.setdefault("scaleUp", {}), 0, [pods, percent])
        _scaling(behavior.setdefault("scaleDown", {}), None, [dict(percent)])


_STEPS = (("Pods", 4), ("Percent", 100))


def _scaling(rules: Object, window: int | None, policies: list[Object]) -> None:
    if window is not None:
        rules.setdefault("stabilizationWindowSeconds", window)
    rules.setdefault("selectPolicy", "Max")
    if not rules.get("policies"):
        rules["policies"] = policies


def _webhooks(obj: Object) -> None:
    for hook in parts(obj, "webhooks"):
        _fill(hook, failurePolicy="Fail", matchPolicy="Equivalent")
        if obj.get("kind") == "MutatingWebhookConfiguration":
            _fill(hook, reinvocationPolicy="Never")
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
    "/pods": pods.pod, "/services": _service, "/secrets": _secret, "/namespaces": _namespace,
    "/replicationcontrollers": workloads.replication_controller,
    "/podtemplates": workloads.pod_template,
    "/endpoints": _endpoints, "discovery.k8s.io/endpointslices": _slice, "storage.k8s.io/csidrivers": _driver,
    "networking.k8s.io/ingressclasses": _ingress_class,
    "/limitranges": default_limit_range, "/resourcequotas": default_quota,
    "/persistentvolumeclaims": _claim, "/persistentvolumes": _volume_object,
    "apps/deployments": workloads.deployment, "apps/replicasets": workloads.replicas,
    "apps/statefulsets": workloads.stateful_set, "apps/daemonsets": workloads.daemon_set,
    "batch/jobs": workloads.job, "batch/cronjobs": workloads.cron_job,
    "rbac.authorization.k8s.io/rolebindings": _binding, "rbac.authorization.k8s.io/clusterrolebindings": _binding,
    "storage.k8s.io/storageclasses": _storage_class, "networking.k8s.io/networkpolicies": _network_policy,
    "autoscaling/horizontalpodautoscalers": _autoscaler, "scheduling.k8s.io/priorityclasses": _priority_class,
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": _webhooks,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": _webhooks,
}  # fmt: skip
