"""Which requests a webhook's rules name. Pure.

``*`` in resources stands for every resource without subresources, ``*/*`` for everything, ``pods/*`` for pods and all
their subresources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...foreign import parts
from ...registry.resource import ResourceType
from ..plugin import Attributes

_EXEMPT = {
    f"admissionregistration.k8s.io/{plural}"
    for plural in (
        "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies",
        "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
    )
}  # fmt: skip


def is_exempt(attributes: Attributes) -> bool:
    """A webhook could otherwise keep an administrator from taking it out."""
    return attributes.resource.store in _EXEMPT


@dataclass(frozen=True, slots=True)
class Rule:
    """RuleWithOperations. ``resources`` are pairs of resource and subresource."""

    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    scope: str

    @classmethod
    def read(cls, rule: Mapping[str, Any]) -> Rule:
        def values(name: str) -> frozenset[str]:
            return frozenset(map(str, parts(rule, name)))

        resources = tuple(_split(str(resource)) for resource in parts(rule, "resources"))
        scope = str(rule.get("scope") or "*")
        return cls(values("operations"), values("apiGroups"), values("apiVersions"), resources, scope)

    def has_operation(self, operation: str) -> bool:
        return operation in self.operations or "*" in self.operations

    def matches(self, attributes: Attributes, resource: ResourceType) -> bool:
        """Whether the rule names this request, made for ``resource`` (one of the versions of its kind)."""
        return (
            self.has_operation(attributes.operation)
            and ("*" in self.groups or resource.group in self.groups)
            and ("*" in self.versions or resource.version in self.versions)
            and self._has_scope(resource)
            and any(_names(pair, resource.plural, attributes.subresource) for pair in self.resources)
        )

    def _has_scope(self, resource: ResourceType) -> bool:
        return self.scope == "*" or (self.scope == "Namespaced") == resource.namespaced


def _split(text: str) -> tuple[str, str]:
    resource, _, subresource = text.partition("/")
    return resource, subresource


def _names(pair: tuple[str, str], plural: str, subresource: str) -> bool:
    resource, below = pair
    return resource in ("*", plural) and below in ("*", subresource)
