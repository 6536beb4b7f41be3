"""What Kubernetes warns of in pods and templates (``pkg/api/pod/warnings.go``): texts of Warning headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...foreign import is_object, part, parts
from ...quantities import value
from ..names import dns_label
from .annotations import APP_ARMOR, SECCOMP, SECCOMP_POD
from .scheduling import PREFERRED, REQUIRED
from .security import all_containers

Object = dict[str, Any]

_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}
_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_VOLUMES = (
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)
_NO_POD = "a null labelSelector results in matching no pod"


def pod_warnings(obj: Object) -> Iterator[str]:
    """Of a new pod."""
    meta, spec = part(obj, "metadata"), part(obj, "spec")
    if problems := dns_label(str(meta.get("name", ""))):
        why = "this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended"
        yield f"metadata.name: {why}: [{' '.join(problems)}]"
    for container, _ in all_containers(spec, ""):
        key = f"{APP_ARMOR}{container.get('name', '')}"
        if key in part(meta, "annotations"):
            yield f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    yield from _warnings(meta, spec, "")


def template_warnings(template: Object, field: str) -> Iterator[str]:
    yield from _warnings(part(template, "metadata"), part(template, "spec"), f"{field}.")


def _warnings(meta: Object, spec: Object, prefix: str) -> Iterator[str]:
    given = part(meta, "annotations")
    yield from _node_labels(spec, f"{prefix}spec")
    for key, why in _ANNOTATIONS.items():
        if key in given:
            yield f"{prefix}metadata.annotations[{key}]: {why}"
    yield from _volumes(spec, f"{prefix}spec.volumes")
    yield from _repeated(parts(spec, "hostAliases"), "ip", f"{prefix}spec.hostAliases")
    secrets = parts(spec, "imagePullSecrets")
    yield from _repeated(secrets, "name", f"{prefix}spec.imagePullSecrets")
    for index, secret in enumerate(secrets):
        if not secret.get("name"):
            yield f'{prefix}spec.imagePullSecrets[{index}].name: invalid empty name ""'
    yield from _fractions(part(spec, "overhead"), f"{prefix}spec.overhead")
    if SECCOMP_POD in given and part(spec, "securityContext").get("seccompProfile") is None:
        yield _seccomp(prefix, SECCOMP_POD)
    for container, where in all_containers(spec, f"{prefix}spec"):
        yield from _container(container, where, given, spec, prefix)
    yield from _ports(spec, f"{prefix}spec")
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        why = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{prefix}spec.terminationGracePeriodSeconds: {why}"
    yield from _affinity(spec, f"{prefix}spec.affinity")


def _seccomp(prefix: str, key: str) -> str:
    return f'{prefix}metadata.annotations[{key}]: non-functional in v1.27+; use the "seccompProfile" field instead'


def _node_labels(spec: Object, field: str) -> Iterator[str]:
    for key in sorted(part(spec, "nodeSelector")):
        if key in _LABELS:
            yield f"{field}.nodeSelector[{key}]: {_LABELS[key]}"
    node = part(spec, "affinity", "nodeAffinity")
    where = f"{field}.affinity.nodeAffinity"
    for index, term in enumerate(parts(node, REQUIRED, "nodeSelectorTerms")):
        yield from _term(term, f"{where}.{REQUIRED}.nodeSelectorTerms[{index}]")
    for index, term in enumerate(parts(node, PREFERRED)):
        yield from _term(part(term, "preference"), f"{where}.{PREFERRED}[{index}].preference")
    for index, constraint in enumerate(parts(spec, "topologySpreadConstraints")):
        at, key = f"{field}.topologySpreadConstraints[{index}]", str(constraint.get("topologyKey", ""))
        if key in _LABELS:
            yield f"{at}.topologyKey: {key} is {_LABELS[key]}"
        if constraint.get("labelSelector") is None:
            yield f"{at}.labelSelector: {_NO_POD}"


def _term(term: Object, field: str) -> Iterator[str]:
    for index, item in enumerate(parts(term, "matchExpressions")):
        key = str(item.get("key", ""))
        if key in _LABELS:
            yield f"{field}.matchExpressions[{index}].key: {key} is {_LABELS[key]}"


def _volumes(spec: Object, field: str) -> Iterator[str]:
    for index, volume in enumerate(parts(spec, "volumes")):
        for name, shown, why in _VOLUMES:
            if is_object(volume.get(name)):
                yield f"{field}[{index}].{shown}: {why}"
        claim = part(volume, "ephemeral", "volumeClaimTemplate", "spec")
        if claim:
            yield from claim_warnings(claim, f"{field}[{index}].ephemeral.volumeClaimTemplate.spec")
    yield from _token_paths(spec, field)


def claim_warnings(spec: Object, field: str) -> Iterator[str]:
    """Of a persistent volume claim's spec."""
    for side in ("requests", "limits"):
        amount = part(spec, "resources", side).get("storage")
        if amount is not None and _fractional(amount):
            where = f"{field}.resources.{side}[storage]"
            yield f'{where}: fractional byte value "{amount}" is invalid, must be an integer'
    for name in ("dataSource", "dataSourceRef"):
        reference = spec.get(name)
        if is_object(reference) and reference.get("kind") == "VolumeSnapshot" and not reference.get("apiGroup"):
            yield f"{field}.{name}: accessing a VolumeSnapshot without an apiGroup"


def _token_paths(spec: Object, field: str) -> Iterator[str]:
    sources = [
        (index, source)
        for index, volume in enumerate(parts(spec, "volumes"))
        for source in parts(volume, "projected", "sources")
    ]
    taken = {part(s, "serviceAccountToken").get("path") for _, s in sources if s.get("serviceAccountToken") is not None}
    for index, source in sources if taken else []:
        for kind, shown in (("configMap", "configMap"), ("secret", "secrets"), ("downwardAPI", "downwardAPI")):
            for at, item in enumerate(parts(source, kind, "items")):
                if item.get("path") in taken:
                    where = f"{field}[{index}].projected.sources.{shown}[{at}]"
                    yield f'{where}: has duplicated path with ServiceAccountToken "{item["path"]}"'


def _repeated(items: list[Object], name: str, field: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        text = str(item.get(name, ""))
        if text in seen:
            yield f'{field}[{index}].{name}: duplicate {name} "{text}"'
        seen.add(text)


def _fractional(amount: str) -> bool:
    # to thousandths first, as Kubernetes looks at them
    thousandths = (value(amount) * 1000).to_integral_value(rounding="ROUND_CEILING")
    return thousandths % 1000 != 0


def _fractions(amounts: Object, field: str) -> Iterator[str]:
    for name in ("memory", "ephemeral-storage"):
        if name in amounts and _fractional(amounts[name]):
            yield f'{field}[{name}]: fractional byte value "{amounts[name]}" is invalid, must be an integer'


def _container(container: Object, field: str, given: Object, spec: Object, prefix: str) -> Iterator[str]:
    context = part(container, "securityContext")
    key = f"{SECCOMP}{container.get('name', '')}"
    if key in given and context.get("seccompProfile") is None:
        yield _seccomp(prefix, key)
    key = f"{APP_ARMOR}{container.get('name', '')}"
    profiled = context.get("appArmorProfile") or part(spec, "securityContext").get("appArmorProfile")
    if prefix and key in given and not profiled:
        yield f'{prefix}metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    for name in ("memory", "ephemeral-storage"):
        for side in ("limits", "requests"):
            amounts = part(container, "resources", side)
            yield from _fractions({name: amounts[name]} if name in amounts else {}, f"{field}.resources.{side}")
    seen: set[str] = set()
    for index, variable in enumerate(parts(container, "env")):
        name, text = str(variable.get("name", "")), str(variable.get("value", ""))
        reference = f"$({name})"
        if name in seen and (variable.get("valueFrom") is not None or text == reference or reference not in text):
            why = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{field}.env[{index}]: {why}"
        seen.add(name)


def _ports(spec: Object, field: str) -> Iterator[str]:
    seen: dict[str, list[tuple[str, Object]]] = {}
    for container, where in all_containers(spec, field):
        for index, port in enumerate(parts(container, "ports")):
            at, ip, host = f"{where}.ports[{index}]", port.get("hostIP", ""), port.get("hostPort", 0)
            if ip and not host:
                shown = " ".join(
                    f"{label}:{port.get(name, empty)}"
                    for label, name, empty in (
                        ("Name", "name", ""), ("HostPort", "hostPort", 0), ("ContainerPort", "containerPort", 0),
                        ("Protocol", "protocol", ""), ("HostIP", "hostIP", ""),
                    )
                )  # fmt: skip
                yield f"{at}: hostIP set without hostPort: {{{shown}}}"
            known = seen.setdefault(f"{port.get('containerPort')}/{port.get('protocol')}", [])
            for other_at, other in known:
                yield from _clash(at, ip, host, other_at, other)
            known.append((at, port))


def _clash(at: str, ip: str, host: int, other_at: str, other: Object) -> Iterator[str]:
    other_ip, other_host = other.get("hostIP", ""), other.get("hostPort", 0)
    if (ip, host) == (other_ip, other_host):
        yield f"{at}: duplicate port definition with {other_at}"
    elif not host or not other_host:
        yield f"{at}: overlapping port definition with {other_at}"
    elif host == other_host and bool(ip) != bool(other_ip):
        yield f"{at}: dangerously ambiguous port definition with {other_at}"


def _affinity(spec: Object, field: str) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate(parts(spec, "affinity", kind, REQUIRED)):
            if term.get("labelSelector") is None:
                yield f"{field}.{kind}.{REQUIRED}[{index}].labelSelector: {_NO_POD}"
        for index, term in enumerate(parts(spec, "affinity", kind, PREFERRED)):
            if part(term, "podAffinityTerm").get("labelSelector") is None:
                yield f"{field}.{kind}.{PREFERRED}[{index}].podAffinityTerm.labelSelector: {_NO_POD}"
