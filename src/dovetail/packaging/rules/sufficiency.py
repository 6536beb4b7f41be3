"""Whether permissions.yaml allows what the package installs: no more surprises half-way through an install.

Helm acts as the extension's own account. For each rendered object it needs `get` and `create` (install), `patch`
(upgrade) and `delete` (removal); for roles and bindings the API server moreover asks that the account holds what it
hands out. Objects in the extension's namespace may use the implicit Role, everything else needs the ClusterRole.

Of kinds that other extensions bring it is not known whether they live in a namespace; then the rules of either role
count: a doubt is never an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis.crds import KINDS
from dovetail.apis.resource_name import plural_of
from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, note, warning
from dovetail.packaging.granting import Need, allowed, grants, uncovered
from dovetail.packaging.manifests import RenderedObject, items, mapping, texts
from dovetail.packaging.permissions import IMPLICIT_GROUPS, PERMISSIONS_FILE, Rule, placed_rules
from dovetail.packaging.rules.crds import definitions_of

_RBAC: Final = "rbac.authorization.k8s.io"
_INSTALL: Final = ("get", "create")
_LATER: Final = ("patch", "delete")
CLUSTER_KINDS: Final = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "APIService", "PriorityClass", "StorageClass", "CSIDriver", "CSINode",
    "VolumeAttachment", "IngressClass", "RuntimeClass", "CertificateSigningRequest", "PodSecurityPolicy",
    "FlowSchema", "PriorityLevelConfiguration", "ClusterIssuer",
})  # fmt: skip
_IMPLICIT: Final = Rule(verbs=("*",), api_groups=IMPLICIT_GROUPS, resources=("*",))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a kind is called in rules, and whether it lives in a namespace (None: not known)."""

    resource: str
    namespaced: bool | None


class _World:
    """The rules of the package and the kinds that it knows."""

    def __init__(self, examined: Examined) -> None:
        package = examined.package
        self.namespace = package.metadata.target_namespace
        self.cluster = package.permissions.cluster
        self.local = (*package.permissions.namespace, _IMPLICIT, *self.cluster)
        self._scopes: dict[tuple[str, str], _Scope] = {
            (kind.resource.group, kind.resource.kind): _Scope(kind.resource.plural, kind.resource.namespaced)
            for kind in KINDS
        }
        for crd in definitions_of(examined):
            spec: Mapping[str, Any] = mapping(crd.value.get("spec"))
            names = mapping(spec.get("names"))
            scope = _Scope(str(names.get("plural", "")), spec.get("scope") != "Cluster")
            self._scopes[str(spec.get("group", "")), str(names.get("kind", ""))] = scope

    def scope(self, obj: RenderedObject) -> _Scope:
        known = self._scopes.get((obj.group, obj.kind))
        if known is not None:
            return known
        built_in = "." not in obj.group or obj.group.endswith(".k8s.io")
        namespaced = False if obj.kind in CLUSTER_KINDS else (True if built_in else None)
        return _Scope(plural_of(obj.kind), namespaced)

    def rules_for(self, obj: RenderedObject, scope: _Scope) -> tuple[Rule, ...]:
        here = obj.namespace in ("", self.namespace)
        return self.local if here and scope.namespaced is not False else self.cluster


def missing(examined: Examined) -> Iterator[Finding]:
    """Objects that the account may not make, change or remove; one finding for each resource."""
    world, told = _World(examined), set[tuple[str, str]]()
    for view in examined.views:
        for obj in (*view.crds, *view.objects):
            scope = world.scope(obj)
            rules = world.rules_for(obj, scope)
            for verbs, makes in ((_INSTALL, error), (_LATER, warning)):
                lacking = [verb for verb in verbs if not allowed(rules, _need(verb, obj, scope))]
                key = (f"{obj.group}/{scope.resource}", verbs[0])
                if lacking and key not in told:
                    told.add(key)
                    yield makes("permission-missing", obj.place, *_sentence(obj, scope, lacking, rules is world.local))


def _need(verb: str, obj: RenderedObject, scope: _Scope) -> Need:
    return Need(verb, obj.group, scope.resource, obj.name)


def _sentence(obj: RenderedObject, scope: _Scope, lacking: list[str], local: bool) -> tuple[str, str]:
    what = f"{scope.resource}.{obj.group}" if obj.group else scope.resource
    where = "" if local else " in the cluster"
    message = f"{obj.title} is rendered, but {PERMISSIONS_FILE} does not allow to {' and '.join(lacking)} {what}{where}"
    kind = "Role" if local else "ClusterRole"
    group, verbs = obj.group or "''", ", ".join(lacking)
    return message, f"Add to the {kind}: apiGroups [{group}], resources [{scope.resource}], verbs [{verbs}]"


def escalation(examined: Examined) -> Iterator[Finding]:
    """Roles with rights that the account does not hold."""
    world = _World(examined)
    roles = {(obj.kind, obj.name): _rules_of(obj) for obj in examined.objects if obj.kind in ("Role", "ClusterRole")}
    told: set[str] = set()
    for obj in examined.objects:
        if obj.group != _RBAC or obj.title in told:
            continue
        lacking = _beyond(obj, world, roles)
        if lacking is not None:
            told.add(obj.title)
            fix = "Hold the same rights in the ClusterRole of permissions.yaml, or the verbs escalate and bind on roles"
            yield error(
                "permission-escalation",
                obj.place,
                f"{obj.title} hands out more than the extension holds: {lacking}",
                fix,
            )


def _beyond(obj: RenderedObject, world: _World, roles: Mapping[tuple[str, str], tuple[Rule, ...]]) -> str | None:
    """What a role or a binding gives that the account does not have; None if it may be made."""
    scope = world.scope(obj)
    held = world.rules_for(obj, scope)
    if obj.kind in ("Role", "ClusterRole"):
        if obj.value.get("aggregationRule") and not obj.value.get("rules"):
            return None
        if allowed(held, Need("escalate", _RBAC, scope.resource, obj.name)):
            return None
        return _first(uncovered(held, _rules_of(obj)))
    reference = mapping(obj.value.get("roleRef"))
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    if (kind, name) not in roles or allowed(held, Need("bind", _RBAC, plural_of(kind), name)):
        return None  # a role that the cluster has is not known here
    return _first(uncovered(held, roles[kind, name]))


def _first(parts: Iterator[Rule]) -> str | None:
    part = next(parts, None)
    if part is None:
        return None
    if part.non_resource_urls:
        return f"{part.verbs[0]} {part.non_resource_urls[0]}"
    return str(Need(part.verbs[0], part.api_groups[0], part.resources[0]))


def _rules_of(obj: RenderedObject) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            verbs=texts(rule.get("verbs")),
            api_groups=texts(rule.get("apiGroups")),
            resources=texts(rule.get("resources")),
            resource_names=texts(rule.get("resourceNames")),
            non_resource_urls=texts(rule.get("nonResourceURLs")),
        )
        for rule in map(mapping, items(obj.value.get("rules")))
    )


def unused(examined: Examined) -> Iterator[Finding]:
    """Rules of the ClusterRole that nothing in the package needs."""
    if not examined.views or not all(view.objects for view in examined.views):
        return
    world = _World(examined)
    needs = [
        _need(verb, obj, world.scope(obj))
        for view in examined.views
        for obj in (*view.crds, *view.objects)
        for verb in (*_INSTALL, *_LATER, "list", "watch", "update")
    ]
    handed = [part for obj in examined.objects if obj.group == _RBAC for part in _rules_of(obj)]
    idle: list[tuple[str, str]] = []
    for kind, rule, place in placed_rules(examined.package.files.get(PERMISSIONS_FILE, b"")):
        if kind != "ClusterRole" or any(grants(rule, need) for need in needs) or _serves(rule, handed):
            continue
        shown = ", ".join(f"{resource}.{group}".rstrip(".") for group in rule.api_groups for resource in rule.resources)
        idle.append((shown or ", ".join(rule.non_resource_urls), place))
    if idle:
        lines = ", ".join(place.rpartition(":")[2] for _, place in idle)
        rest = f", nor {len(idle) - 1} more rules (lines {lines})" if len(idle) > 1 else ""
        message = f"nothing in the package needs {idle[0][0]}{rest}"
        fix = "Remove what the extension does not need at run time or with other values"
        yield note("permission-unused", idle[0][1], message, fix)


def _serves(rule: Rule, handed: list[Rule]) -> bool:
    """Whether a rule is held only to hand it on to a role."""
    return next(uncovered(handed, [rule]), None) is None
