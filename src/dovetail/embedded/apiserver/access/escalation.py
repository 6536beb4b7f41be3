"""Nobody may give away rights that they do not have.

Writing a role needs, besides the right to write it, every right that it contains, or the verb ``escalate`` on it.
Writing a binding needs every right of the bound role, or the verb ``bind`` on it. Source: Kubernetes' "Privilege
escalation prevention and bootstrapping".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from ..errors import Forbidden
from ..foreign import part, parts
from .identity import MASTERS, User
from .rbac import GROUP, Attributes, Authorizer, Rule

Object = Mapping[str, Any]


def check_role(authorizer: Authorizer, user: User, plural: str, namespace: str, role: Object) -> None:
    """Raises Forbidden when the role has more than its writer."""
    name = str(role.get("metadata", {}).get("name", ""))
    if _free(authorizer, user, Attributes("escalate", GROUP, plural, "", namespace, name)):
        return
    _must_cover(authorizer, user, plural, name, namespace, parts(role, "rules"))


def check_binding(
    authorizer: Authorizer, user: User, plural: str, namespace: str, binding: Object, role: Object | None
) -> None:
    """``role`` is the bound role when it exists; binding a missing one needs the verb ``bind``."""
    name = str(binding.get("metadata", {}).get("name", ""))
    reference = part(binding, "roleRef")
    kind = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
    bound = str(reference.get("name", ""))
    if _free(authorizer, user, Attributes("bind", GROUP, kind, "", namespace, bound)):
        return
    if role is None:
        raise Forbidden(GROUP, plural, name, f'{kind}.{GROUP} "{bound}" not found')
    _must_cover(authorizer, user, plural, name, namespace, parts(role, "rules"))


def _free(authorizer: Authorizer, user: User, asked: Attributes) -> bool:
    return MASTERS in user.groups or authorizer.allows(user, asked)


def _must_cover(
    authorizer: Authorizer, user: User, plural: str, name: str, namespace: str, rules: Iterable[Object]
) -> None:
    mine = list(authorizer.rules.rules_of(user, namespace))
    missing = [text for rule in rules for text in _uncovered(mine, rule)]
    if missing:
        listed = "\n".join(dict.fromkeys(missing))
        groups = " ".join(f'"{group}"' for group in user.groups)
        who = f'user "{user.name}" (groups=[{groups}])'
        why = f"{who} is attempting to grant RBAC permissions not currently held:\n{listed}"
        raise Forbidden(GROUP, plural, name, why)


def _uncovered(mine: list[Rule], rule: Object) -> Iterator[str]:
    read = Rule.read(rule)
    for verb, path in product(read.verbs, read.paths):
        if not any((verb in m.verbs or "*" in m.verbs) and _covers_path(m, path) for m in mine):
            yield f'{{NonResourceURLs:["{path}"], Verbs:["{verb}"]}}'
    for verb, group, resource in product(read.verbs, read.groups, read.resources):
        for name in read.names or [""]:
            if not any(_covers(m, verb, group, resource, name) for m in mine):
                named = f', ResourceNames:["{name}"]' if name else ""
                yield f'{{APIGroups:["{group}"], Resources:["{resource}"]{named}, Verbs:["{verb}"]}}'


def _covers_path(mine: Rule, path: str) -> bool:
    return any(p in ("*", path) or (p.endswith("*") and path.startswith(p[:-1])) for p in mine.paths)


def _covers(mine: Rule, verb: str, group: str, resource: str, name: str) -> bool:
    if verb not in mine.verbs and "*" not in mine.verbs:
        return False
    if group not in mine.groups and "*" not in mine.groups:
        return False
    _, _, subresource = resource.partition("/")
    wide = "*" in mine.resources or (subresource and f"*/{subresource}" in mine.resources)
    return bool(wide or resource in mine.resources) and (not mine.names or name in mine.names)
