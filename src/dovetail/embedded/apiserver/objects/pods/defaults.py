"""Defaults of pods and of the pod specs inside templates. In place.

Source: Kubernetes ``pkg/apis/core/v1/defaults.go`` and ``zz_generated.defaults``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...foreign import part, parts

Object = dict[str, Any]


def fill(target: Object, **values: Any) -> None:
    """Set what is missing or the empty string."""
    for name, value in values.items():
        if target.get(name) in (None, ""):
            target[name] = value


def pod(obj: Object) -> None:
    spec: Object = obj.setdefault("spec", {})
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)


def pod_spec(spec: Object) -> None:
    fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
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
    fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    fill(container, imagePullPolicy=_pull_policy(str(container.get("image", ""))))
    container.setdefault("resources", {})
    for port in parts(container, "ports"):
        fill(port, protocol="TCP")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            _probe(container[probe])
    for variable in parts(container, "env"):
        reference = part(variable, "valueFrom").get("fieldRef")
        if reference is not None:
            fill(reference, apiVersion="v1")


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
        fill(probe["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Object) -> None:
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(source), dict):
            volume[source].setdefault("defaultMode", 0o644)
    if len(volume) == 1:
        volume["emptyDir"] = {}
