"""The catalogue: every kind served now, found by URL or by apiVersion and kind; custom resources come and go.

``revision`` grows with every change, so that discovery and OpenAPI documents can be cached.
"""

from __future__ import annotations

from collections.abc import Iterable

from .kinds import builtin_kinds
from .resource import ResourceType

_PRIORITY = {
    "": 0,
    "apps": 1,
    "events.k8s.io": 2,
    "authentication.k8s.io": 3,
    "authorization.k8s.io": 4,
    "autoscaling": 5,
}


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

    def is_builtin_group(self, group: str) -> bool:
        return any(r.group == group and r.custom is None and not r.remote for r in self._by_url.values())

    def groups(self) -> list[str]:
        """Group names in discovery order: core, then the well-known, then the rest by name."""
        names = {resource.group for resource in self._by_url.values()}
        return sorted(names, key=lambda name: (_PRIORITY.get(name, 50 if self.is_builtin_group(name) else 99), name))

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
