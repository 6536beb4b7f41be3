"""Objects -> the policy that workers decide by, kept up to date one object at a time.

`PolicyCompiler` is told of each object that comes, changes or goes, in any order, and keeps what it read of it. What an
object changes is local: a user its account, a role its rules, a binding what its subjects hold. `policy()` gives the
policy as a value; a field in which nothing changed is the very same dict as before, so that comparing two policies and
finding the delta between them costs what changed and not what there is.

An object that is being deleted grants nothing from that moment on, a binding for a user that does not exist grants
nothing until there is one, a binding to a role that does not exist leads nowhere (`decide` finds no rules there), and
an object that cannot be read is left out. None of these stops the others; each is told in `problems`.

A binding names its users by name. So that somebody who gets the name of a deleted user does not get his rights, too,
who deletes a user takes it out of all bindings first (`dovetail.iam.deleted_users`).

Groups are resolved here: those that a User names, and those that GroupBindings put it into while the Group exists.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from sys import intern
from typing import Any

import msgspec

from dovetail.iam.policy import Account, Held, Place, Policy, Rule
from dovetail.iam.reading import (
    BINDING_KINDS,
    RESERVED_PREFIX,
    ROLE_KINDS,
    Binding,
    Object,
    Role,
    Unreadable,
    allowed_groups,
    name_of,
    namespace_of,
    read_account,
    read_binding,
    read_object,
    read_rules,
)

__all__ = [
    "RESERVED_PREFIX", "PolicyCompiler", "Problem", "account_of", "compile_objects", "compile_policy",
    "compile_with_problems", "read_binding", "read_rules",
]  # fmt: skip

KINDS = ("User", "Group", "GroupBinding", "Namespace", *ROLE_KINDS, *BINDING_KINDS)
"""The kinds of objects that a policy is made of."""

MOST_ROLES = 100
"""Of one subject at one place. A decision looks at each; a hundred is more than anybody can tell apart."""
_OF_KUBERNETES = "system:serviceaccount:"
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Problem:
    """An object, or a part of one, that grants nothing, and why."""

    kind: str
    name: str
    message: str


def compile_policy(
    users: Iterable[Object], global_roles: Iterable[Object], global_role_bindings: Iterable[Object]
) -> Policy:
    """The policy of these objects."""
    return compile_with_problems(users, global_roles, global_role_bindings)[0]


def compile_with_problems(
    users: Iterable[Object], global_roles: Iterable[Object], global_role_bindings: Iterable[Object]
) -> tuple[Policy, tuple[Problem, ...]]:
    """The policy, and what was left out of it."""
    objects = {"User": users, "GlobalRole": global_roles, "GlobalRoleBinding": global_role_bindings}
    compiler = compile_objects(objects)
    return compiler.policy(), compiler.problems()


def compile_objects(objects: Mapping[str, Iterable[Object]]) -> "PolicyCompiler":
    """A compiler that was told of these objects, by kind."""
    compiler = PolicyCompiler()
    for kind, found in objects.items():
        for obj in found:
            compiler.put(kind, obj)
    return compiler


def account_of(user: Object) -> Account | None:
    """The account of one User object as the policy would hold it; None when it is being deleted or unreadable."""
    try:
        return read_account(user) if name_of(user) else None
    except Unreadable:
        return None


class _Fields:
    """The policy's dicts while they are worked on; `freeze` copies those that changed."""

    def __init__(self) -> None:
        self._working: dict[str, dict[str, Any]] = {name: {} for name in Policy.__struct_fields__}
        self._changed: set[str] = set()
        self._frozen = Policy()

    def set(self, field: str, key: str, value: object | None) -> None:
        """Put an entry there, or take it away (None)."""
        entries = self._working[field]
        if value is None:
            if entries.pop(key, None) is not None:
                self._changed.add(field)
        elif entries.get(key) != value:
            entries[key] = value
            self._changed.add(field)

    def get(self, field: str) -> Mapping[str, Any]:
        return self._working[field]

    def freeze(self) -> Policy:
        if self._changed:
            copies: dict[str, Any] = {name: dict(self._working[name]) for name in self._changed}
            self._frozen = msgspec.structs.replace(self._frozen, **copies)
            self._changed.clear()
        return self._frozen


class PolicyCompiler:
    """See the module. Keys of objects are (kind, namespace, name)."""

    def __init__(self) -> None:
        self._fields = _Fields()
        self._read: dict[tuple[str, str, str], Any] = {}
        self._unreadable: dict[tuple[str, str, str], Problem] = {}
        self._bindings: dict[tuple[str, str], dict[tuple[str, str, str], Binding]] = {}
        """By subject: ("User", name), where service accounts are users, too, or ("Group", name)."""
        self._memberships: dict[str, dict[str, str]] = {}
        """By user: the GroupBindings that name it, with their groups."""
        self._members: dict[str, dict[str, tuple[str, ...]]] = {}
        """By group: the GroupBindings that name it, with their users."""
        self._groups: set[str] = set()
        self._own: dict[str, Account] = {}
        self._others: dict[str, Account] = {}
        self._sets: dict[str, int] = {}
        self._stale_accounts: set[str] = set()
        self._stale_subjects: set[tuple[str, str]] = set()

    def put(self, kind: str, obj: Object) -> bool:
        """An object is there, or has changed. Whether it means something else than before."""
        key = _key(kind, obj)
        try:
            read = self._shared(read_object(kind, obj)) if key[2] else None
            self._unreadable.pop(key, None)
        except Unreadable as problem:
            read = None
            self._unreadable[key] = Problem(kind, key[2], f"left out: {problem}")
        return self._exchange(key, read)

    def remove(self, kind: str, obj: Object) -> bool:
        """An object is gone. Whether it meant anything."""
        key = _key(kind, obj)
        self._unreadable.pop(key, None)
        return self._exchange(key, None)

    def others(self, accounts: Mapping[str, Account]) -> bool:
        """The accounts that are not Users: service accounts, OAuth clients. Whether any changed."""
        changed = {name for name in {*accounts, *self._others} if accounts.get(name) != self._others.get(name)}
        self._others = dict(accounts)
        self._stale_accounts |= changed
        return bool(changed)

    def policy(self) -> Policy:
        """The policy of the objects that are known now."""
        for name in self._stale_accounts:
            self._renew_account(name)
        self._stale_accounts.clear()
        for subject in self._stale_subjects:
            self._renew_subject(subject)
        self._stale_subjects.clear()
        return self._fields.freeze()

    def problems(self) -> tuple[Problem, ...]:
        """All that grants nothing at the moment: what cannot be read, and references that lead nowhere."""
        dangling = [problem for key, read in self._read.items() for problem in self._dangling(key, read)]
        return (*self._unreadable.values(), *dangling)

    def problems_of(self, kind: str, obj: Object) -> tuple[Problem, ...]:
        """The same for one object."""
        key = _key(kind, obj)
        unreadable = self._unreadable.get(key)
        return (unreadable,) if unreadable else tuple(self._dangling(key, self._read.get(key)))

    def bindings_of(self, kind: str, name: str) -> list[tuple[str, str, Binding]]:
        """The bindings that name a User (or service account) or a Group: kind, name and what they say."""
        found = self._bindings.get(("Group" if kind == "Group" else "User", name), {})
        return sorted(((key[0], key[2], binding) for key, binding in found.items()), key=lambda one: one[:2])

    def _shared(self, read: Any) -> Any:
        """The same, sharing what many have alike: the rules of built-in roles, names of users and places."""
        if isinstance(read, Role) and read.place.scope != "global":
            known = self._fields.get("rule_sets").get(_set_name(read.rules), read.rules)
            return Role(read.place, read.name, known, read.rego)
        if isinstance(read, Binding):
            place = Place(read.place.scope, intern(read.place.name))
            return Binding(
                place, intern(read.role), tuple((intern(kind), intern(name)) for kind, name in read.subjects)
            )
        return read

    def _exchange(self, key: tuple[str, str, str], new: Any) -> bool:
        old = self._read.get(key)
        if old == new:
            return False
        if new is None:
            del self._read[key]
        else:
            self._read[key] = new
        kind = key[0]
        if kind in ROLE_KINDS:
            self._exchange_role(old, new)
        elif kind in BINDING_KINDS:
            self._exchange_binding(key, old, new)
        elif kind == "GroupBinding":
            self._exchange_group_binding(key[2], old, new)
        elif kind == "Group":
            (self._groups.discard if new is None else self._groups.add)(key[2])
            self._stale_accounts.update(*self._members.get(key[2], {}).values())
        elif kind == "User":
            self._own.pop(key[2], None)
            self._own.update({key[2]: new} if new is not None else {})
            self._stale_accounts.add(key[2])
        else:
            self._fields.set("namespaces", key[2], new)
        return True

    def _exchange_role(self, old: Role | None, new: Role | None) -> None:
        if old is not None and (new is None or new.place != old.place):
            self._set_role(old.place, old.name, None)
        if new is not None:
            self._set_role(new.place, new.name, new)

    def _set_role(self, place: Place, name: str, role: Role | None) -> None:
        key = place.key(name)
        self._fields.set("rego", key, role.rego if role is not None and role.rego else None)
        if place.scope == "global":
            self._fields.set("roles", name, role.rules if role is not None else None)
            return
        before = self._fields.get("scoped_roles").get(key)
        after = self._use_set(role.rules) if role is not None else None
        self._fields.set("scoped_roles", key, after)
        if before is not None:
            self._release_set(before)

    def _use_set(self, rules: tuple[Rule, ...]) -> str:
        name = _set_name(rules)
        self._sets[name] = self._sets.get(name, 0) + 1
        self._fields.set("rule_sets", name, rules)
        return name

    def _release_set(self, name: str) -> None:
        self._sets[name] -= 1
        if not self._sets[name]:
            del self._sets[name]
            self._fields.set("rule_sets", name, None)

    def _exchange_binding(self, key: tuple[str, str, str], old: Binding | None, new: Binding | None) -> None:
        for subject in _subjects(old):
            _take(self._bindings, subject, key)
        for subject in _subjects(new):
            assert new is not None
            self._bindings.setdefault(subject, {})[key] = new
        self._stale_subjects |= {*_subjects(old), *_subjects(new)}

    def _exchange_group_binding(
        self, name: str, old: tuple[str, tuple[str, ...]] | None, new: tuple[str, tuple[str, ...]] | None
    ) -> None:
        if old is not None:
            _take(self._members, old[0], name)
            for user in old[1]:
                _take(self._memberships, user, name)
            self._stale_accounts.update(old[1])
        if new is not None:
            self._members.setdefault(new[0], {})[name] = new[1]
            for user in new[1]:
                self._memberships.setdefault(user, {})[name] = new[0]
            self._stale_accounts.update(new[1])

    def _renew_account(self, name: str) -> None:
        account = self._own.get(name) or self._others.get(name)
        if name in self._own and account is not None:
            bound = (group for group in self._memberships.get(name, {}).values() if group in self._groups)
            groups = allowed_groups((*account.groups, *bound))
            account = account if groups == account.groups else msgspec.structs.replace(account, groups=groups)
        self._fields.set("accounts", name, account)
        self._stale_subjects.add(("User", name))

    def _renew_subject(self, subject: tuple[str, str]) -> None:
        """What a subject holds: nothing while it does not exist. Groups and Kubernetes' own accounts need not."""
        kind, name = subject
        bindings = self._bindings.get(subject, {}).values()
        exists = kind == "Group" or name.startswith(_OF_KUBERNETES) or name in self._fields.get("accounts")
        roles, held = _holdings(bindings) if exists else ((), None)
        self._fields.set("user_roles" if kind == "User" else "group_roles", name, roles or None)
        self._fields.set("user_bindings" if kind == "User" else "group_bindings", name, held)

    def _beyond(self, kind: str, name: str, place: Place) -> Sequence[str]:
        """The roles that a subject has been given at a place and does not hold, because they are too many."""
        found = self._bindings.get(("Group" if kind == "Group" else "User", name), {})
        if len(found) <= MOST_ROLES:
            return ()
        return sorted({binding.role for binding in found.values() if binding.place == place})[MOST_ROLES:]

    def _dangling(self, key: tuple[str, str, str], read: Any) -> Iterable[Problem]:
        if not isinstance(read, Binding):
            return
        role, place = key[0].removesuffix("Binding"), read.place
        known = self._fields.get("roles") if place.scope == "global" else self._fields.get("scoped_roles")
        if (read.role if place.scope == "global" else place.key(read.role)) not in known:
            yield Problem(key[0], key[2], f"{role} {read.role!r} does not exist")
        for kind, name in read.subjects:
            if read.role in self._beyond(kind, name, place):
                yield Problem(key[0], key[2], f"{kind} {name!r} holds {MOST_ROLES} other roles of that place")
            if kind == "User" and name not in self._own and name not in self._others:
                yield Problem(key[0], key[2], f"User {name!r} does not exist")


def _set_name(rules: tuple[Rule, ...]) -> str:
    return blake2b(_encode(rules), digest_size=16).hexdigest()


def _key(kind: str, obj: Object) -> tuple[str, str, str]:
    return kind, namespace_of(obj) if kind in {"Role", "RoleBinding"} else "", name_of(obj)


def _take(index: dict[Any, dict[Any, Any]], first: object, second: object) -> None:
    """Take an entry out of an index of two levels, which keeps no empty ones."""
    entries = index.get(first, {})
    entries.pop(second, None)
    if not entries:
        index.pop(first, None)


def _subjects(binding: Binding | None) -> set[tuple[str, str]]:
    if binding is None:
        return set()
    return {("Group" if kind == "Group" else "User", name) for kind, name in binding.subjects}


def _holdings(bindings: Iterable[Binding]) -> tuple[tuple[str, ...], Held | None]:
    """The roles of the platform, and those of other places; of each place the first `MOST_ROLES` by name."""
    by_place: dict[Place, set[str]] = {}
    for binding in bindings:
        by_place.setdefault(binding.place, set()).add(binding.role)
    by_scope: dict[str, dict[str, tuple[str, ...]]] = {}
    for place in sorted(by_place, key=lambda place: (place.scope, place.name)):
        by_scope.setdefault(place.scope, {})[place.name] = tuple(sorted(by_place[place])[:MOST_ROLES])
    roles = by_scope.pop("global", {}).get("", ())
    if not by_scope:
        return roles, None
    cluster = by_scope.get("cluster", {}).get("", ())
    held = Held(workspaces=by_scope.get("workspace", {}), namespaces=by_scope.get("namespace", {}), cluster=cluster)
    return roles, held
