"""What a pod asks for as a whole: requests and limits of its containers together. Pure.

Containers add up; init containers run one after the other, so that the largest counts, together with the sidecars
(init containers with restartPolicy Always) that run beside it. Pod-level resources replace the sums that they name.
Source: component-helpers ``resource/helpers.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ...foreign import part, parts
from ...quantities import add, compare

Object = dict[str, Any]
Amounts = dict[str, str]

_POD_LEVEL = ("cpu", "memory")
_POD_LEVEL_PREFIX = "hugepages-"


def requests(pod: Mapping[str, Any], *, live: bool = False) -> Amounts:
    """``live``: what running containers still hold while they are being resized counts, too; so does the overhead."""
    spec = part(pod, "spec")
    held = _held(pod) if live else {}

    def amounts(container: Object) -> Amounts:
        return _largest((_asked(container, "requests"), held.get(str(container.get("name")), {})))

    total = _total(spec, amounts)
    _override(total, part(spec, "resources", "requests"))
    if live:
        plus(total, part(spec, "overhead"))
    return total


def limits(pod: Mapping[str, Any], *, live: bool = False) -> Amounts:
    """With ``live``, the overhead is added to what is limited at all."""
    spec = part(pod, "spec")
    total = _total(spec, lambda container: _asked(container, "limits"))
    _override(total, part(spec, "resources", "limits"))
    if live:
        plus(total, {name: amount for name, amount in part(spec, "overhead").items() if name in total})
    return total


def plus(total: Amounts, more: Mapping[str, str]) -> None:
    """Add in place."""
    for name, amount in more.items():
        total[name] = add(total[name], amount) if name in total else amount


def containers(spec: Mapping[str, Any]) -> Iterator[Object]:
    """Init containers first, then containers."""
    yield from parts(spec, "initContainers")
    yield from parts(spec, "containers")


def _asked(container: Object, what: str) -> Amounts:
    return part(container, "resources", what)


def _total(spec: Mapping[str, Any], amounts: Callable[[Object], Amounts]) -> Amounts:
    total: Amounts = {}
    for container in parts(spec, "containers"):
        plus(total, amounts(container))
    sidecars: Amounts = {}
    first: Amounts = {}
    for container in parts(spec, "initContainers"):
        own = amounts(container)
        if container.get("restartPolicy") == "Always":
            plus(total, own)
            plus(sidecars, own)
            own = sidecars
        else:
            own = dict(own)
            plus(own, sidecars)
        first = _largest((first, own))
    return _largest((total, first))


def _largest(choices: Iterable[Mapping[str, str]]) -> Amounts:
    result: Amounts = {}
    for amounts in choices:
        for name, amount in amounts.items():
            if name not in result or compare(amount, result[name]) > 0:
                result[name] = amount
    return result


def _override(total: Amounts, pod_level: Mapping[str, str]) -> None:
    for name, amount in pod_level.items():
        if name in _POD_LEVEL or name.startswith(_POD_LEVEL_PREFIX):
            total[name] = amount


def _held(pod: Mapping[str, Any]) -> dict[str, Amounts]:
    statuses = [*parts(pod, "status", "containerStatuses"), *parts(pod, "status", "initContainerStatuses")]
    return {
        str(status.get("name")): _largest((part(status, "resources", "requests"), part(status, "allocatedResources")))
        for status in statuses
    }
