"""Nobody grants what he does not hold: whether one set of rules covers another.

As in Kubernetes' RBAC: each wanted rule is taken apart into single (verb, group, resource[, name]) and (verb, path)
permissions, and each of those must be covered whole by one held rule. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from dovetail.iam.policy import Rule


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> tuple[Rule, ...]:
    """The single permissions in `wanted` that no rule in `held` covers; empty when all may be granted."""
    return tuple(
        single for rule in wanted for single in _singles(rule) if not any(_covers(own, single) for own in held)
    )


def _singles(rule: Rule) -> Iterator[Rule]:
    names: tuple[tuple[str, ...], ...] = tuple((name,) for name in rule.resource_names) or ((),)
    for verb, group, resource, name in product(rule.verbs, rule.api_groups, rule.resources, names):
        yield Rule(verbs=(verb,), api_groups=(group,), resources=(resource,), resource_names=name)
    for verb, url in product(rule.verbs, rule.non_resource_urls):
        yield Rule(verbs=(verb,), non_resource_urls=(url,))


def _covers(own: Rule, single: Rule) -> bool:
    if not _holds(own.verbs, single.verbs[0], fold=bool(single.non_resource_urls)):
        return False
    if single.non_resource_urls:
        return any(_path_covers(url, single.non_resource_urls[0]) for url in own.non_resource_urls)
    return (
        _holds(own.api_groups, single.api_groups[0])
        and any(_resource_covers(resource, single.resources[0]) for resource in own.resources)
        and (not own.resource_names or (bool(single.resource_names) and single.resource_names[0] in own.resource_names))
    )


def _holds(own: tuple[str, ...], one: str, *, fold: bool = False) -> bool:
    return "*" in own or one in own or (fold and one.lower() in {verb.lower() for verb in own})


def _resource_covers(own: str, wanted: str) -> bool:
    if own in {"*", wanted}:
        return True
    return own.startswith("*/") and wanted.partition("/")[2] == own[2:]


def _path_covers(own: str, wanted: str) -> bool:
    return own == wanted or (own.endswith("*") and wanted.startswith(own[:-1]))
