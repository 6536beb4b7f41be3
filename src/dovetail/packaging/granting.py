"""Rules of Kubernetes RBAC compared: whether a rule grants a verb on a resource, and whether rules cover another rule.

The comparison is the API server's own (rbac validation and escalation check): `*` covers everything of its kind, a
resource with a subresource is another resource, `*/scale` is that subresource of every resource.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dovetail.packaging.permissions import Rule


class Need(NamedTuple):
    """One verb on one resource."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


def grants(rule: Rule, need: Need) -> bool:
    """Whether a rule allows it. A rule for certain names never allows `create`, whose name is not known to RBAC."""
    if rule.resource_names and (need.name not in rule.resource_names or need.verb in ("create", "list", "watch")):
        return False
    return _has(rule.verbs, need.verb) and _has(rule.api_groups, need.group) and _names(rule.resources, need.resource)


def allowed(rules: Iterable[Rule], need: Need) -> bool:
    """Whether any of the rules allows it."""
    return any(grants(rule, need) for rule in rules)


def uncovered(held: Iterable[Rule], wanted: Iterable[Rule]) -> Iterator[Rule]:
    """The smallest parts of `wanted` that `held` does not cover: what an escalation check would complain about."""
    kept = tuple(held)
    for rule in wanted:
        for part in _parts(rule):
            if not any(_covers(one, part) for one in kept):
                yield part


def _has(given: Iterable[str], wanted: str) -> bool:
    return "*" in given or wanted in given


def _names(given: Iterable[str], wanted: str) -> bool:
    if _has(given, wanted):
        return True
    return "/" in wanted and f"*/{wanted.partition('/')[2]}" in given


def _parts(rule: Rule) -> Iterator[Rule]:
    for verb in rule.verbs:
        for url in rule.non_resource_urls:
            yield Rule(verbs=(verb,), non_resource_urls=(url,))
        for group in rule.api_groups:
            for resource in rule.resources:
                for name in rule.resource_names or ("",):
                    names = (name,) if name else ()
                    yield Rule(verbs=(verb,), api_groups=(group,), resources=(resource,), resource_names=names)


def _covers(held: Rule, part: Rule) -> bool:
    if not _has(held.verbs, part.verbs[0]):
        return False
    if part.non_resource_urls:
        wanted = part.non_resource_urls[0]
        return any(
            url == wanted or (url.endswith("*") and wanted.startswith(url[:-1])) for url in held.non_resource_urls
        )
    if held.resource_names and not set(part.resource_names) & set(held.resource_names):
        return False
    return _has(held.api_groups, part.api_groups[0]) and _names(held.resources, part.resources[0])
