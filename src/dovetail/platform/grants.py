"""Whether a write would give rights that the caller does not hold himself: one answer for every kind that grants.

    demand_no_gain(deps, caller, kind, before, after)

Roles give their rules, and those of the templates they aggregate; a role with a Rego module gives everything, since
nobody can tell what a module allows. A module of a role's own is written only by who holds everything on the platform:
it runs in the gateway, between the requests of others, and is not for tenants to bring along. Bindings give a role.
Role templates and built-in roles end up in roles anywhere, so they count on the whole platform. Group bindings give
what the group holds, anywhere. Other kinds give nothing.

What is not changed is not asked about: who may rename a role need not hold its rules.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from dovetail.apis.iam_v1beta1 import ROLETEMPLATES
from dovetail.apis.labels import (
    AGGREGATE_TO_PREFIX,
    AUTO_AGGREGATE,
    BUILTIN_ROLE,
    REGO_OVERRIDE,
    ROLE_REF,
    SCOPE,
    USER_REF,
    WORKSPACE,
)
from dovetail.iam.aggregation import SCOPE_OF_KIND, aggregate
from dovetail.iam.compiler import read_rules
from dovetail.iam.escalation import everything, may_bind, missing, missing_for_role, missing_of
from dovetail.iam.policy import PLATFORM, Identity, Place, Policy, RoleScope, Rule
from dovetail.iam.template_trust import rules_of_template
from dovetail.kube.objects import annotations_of, key_of, labels_of
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, Unacceptable

Object = dict[str, Any]
Part = Mapping[str, Any]

ROLE_SCOPES: Final[Mapping[str, RoleScope]] = {
    "globalroles": "global", "workspaceroles": "workspace", "clusterroles": "cluster", "roles": "namespace",
}  # fmt: skip
BINDING_SCOPES: Final[Mapping[str, RoleScope]] = {
    "globalrolebindings": "global", "workspacerolebindings": "workspace", "clusterrolebindings": "cluster",
    "rolebindings": "namespace",
}  # fmt: skip
_ROLE_KINDS: Final = {
    "global": "GlobalRole", "workspace": "WorkspaceRole", "cluster": "ClusterRole", "namespace": "Role",
}  # fmt: skip
_RESERVED: Final = ("system:", "kubesphere:")
_PLACING: Final = frozenset({SCOPE, WORKSPACE, BUILTIN_ROLE})
"""Labels that say where a role holds, and by which name templates join it."""
_LONGEST_LABEL: Final = 63


def demand_no_gain(deps: PlatformDeps, caller: Identity, plural: str, before: Part | None, after: Part) -> None:
    """Refuse a write of an object of iam.kubesphere.io that gives what the caller lacks. `before` is None for a new
    one. Raises AccessDenied, Unacceptable."""
    if before is not None and _giving(plural, before) == _giving(plural, after):
        return
    lacking = _lacking(deps.policy(), caller, plural, after, deps.directory(ROLETEMPLATES).list())
    if lacking:
        shown = ", ".join(_words(rule) for rule in lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        name = key_of(after).name or "the object"
        raise AccessDenied(
            f'User "{caller.name}" cannot write {plural} "{name}": it would give rights that he does not hold: {shown}'
        )


def with_true_marks(plural: str, obj: Object) -> Object:
    """A binding with the labels that say whom it binds to what, as its subjects and roleRef say it."""
    if plural not in BINDING_SCOPES:
        return obj
    users = [str(one.get("name")) for one in _parts(obj.get("subjects")) if one.get("kind") == "User"]
    marks = {ROLE_REF: str(_part(obj.get("roleRef")).get("name", "")), USER_REF: users[0] if len(users) == 1 else ""}
    labels = {key: value for key, value in labels_of(obj).items() if key not in marks}
    labels |= {key: text for key, text in marks.items() if text and ":" not in text and len(text) <= _LONGEST_LABEL}
    return {**obj, "metadata": {**obj["metadata"], "labels": labels}}


def place_of(scope: RoleScope, obj: Part) -> Place:
    """Where a role or a binding of this scope holds. Raises Unacceptable."""
    if scope == "workspace":
        workspace = labels_of(obj).get(WORKSPACE, "")
        if not workspace:
            raise Unacceptable(key_of(obj).name, [(f"metadata.labels[{WORKSPACE}]", "is needed")])
        return Place("workspace", workspace)
    return Place("namespace", key_of(obj).namespace) if scope == "namespace" else Place(scope)


def _lacking(policy: Policy, caller: Identity, plural: str, obj: Part, templates: list[Object]) -> tuple[Rule, ...]:
    if plural in ROLE_SCOPES:
        scope = ROLE_SCOPES[plural]
        rules, more = _rules_of_role(_ROLE_KINDS[scope], obj, templates)
        own = missing(policy, caller, PLATFORM, everything(PLATFORM)) if REGO_OVERRIDE in annotations_of(obj) else ()
        return own or missing_for_role(policy, caller, place_of(scope, obj), rules, rego=more)
    if plural in BINDING_SCOPES:
        scope = BINDING_SCOPES[plural]
        return may_bind(policy, caller, place_of(scope, obj), _bound_role(scope, obj))
    if plural == "roletemplates":
        rules, more = read_rules(rules_of_template(obj)), REGO_OVERRIDE in annotations_of(obj)
        return missing_for_role(policy, caller, PLATFORM, rules, rego=more)
    if plural == "builtinroles":
        role = _part(obj.get("role"))
        kind = str(role.get("kind"))
        rules, more = _rules_of_role(kind, role, templates) if kind in SCOPE_OF_KIND else ((), True)
        return missing_for_role(policy, caller, PLATFORM, rules, rego=more)
    if plural == "groupbindings":
        return missing_of(policy, caller, Identity(name="", groups=(_group(obj),)))
    return ()


def _rules_of_role(kind: str, role: Part, templates: list[Object]) -> tuple[tuple[Rule, ...], bool]:
    """The rules that a role has once its templates are added, and whether that is more than rules can say: a Rego
    module, or templates that are yet to come. Those that a role takes by their labels may come at any time, from any
    extension (Kubernetes' own aggregation rules take everything, too); those it names are the ones that are there."""
    added = aggregate(kind, role, templates)
    rules = (*read_rules(role.get("rules")), *read_rules(list(added.rules)))
    marks = annotations_of(role)
    open_ended = bool(_part(role.get("aggregationRoleTemplates")).get("roleSelector")) or AUTO_AGGREGATE in marks
    return rules, open_ended or REGO_OVERRIDE in marks or bool(added.rego or added.problem)


def _bound_role(scope: RoleScope, binding: Part) -> str:
    reference = _part(binding.get("roleRef"))
    if reference.get("kind") != _ROLE_KINDS[scope]:
        raise Unacceptable(
            f"binding {key_of(binding).name!r}",
            [("roleRef.kind", f"must be {_ROLE_KINDS[scope]} and is {reference.get('kind')!r}")],
        )
    return str(reference.get("name") or "")


def _group(binding: Part) -> str:
    name = str(_part(binding.get("groupRef")).get("name") or "")
    if not name or name.startswith(_RESERVED):
        raise Unacceptable(f"group binding {key_of(binding).name!r}", [("groupRef.name", f"{name!r} is reserved")])
    return name


def _giving(plural: str, obj: Part) -> object:
    """The part of an object that gives rights: while it stays the same, nobody gains."""
    labels, marks = labels_of(obj), annotations_of(obj)
    role = _part(obj.get("role")) if plural == "builtinroles" else obj
    return (
        role.get("rules"), role.get("aggregationRoleTemplates"), role.get("metadata") if role is not obj else None,
        obj.get("spec"), obj.get("targetSelector"), obj.get("subjects"), obj.get("roleRef"), obj.get("groupRef"),
        obj.get("users"), marks.get(REGO_OVERRIDE), marks.get(AUTO_AGGREGATE),
        {key: value for key, value in labels.items() if key in _PLACING or key.startswith(AGGREGATE_TO_PREFIX)},
    )  # fmt: skip


def _words(rule: Rule) -> str:
    target = rule.non_resource_urls[0] if rule.non_resource_urls else f"{rule.resources[0]}.{rule.api_groups[0]}"
    return f"{rule.verbs[0]} {target.rstrip('.')}"


def _part(value: object) -> Part:
    return cast("Part", value) if isinstance(value, dict) else {}


def _parts(value: object) -> Iterable[Part]:
    return [_part(one) for one in cast("list[object]", value)] if isinstance(value, list) else []
