"""Role-based access control over the stored roles and bindings.

Model. ``Rules`` is a snapshot: per subject (user, group or service account) the rules that its bindings grant, per
namespace or cluster-wide. It is rebuilt lazily when a role or binding has changed, and asked for every request.
``system:masters`` may do everything without being looked up. Semantics: Kubernetes' RBAC authorizer (rules only ever
allow).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ..foreign import part, parts
from ..selecting.labels import from_object
from ..storage.records import Change
from ..storage.store import Store
from .identity import MASTERS, User

GROUP = "rbac.authorization.k8s.io"
_RESOURCES = {f"{GROUP}/{plural}" for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings")}

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for. ``path`` set means a non-resource request; then only ``verb`` and ``path`` count."""

    verb: str
    group: str = ""
    plural: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    version: str = ""

    @property
    def resource(self) -> str:
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule, ready for asking."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()

    @classmethod
    def read(cls, rule: Object) -> Rule:
        def values(name: str) -> frozenset[str]:
            return frozenset(rule.get(name) or ())

        paths = tuple(parts(rule, "nonResourceURLs"))
        return cls(values("verbs"), values("apiGroups"), values("resources"), values("resourceNames"), paths)

    def allows(self, asked: Attributes) -> bool:
        if asked.verb not in self.verbs and "*" not in self.verbs:
            return False
        if asked.path:
            return any(_path_matches(pattern, asked.path) for pattern in self.paths)
        if asked.group not in self.groups and "*" not in self.groups:
            return False
        return self._has_resource(asked) and (not self.names or asked.name in self.names)

    def _has_resource(self, asked: Attributes) -> bool:
        resources = self.resources
        if "*" in resources or asked.resource in resources:
            return True
        if not asked.subresource:
            return False
        if asked.plural == "userextras" and "userextras/*" in resources:  # keys of user extras are open-ended
            return True
        return f"*/{asked.subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding's rules. ``namespace`` "" means everywhere."""

    namespace: str
    rules: tuple[Rule, ...]


class Rules:
    """All bindings, by subject key (``u:name``, ``g:name``)."""

    def __init__(self, roles: Mapping[tuple[str, str], tuple[Rule, ...]], bindings: Iterable[Object]) -> None:
        self._grants: dict[str, list[Grant]] = {}
        for binding in bindings:
            namespace = binding["metadata"].get("namespace", "")
            rules = roles.get(_role_key(part(binding, "roleRef"), namespace), ())
            if rules:
                for subject in parts(binding, "subjects"):
                    self._grants.setdefault(_subject_key(subject, namespace), []).append(Grant(namespace, rules))

    def rules_of(self, user: User, namespace: str) -> Iterator[Rule]:
        """Every rule that the user has in a namespace ("" : cluster-wide only)."""
        for key in (f"u:{user.name}", *(f"g:{group}" for group in user.groups)):
            for grant in self._grants.get(key, ()):
                if not grant.namespace or grant.namespace == namespace:
                    yield from grant.rules


def _role_key(reference: Object, namespace: str) -> tuple[str, str]:
    return ("" if reference.get("kind") == "ClusterRole" else namespace, str(reference.get("name", "")))


def _subject_key(subject: Object, namespace: str) -> str:
    if subject.get("kind") == "Group":
        return f"g:{subject.get('name')}"
    if subject.get("kind") == "ServiceAccount":
        return f"u:system:serviceaccount:{subject.get('namespace') or namespace}:{subject.get('name')}"
    return f"u:{subject.get('name')}"


class Authorizer:
    """Register ``changed`` with the store. Asking is synchronous."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: Rules | None = None

    def changed(self, changes: Iterable[Change]) -> None:
        if any(change.key.resource in _RESOURCES for change in changes):
            self._rules = None

    def allows(self, user: User, asked: Attributes) -> bool:
        if MASTERS in user.groups:
            return True
        return any(rule.allows(asked) for rule in self.rules.rules_of(user, asked.namespace))

    @property
    def rules(self) -> Rules:
        if self._rules is None:
            self._rules = self._build()
        return self._rules

    def _build(self) -> Rules:
        cluster_roles = list(self._all("clusterroles"))
        roles: dict[tuple[str, str], tuple[Rule, ...]] = {}
        for role in [*cluster_roles, *self._all("roles")]:
            meta = role["metadata"]
            found = [*parts(role, "rules"), *_aggregated(role, cluster_roles)]
            roles[meta.get("namespace", ""), meta["name"]] = tuple(Rule.read(rule) for rule in found)
        bindings = [binding for plural in ("clusterrolebindings", "rolebindings") for binding in self._all(plural)]
        return Rules(roles, bindings)

    def _all(self, plural: str) -> Iterator[Object]:
        for record in self._store.list(f"{GROUP}/{plural}").records:
            yield orjson.loads(record.value)


def _aggregated(role: Object, others: list[Object]) -> Iterator[Object]:
    """The rules that a role takes over from the cluster roles its aggregationRule selects."""
    for selector in parts(role, "aggregationRule", "clusterRoleSelectors"):
        selected = from_object(selector)
        for other in others:
            if other is not role and selected and selected.matches(part(other["metadata"], "labels")):
                yield from parts(other, "rules")


def forbidden_sentence(user: User, asked: Attributes) -> str:
    """``User "x" cannot list resource "pods" in API group "" in the namespace "default"``."""
    if asked.path:
        return f'User "{user.name}" cannot {asked.verb} path "{asked.path}"'
    where = f' in the namespace "{asked.namespace}"' if asked.namespace else " at the cluster scope"
    return f'User "{user.name}" cannot {asked.verb} resource "{asked.resource}" in API group "{asked.group}"{where}'
