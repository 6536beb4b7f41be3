"""A platform role's rules in the words of Kubernetes' RBAC: the same requests are allowed, and never one more. Pure.

Kubernetes decides about `/api` and `/apis` only, and in five points otherwise than the platform (`iam.authorizer`):

- the platform reads exec, attach, portforward and proxy as `create`, whatever the method; Kubernetes takes the method.
  So a rule that may `create` them gets all methods on them, and any other rule loses them, if need be by naming every
  resource of the core group instead of `*`;
- `*` for verbs would cover `impersonate`, `escalate` and `bind`: it becomes the verbs that requests have;
- stored objects of identity and tenancy (`policy.STORED_GROUPS`) are for platform roles with the API group `*` alone;
- kinds of Global scope are for platform roles alone;
- so in roles of narrower places (and wherever `*` would bring a method back that was taken away) `*` for API groups
  becomes the groups that the cluster has, without those kinds. What the cluster has is the `World`; it changes when an
  API group comes or goes.

Paths hold for roles of the platform and of the cluster. Rego has no counterpart: what only a module allows, Kubernetes
refuses.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from dovetail.iam.attributes import ALWAYS_GLOBAL, GLOBAL_UNLESS_WORKSPACE, TUNNELS
from dovetail.iam.policy import STORED_GROUPS, RoleScope, Rule
from dovetail.iam.process_roles import READ, Object

ALL: Final = "*"
VERBS: Final = (*READ, "create", "update", "patch", "delete", "deletecollection")
METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
THROUGH_TUNNELS: Final = ("get", "create", "update", "patch", "delete")
_TUNNELS: Final = tuple(sorted(f"{resource}/{sub}" for resource, sub in TUNNELS))
_TUNNEL_ENDS: Final = frozenset(sub for _, sub in TUNNELS)
_GLOBAL: Final = frozenset(one for one in ALWAYS_GLOBAL | GLOBAL_UNLESS_WORKSPACE if one[0] not in STORED_GROUPS)
_MIXED_GROUPS: Final = frozenset(group for group, _ in _GLOBAL)
"""Groups that hold kinds of Global scope and are not closed altogether."""

KUBERNETES_GROUPS: Final = frozenset({
    "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
    "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io", "metrics.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
    "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
})  # fmt: skip
_CORE: Final = (
    "bindings", "componentstatuses", "configmaps", "endpoints", "events", "limitranges", "namespaces",
    "namespaces/finalize", "namespaces/status", "nodes", "nodes/log", "nodes/metrics", "nodes/stats", "nodes/status",
    "persistentvolumeclaims", "persistentvolumeclaims/status", "persistentvolumes", "persistentvolumes/status", "pods",
    "pods/binding", "pods/ephemeralcontainers", "pods/eviction", "pods/log", "pods/resize", "pods/status",
    "podtemplates", "replicationcontrollers", "replicationcontrollers/scale", "replicationcontrollers/status",
    "resourcequotas", "resourcequotas/status", "secrets", "serviceaccounts", "serviceaccounts/token", "services",
    "services/status",
)  # fmt: skip


class World(msgspec.Struct, frozen=True):
    """The API groups of the cluster, and the kinds of those groups that mix scopes as (group, plural) pairs."""

    groups: frozenset[str] = KUBERNETES_GROUPS
    mixed: frozenset[tuple[str, str]] = frozenset()


def world_of(definitions: Iterable[str], services: Iterable[str]) -> World:
    """The world by the names of CustomResourceDefinitions (`plural.group`) and of APIServices (`version.group`)."""
    defined = [(group, plural) for plural, _, group in (name.partition(".") for name in definitions)]
    groups = {group for group, _ in defined} | {name.partition(".")[2] for name in services}
    return World(KUBERNETES_GROUPS | groups, frozenset(one for one in defined if one[0] in _MIXED_GROUPS))


def kubernetes_rules(rules: tuple[Rule, ...], scope: RoleScope, world: World) -> tuple[Object, ...]:
    """The rules of a Role or ClusterRole for a role of this scope."""
    made = [*(one for rule in rules for one in _resource_rules(rule, scope, world))]
    if scope in {"global", "cluster"}:
        made += [one for rule in rules for one in _path_rules(rule)]
    return tuple(made)


def is_wide(rules: Iterable[Rule], scope: RoleScope) -> bool:
    """Whether what becomes of the rules depends on the world."""
    if scope == "global":
        return any(ALL in rule.api_groups and not _creates(rule) for rule in rules)
    return any({*rule.api_groups} & {ALL, *_MIXED_GROUPS} for rule in rules)


def _resource_rules(rule: Rule, scope: RoleScope, world: World) -> Iterator[Object]:
    verbs = VERBS if ALL in rule.verbs else tuple(verb for verb in VERBS if verb in rule.verbs)
    if not verbs or not rule.resources:
        return
    for group_set, resources in _by_groups(rule, scope, world):
        if "" in group_set:
            yield from _core_rules(verbs, resources, rule.resource_names)
            group_set = [group for group in group_set if group]
        if group_set and resources:
            yield _rule(verbs, group_set, resources, rule.resource_names)


def _by_groups(rule: Rule, scope: RoleScope, world: World) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """Groups with the resources in them: those that are as the rule says, and those that mix scopes one by one."""
    if scope == "global":
        yield _groups_of_platform(rule, world), rule.resources
        return
    groups = world.groups if ALL in rule.api_groups else frozenset(rule.api_groups)
    yield sorted(groups - STORED_GROUPS - _MIXED_GROUPS), rule.resources
    for group in sorted(groups & _MIXED_GROUPS):
        yield [group], tuple(_local(group, rule.resources, world))


def _groups_of_platform(rule: Rule, world: World) -> list[str]:
    if ALL not in rule.api_groups:
        return sorted({*rule.api_groups} - STORED_GROUPS)
    return ["", ALL] if _creates(rule) else sorted(world.groups)  # `*` would be the core group with its tunnels, too


def _creates(rule: Rule) -> bool:
    return bool({ALL, "create"} & {*rule.verbs})


def _local(group: str, resources: Iterable[str], world: World) -> Iterator[str]:
    """The resources of a group that are not of Global scope."""
    known = sorted(plural for of, plural in world.mixed if of == group and (group, plural) not in _GLOBAL)
    for resource in resources:
        kind, _, sub = resource.partition("/")
        if kind != ALL:
            yield from [resource] if (group, kind) not in _GLOBAL else []
        elif sub:
            yield from (f"{plural}/{sub}" for plural in known)
        else:
            yield from (name for plural in known for name in (plural, f"{plural}/status", f"{plural}/scale"))


def _core_rules(verbs: tuple[str, ...], resources: tuple[str, ...], names: tuple[str, ...]) -> Iterator[Object]:
    may_enter = "create" in verbs
    plain = [one for one in resources if one not in _TUNNELS and not _ends_in_tunnel(one)]
    if ALL in resources:
        plain = [ALL] if may_enter else list(_CORE)
    if plain:
        yield _rule(verbs, [""], plain, names)
    if may_enter and (entered := [one for one in _TUNNELS if _names_tunnel(resources, one)]):
        yield _rule(THROUGH_TUNNELS, [""], entered, names)


def _ends_in_tunnel(resource: str) -> bool:
    return resource.startswith("*/") and resource[2:] in _TUNNEL_ENDS


def _names_tunnel(resources: tuple[str, ...], tunnel: str) -> bool:
    return ALL in resources or tunnel in resources or "*/" + tunnel.partition("/")[2] in resources


def _path_rules(rule: Rule) -> Iterator[Object]:
    said = {verb.lower() for verb in rule.verbs}
    said |= {"head"} if "get" in said else set()
    verbs = [ALL] if ALL in said else [method for method in METHODS if method in said]
    if verbs and rule.non_resource_urls:
        yield {"verbs": verbs, "nonResourceURLs": list(dict.fromkeys(rule.non_resource_urls))}


def _rule(verbs: Iterable[str], groups: Iterable[str], resources: Iterable[str], names: tuple[str, ...]) -> Object:
    made: Object = {
        "verbs": list(verbs), "apiGroups": list(groups), "resources": list(dict.fromkeys(resources)),
    }  # fmt: skip
    return made | ({"resourceNames": list(names)} if names else {})
