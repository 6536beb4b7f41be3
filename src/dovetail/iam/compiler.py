"""Users, GlobalRoles and GlobalRoleBindings -> the policy that workers decide by.

One object in, at most one entry out: an object that is being deleted grants nothing from that moment on, a binding to
a role that does not exist or for a user that does not exist grants nothing, and an object that cannot be read is left
out. None of these stops the others; each is told in `problems`. Pure; objects come as plain mappings from a lister.

Groups of a user that begin with `system:` are left out: they are Kubernetes' own (`system:masters` is every right on
the cluster), and the gateway passes a user's groups on to kube-apiserver.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from dovetail.apis.labels import LAST_PASSWORD_CHANGE
from dovetail.iam.policy import Account, Policy, Rule

RESERVED_PREFIX = "system:"
DISABLED = "Disabled"

T = TypeVar("T")

_FIELDS = {
    "verbs": "verbs",
    "apiGroups": "api_groups",
    "resources": "resources",
    "resourceNames": "resource_names",
    "nonResourceURLs": "non_resource_urls",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An object, or a part of one, that grants nothing, and why."""

    kind: str
    name: str
    message: str


class _Unreadable(Exception):
    """An object has not the form its kind has."""


def compile_policy(
    users: Iterable[Mapping[str, Any]],
    global_roles: Iterable[Mapping[str, Any]],
    global_role_bindings: Iterable[Mapping[str, Any]],
) -> Policy:
    """The policy of these objects."""
    return compile_with_problems(users, global_roles, global_role_bindings)[0]


def compile_with_problems(
    users: Iterable[Mapping[str, Any]],
    global_roles: Iterable[Mapping[str, Any]],
    global_role_bindings: Iterable[Mapping[str, Any]],
) -> tuple[Policy, tuple[Problem, ...]]:
    """The policy, and what was left out of it."""
    problems: list[Problem] = []
    accounts = dict(_each("User", users, _account, problems))
    roles = dict(_each("GlobalRole", global_roles, _rules, problems))
    by_user: dict[str, set[str]] = {}
    by_group: dict[str, set[str]] = {}
    for name, (role, subjects) in _each("GlobalRoleBinding", global_role_bindings, _binding, problems):
        if role not in roles:
            problems.append(Problem("GlobalRoleBinding", name, f"GlobalRole {role!r} does not exist"))
            continue
        for kind, subject in subjects:
            if kind == "User" and subject not in accounts:
                problems.append(Problem("GlobalRoleBinding", name, f"User {subject!r} does not exist"))
                continue
            (by_group if kind == "Group" else by_user).setdefault(subject, set()).add(role)
    policy = Policy(accounts=accounts, roles=roles, user_roles=_sorted(by_user), group_roles=_sorted(by_group))
    return policy, tuple(problems)


def _sorted(roles: Mapping[str, set[str]]) -> dict[str, tuple[str, ...]]:
    return {subject: tuple(sorted(roles[subject])) for subject in sorted(roles)}


def _each(
    kind: str, objects: Iterable[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], T], problems: list[Problem]
) -> Iterator[tuple[str, T]]:
    """(name, what `read` makes of it) for every object that is there to stay and can be read."""
    for obj in objects:
        try:
            metadata = _mapping(obj.get("metadata"))
            if not metadata.get("deletionTimestamp"):
                yield str(metadata["name"]), read(obj)
        except (_Unreadable, KeyError) as problem:
            name = _mapping_or_empty(obj.get("metadata")).get("name", "")
            problems.append(Problem(kind, str(name), f"left out: {problem}"))


def account_of(user: Mapping[str, Any]) -> Account | None:
    """The account of one User object as the policy would hold it; None when it is being deleted or unreadable."""
    return dict(_each("User", [user], _account, [])).get(str(_mapping_or_empty(user.get("metadata")).get("name")))


def _account(user: Mapping[str, Any]) -> Account:
    metadata = _mapping(user.get("metadata"))
    annotations, status = _mapping_or_empty(metadata.get("annotations")), _mapping_or_empty(user.get("status"))
    not_before = status.get("tokensNotBefore")
    groups = _strings(_mapping_or_empty(user.get("spec")).get("groups"))
    return Account(
        uid=str(metadata.get("uid", "")),
        groups=tuple(sorted({group for group in groups if group and not group.startswith(RESERVED_PREFIX)})),
        disabled=status.get("state") == DISABLED,
        tokens_not_before=max(
            _epoch(annotations.get(LAST_PASSWORD_CHANGE)), not_before if isinstance(not_before, int) else 0
        ),
    )


def _epoch(stamp: object) -> int:
    if not stamp:
        return 0
    try:
        moment = datetime.fromisoformat(str(stamp))
    except ValueError as error:
        raise _Unreadable(f"annotation {LAST_PASSWORD_CHANGE} is not a time: {stamp!r}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _rules(role: Mapping[str, Any]) -> tuple[Rule, ...]:
    return read_rules(role.get("rules"))


def read_rules(rules: object) -> tuple[Rule, ...]:
    """A `rules` list as rules; one that cannot be read is left out, since a rule can only ever add."""
    if not isinstance(rules, list):
        return ()
    return tuple(rule for entry in cast("list[object]", rules) if (rule := _rule(entry)) is not None)


def _rule(entry: object) -> Rule | None:
    if not isinstance(entry, Mapping):
        return None
    fields = cast("Mapping[str, object]", entry)
    try:
        return Rule(**{ours: _strings(fields.get(theirs)) for theirs, ours in _FIELDS.items()})
    except _Unreadable:
        return None


def read_binding(binding: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]] | None:
    """The role and the (User, Group or ServiceAccount, name) subjects of a binding; None when it grants nothing."""
    found = dict(_each("GlobalRoleBinding", [binding], _binding, []))
    return next(iter(found.values()), None)


def _binding(binding: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The role's name and the (User or Group, name) pairs that it is given to."""
    reference = _mapping(binding.get("roleRef"))
    if reference.get("kind", "GlobalRole") != "GlobalRole":
        raise _Unreadable(f"roleRef is a {reference.get('kind')}, not a GlobalRole")
    subjects: object = binding.get("subjects") or []
    if not isinstance(subjects, list):
        raise _Unreadable("subjects is not a list")
    return str(reference.get("name", "")), [_subject(_mapping(entry)) for entry in cast("list[object]", subjects)]


def _subject(subject: Mapping[str, Any]) -> tuple[str, str]:
    kind, name = str(subject.get("kind", "")), str(subject.get("name", ""))
    if not name:
        raise _Unreadable("a subject has no name")
    if kind == "ServiceAccount":
        prefix = "kubesphere" if subject.get("apiGroup") == "kubesphere.io" else "system"
        return "ServiceAccount", f"{prefix}:serviceaccount:{subject.get('namespace', '')}:{name}"
    if kind not in {"User", "Group"}:
        raise _Unreadable(f"a subject is a {kind!r}, not a User, Group or ServiceAccount")
    return kind, name


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Unreadable(f"{value!r} is not an object")
    return cast("Mapping[str, Any]", value)


def _mapping_or_empty(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in cast("list[object]", value)):
        raise _Unreadable(f"{value!r} is not a list of strings")
    return tuple(cast("list[str]", value))
