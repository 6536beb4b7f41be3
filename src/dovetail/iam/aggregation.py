"""Which role templates a role is put together from, and what they add to it. Pure.

A role names its templates (`aggregationRoleTemplates.templateNames`), or selects them by label among those of its own
scope (`roleSelector`, which then counts alone, as published). A role with the annotation
`iam.kubesphere.io/auto-aggregate: "true"` also takes every template of its scope that carries the label
`iam.kubesphere.io/aggregate-to-<role>`.

What is added stands in the role's status, so the role's own rules stay what somebody wrote and an edit never meets it.
How much of a template counts, `iam.template_trust` says. It is computed anew from what is there each time: a rule that
left a template leaves the role, a template that vanished takes everything along. Of the templates' Rego all modules are
kept, and the role's own is never touched.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import CLUSTERROLES, GLOBALROLES, GROUP, ROLES, WORKSPACEROLES
from dovetail.apis.labels import AGGREGATE_TO_PREFIX, AUTO_AGGREGATE, SCOPE
from dovetail.iam.template_trust import counting
from dovetail.kube.informer import Transform, without_managed_fields
from dovetail.kube.objects import annotations_of, is_deleting, key_of, labels_of
from dovetail.kube.resources import Object, ResourceLike
from dovetail.kube.selectors import matches

SCOPE_OF_KIND: Final = {
    GLOBALROLES.kind: "global", WORKSPACEROLES.kind: "workspace", CLUSTERROLES.kind: "cluster", ROLES.kind: "namespace",
}  # fmt: skip
_LISTS: Final = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What templates add to a role. `problem` is a sentence when something that the role asks for is not there."""

    templates: tuple[str, ...] = ()
    rules: tuple[Object, ...] = ()
    rego: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which templates a role asks for."""

    names: tuple[str, ...] = ()
    selector: Mapping[str, Any] | None = None
    label: str = ""

    def chooses(self, scope: str, template: Mapping[str, Any]) -> bool:
        """Whether a template is among them. Raises ValueError for a selector that Kubernetes does not have."""
        labels = labels_of(template)
        of_scope = labels.get(SCOPE) == scope
        if self.label and of_scope and self.label in labels:
            return True
        if self.selector is not None:
            return of_scope and matches(self.selector, labels)
        return key_of(template).name in self.names

    @property
    def needed_label(self) -> str:
        """A label that the selector wants a template to carry; empty when it asks for none."""
        selector = self.selector or {}
        wanted: Mapping[str, str] = selector.get("matchLabels") or {}
        expressions: list[Mapping[str, Any]] = selector.get("matchExpressions") or []
        positive = (str(one.get("key")) for one in expressions if one.get("operator") in {"In", "Exists"})
        return next(iter(wanted), next(positive, ""))


def wish_of(role: Mapping[str, Any]) -> Wish:
    """What a role asks for."""
    aggregation: Mapping[str, Any] = role.get("aggregationRoleTemplates") or {}
    label = AGGREGATE_TO_PREFIX + key_of(role).name if annotations_of(role).get(AUTO_AGGREGATE) == "true" else ""
    return Wish(tuple(aggregation.get("templateNames") or ()), aggregation.get("roleSelector"), label)


def aggregate(kind: str, role: Mapping[str, Any], templates: Iterable[Mapping[str, Any]]) -> Aggregated:
    """What the templates add to a role of this kind (`Role`, `WorkspaceRole`, ...)."""
    return fulfil(SCOPE_OF_KIND[kind], wish_of(role), templates)


def fulfil(scope: str, wish: Wish, templates: Iterable[Mapping[str, Any]]) -> Aggregated:
    """What the templates add to a role of this scope that asks for this."""
    there = [template for template in templates if not is_deleting(template)]
    try:
        chosen = sorted((one for one in there if wish.chooses(scope, one)), key=lambda one: key_of(one).name)
    except ValueError as error:
        return Aggregated(problem=f"roleSelector cannot be read: {error}")
    return _put_together(wish, chosen)


def _put_together(wish: Wish, chosen: Sequence[Mapping[str, Any]]) -> Aggregated:
    names = tuple(key_of(template).name for template in chosen)
    named = frozenset(wish.names) if wish.selector is None else frozenset[str]()
    parts = [counting(template, named=key_of(template).name in named) for template in chosen]
    less = [name for name, (_, _, left_out) in zip(names, parts, strict=True) if left_out]
    missing = sorted(named - {*names})
    problems = [f"there is no role template {', '.join(missing)}"] if missing else []
    problems += [f"not all of {', '.join(less)} counts: see docs/roles.md"] if less else []
    return Aggregated(
        templates=names,
        rules=merged(rule for rules, _, _ in parts for rule in rules),
        rego=tuple(dict.fromkeys(rego for _, rego, _ in parts if rego)),
        problem="; ".join(problems),
    )


def merged(rules: Iterable[Mapping[str, Any]]) -> tuple[Object, ...]:
    """The same rules in fewer: those that differ in their resources only become one, and so for paths."""
    by_rest: dict[str, dict[str, list[str]]] = {}
    for rule in rules:
        lists: dict[str, list[str]] = {name: list(rule.get(name) or ()) for name in _LISTS}
        grown = "nonResourceURLs" if lists["nonResourceURLs"] else "resources"
        rest = json.dumps([grown, *(lists[name] for name in _LISTS if name != grown)])
        known = by_rest.setdefault(rest, lists)
        known[grown] = list(dict.fromkeys([*known[grown], *lists[grown]]))
    return tuple({name: values for name, values in rule.items() if values} for rule in by_rest.values())


def transform_of(resource: ResourceLike) -> Transform:
    """How caches keep objects of a kind. All who share a cache must say the same, so they say this."""
    of_roles = resource.group == GROUP and resource.kind in SCOPE_OF_KIND
    return with_shared_rules if of_roles else without_managed_fields


_known_rules: dict[str, list[Object]] = {}
_MOST_KNOWN: Final = 1024


def with_shared_rules(role: Object) -> Object:
    """A transform for caches of roles: equal lists of added rules are one list, however many workspaces have them."""
    without_managed_fields(role)
    status: Object = role.get("status") or {}
    if rules := status.get("aggregatedRules"):
        if len(_known_rules) >= _MOST_KNOWN:
            _known_rules.clear()
        status["aggregatedRules"] = _known_rules.setdefault(json.dumps(rules), rules)
    return role
