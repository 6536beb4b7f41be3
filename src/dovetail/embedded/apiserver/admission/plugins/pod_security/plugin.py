"""The admission plugin: pods are refused, templates of pods only warned about, and a namespace that becomes stricter
says which of its pods would no longer be let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....errors import Invalid
from ....foreign import part, parts
from ...plugin import CREATE, UPDATE, Attributes, Plugin
from ..cluster import every, find
from ..refusal import forbidden
from .baseline import SECCOMP_CONTAINER, SECCOMP_POD
from .evaluation import details, evaluate, reasons
from .policy import PRIVILEGED, LevelVersion, Policy, policy_of, strictness

Object = dict[str, Any]

PODS_LOOKED_AT = 3000
_IGNORED = ("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status")
_TEMPLATE = ("spec", "template")
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "/podtemplates": ("template",),
    "/replicationcontrollers": _TEMPLATE,
    "apps/replicasets": _TEMPLATE,
    "apps/deployments": _TEMPLATE,
    "apps/statefulsets": _TEMPLATE,
    "apps/daemonsets": _TEMPLATE,
    "batch/jobs": _TEMPLATE,
    "batch/cronjobs": ("spec", "jobTemplate", "spec", "template"),
}


class PodSecurity(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if attributes.operation not in (CREATE, UPDATE) or attributes.obj is None:
            return
        store = attributes.resource.store
        if store == "/namespaces":
            if not attributes.subresource:
                _check_namespace(attributes)
        elif store == "/pods":
            if attributes.subresource not in _IGNORED:
                _check_pod(attributes)
        elif store in _TEMPLATES and not attributes.subresource:
            _check_template(attributes, part(attributes.obj, *_TEMPLATES[store]))


def _check_pod(attributes: Attributes) -> None:
    assert attributes.obj is not None
    if attributes.old is not None and not significant(attributes.obj, attributes.old):
        return
    policy = _policy(attributes)
    meta, spec = attributes.obj["metadata"], part(attributes.obj, "spec")
    findings = evaluate(policy.enforce, meta, spec)
    if findings:
        raise forbidden(attributes, f'violates PodSecurity "{policy.enforce}": {details(findings)}')
    _warn(attributes, policy, meta, spec)


def _check_template(attributes: Attributes, template: Object) -> None:
    if template:
        _warn(attributes, _policy(attributes), part(template, "metadata"), part(template, "spec"))


def _warn(attributes: Attributes, policy: Policy, meta: Mapping[str, Any], spec: Object) -> None:
    findings = evaluate(policy.warn, meta, spec)
    if findings:
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {details(findings)}')


def _policy(attributes: Attributes) -> Policy:
    namespace = find(attributes.api, "/namespaces", attributes.namespace)
    return policy_of(part(namespace or {}, "metadata", "labels"))[0]


def _check_namespace(attributes: Attributes) -> None:
    assert attributes.obj is not None
    policy, errors = policy_of(part(attributes.obj, "metadata", "labels"))
    name = str(attributes.obj["metadata"].get("name", ""))
    if attributes.old is None:
        if errors:
            raise Invalid("", "Namespace", name, errors)
        return
    before, old_errors = policy_of(part(attributes.old, "metadata", "labels"))
    if errors and list(map(str, errors)) != list(map(str, old_errors)):
        raise Invalid("", "Namespace", name, errors)
    if _is_stricter(policy.enforce, before.enforce):
        attributes.warnings.extend(_pod_warnings(attributes, name, policy.enforce))


def _is_stricter(new: LevelVersion, old: LevelVersion) -> bool:
    if new == old or new.level == PRIVILEGED:
        return False
    return new.version != old.version or strictness(new.level) > strictness(old.level)


def _pod_warnings(attributes: Attributes, namespace: str, enforce: LevelVersion) -> list[str]:
    pods = _distinct(list(every(attributes.api, "/pods", namespace)))
    found: dict[str, list[str]] = {}
    for pod in pods[:PODS_LOOKED_AT]:
        if findings := evaluate(enforce, pod["metadata"], part(pod, "spec")):
            found.setdefault(reasons(findings), []).append(str(pod["metadata"]["name"]))
    warnings: list[str] = []
    if len(pods) > PODS_LOOKED_AT:
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {PODS_LOOKED_AT} of {len(pods)} existing "
            "pods"
        )
    if found:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"'
        )
    return [*warnings, *sorted(f"{_first(names)}: {why}" for why, names in found.items())]


def _distinct(pods: list[Object]) -> list[Object]:
    """One pod of each controller first: its other pods come after those of all others."""
    seen: set[str] = set()
    first: list[Object] = []
    later: list[Object] = []
    for pod in pods:
        owners = [owner for owner in parts(pod, "metadata", "ownerReferences") if owner.get("controller")]
        uid = str(owners[0].get("uid")) if owners else ""
        (later if uid in seen else first).append(pod)
        if uid:
            seen.add(uid)
    return [*first, *later]


def _first(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"


def significant(pod: Object, old: Object) -> bool:
    """Whether an update changes anything that rules look at: of what may change at all, images and profiles."""
    annotations, before = part(pod, "metadata", "annotations"), part(old, "metadata", "annotations")
    if annotations.get(SECCOMP_POD) != before.get(SECCOMP_POD):
        return True
    for key in ("containers", "initContainers", "ephemeralContainers"):
        known = {container.get("name"): container for container in parts(old, "spec", key)}
        present = parts(pod, "spec", key)
        if key != "ephemeralContainers" and len(present) != len(known):
            return True
        for container in present:
            name = container.get("name")
            if name not in known or container.get("image") != known[name].get("image"):
                return True
            label = f"{SECCOMP_CONTAINER}{name}"
            if annotations.get(label) != before.get(label):
                return True
    return False
