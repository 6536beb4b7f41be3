"""Creating, deleting and re-keying users in the cluster: the order of writes, and who may grant what.

Nobody grants what he does not hold: the caller's rules must cover those of the role and groups that a new user gets,
and those of a user whose password he sets. Each operation is ordered so that being killed in the middle leaves nobody
with more rights than before: a user exists before its binding does, and loses its bindings before it goes.
After a write the caches are waited for, shortly, so that the caller's next list shows it.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, USERS
from dovetail.apis.labels import LAST_PASSWORD_CHANGE, UNINITIALIZED
from dovetail.iam.bootstrap import binding, binding_name
from dovetail.iam.compiler import account_of, read_binding
from dovetail.iam.errors import WeakPassword
from dovetail.iam.escalation import uncovered
from dovetail.iam.passwords import check_strength
from dovetail.iam.policy import Identity, Rule
from dovetail.iam.rules import rules_of
from dovetail.kube.errors import AlreadyExists, KubeError, NotFound
from dovetail.kube.timestamps import rfc3339
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import AccessDenied, Clash, Missing, Unacceptable
from dovetail.platform.login import check_password, find_user
from dovetail.platform.new_user import NewUser

Object = dict[str, Any]

_CACHE_WAIT = 1.0


class Accounts:
    """Users as the platform's API changes them."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    async def get(self, name: str) -> Object:
        """The User as the API has it. Raises Missing."""
        user = await find_user(self._deps, name)
        if user is None:
            raise Missing(f'users.iam.kubesphere.io "{name}" not found')
        return user

    async def create(self, new: NewUser, caller: Identity) -> Object:
        """Store a new user, with its role. Raises Clash, Unacceptable, AccessDenied."""
        self._demand_known_role(new)
        self._demand_unused_email(new)
        self._demand_cover(caller, self._rules_given(new), f"create a user with the rights of {new.name!r}")
        stored = await self._store(new)
        if new.role:
            try:
                await self._bind(new)
            except (KubeError, asyncio.CancelledError):
                await self._deps.client.delete(USERS, new.name, uid=stored["metadata"]["uid"])
                raise
        await self._seen(lambda: self._deps.users.get(new.name) is not None)
        return stored

    async def delete(self, name: str, caller: Identity) -> Object:
        """Take a user's roles, the user, and its sessions away. Raises Missing, Clash."""
        if name == caller.name:
            raise Clash("nobody deletes the own account; ask another administrator")
        user = await self.get(name)
        await self._unbind(name)
        await self._deps.client.delete(USERS, name, uid=user["metadata"]["uid"])
        await self._deps.sessions.end_all(name, self._deps.clock())
        await self._seen(lambda: self._deps.users.get(name) is None)
        return user

    async def set_password(self, name: str, caller: Identity, current: str, new: str, address: str) -> None:
        """Set a password and end all sessions. The own one needs the current one; another's needs its rights."""
        try:
            check_strength(new)
        except WeakPassword as error:
            raise Unacceptable("the new password", [("password", str(error))]) from error
        user = await self.get(name)
        if name == caller.name:
            await self._demand_current(name, user, current, address)
        else:
            self._demand_cover(caller, self._rules_held(user), f"set the password of {name!r}")
        now = self._deps.clock()
        stamp = rfc3339(datetime.fromtimestamp(now, UTC))
        marks = {LAST_PASSWORD_CHANGE: stamp, UNINITIALIZED: None}
        patch = {
            "metadata": {"uid": user["metadata"]["uid"], "annotations": marks},
            "spec": {"password": await self._deps.passwords.hash(new)},
        }
        await self._deps.client.patch(USERS, name, patch)
        await self._deps.sessions.end_all(name, now)

    async def _demand_current(self, name: str, user: Object, current: str, address: str) -> None:
        async with self._deps.lockout.attempt(name, address, self._deps.clock) as attempt:
            if not (await check_password(self._deps, name, user, current)).matches:
                attempt.failed(self._deps.clock())
                raise Unacceptable("the request", [("currentPassword", "is wrong")])
            attempt.succeeded()

    async def _store(self, new: NewUser) -> Object:
        password_hash = await self._deps.passwords.hash(new.password)
        try:
            stored = await self._deps.client.create(USERS, new.object(password_hash))
        except AlreadyExists as error:
            raise Clash(f'users.iam.kubesphere.io "{new.name}" already exists', exists=True) from error
        return await self._deps.client.patch(
            USERS, new.name, {"metadata": {"uid": stored["metadata"]["uid"]}, "status": {"state": "Active"}},
            subresource="status",
        )  # fmt: skip

    async def _bind(self, new: NewUser) -> None:
        bound = binding(binding_name(new.name, new.role), new.role, "User", new.name)
        await self._deps.client.apply(GLOBALROLEBINDINGS, bound, field_manager="dovetail-platform", force=True)

    async def _unbind(self, name: str) -> None:
        for bound in (await self._deps.client.list(GLOBALROLEBINDINGS)).items:
            read = read_binding(bound)
            if read is None or ("User", name) not in read[1]:
                continue
            metadata = bound["metadata"]
            others = [one for one in bound["subjects"] if (one.get("kind"), one.get("name")) != ("User", name)]
            if others:
                await self._deps.client.update(GLOBALROLEBINDINGS, {**bound, "subjects": others})
            else:
                await self._drop_binding(metadata["name"], metadata["uid"])

    async def _drop_binding(self, name: str, uid: str) -> None:
        try:
            await self._deps.client.delete(GLOBALROLEBINDINGS, name, uid=uid)
        except NotFound:
            return

    def _demand_known_role(self, new: NewUser) -> None:
        if new.role and new.role not in self._deps.policy().roles:
            raise Unacceptable(
                f"User {new.name!r}", [("metadata.annotations", f"GlobalRole {new.role!r} does not exist")]
            )

    def _demand_unused_email(self, new: NewUser) -> None:
        email = new.texts.get("email", "").lower()
        if email and any(
            str(user.get("spec", {}).get("email", "")).lower() == email for user in self._deps.users.list()
        ):
            raise Clash(f"another user has the e-mail address {email}")

    def _rules_given(self, new: NewUser) -> tuple[Rule, ...]:
        policy = self._deps.policy()
        from_groups = rules_of(policy, Identity(name="", groups=new.groups)) if new.groups else ()
        return (*policy.roles.get(new.role, ()), *from_groups)

    def _rules_held(self, user: Object) -> tuple[Rule, ...]:
        account = account_of(user)
        groups = account.groups if account is not None else ()
        return rules_of(self._deps.policy(), Identity(name=str(user["metadata"]["name"]), groups=groups))

    def _demand_cover(self, caller: Identity, wanted: Iterable[Rule], what: str) -> None:
        lacking = uncovered(rules_of(self._deps.policy(), caller), wanted)
        if lacking:
            shown = ", ".join(_words(rule) for rule in lacking[:3]) + (", ..." if len(lacking) > 3 else "")
            raise AccessDenied(f'User "{caller.name}" cannot {what}: that takes rights which he does not hold: {shown}')

    async def _seen(self, holds: Callable[[], bool]) -> None:
        """Wait until the caches show what was written; not longer than a second, since nothing depends on it."""
        for _ in range(int(_CACHE_WAIT / 0.01)):
            if holds():
                return
            await asyncio.sleep(0.01)


def _words(rule: Rule) -> str:
    target = rule.non_resource_urls[0] if rule.non_resource_urls else f"{rule.resources[0]}.{rule.api_groups[0]}"
    return f"{rule.verbs[0]} {target.rstrip('.')}"
