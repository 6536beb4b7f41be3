"""Creating, changing, deleting and re-keying users in the cluster: the order of writes, and who may grant what.

Nobody grants what he does not hold: the caller's rights must cover those of a role that he gives, of groups that he
puts somebody into, and of a user whose password he sets or whom he enables (`dovetail.iam.escalation`). A new user gets
what is promised to its name, so that counts, too (`promised_rights`). Nor does anybody disable, delete or demote a user
who may do more than he himself: otherwise who manages users could lock out every administrator. Everything is checked
before the first write. Each operation is ordered so that being killed in the middle leaves nobody with more
rights than before: a user exists before its binding does, and loses its bindings before it goes.
After a write the caches are waited for, shortly, so that the caller's next list shows it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.iam.compiler import account_of
from dovetail.iam.email_addresses import holders
from dovetail.iam.errors import WeakPassword
from dovetail.iam.escalation import may_bind, missing_of
from dovetail.iam.passwords import check_strength
from dovetail.iam.policy import PLATFORM, Identity, Rule
from dovetail.iam.user_password import store_password
from dovetail.kube.errors import AlreadyExists, KubeError
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, Clash, Missing, Unacceptable
from dovetail.platform.global_role import GlobalRoleOfUser
from dovetail.platform.login import check_password, find_user
from dovetail.platform.new_user import NewUser
from dovetail.platform.promised_rights import lacking, promised
from dovetail.platform.user_edit import ACTIVE, DISABLED, UserEdit

Object = dict[str, Any]

_CACHE_WAIT = 1.0
_NOBODY: Object = {"metadata": {"deletionTimestamp": "0"}}


class Accounts:
    """Users as the platform's API changes them."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._roles = GlobalRoleOfUser(deps)
        self._e_mail = asyncio.Lock()
        """Held from the look whether an address is free until the caches know that it is taken."""

    async def get(self, name: str) -> Object:
        """The User as the API has it. Raises Missing."""
        user = await find_user(self._deps, name)
        if user is None:
            raise Missing(f'users.iam.kubesphere.io "{name}" not found')
        return user

    def role_of(self, name: str) -> str:
        """The GlobalRole that a user holds by name; "" for none."""
        return self._roles.held(name)

    async def create(self, new: NewUser, caller: Identity) -> Object:
        """Store a new user, with its role. Raises Clash, Unacceptable, AccessDenied."""
        what = f"create a user with the rights of {new.name!r}"
        await self._role_known(new.role)
        self._demand_role(new.name, new.role, caller, what)
        self._demand_rights_of(new.name, new.groups, caller, what)
        _demand_nothing(lacking(self._deps.policy(), caller, promised(self._deps, new.name)), caller, what)
        async with self._e_mail:
            self._demand_unused_email(new.name, new.texts.get("email", ""))
            stored = await self._store(new)
            await self._seen(lambda: self._deps.users.get(new.name) is not None)
        if new.role:
            try:
                await self._roles.assign(new.name, new.role)
            except (KubeError, asyncio.CancelledError):
                await self._deps.client.delete(USERS, new.name, uid=stored["metadata"]["uid"])
                raise
        return stored

    async def change(self, edit: UserEdit, caller: Identity) -> Object:
        """Write a change. Raises Clash, Unacceptable, AccessDenied, and kube's Conflict."""
        await self._role_known(edit.role or "")
        self._demand_change(edit, caller)
        email = str(edit.user["spec"].get("email", ""))
        async with self._e_mail:
            self._demand_unused_email(edit.name, email)
            stored = await self._deps.client.update(USERS, edit.user)
            version = stored["metadata"]["resourceVersion"]
            await self._seen(lambda: self._version(edit.name) == version)
        if edit.role is not None:
            await self._roles.assign(edit.name, edit.role)
        return await self._set_state(stored, edit.state) if edit.state else stored

    async def delete(self, name: str, caller: Identity) -> Object:
        """Take a user's roles, the user, and its sessions away. Raises Missing, Clash."""
        if name == caller.name:
            raise Clash("nobody deletes the own account; ask another administrator")
        user = await self.get(name)
        self._demand_rights_of(name, self._groups_now(name), caller, f"delete {name!r}")
        await self._roles.assign(name, "")
        await self._deps.client.delete(USERS, name, uid=user["metadata"]["uid"])
        await self._deps.sessions.end_all(name, self._deps.clock())
        await self._seen(lambda: account_of(self._deps.users.get(name) or _NOBODY) is None)
        return user

    async def set_password(self, name: str, caller: Identity, current: str, new: str, address: str) -> None:
        """Set a password and end all sessions. The own one needs the current one; another's needs its rights."""
        try:
            check_strength(new)
        except WeakPassword as error:
            raise Unacceptable("the new password", [("password", str(error))]) from error
        user = await self.get(name)
        if name == caller.name:
            await self._demand_current(name, user, current, new, address)
        else:
            account = account_of(user)
            groups = account.groups if account is not None else ()
            self._demand_rights_of(name, groups, caller, f"set the password of {name!r}")
        hashed = await self._deps.passwords.hash(new)
        await store_password(self._deps.client, self._deps.sessions.end_all, user, hashed, self._deps.clock())
        await self._seen(lambda: not self._must_change(name))

    async def _set_state(self, user: Object, state: str) -> Object:
        name = str(user["metadata"]["name"])
        patch = {"metadata": {"uid": user["metadata"]["uid"]}, "status": {"state": state}}
        stored = await self._deps.client.patch(USERS, name, patch, subresource="status")
        if state == DISABLED:
            await self._deps.sessions.end_all(name, self._deps.clock())
        await self._seen(lambda: self._version(name) == stored["metadata"]["resourceVersion"])
        return stored

    async def _demand_current(self, name: str, user: Object, current: str, new: str, address: str) -> None:
        async with self._deps.lockout.attempt(name, address, self._deps.clock) as attempt:
            if not (await check_password(self._deps, name, user, current)).matches:
                attempt.failed(self._deps.clock())
                raise Unacceptable("the request", [("currentPassword", "is wrong")])
            attempt.succeeded()
        if new == current:
            raise Unacceptable("the new password", [("password", "is the one that you have")])

    async def _store(self, new: NewUser) -> Object:
        password_hash = await self._deps.passwords.hash(new.password)
        try:
            stored = await self._deps.client.create(USERS, new.object(password_hash))
        except AlreadyExists as error:
            raise Clash(f'users.iam.kubesphere.io "{new.name}" already exists', exists=True) from error
        return await self._deps.client.patch(
            USERS, new.name, {"metadata": {"uid": stored["metadata"]["uid"]}, "status": {"state": ACTIVE}},
            subresource="status",
        )  # fmt: skip

    def _demand_change(self, edit: UserEdit, caller: Identity) -> None:
        if edit.name == caller.name and edit.state == DISABLED:
            raise Clash("nobody disables the own account; ask another administrator")
        self._demand_role(edit.name, edit.role or "", caller, f"change the role of {edit.name!r}")
        before = self._groups_now(edit.name)
        if edit.state == ACTIVE or set(edit.groups) - set(before):
            self._demand_rights_of(edit.name, edit.groups, caller, f"give {edit.name!r} these rights")
        if edit.name != caller.name and (edit.state == DISABLED or edit.role is not None or edit.bars):
            self._demand_rights_of(edit.name, before, caller, f"take rights from {edit.name!r}")

    def _groups_now(self, name: str) -> tuple[str, ...]:
        account = self._deps.policy().accounts.get(name)
        return account.groups if account is not None else ()

    async def _role_known(self, role: str) -> None:
        """A role that was made a moment ago comes into the policy a moment after it is in the cache."""
        if role and self._deps.global_roles.get(role) is not None:
            await self._seen(lambda: role in self._deps.policy().roles)

    def _demand_role(self, user: str, role: str, caller: Identity, what: str) -> None:
        if not role:
            return
        if role not in self._deps.policy().roles:
            raise Unacceptable(f"User {user!r}", [("metadata.annotations", f"GlobalRole {role!r} does not exist")])
        _demand_nothing(may_bind(self._deps.policy(), caller, PLATFORM, role), caller, what)

    def _demand_rights_of(self, name: str, groups: Iterable[str], caller: Identity, what: str) -> None:
        other = Identity(name=name, groups=tuple(groups))
        _demand_nothing(missing_of(self._deps.policy(), caller, other), caller, what)

    def _demand_unused_email(self, name: str, email: str) -> None:
        if set(holders(self._deps.users.list(), email)) - {name}:
            raise Clash(f"another user has the e-mail address {email.lower()}")

    def _must_change(self, name: str) -> bool:
        account = self._deps.policy().accounts.get(name)
        return account is not None and account.uninitialized

    def _version(self, name: str) -> str:
        user = self._deps.users.get(name)
        return str(user["metadata"].get("resourceVersion", "")) if user is not None else ""

    async def _seen(self, holds: Callable[[], bool]) -> None:
        """Wait until the caches show what was written; not longer than a second, since nothing depends on it."""
        for _ in range(int(_CACHE_WAIT / 0.01)):
            if holds():
                return
            await asyncio.sleep(0.01)


def _demand_nothing(lacking: tuple[Rule, ...], caller: Identity, what: str) -> None:
    if lacking:
        shown = ", ".join(_words(rule) for rule in lacking[:3]) + (", ..." if len(lacking) > 3 else "")
        raise AccessDenied(f'User "{caller.name}" cannot {what}: that takes rights which he does not hold: {shown}')


def _words(rule: Rule) -> str:
    target = rule.non_resource_urls[0] if rule.non_resource_urls else f"{rule.resources[0]}.{rule.api_groups[0]}"
    return f"{rule.verbs[0]} {target.rstrip('.')}"
