"""What permissions.yaml declares against what is needed: what is missing, and what is more than it takes. Pure.

A declared rule is `needed` when every part of it is, `wider` when something needs a part of it, else `unused`. A rule
that lets the account hand out more than it holds counts as needed for the roles that it is needed for, and the rules of
those roles are then not missing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from dovetail.lifecycle.permissions_needed import MINIMUM, Needed, Want
from dovetail.packaging.granting import Need, allowed, grants, uncovered
from dovetail.packaging.permissions import PERMISSIONS_FILE, Rule, placed_rules
from dovetail.packaging.rules.permissions import allows_everything, risks_of

Use = Literal["needed", "wider", "unused"]
EVERYTHING = "do everything in the cluster"


@dataclass(frozen=True)
class Declared:
    """A rule of permissions.yaml. `beyond` are its words that nothing needs; `risks` read after "may"."""

    rule: Rule
    kind: str
    place: str
    use: Use
    beyond: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lacking:
    """A need with the parts of it that are not declared."""

    want: Want
    parts: tuple[Rule, ...]


@dataclass(frozen=True)
class Comparison:
    """Both sides. `missing` is what an install, an upgrade or an uninstall would be refused for."""

    needed: Needed
    declared: tuple[Declared, ...]
    missing: tuple[Lacking, ...]

    @property
    def excess(self) -> tuple[Declared, ...]:
        return tuple(one for one in self.declared if one.use != "needed")


def compared(needed: Needed, permissions: bytes) -> Comparison:
    """`permissions` is the file. Raises InvalidPermissions."""
    placed = [*placed_rules(permissions)]
    cluster = [rule for kind, rule, _ in placed if kind == "ClusterRole"]
    local = [*cluster, *(rule for kind, rule, _ in placed if kind == "Role"), MINIMUM]
    missing = [
        Lacking(one, parts) for one in needed.wants if (parts := _lacking(one, cluster if one.cluster else local))
    ]
    declared = tuple(_declared(rule, kind, place, needed) for kind, rule, place in placed)
    return Comparison(needed, declared, tuple(missing))


def minimal(needed: Needed) -> str:
    """The permissions.yaml that is enough, as text."""
    import yaml

    documents = [
        {"kind": kind, "rules": [msgspec.json.decode(msgspec.json.encode(rule)) for rule in rules]}
        for kind, rules in (("ClusterRole", needed.cluster), ("Role", needed.namespace))
        if rules
    ]
    return yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False)


def words(rule: Rule) -> str:
    """`get, list secrets`; a group follows its resource after a dot, names come in brackets."""
    places = [f"{resource}.{group}".rstrip(".") for group in rule.api_groups for resource in rule.resources]
    names = f" ({', '.join(rule.resource_names)})" if rule.resource_names else ""
    return f"{', '.join(rule.verbs)} {', '.join([*places, *rule.non_resource_urls])}{names}"


def _lacking(want: Want, held: Sequence[Rule]) -> tuple[Rule, ...]:
    if want.instead is not None and allowed(held, want.instead):
        return ()
    return tuple(uncovered(held, [want.rule]))


def _declared(rule: Rule, kind: str, place: str, needed: Needed) -> Declared:
    cluster = kind == "ClusterRole"
    served = [*_served(rule, needed, cluster=cluster)]
    beyond = tuple(_beyond(rule, served)) if served else ()
    use: Use = "unused" if not served else "wider" if beyond else "needed"
    risks = ((EVERYTHING,) if allows_everything(rule) else tuple(risks_of(rule))) if cluster else ()
    where = place if place.startswith(PERMISSIONS_FILE) else f"{PERMISSIONS_FILE}:{place}"
    return Declared(rule, kind, where, use, beyond, risks)


def _served(rule: Rule, needed: Needed, *, cluster: bool) -> Iterator[Need]:
    """The parts of needs that the rule covers."""
    for want in needed.wants:
        if want.cluster and not cluster:
            continue
        if want.instead is not None and grants(rule, want.instead):
            yield want.instead
        for verb in want.rule.verbs:
            for url in want.rule.non_resource_urls:
                if next(uncovered([rule], [Rule(verbs=(verb,), non_resource_urls=(url,))]), None) is None:
                    yield Need(verb, "", url)
            for group in want.rule.api_groups:
                for resource in want.rule.resources:
                    for name in want.rule.resource_names or ("",):
                        if grants(rule, Need(verb, group, resource, name)):
                            yield Need(verb, group, resource, name)


def _beyond(rule: Rule, served: Iterable[Need]) -> Iterator[str]:
    """The words of a rule that are wider than what it serves: a star that needs none, or a word that nothing needs."""
    parts = [*served]
    for what, given, used in (
        ("verb", rule.verbs, {part.verb for part in parts}),
        ("group", rule.api_groups, {part.group for part in parts}),
        ("resource", (*rule.resources, *rule.non_resource_urls), {part.resource for part in parts}),
    ):
        for word in given:
            if word not in used:
                yield f"{what} {word or repr(word)}"
