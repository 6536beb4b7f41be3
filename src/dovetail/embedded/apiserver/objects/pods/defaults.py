"""Defaults of pods and of the pod specs inside templates. In place.

The object has Go's form already (``schema.conform``): zeros of fields that are no pointers are absent. Source:
Kubernetes ``pkg/apis/core/v1/defaults.go`` and ``zz_generated.defaults.go``.
"""

from __future__ import annotations

import re
from typing import Any

from ...foreign import is_object, part, parts
from ...quantities import in_millis
from .resources import pod_level_defaults

Object = dict[str, Any]

_MODES = ("configMap", "secret", "downwardAPI", "projected")
_OTHER_VOLUMES: dict[str, dict[str, Any]] = {
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "fsType": "ext4", "readOnly": False, "kind": "Shared"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
    "hostPath": {"type": ""},
}
_PROBE = (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3))


def fill(target: Object, **values: Any) -> None:
    """Set what is missing or the empty string."""
    for name, default in values.items():
        if target.get(name) in (None, ""):
            target[name] = default


def pod(obj: Object) -> None:
    """A whole pod: what templates get, and what only a pod gets."""
    spec: Object = obj.setdefault("spec", {})
    pod_spec(spec)
    for container in [*parts(spec, "containers"), *parts(spec, "initContainers")]:
        _requests_from_limits(container["resources"])
    pod_level_defaults(spec)
    spec.setdefault("enableServiceLinks", True)
    if spec.get("hostNetwork"):
        _host_ports(spec)


def pod_spec(spec: Object) -> None:
    """What every pod spec gets, in pods and in templates."""
    fill(spec, restartPolicy="Always", dnsPolicy="ClusterFirst", schedulerName="default-scheduler")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("securityContext", {})
    # the two names are one field inside Kubernetes; the older one is still written, and read when it stands alone
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    _whole_milli(spec.get("overhead"))
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in parts(spec, kind):
            _container(container)
    for volume in parts(spec, "volumes"):
        _volume(volume)
    _resources(spec.get("resources"))


def _container(container: Object) -> None:
    fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
    fill(container, imagePullPolicy=pull_policy(str(container.get("image", ""))))
    _resources(container.setdefault("resources", {}))
    for port in parts(container, "ports"):
        fill(port, protocol="TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if is_object(container.get(name)):
            _probe(container[name])
    for name in ("postStart", "preStop"):
        _http(part(container, "lifecycle", name).get("httpGet"))
    for variable in parts(container, "env"):
        _reference(part(variable, "valueFrom").get("fieldRef"))
        if is_object(keyed := part(variable, "valueFrom").get("fileKeyRef")):
            keyed.setdefault("optional", False)


_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.\-]+(?::[0-9]+)?/|\[[a-fA-F0-9:]+\](?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?P<digest>@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?\Z"
)


def pull_policy(image: str) -> str:
    """Always for ``latest``, said or meant; an image that is no image reference has no tag at all."""
    found = _IMAGE.match(image)
    if found is None:
        return "IfNotPresent"
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _probe(probe: Object) -> None:
    for name, default in _PROBE:
        probe.setdefault(name, default)
    _http(probe.get("httpGet"))
    if is_object(grpc := probe.get("grpc")):
        fill(grpc, service="")


def _http(action: Any) -> None:
    if is_object(action):
        fill(action, path="/", scheme="HTTP")


def _reference(reference: Any) -> None:
    if is_object(reference):
        fill(reference, apiVersion="v1")


def _volume(volume: Object) -> None:
    if len(volume) == 1 and "name" in volume:
        volume["emptyDir"] = {}
    for source in _MODES:
        if is_object(volume.get(source)):
            volume[source].setdefault("defaultMode", 0o644)
    for source, defaults in _OTHER_VOLUMES.items():
        if is_object(volume.get(source)):
            volume[source] |= {name: default for name, default in defaults.items() if name not in volume[source]}
    for item in parts(volume, "downwardAPI", "items"):
        _reference(item.get("fieldRef"))
    for source in parts(volume, "projected", "sources"):
        for item in parts(source, "downwardAPI", "items"):
            _reference(item.get("fieldRef"))
        if is_object(token := source.get("serviceAccountToken")):
            token.setdefault("expirationSeconds", 3600)
    if is_object(image := volume.get("image")):
        fill(image, pullPolicy=pull_policy(str(image.get("reference", ""))))
    if is_object(claim := part(volume, "ephemeral").get("volumeClaimTemplate")):
        claim_spec(claim.setdefault("spec", {}))


def claim_spec(spec: Object) -> None:
    """The spec of a persistent volume claim, also inside templates."""
    fill(spec, volumeMode="Filesystem")
    _resources(spec.get("resources"))


def _resources(resources: Any) -> None:
    if is_object(resources):
        for kind in ("limits", "requests"):
            _whole_milli(part(resources, kind))


def _whole_milli(quantities: Any) -> None:
    """Amounts finer than a thousandth are rounded up."""
    if is_object(quantities):
        for name, text in quantities.items():
            quantities[name] = in_millis(str(text))


def _requests_from_limits(resources: Object) -> None:
    limits = part(resources, "limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, amount in limits.items():
            requests.setdefault(name, amount)


def _host_ports(spec: Object) -> None:
    for container in [*parts(spec, "containers"), *parts(spec, "initContainers")]:
        for port in parts(container, "ports"):
            if not port.get("hostPort") and port.get("containerPort"):
                port["hostPort"] = port["containerPort"]
