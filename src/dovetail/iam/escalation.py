"""Nobody grants what he does not hold: what a caller lacks of the rules that he wants to give at a place.

As in Kubernetes' RBAC: each wanted rule is taken apart into single (verb, group, resource[, name]) and (verb, path)
permissions, and each of those must be covered whole by one held rule. What the caller holds at a place is what counts
there in a decision: rules of the platform, of the place itself, of the workspace of a namespace, of the cluster. What
Rego modules give is not counted as held, and who gives a role with a Rego module must hold everything at its place,
since nobody can tell what a module allows. There is no verb that lifts this (`escalate`, `bind`). Pure.

`missing` is for rules somebody writes, `may_bind` for a role that somebody gives, `missing_of` for acting as somebody
else (his password, his groups).
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from dovetail.iam.attributes import Attributes, Scope
from dovetail.iam.policy import CLUSTER, PLATFORM, Identity, Place, Policy, Rule, places_in, rules_of_role
from dovetail.iam.rules import Grants, roles_of, rules_of, subjects_of

EVERY_RESOURCE = Rule(verbs=("*",), api_groups=("*",), resources=("*",))
EVERY_PATH = Rule(verbs=("*",), non_resource_urls=("*",))
MOST_PERMISSIONS = 10_000
_SCOPES: dict[str, Scope] = {
    "global": "Global", "workspace": "Workspace", "namespace": "Namespace", "cluster": "Cluster",
}  # fmt: skip


def missing(policy: Policy, identity: Identity, place: Place, rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The single permissions that the caller lacks to give these rules at the place; empty when he may."""
    return uncovered(held_rules(policy, identity, place), _effective(place, rules))


def may_bind(policy: Policy, identity: Identity, place: Place, role: str) -> tuple[Rule, ...]:
    """What the caller lacks to give this role at the place; empty when he may. A role that does not exist is
    nothing to give now, but might become anything, so it takes everything."""
    return missing(policy, identity, place, _wanted(policy, place, role))


def missing_for_role(
    policy: Policy, identity: Identity, place: Place, rules: Iterable[Rule], *, rego: bool = False
) -> tuple[Rule, ...]:
    """What the caller lacks to write a role with these rules, and with a Rego module or without, at the place."""
    return missing(policy, identity, place, (*rules, *(everything(place) if rego else ())))


def missing_of(policy: Policy, identity: Identity, other: Identity) -> tuple[Rule, ...]:
    """What another identity holds, anywhere, that the caller does not hold there. Empty: he could act as the other."""
    lacking: list[Rule] = []
    for place in _places_of_holdings(policy, other):
        wanted = [rule for role in roles_of(policy, other, place) for rule in _wanted(policy, place, role, known=True)]
        lacking += missing(policy, identity, place, wanted)
    return tuple(dict.fromkeys(lacking))


def everything(place: Place) -> tuple[Rule, ...]:
    """The rules that allow everything at a place: paths belong to the platform and to the cluster."""
    return (EVERY_RESOURCE, EVERY_PATH) if place in {PLATFORM, CLUSTER} else (EVERY_RESOURCE,)


def held_rules(policy: Policy, identity: Identity, place: Place) -> tuple[Rule, ...]:
    """Every rule of the caller that counts at a place."""
    account = policy.accounts.get(identity.name)
    if account is not None and account.disabled:
        return ()
    here = places_in(policy, _SCOPES[place.scope], place.name, place.name)
    return tuple(rule for one in here for rule in rules_of(policy, identity, one))


def _wanted(policy: Policy, place: Place, role: str, *, known: bool = False) -> tuple[Rule, ...]:
    key = place.key(role)
    exists = role in policy.roles if place.scope == "global" else key in policy.scoped_roles
    if key in policy.rego or not (exists or known):
        return everything(place)
    return rules_of_role(policy, place, role)


def _effective(place: Place, rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules as far as they mean anything at a place: a workspace and a namespace have no paths."""
    for rule in rules:
        yield rule if place in {PLATFORM, CLUSTER} or not rule.non_resource_urls else _without_paths(rule)


def _without_paths(rule: Rule) -> Rule:
    return Rule(
        verbs=rule.verbs, api_groups=rule.api_groups, resources=rule.resources, resource_names=rule.resource_names
    )


def _places_of_holdings(policy: Policy, identity: Identity) -> list[Place]:
    places: dict[Place, None] = {PLATFORM: None, CLUSTER: None}
    for _, held in subjects_of(policy, identity):
        if held is not None:
            places |= dict.fromkeys(Place("workspace", name) for name in held.workspaces)
            places |= dict.fromkeys(Place("namespace", name) for name in held.namespaces)
    return list(places)


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> tuple[Rule, ...]:
    """The single permissions in `wanted` that no rule in `held` covers; empty when all may be granted.

    A rule that is covered as a whole by one held rule is not taken apart. One that comes to more permissions than can
    be looked at (they are a product) counts as not covered: whoever needs it writes it as several.
    """
    grants, left = Grants(tuple(held)), MOST_PERMISSIONS
    any_name = "-" * (1 + max((len(name) for own in held for name in own.resource_names), default=0))
    lacking: list[Rule] = []
    for rule in wanted:
        if any(_covers(own, rule) for own in held):
            continue
        left -= _size(rule)
        if left < 0:
            lacking.append(rule)
        else:
            lacking += [single for single in _singles(rule) if not grants.allow(_asked(single, any_name))]
    return tuple(lacking)


def _size(rule: Rule) -> int:
    targets = len(rule.api_groups) * len(rule.resources) * max(1, len(rule.resource_names))
    return len(rule.verbs) * (targets + len(rule.non_resource_urls))


def _singles(rule: Rule) -> Iterator[Rule]:
    names: tuple[tuple[str, ...], ...] = tuple((name,) for name in rule.resource_names) or ((),)
    for verb, group, resource, name in product(rule.verbs, rule.api_groups, rule.resources, names):
        yield Rule(verbs=(verb,), api_groups=(group,), resources=(resource,), resource_names=name)
    for verb, url in product(rule.verbs, rule.non_resource_urls):
        yield Rule(verbs=(verb,), non_resource_urls=(url,))


def _asked(single: Rule, any_name: str) -> Attributes:
    """A permission as a request: a `*` in it matches nothing but a `*` that is held, `any_name` no name that is."""
    verb = single.verbs[0]
    if single.non_resource_urls:
        return Attributes(verb=verb.lower(), path=single.non_resource_urls[0])
    resource, _, subresource = single.resources[0].partition("/")
    return Attributes(
        verb=verb, path="", resource_request=True, api_group=single.api_groups[0], resource=resource,
        subresource=subresource, name=single.resource_names[0] if single.resource_names else any_name,
    )  # fmt: skip


def _covers(own: Rule, rule: Rule) -> bool:
    """Whether one held rule covers another whole; says no more often than need be."""
    resources = not rule.resources or (
        _within(rule.api_groups, own.api_groups)
        and _within(rule.resources, own.resources)
        and (not own.resource_names or (bool(rule.resource_names) and _within(rule.resource_names, own.resource_names)))
    )
    paths = not rule.non_resource_urls or _within(rule.non_resource_urls, own.non_resource_urls)
    return _within(rule.verbs, own.verbs) and resources and paths


def _within(wanted: tuple[str, ...], own: tuple[str, ...]) -> bool:
    return "*" in own or set(wanted) <= set(own)
