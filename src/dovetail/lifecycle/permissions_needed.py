"""What an extension's account needs to install, change and remove what its package renders to. Pure.

Helm works as that account, and so does what brings `crds/` up to date. For an object of a release it reads (`get`),
makes (`create`), changes (`patch`) and removes (`delete`, unless the object is to be kept). Hooks it removes and makes
again, at an uninstall by server-side apply (`patch`), and waits for by watching all of their kind. Of a role the API
server moreover asks that the account holds what the role hands out, of a binding to a role that is not in the package
that it may `bind` that one. Tests (`helm.sh/hook: test`) are left out: they belong to no operation.

A need is told apart by where it counts: in the extension's own namespace the account has the published minimum and the
package's Role, everywhere else only its ClusterRole. The rules of `Needed` are enough together with that minimum, and
none of them can go (tests/lifecycle/test_permissions_needed.py proves both with the real API). They are for the values
that were rendered; what the extension's own pods need is their accounts' affair.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, cast

import msgspec

from dovetail.apis.crds import KINDS
from dovetail.apis.resource_name import plural_of
from dovetail.kube import annotations_of
from dovetail.lifecycle.manifests import KEEP
from dovetail.lifecycle.objects import mapping, spec_of
from dovetail.lifecycle.rendered import Rendered
from dovetail.packaging.granting import Need, uncovered
from dovetail.packaging.permissions import IMPLICIT_GROUPS, Rule
from dovetail.packaging.rules.sufficiency import CLUSTER_KINDS

RBAC: Final = "rbac.authorization.k8s.io"
MINIMUM: Final = Rule(verbs=("*",), api_groups=IMPLICIT_GROUPS, resources=("*",))
"""What every extension may do in its own namespace."""
_CRDS: Final = ("apiextensions.k8s.io", "customresourcedefinitions")
_AT_UNINSTALL: Final = frozenset({"pre-delete", "post-delete"})
_ORDER: Final = ("get", "list", "watch", "create", "update", "patch", "delete")


class Scope(NamedTuple):
    """What a kind is called in rules, and whether it lives in a namespace."""

    resource: str
    namespaced: bool


class RoleKey(NamedTuple):
    """A role of the cluster; `namespace` is empty for a ClusterRole."""

    kind: str
    namespace: str
    name: str


Scopes = Callable[[str, str], Scope]
"""From a group and a kind."""


@dataclass(frozen=True)
class Want:
    """One rule that is needed, everywhere (`cluster`) or in the extension's namespace, and what for.

    `instead` is what would do as well: the right to hand out more than one holds.
    """

    rule: Rule
    cluster: bool
    reasons: tuple[str, ...]
    instead: Need | None = None


@dataclass(frozen=True)
class Needed:
    """All of it. No verb of a rule is covered by another rule."""

    wants: tuple[Want, ...] = ()

    @property
    def cluster(self) -> tuple[Rule, ...]:
        """The rules of a ClusterRole."""
        return tuple(one.rule for one in self.wants if one.cluster)

    @property
    def namespace(self) -> tuple[Rule, ...]:
        """The rules of a Role in the extension's namespace, beside the minimum."""
        return tuple(one.rule for one in self.wants if not one.cluster)


def needed(
    objects: Sequence[Rendered],
    definitions: Sequence[Rendered],
    namespace: str,
    scopes: Scopes,
    existing: Mapping[RoleKey, tuple[Rule, ...]] | None = None,
) -> Needed:
    """Of a rendering and its `crds/`, for a release in `namespace`.

    `existing` are roles of the cluster (`bound_roles` says which are asked for): one whose rules the account holds
    anyway may be bound without more.
    """
    wants = list(_plain(objects, definitions, namespace, scopes))
    for one in objects:
        if one.kind in ("Role", "ClusterRole") and _group(one) == RBAC and not one.is_test:
            wants += _handed_out(one, namespace, wants)
    wants += _bound(objects, namespace, wants, existing or {})
    return Needed(tuple(_reduced(wants)))


def bound_roles(objects: Iterable[Rendered], namespace: str) -> dict[RoleKey, list[Rendered]]:
    """The roles that are bound and are not in the package, with the bindings."""
    made = [*objects]
    inside = {(one.kind, one.name) for one in made if _group(one) == RBAC}
    found: defaultdict[RoleKey, list[Rendered]] = defaultdict(list)
    for one in made:
        reference = mapping(one.content.get("roleRef"))
        kind, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
        if _group(one) == RBAC and name and (kind, name) not in inside and not one.is_test:
            found[RoleKey(kind, "" if kind == "ClusterRole" else one.namespace or namespace, name)].append(one)
    return dict(found)


def scopes(objects: Iterable[Rendered], served: Mapping[tuple[str, str], Scope] | None = None) -> Scopes:
    """Kinds as the package's definitions, the platform and Kubernetes call them; `served` says what a cluster has."""
    known = {
        (one.resource.group, one.resource.kind): Scope(one.resource.plural, one.resource.namespaced) for one in KINDS
    }
    known |= served or {}
    for one in objects:
        if one.kind == "CustomResourceDefinition":
            spec = spec_of(one.content)
            names = mapping(spec.get("names"))
            scope = Scope(str(names.get("plural") or ""), spec.get("scope") != "Cluster")
            known[str(spec.get("group") or ""), str(names.get("kind") or "")] = scope
    return lambda group, kind: known.get((group, kind)) or Scope(plural_of(kind), kind not in CLUSTER_KINDS)


def _plain(
    objects: Sequence[Rendered], definitions: Sequence[Rendered], namespace: str, scopes: Scopes
) -> Iterator[Want]:
    """Making, changing and removing objects: one rule for making a kind, and one for each way with the named ones."""
    made: defaultdict[tuple[bool, str, str], list[str]] = defaultdict(list)
    watched: set[tuple[bool, str, str]] = set()
    named: defaultdict[tuple[bool, str, str, tuple[str, ...]], list[Rendered]] = defaultdict(list)
    for one in objects:
        if one.is_test or (one.kind, one.name) == ("Namespace", namespace):
            continue  # that one is there before the release is, and counts as a part of itself
        scope = scopes(_group(one), one.kind)
        cluster = not scope.namespaced or one.namespace not in ("", namespace)
        place = cluster, _group(one), scope.resource
        made[place].append(f"{one.kind} {one.name}")
        named[*place, _ways(one)].append(one)
        if one.hooks:
            watched.add(place)
    for one in definitions:
        made[True, *_CRDS].append(f"{one.kind} {one.name}")
        named[True, *_CRDS, ("update",)].append(one)
    for (cluster, group, resource), reasons in made.items():
        verbs = ("list", "watch", "create") if (cluster, group, resource) in watched else ("create",)
        rule = Rule(verbs=verbs, api_groups=(group,), resources=(resource,))
        yield Want(rule, cluster, _once(reasons))
    for (cluster, group, resource, verbs), known in named.items():
        names = _once(one.name for one in known)
        rule = Rule(verbs=verbs, api_groups=(group,), resources=(resource,), resource_names=names)
        yield Want(rule, cluster, _once(f"{one.kind} {one.name}" for one in known))


def _ways(one: Rendered) -> tuple[str, ...]:
    if one.hooks:
        return ("patch", "delete") if one.hooks & _AT_UNINSTALL else ("delete",)
    kept = str(annotations_of(one.content).get(KEEP) or "").strip().lower() == "keep"
    return ("get", "patch") if kept else ("get", "patch", "delete")


def _handed_out(role: Rendered, namespace: str, wants: Sequence[Want]) -> Iterator[Want]:
    """What a role gives, as far as the account would not hold it anyway."""
    cluster = role.kind == "ClusterRole" or role.namespace not in ("", namespace)
    plural = plural_of(role.kind)
    reason = f"{role.kind} {role.name} hands it out"
    if role.content.get("aggregationRule"):
        # Nobody knows what it will gather, so the API server wants everything, or this.
        rule = Rule(verbs=("escalate",), api_groups=(RBAC,), resources=(plural,))
        yield Want(rule, cluster, (f"{role.kind} {role.name} gathers other roles",))
        return
    held = [one.rule for one in wants if one.cluster or not cluster] + ([] if cluster else [MINIMUM])
    for rule in _joined(uncovered(held, rules_of(role.content))):
        yield Want(rule, cluster, (reason,), Need("escalate", RBAC, plural, role.name))


def _bound(
    objects: Sequence[Rendered],
    namespace: str,
    wants: Sequence[Want],
    existing: Mapping[RoleKey, tuple[Rule, ...]],
) -> Iterator[Want]:
    """The right to bind roles that are not in the package, unless the account holds what they give."""
    found: defaultdict[tuple[bool, str], list[tuple[str, str]]] = defaultdict(list)
    for key, bindings in bound_roles(objects, namespace).items():
        for one in bindings:
            cluster = one.kind == "ClusterRoleBinding" or one.namespace not in ("", namespace)
            held = [want.rule for want in wants if want.cluster or not cluster] + ([] if cluster else [MINIMUM])
            if key not in existing or next(uncovered(held, existing[key]), None) is not None:
                reason = f"{one.kind} {one.name} binds {key.kind} {key.name}"
                found[cluster, plural_of(key.kind)].append((key.name, reason))
    for (cluster, plural), bound in found.items():
        names = _once(name for name, _ in bound)
        rule = Rule(verbs=("bind",), api_groups=(RBAC,), resources=(plural,), resource_names=names)
        yield Want(rule, cluster, _once(reason for _, reason in bound))


def rules_of(role: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules of a Role or ClusterRole."""
    rules = role.get("rules")
    found = cast("list[object]", rules) if isinstance(rules, list) else []
    return tuple(
        Rule(
            verbs=_texts(rule.get("verbs")),
            api_groups=_texts(rule.get("apiGroups")),
            resources=_texts(rule.get("resources")),
            resource_names=_texts(rule.get("resourceNames")),
            non_resource_urls=_texts(rule.get("nonResourceURLs")),
        )
        for rule in map(mapping, found)
    )


def _joined(parts: Iterable[Rule]) -> Iterator[Rule]:
    """Rules of one verb each as rules of several verbs."""
    verbs: defaultdict[Rule, dict[str, None]] = defaultdict(dict)
    for part in parts:
        verbs[msgspec.structs.replace(part, verbs=())][part.verbs[0]] = None
    for rest, found in verbs.items():
        inorder = sorted(found, key=lambda verb: (_ORDER.index(verb) if verb in _ORDER else -1, verb))
        yield msgspec.structs.replace(rest, verbs=tuple(inorder))


def _reduced(wants: Sequence[Want]) -> Iterator[Want]:
    """Without the verbs that the other rules and the minimum cover anyway."""
    kept = list(wants)
    for at, one in enumerate(wants):
        others = [other.rule for other in kept if other.rule.verbs and (other.cluster or not one.cluster)]
        others = [rule for rule in others if rule is not one.rule] + ([] if one.cluster else [MINIMUM])
        verbs = tuple(verb for verb in one.rule.verbs if not _covers(others, one.rule, verb))
        kept[at] = replace(one, rule=msgspec.structs.replace(one.rule, verbs=verbs))
    return (one for one in kept if one.rule.verbs)


def _covers(held: Sequence[Rule], rule: Rule, verb: str) -> bool:
    return next(uncovered(held, [msgspec.structs.replace(rule, verbs=(verb,))]), None) is None


def _group(one: Rendered) -> str:
    return one.api_version.rpartition("/")[0]


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in cast("list[object]", value)) if isinstance(value, list) else ()
