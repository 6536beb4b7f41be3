"""What an extension may do afterwards that it may not do now, and the other way round, in plain words. Pure.

Two kinds of holders: the account that installs it (permissions.yaml), and whoever holds the roles that its chart
brings. Rights are compared part by part, so a rule that is written in another way is no change. What makes more of an
extension than it should be (reading every Secret, handing out rights, everything) is named with the rule.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.lifecycle.access import role_name
from dovetail.lifecycle.preview.world import World, keyed
from dovetail.packaging.granting import uncovered
from dovetail.packaging.manifests import RenderedObject, items, mapping, texts
from dovetail.packaging.permissions import IMPLICIT_GROUPS, Rule

_IMPLICIT: Final = Rule(verbs=("*",), api_groups=IMPLICIT_GROUPS, resources=("*",))
_ROLES: Final = ("ClusterRole", "Role")
_ALL: Final = "all resources of "
_EVERYTHING: Final = "do everything in the cluster"


@dataclass(frozen=True)
class RightsChange:
    """`words` read after "may"; `risks` are reasons to look twice, empty for rights that are lost."""

    holder: str
    where: str
    gained: bool
    words: str
    risks: tuple[str, ...] = ()


def rights_changes(world: World) -> list[RightsChange]:
    """Every change, the account's first."""
    return [*_of_account(world), *_of_roles(world)]


def _of_account(world: World) -> Iterator[RightsChange]:
    permissions = world.package.permissions
    wanted = {"ClusterRole": permissions.cluster, "Role": (*permissions.namespace, _IMPLICIT)}
    for kind in _ROLES:
        held = tuple(rule_of(rule) for rule in world.roles.get(kind, ()))
        where = "in the whole cluster" if kind == "ClusterRole" else f"in namespace {world.namespace}"
        yield from _compared("the account that installs it", where, held, wanted[kind])


def _of_roles(world: World) -> Iterator[RightsChange]:
    assert world.rendering is not None
    before = keyed(world.in_force.objects, world.kinds, world.namespace)
    after = keyed((*world.rendering.objects, *world.rendering.hooks), world.kinds, world.namespace)
    own = role_name(world.extension)
    for key in sorted(before.keys() | after.keys()):
        if key.kind in _ROLES and key.group == "rbac.authorization.k8s.io" and key.name != own:
            where = f"in namespace {key.namespace}" if key.namespace else "where it is bound"
            holder = f"whoever holds {key.kind} {key.name}"
            yield from _compared(holder, where, rules_in(before.get(key)), rules_in(after.get(key)))


def _compared(holder: str, where: str, before: Iterable[Rule], after: Iterable[Rule]) -> Iterator[RightsChange]:
    one, other = tuple(before), tuple(after)
    wide = not where.startswith("in namespace")
    for words, parts in _lines(uncovered(one, other)).items():
        yield RightsChange(holder, where, gained=True, words=words, risks=_risks(parts) if wide else ())
    for words in _lines(uncovered(other, one)):
        yield RightsChange(holder, where, gained=False, words=words)


def _risks(parts: Iterable[Rule]) -> tuple[str, ...]:
    from dovetail.packaging.rules.permissions import allows_everything, risks_of

    rules = tuple(parts)
    if any(allows_everything(rule) for rule in rules):
        return (_EVERYTHING,)
    return tuple(dict.fromkeys(what for rule in rules for what in risks_of(rule)))


def _lines(parts: Iterable[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    """One line for each set of verbs: `get, list pods, services`, with the rules that it says."""
    resources: dict[str, list[Rule]] = {}
    for part in parts:
        resources.setdefault(_what(part), []).append(part)
    lines: dict[str, list[str]] = {}
    for what, rules in resources.items():
        verbs = list(dict.fromkeys(rule.verbs[0] for rule in rules))
        lines.setdefault("do everything with" if "*" in verbs else ", ".join(verbs), []).append(what)
    return {
        f"{verbs} {_listed(named)}": tuple(rule for what in named for rule in resources[what])
        for verbs, named in lines.items()
    }


def _listed(named: list[str]) -> str:
    """Resources for people: what they are all of is said once."""
    groups = [one.removeprefix(_ALL) for one in named if one.startswith(_ALL)]
    others = [one for one in named if not one.startswith(_ALL)]
    return ", ".join([*others, *([_ALL + ", ".join(groups)] if groups else [])])


def _what(rule: Rule) -> str:
    if rule.non_resource_urls:
        return f"the path {rule.non_resource_urls[0]}"
    resource, group = rule.resources[0], rule.api_groups[0]
    if resource == "*":
        what = "all resources" if group == "*" else f"{_ALL}{group or 'the core group'}"
    else:
        what = f"{resource} of every group" if group == "*" else f"{resource}.{group}".rstrip(".")
    return what + (f" named {rule.resource_names[0]}" if rule.resource_names else "")


def rules_in(obj: RenderedObject | None) -> tuple[Rule, ...]:
    """The rules of a rendered role; none of what is not there."""
    return () if obj is None else tuple(map(rule_of, map(mapping, items(obj.value.get("rules")))))


def rule_of(rule: Mapping[str, Any]) -> Rule:
    """A rule of a role, whatever else is in it."""
    return Rule(
        verbs=texts(rule.get("verbs")),
        api_groups=texts(rule.get("apiGroups")),
        resources=texts(rule.get("resources")),
        resource_names=texts(rule.get("resourceNames")),
        non_resource_urls=texts(rule.get("nonResourceURLs")),
    )
