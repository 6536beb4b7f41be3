"""Defaults of built-in kinds: those on whose presence clients rely. In place. Source: Kubernetes'
``zz_generated.defaults``.

Not every default of Kubernetes is here; what is missing reads as the same behaviour, absent from the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..foreign import part, parts

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


def pod_spec(spec: Object) -> None:
    _fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in _containers(spec):
        _container(container)
    for volume in parts(spec, "volumes"):
        _volume(volume)


def _containers(spec: Object) -> Iterator[Object]:
    yield from parts(spec, "initContainers")
    yield from parts(spec, "containers")


def _container(container: Object) -> None:
    _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    _fill(container, imagePullPolicy=_pull_policy(str(container.get("image", ""))))
    container.setdefault("resources", {})
    for port in parts(container, "ports"):
        _fill(port, protocol="TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            _probe(container[probe])
    for variable in parts(container, "env"):
        reference = part(variable, "valueFrom").get("fieldRef")
        if reference is not None:
            _fill(reference, apiVersion="v1")


def _pull_policy(image: str) -> str:
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    _, _, tag = last.partition(":")
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _probe(probe: Object) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe.setdefault(name, value)
    if isinstance(probe.get("httpGet"), dict):
        _fill(probe["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Object) -> None:
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", 0o644)
    if len(volume) == 1:
        volume["emptyDir"] = {}


def _template(obj: Object) -> Object:
    spec: Object = obj.setdefault("spec", {})
    if pod := part(spec, "template", "spec"):
        pod_spec(pod)
    return spec


def _pod(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)


def _deployment(obj: Object) -> None:
    spec = _template(obj)
    for name, value in (("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)):
        spec.setdefault(name, value)
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _replicas(obj: Object) -> None:
    _template(obj).setdefault("replicas", 1)


def _stateful_set(obj: Object) -> None:
    spec = _template(obj)
    _fill(spec, podManagementPolicy="OrderedReady")
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)


def _daemon_set(obj: Object) -> None:
    spec = _template(obj)
    spec.setdefault("revisionHistoryLimit", 10)
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _job(obj: Object) -> None:
    spec = _template(obj)
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    for name, value in (("parallelism", 1), ("backoffLimit", 6), ("suspend", False)):
        spec.setdefault(name, value)
    _fill(spec, completionMode="NonIndexed", podReplacementPolicy="TerminatingOrFailed")


def _cron_job(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    _fill(spec, concurrencyPolicy="Allow")
    for name, value in (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
        spec.setdefault(name, value)
    if pod := part(spec, "jobTemplate", "spec", "template", "spec"):
        pod_spec(pod)


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
    "/pods": _pod, "/services": _service, "/secrets": _secret, "/replicationcontrollers": _replicas,
    "/persistentvolumeclaims": _claim, "/persistentvolumes": _volume_object,
    "apps/deployments": _deployment, "apps/replicasets": _replicas, "apps/statefulsets": _stateful_set,
    "apps/daemonsets": _daemon_set, "batch/jobs": _job, "batch/cronjobs": _cron_job,
    "rbac.authorization.k8s.io/rolebindings": _binding, "rbac.authorization.k8s.io/clusterrolebindings": _binding,
    "storage.k8s.io/storageclasses": _storage_class, "networking.k8s.io/networkpolicies": _network_policy,
    "autoscaling/horizontalpodautoscalers": _autoscaler, "scheduling.k8s.io/priorityclasses": _priority_class,
    "admissionregistration.k8s.io/mutatingwebhookconfigurations": _webhooks,
    "admissionregistration.k8s.io/validatingwebhookconfigurations": _webhooks,
}  # fmt: skip
