"""LimitRanger: a namespace's LimitRanges give containers defaults and keep pods and claims within bounds.

Source: Kubernetes ``plugin/pkg/admission/limitranger``. Where Go walks a map (in no order) this goes by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...foreign import part, parts
from ...quantities import compare, value
from ..plugin import CREATE, UPDATE, Attributes, Plugin
from . import pod_resources
from .cluster import every
from .refusal import forbidden, joined

Object = dict[str, Any]
Amounts = Mapping[str, str]

STORE = "/limitranges"
ANNOTATION = "kubernetes.io/limit-ranger"


class LimitRanger(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if not _applies(attributes) or attributes.resource.plural != "pods" or attributes.operation != CREATE:
            return
        assert attributes.obj is not None
        for limit_range in every(attributes.api, STORE, attributes.namespace):
            fill(attributes.obj, limit_range)
            _refuse(attributes, limit_range)

    def validate(self, attributes: Attributes) -> None:
        if _applies(attributes):
            for limit_range in every(attributes.api, STORE, attributes.namespace):
                _refuse(attributes, limit_range)


def _applies(attributes: Attributes) -> bool:
    if attributes.resource.group or attributes.obj is None or part(attributes.obj, "metadata").get("deletionTimestamp"):
        return False
    if attributes.resource.plural == "persistentvolumeclaims":
        return not attributes.subresource and attributes.operation in (CREATE, UPDATE)
    if attributes.resource.plural != "pods":
        return False
    if attributes.subresource == "resize":
        return attributes.operation == UPDATE
    return not attributes.subresource and attributes.operation == CREATE


def _refuse(attributes: Attributes, limit_range: Object) -> None:
    assert attributes.obj is not None
    rule = pod_problems if attributes.resource.plural == "pods" else claim_problems
    if problems := list(rule(attributes.obj, limit_range)):
        raise forbidden(attributes, joined(problems))


def fill(pod: Object, limit_range: Object) -> None:
    """Give containers the defaults that they lack, and say so in an annotation."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for item in _items(limit_range, "Container"):
        requests |= part(item, "defaultRequest")
        limits |= part(item, "default")
    told: list[str] = []
    for key, title in (("containers", "container"), ("initContainers", "init container")):
        for container in parts(pod, "spec", key):
            told += _fill_one(container, "requests", requests, f"request for {title}")
            told += _fill_one(container, "limits", limits, f"limit for {title}")
    if told:
        text = f"LimitRanger plugin set: {'; '.join(told)}"
        pod["metadata"].setdefault("annotations", {})[ANNOTATION] = text


def _fill_one(container: Object, what: str, defaults: Amounts, title: str) -> Iterator[str]:
    present = part(container, "resources", what)
    missing = {name: amount for name, amount in defaults.items() if name not in present}
    if missing:
        container.setdefault("resources", {})[what] = {**present, **missing}
        yield f"{', '.join(sorted(missing))} {title} {container.get('name', '')}"


def pod_problems(pod: Object, limit_range: Object) -> Iterator[str]:
    for item in parts(limit_range, "spec", "limits"):
        if item.get("type") == "Container":
            spec = part(pod, "spec")
            for container in [*parts(spec, "containers"), *parts(spec, "initContainers")]:
                resources = part(container, "resources")
                yield from _problems(item, part(resources, "requests"), part(resources, "limits"))
        elif item.get("type") == "Pod":
            yield from _problems(item, pod_resources.requests(pod), pod_resources.limits(pod))


def claim_problems(claim: Object, limit_range: Object) -> Iterator[str]:
    requests = part(claim, "spec", "resources", "requests")
    for item in _items(limit_range, "PersistentVolumeClaim"):
        for name, bound in sorted(part(item, "min").items()):
            yield from _minimum("PersistentVolumeClaim", name, bound, requests, {})
        for name, bound in sorted(part(item, "max").items()):
            yield from _maximum_request("PersistentVolumeClaim", name, bound, requests)


def _items(limit_range: Object, kind: str) -> list[Object]:
    return [item for item in parts(limit_range, "spec", "limits") if item.get("type") == kind]


def _problems(item: Object, requests: Amounts, limits: Amounts) -> Iterator[str]:
    kind = str(item["type"])
    for name, bound in sorted(part(item, "min").items()):
        yield from _minimum(kind, name, bound, requests, limits)
    for name, bound in sorted(part(item, "max").items()):
        yield from _maximum(kind, name, bound, requests, limits)
    for name, bound in sorted(part(item, "maxLimitRequestRatio").items()):
        yield from _ratio(kind, name, bound, requests, limits)


def _minimum(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"minimum {name} usage per {kind} is {bound}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif compare(requests[name], bound) < 0:
        yield f"{rule}, but request is {requests[name]}"
    elif name in limits and compare(limits[name], bound) < 0:
        yield f"{rule}, but limit is {limits[name]}"


def _maximum(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if name not in limits:
        yield f"{rule}.  No limit is specified"
    elif compare(limits[name], bound) > 0:
        yield f"{rule}, but limit is {limits[name]}"
    elif name in requests and compare(requests[name], bound) > 0:
        yield f"{rule}, but request is {requests[name]}"


def _maximum_request(kind: str, name: str, bound: str, requests: Amounts) -> Iterator[str]:
    rule = f"maximum {name} usage per {kind} is {bound}"
    if name not in requests:
        yield f"{rule}.  No request is specified"
    elif compare(requests[name], bound) > 0:
        yield f"{rule}, but request is {requests[name]}"


def _ratio(kind: str, name: str, bound: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    rule = f"{name} max limit to request ratio per {kind} is {bound}"
    request, limit = requests.get(name, "0"), limits.get(name, "0")
    if value(request) == 0:
        yield f"{rule}, but no request is specified or request is 0"
    elif value(limit) == 0:
        yield f"{rule}, but no limit is specified or limit is 0"
    elif value(limit) > value(request) * value(bound):
        yield f"{rule}, but provided ratio is {value(limit) / value(request):.6f}"
