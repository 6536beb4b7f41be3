"""Policy rules and subjects, compiled for asking. Pure.

Model. ``Policy`` holds all bindings in the order in which they are asked: those of the cluster by name, then those of
a namespace by name. Per subject (user, group or service account) it knows the ``Grant``s that name it. Rules only ever
allow; a binding whose role is missing allows nothing and leaves a problem to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..foreign import part, parts
from ..gotext import quoted
from .identity import User

GROUP = "rbac.authorization.k8s.io"
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
    """A PolicyRule. The tuples keep the order in which the rule says it, because answers show it."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    @classmethod
    def read(cls, rule: Object) -> Rule:
        fields = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        return cls(*(tuple(str(value) for value in parts(rule, field)) for field in fields))

    def allows(self, asked: Attributes) -> bool:
        return self.concerns(asked) and (bool(asked.path) or not self.names or asked.name in self.names)

    def concerns(self, asked: Attributes) -> bool:
        """Whether it allows what is asked for, but for the object's name."""
        if asked.verb not in self.verbs and "*" not in self.verbs:
            return False
        if asked.path:
            return any(_path_matches(pattern, asked.path) for pattern in self.paths)
        if asked.group not in self.groups and "*" not in self.groups:
            return False
        return self._has_resource(asked)

    def _has_resource(self, asked: Attributes) -> bool:
        resources = self.resources
        if "*" in resources or asked.resource in resources:
            return True
        return bool(asked.subresource) and f"*/{asked.subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    return pattern == "*" or pattern == path or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


@dataclass(frozen=True, slots=True)
class Grant:
    """One binding as one of its subjects sees it. ``namespace`` "" means everywhere; ``order`` is its turn among all
    bindings and, within the binding, that of the subject.
    """

    order: tuple[int, int]
    namespace: str
    name: str
    role_kind: str
    role: str
    subject: str
    rules: tuple[Rule, ...] | None

    @property
    def source(self) -> str:
        """``ClusterRoleBinding "x" of ClusterRole "y" to User "z"``."""
        kind, name = ("RoleBinding", f"{self.name}/{self.namespace}") if self.namespace else (
            "ClusterRoleBinding", self.name,
        )  # fmt: skip
        return f"{kind} {quoted(name)} of {self.role_kind} {quoted(self.role)} to {self.subject}"

    @property
    def problem(self) -> str:
        """What is to be said of a binding whose role is missing."""
        return f"{self.role_kind.lower()}.{GROUP} {quoted(self.role)} not found"


class Policy:
    """``roles`` are the rules by (namespace, name), with namespace "" for cluster roles."""

    def __init__(self, roles: Mapping[tuple[str, str], tuple[Rule, ...]], bindings: Iterable[Object]) -> None:
        self._roles = roles
        self._grants: dict[str, list[Grant]] = {}
        for turn, binding in enumerate(bindings):
            self._add(turn, binding)

    def _add(self, turn: int, binding: Object) -> None:
        meta, reference = part(binding, "metadata"), part(binding, "roleRef")
        namespace, kind, role = str(meta.get("namespace", "")), str(reference.get("kind")), str(reference.get("name"))
        rules = self.role_rules(kind, role, namespace)
        for at, subject in enumerate(parts(binding, "subjects")):
            key, words = _subject(subject, namespace)
            if key:
                grant = Grant((turn, at), namespace, str(meta.get("name")), kind, role, words, rules)
                self._grants.setdefault(key, []).append(grant)

    def role_rules(self, kind: str, name: str, namespace: str) -> tuple[Rule, ...] | None:
        """The rules of a role that a binding in ``namespace`` names; None when there is no such role."""
        return self._roles.get(("" if kind == "ClusterRole" else namespace, name))

    def grants(self, user: User, namespace: str) -> list[Grant]:
        """The bindings that count for a user in a namespace ("": cluster-wide only), each once, in order."""
        found: dict[int, Grant] = {}
        for key in (f"u:{user.name}", *(f"g:{group}" for group in user.groups)):
            for grant in self._grants.get(key, ()):
                if not grant.namespace or grant.namespace == namespace:
                    known = found.get(grant.order[0])
                    if known is None or grant.order < known.order:
                        found[grant.order[0]] = grant
        return [found[turn] for turn in sorted(found)]

    def rules_of(self, user: User, namespace: str) -> Iterator[Rule]:
        for grant in self.grants(user, namespace):
            yield from grant.rules or ()

    def problems(self, user: User, namespace: str) -> str:
        """What is wrong with the user's bindings, as one sentence; "" when all is well."""
        found = list(dict.fromkeys(grant.problem for grant in self.grants(user, namespace) if grant.rules is None))
        if len(found) > 1:
            return f"[{', '.join(found)}]"
        return found[0] if found else ""


def _subject(subject: Object, namespace: str) -> tuple[str, str]:
    """(key, words) of a binding's subject; the key is "" for one that nobody can be."""
    kind, name = subject.get("kind"), str(subject.get("name"))
    if kind == "ServiceAccount":
        home = str(subject.get("namespace") or namespace)
        return f"u:system:serviceaccount:{home}:{name}" if home else "", f"ServiceAccount {quoted(f'{name}/{home}')}"
    if kind in ("User", "Group"):
        return f"{'g' if kind == 'Group' else 'u'}:{name}", f"{kind} {quoted(name)}"
    return "", ""


def forbidden_sentence(user: User, asked: Attributes) -> str:
    """``User "x" cannot list resource "pods" in API group "" in the namespace "default"``."""
    if asked.path:
        sentence = f"User {quoted(user.name)} cannot {asked.verb} path {quoted(asked.path)}"
    else:
        where = f"in the namespace {quoted(asked.namespace)}" if asked.namespace else "at the cluster scope"
        what = f"resource {quoted(asked.resource)} in API group {quoted(asked.group)}"
        sentence = f"User {quoted(user.name)} cannot {asked.verb} {what} {where}"
    return sentence.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
