"""The catalogue: every kind served now, found by URL or by apiVersion and kind; custom resources come and go.

``revision`` grows with every change, so that discovery and OpenAPI documents can be cached.
"""

from __future__ import annotations

from collections.abc import Iterable

from .kinds import builtin_kinds
from .resource import ResourceType

# GroupPriorityMinimum of kube-apiserver's own APIServices; groups of custom resources have 1000.
_PRIORITY = {
    "": 18000, "apiregistration.k8s.io": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600, "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200, "policy": 17100, "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700, "apiextensions.k8s.io": 16700, "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200, "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}  # fmt: skip


class Catalogue:
    def __init__(self) -> None:
        self.revision = 1
        self._by_url: dict[tuple[str, str, str], ResourceType] = {}
        self._custom: dict[str, tuple[ResourceType, ...]] = {}
        for resource in builtin_kinds():
            self._by_url[resource.group, resource.version, resource.plural] = resource
        self._by_kind = {(r.group, r.version, r.kind): r for r in self._by_url.values()}

    def find(self, group: str, version: str, plural: str) -> ResourceType | None:
        return self._by_url.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> ResourceType | None:
        return self._by_kind.get((group, version, kind))

    def any_version(self, group: str, plural: str) -> ResourceType | None:
        """The first served version of a resource (its storage is the same in all)."""
        return next((r for r in self._by_url.values() if r.group == group and r.plural == plural), None)

    def set_custom(self, crd: str, resources: Iterable[ResourceType]) -> None:
        """Serve these versions for the definition named ``crd``, and no others of it."""
        resources = tuple(resources)
        for old in self._custom.pop(crd, ()):
            self._by_url.pop((old.group, old.version, old.plural), None)
            self._by_kind.pop((old.group, old.version, old.kind), None)
        for new in resources:
            self._by_url[new.group, new.version, new.plural] = new
            self._by_kind[new.group, new.version, new.kind] = new
        if resources:
            self._custom[crd] = resources
        self.revision += 1

    def custom(self, crd: str) -> tuple[ResourceType, ...]:
        return self._custom.get(crd, ())

    def resources(self) -> list[ResourceType]:
        return list(self._by_url.values())

    def groups(self) -> list[str]:
        """Group names in discovery order: core, then the well-known, then the rest by name."""
        names = {resource.group for resource in self._by_url.values()}
        return sorted(names, key=lambda name: (-_PRIORITY.get(name, 1000), name))

    def versions(self, group: str) -> list[str]:
        """Versions of a group, the preferred first (GA before beta before alpha, newer first)."""
        return sorted({r.version for r in self._by_url.values() if r.group == group}, key=version_rank)

    def of(self, group: str, version: str) -> list[ResourceType]:
        found = [r for r in self._by_url.values() if r.group == group and r.version == version]
        return sorted(found, key=lambda r: r.plural)


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sort key of Kubernetes' version priority: v2 < v1 < v1beta2 < v1beta1 < v1alpha1 < anything else."""
    digits = version[1:]
    for stage, word in enumerate(("", "beta", "alpha")):
        major, found, minor = digits.partition(word) if word else (digits, "", "")
        if version[:1] == "v" and major.isdigit() and (minor.isdigit() or not found) and (found or not word):
            return (stage, -int(major), -int(minor or 0), version)
    return (3, 0, 0, version)
