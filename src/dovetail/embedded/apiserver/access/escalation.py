"""Nobody may give away rights that they do not have.

Writing a role needs, besides the right to write it, every right that it contains, or the verb ``escalate`` on it.
Writing a binding needs every right of the bound role, or the verb ``bind`` on that role. Source: Kubernetes'
"Privilege escalation prevention and bootstrapping"; the sentences are those of kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from ..errors import Forbidden, NotFound
from ..foreign import part, parts
from ..gotext import quoted
from .identity import MASTERS, User
from .rbac import Authorizer
from .rules import GROUP, Attributes, Rule

Object = Mapping[str, Any]

_EVERYTHING = (Rule(("*",), ("*",), ("*",)), Rule(("*",), paths=("*",)))


def check_role(
    authorizer: Authorizer, user: User, plural: str, namespace: str, role: Object, old: Object | None
) -> None:
    """Raises Forbidden when the role has more than its writer. An object that is being created has no name yet for
    rules with resourceNames, as in Kubernetes.
    """
    name = str(part(role, "metadata").get("name", ""))
    if _free(authorizer, user, Attributes("escalate", GROUP, plural, "", namespace, name if old is not None else "")):
        return
    mine = list(authorizer.policy.rules_of(user, namespace))
    _must_cover(mine, user, plural, name, [Rule.read(rule) for rule in parts(role, "rules")])
    aggregates = role.get("aggregationRule") is not None or (old or {}).get("aggregationRule") is not None
    if aggregates and any(True for _ in uncovered(mine, _EVERYTHING)):
        raise Forbidden(GROUP, plural, name, "must have cluster-admin privileges to use the aggregationRule")


def check_binding(authorizer: Authorizer, user: User, plural: str, namespace: str, binding: Object) -> None:
    """Raises Forbidden, or NotFound when the bound role is missing: only who has the verb ``bind`` may bind it."""
    name = str(part(binding, "metadata").get("name", ""))
    reference = part(binding, "roleRef")
    kind, bound = str(reference.get("kind", "")), str(reference.get("name", ""))
    role_plural = "clusterroles" if kind == "ClusterRole" else "roles"
    if _free(authorizer, user, Attributes("bind", GROUP, role_plural, "", namespace, bound)):
        return
    rules = authorizer.policy.role_rules(kind, bound, namespace)
    if rules is None:
        raise NotFound(GROUP, role_plural[:-1], bound)
    _must_cover(list(authorizer.policy.rules_of(user, namespace)), user, plural, name, rules)


def _free(authorizer: Authorizer, user: User, asked: Attributes) -> bool:
    return MASTERS in user.groups or authorizer.allows(user, asked)


def _must_cover(mine: list[Rule], user: User, plural: str, name: str, rules: Iterable[Rule]) -> None:
    missing = list(uncovered(mine, rules))
    if not missing:
        return
    listed = "\n".join(sorted({_words(rule) for rule in _compact(missing)}))
    who = f"user {quoted(user.name)} (groups={_list(user.groups)})"
    raise Forbidden(GROUP, plural, name, f"{who} is attempting to grant RBAC permissions not currently held:\n{listed}")


def uncovered(mine: list[Rule], rules: Iterable[Rule]) -> Iterator[Rule]:
    """The atoms of the rules (one verb on one resource or path) that none of mine covers."""
    for rule in rules:
        for atom in _atoms(rule):
            if not any(_covers(own, atom) for own in mine):
                yield atom


def _atoms(rule: Rule) -> Iterator[Rule]:
    for group, resource, verb in product(rule.groups, rule.resources, rule.verbs):
        if rule.names:
            yield from (Rule((verb,), (group,), (resource,), (name,)) for name in rule.names)
        else:
            yield Rule((verb,), (group,), (resource,))
    yield from (Rule((verb,), paths=(path,)) for path, verb in product(rule.paths, rule.verbs))


def _covers(own: Rule, atom: Rule) -> bool:
    if atom.verbs[0] not in own.verbs and "*" not in own.verbs:
        return False
    if atom.paths:
        return any(_covers_path(pattern, atom.paths[0]) for pattern in own.paths)
    if atom.groups[0] not in own.groups and "*" not in own.groups:
        return False
    _, slash, subresource = atom.resources[0].partition("/")
    wide = "*" in own.resources or bool(slash and f"*/{subresource}" in own.resources)
    named = not own.names or bool(atom.names and atom.names[0] in own.names)
    return (wide or atom.resources[0] in own.resources) and named


def _covers_path(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def _compact(atoms: Iterable[Rule]) -> list[Rule]:
    """Atoms without names that differ by the verb alone become one rule."""
    simple: dict[tuple[str, str], list[str]] = {}
    rest: list[Rule] = []
    for atom in atoms:
        if atom.names or atom.paths:
            rest.append(atom)
        else:
            simple.setdefault((atom.groups[0], atom.resources[0]), []).extend(atom.verbs)
    return [*rest, *(Rule(tuple(verbs), (group,), (resource,)) for (group, resource), verbs in simple.items())]


def _words(rule: Rule) -> str:
    fields = (
        ("APIGroups", rule.groups), ("Resources", rule.resources), ("NonResourceURLs", rule.paths),
        ("ResourceNames", rule.names), ("Verbs", rule.verbs),
    )  # fmt: skip
    return "{" + ", ".join(f"{name}:{_list(values)}" for name, values in fields if values) + "}"


def _list(values: Iterable[str]) -> str:
    return f"[{' '.join(quoted(value) for value in values)}]"
