"""Objects of identity and access -> what the policy makes of one of them. Each reader takes a plain mapping.

An object that is being deleted is as good as gone: it reads as None. One that has not the form its kind has raises
`Unreadable`, and so does a reference to a role of another kind; the caller leaves it out and says so. A rule is the
smallest thing that can be left out, since a rule can only ever add. Pure.

Groups of a user that begin with `system:` are left out: they are Kubernetes' own (`system:masters` is every right on
the cluster), and the gateway passes a user's groups on to kube-apiserver.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from dovetail.apis.labels import LAST_PASSWORD_CHANGE, REGO_OVERRIDE, UNINITIALIZED, WORKSPACE
from dovetail.iam.policy import CLUSTER, PLATFORM, Account, Place, Rule

Object = Mapping[str, Any]

RESERVED_PREFIX = "system:"
DISABLED = "Disabled"
SERVICE_ACCOUNTS = {"kubesphere.io": "kubesphere:serviceaccount", "": "system:serviceaccount"}

MOST_RULES = 2000
"""A decision may have to look at each rule of a role; a role that has more is nobody's work."""
ROLE_KINDS = ("GlobalRole", "WorkspaceRole", "ClusterRole", "Role")
BINDING_KINDS = tuple(f"{kind}Binding" for kind in ROLE_KINDS)

_FIELDS = {
    "verbs": "verbs",
    "apiGroups": "api_groups",
    "resources": "resources",
    "resourceNames": "resource_names",
    "nonResourceURLs": "non_resource_urls",
}


class Unreadable(Exception):
    """An object has not the form its kind has."""


class Role(msgspec.Struct, frozen=True):
    """A role: where it holds, its rules and its Rego modules."""

    place: Place
    name: str
    rules: tuple[Rule, ...]
    rego: tuple[str, ...] = ()


class Binding(msgspec.Struct, frozen=True):
    """A binding: where it holds, the role's name, and who it is given to as (kind, name) pairs."""

    place: Place
    role: str
    subjects: tuple[tuple[str, str], ...]


def read_object(kind: str, obj: Object) -> Any:
    """What the policy makes of an object of this kind; None: nothing. Raises Unreadable."""
    if kind in ROLE_KINDS:
        return read_role(obj, kind)
    if kind in BINDING_KINDS:
        return read_role_binding(obj, kind.removesuffix("Binding"))
    if kind == "User":
        return read_account(obj)
    if kind == "GroupBinding":
        return read_group_binding(obj)
    if kind == "Group":
        return None if terminating(obj) else True
    return workspace_of(obj) or None


def terminating(obj: Object) -> bool:
    """Whether an object is being deleted."""
    return bool(_mapping_or_empty(obj.get("metadata")).get("deletionTimestamp"))


def name_of(obj: Object) -> str:
    """The name; empty when there is none."""
    return str(_mapping_or_empty(obj.get("metadata")).get("name", ""))


def namespace_of(obj: Object) -> str:
    """The namespace; empty when there is none."""
    return str(_mapping_or_empty(obj.get("metadata")).get("namespace") or "")


def read_account(user: Object) -> Account | None:
    """The account of a User, with the groups that the User itself names. Raises Unreadable."""
    if terminating(user):
        return None
    metadata = _mapping(user.get("metadata"))
    annotations, status = _mapping_or_empty(metadata.get("annotations")), _mapping_or_empty(user.get("status"))
    not_before = status.get("tokensNotBefore")
    return Account(
        uid=str(metadata.get("uid", "")),
        groups=allowed_groups(_strings(_mapping_or_empty(user.get("spec")).get("groups"))),
        disabled=status.get("state") == DISABLED,
        uninitialized=str(annotations.get(UNINITIALIZED, "false")).lower() != "false",
        tokens_not_before=max(
            _epoch(annotations.get(LAST_PASSWORD_CHANGE)), not_before if isinstance(not_before, int) else 0
        ),
    )


def allowed_groups(groups: tuple[str, ...]) -> tuple[str, ...]:
    """The groups that a user may be put into, in order."""
    return tuple(sorted({group for group in groups if group and not group.startswith(RESERVED_PREFIX)}))


def read_role(role: Object, kind: str) -> Role | None:
    """A role of one of the four kinds. Raises Unreadable."""
    if terminating(role):
        return None
    metadata = _mapping(role.get("metadata"))
    place = _place(metadata, kind)
    added = _mapping_or_empty(role.get("status"))
    rules = (*read_rules(role.get("rules")), *read_rules(added.get("aggregatedRules")))
    if len(rules) > MOST_RULES:
        raise Unreadable(f"it has more than {MOST_RULES} rules")
    return Role(place, str(metadata.get("name", "")), rules, _rego(metadata, added))


def read_rules(rules: object) -> tuple[Rule, ...]:
    """A `rules` list as rules; one that cannot be read is left out, since a rule can only ever add."""
    if not isinstance(rules, list):
        return ()
    return tuple(rule for entry in cast("list[object]", rules) if (rule := _rule(entry)) is not None)


def written_rule(rule: Rule) -> dict[str, list[str]]:
    """A rule as a manifest has it."""
    values = {theirs: getattr(rule, ours) for theirs, ours in _FIELDS.items()}
    return {name: list(value) for name, value in values.items() if value}


def read_role_binding(binding: Object, kind: str) -> Binding | None:
    """A binding to a role of this kind (`Role`, not `RoleBinding`). Raises Unreadable."""
    if terminating(binding):
        return None
    reference = _mapping(binding.get("roleRef"))
    if reference.get("kind", kind) != kind:
        raise Unreadable(f"roleRef is a {reference.get('kind')}, not a {kind}")
    subjects: object = binding.get("subjects") or []
    if not isinstance(subjects, list):
        raise Unreadable("subjects is not a list")
    place = _place(_mapping(binding.get("metadata")), kind)
    namespace = place.name if place.scope == "namespace" else ""
    read = tuple(_subject(_mapping(entry), namespace) for entry in cast("list[object]", subjects))
    return Binding(place, str(reference.get("name", "")), read)


def read_binding(binding: Object, kind: str = "GlobalRole") -> tuple[str, list[tuple[str, str]]] | None:
    """The role and the (User, Group or ServiceAccount, name) subjects of a binding; None when it grants nothing."""
    try:
        read = read_role_binding(binding, kind)
    except Unreadable:
        return None
    return None if read is None else (read.role, list(read.subjects))


def read_group_binding(binding: Object) -> tuple[str, tuple[str, ...]] | None:
    """The group, and the users that a GroupBinding puts into it. Raises Unreadable."""
    if terminating(binding):
        return None
    reference = _mapping(binding.get("groupRef"))
    if reference.get("kind", "Group") != "Group":
        raise Unreadable(f"groupRef is a {reference.get('kind')}, not a Group")
    return str(reference.get("name", "")), _strings(binding.get("users"))


def workspace_of(obj: Object) -> str:
    """The workspace that an object's label names; empty when there is none."""
    labels = _mapping_or_empty(_mapping_or_empty(obj.get("metadata")).get("labels"))
    return str(labels.get(WORKSPACE) or "")


def _place(metadata: Object, kind: str) -> Place:
    if kind == "GlobalRole":
        return PLATFORM
    if kind == "ClusterRole":
        return CLUSTER
    if kind == "Role":
        scope, name = "namespace", str(metadata.get("namespace") or "")
    else:
        scope, name = "workspace", workspace_of({"metadata": metadata})
    if not name or "/" in name:
        raise Unreadable(f"it names no {scope}")
    return Place(scope, name)


def _rego(metadata: Object, added: Object) -> tuple[str, ...]:
    """The role's own module, and those that its templates add (`iam.aggregation`)."""
    own = _mapping_or_empty(metadata.get("annotations")).get(REGO_OVERRIDE)
    try:
        aggregated = _strings(added.get("aggregatedRego"))
    except Unreadable:
        aggregated = ()
    modules = (own, *aggregated) if isinstance(own, str) else aggregated
    return tuple(dict.fromkeys(module for module in modules if module.strip()))


def _rule(entry: object) -> Rule | None:
    if not isinstance(entry, Mapping):
        return None
    fields = cast("Object", entry)
    try:
        return Rule(**{ours: _strings(fields.get(theirs)) for theirs, ours in _FIELDS.items()})
    except Unreadable:
        return None


def _subject(subject: Object, namespace: str) -> tuple[str, str]:
    kind, name = str(subject.get("kind", "")), str(subject.get("name", ""))
    if not name:
        raise Unreadable("a subject has no name")
    if kind == "ServiceAccount":
        prefix = SERVICE_ACCOUNTS["kubesphere.io" if subject.get("apiGroup") == "kubesphere.io" else ""]
        return "ServiceAccount", f"{prefix}:{subject.get('namespace') or namespace}:{name}"
    if kind not in {"User", "Group"}:
        raise Unreadable(f"a subject is a {kind!r}, not a User, Group or ServiceAccount")
    return kind, name


def _epoch(stamp: object) -> int:
    if not stamp:
        return 0
    try:
        moment = datetime.fromisoformat(str(stamp))
    except ValueError as error:
        raise Unreadable(f"annotation {LAST_PASSWORD_CHANGE} is not a time: {stamp!r}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable(f"{value!r} is not an object")
    return cast("Mapping[str, Any]", value)


def _mapping_or_empty(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[object]", value)):
        raise Unreadable(f"{value!r} is not a list of strings")
    return tuple(cast("list[str]", value))
