"""Guessing: who is a user, and what his password is. By answers, by time (hashes counted), in parallel, from afar."""

import asyncio
import dataclasses
from typing import Any

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.iam.lockout import Lockout, LockoutRules
from dovetail.iam.passwords import Passwords, Verdict
from dovetail.platform.callers import Origin
from dovetail.platform.errors import Unauthenticated
from dovetail.platform.login import log_in

from .conftest import PASSWORD, Platform


class Counted(Passwords):
    """Counts the hashes that are computed, and by whose parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: list[str] = []

    async def _in_turn(self, work: Any, *args: Any, **more: Any) -> Any:
        if len(args) == 3:
            self.checks.append(args[1].rpartition("$")[0].rpartition("$")[0])
        return await super()._in_turn(work, *args, **more)


async def refused(deps: Any, login: str, password: str = "Wrong-password1") -> str:
    try:
        await log_in(deps, login, password, Origin("198.51.100.9"))
    except Unauthenticated as error:
        return error.message
    raise AssertionError(login)


async def test_a_stranger_costs_as_much_as_a_user(platform: Platform) -> None:
    counted = Counted()
    deps = dataclasses.replace(platform.deps, passwords=counted)
    email = "someone-counted@example.com"
    user = await platform.user(email=email)
    linked_only = "linked-only"  # logs in with an identity provider and has no password
    kind = {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "User", "metadata": {"name": linked_only}}
    await platform.client.create(USERS, {**kind, "spec": {"email": ""}})
    await platform.until(lambda: platform.deps.users.get(linked_only) is not None)
    costs: dict[str, list[str]] = {}
    messages = set()
    for login in (user, email, "nobody-here", "nobody@example.com", linked_only, "../x", "a" * 300):
        counted.checks.clear()
        messages.add(await refused(deps, login))
        costs[login] = list(counted.checks)
    assert len(messages) == 1
    assert set(map(tuple, costs.values())) == {tuple(costs[user])}
    assert len(costs[user]) == 1


async def test_parallel_guessing_gets_no_further(platform: Platform) -> None:
    counted = Counted()
    deps = dataclasses.replace(platform.deps, passwords=counted, lockout=Lockout(LockoutRules(per_user_and_address=5)))
    user = await platform.user()
    guesses = [log_in(deps, user, f"Wrong-password{n}", Origin("198.51.100.9")) for n in range(60)]
    results = await asyncio.gather(
        *guesses, log_in(deps, user, PASSWORD, Origin("203.0.113.1")), return_exceptions=True
    )
    assert len(counted.checks) == 6, "five guesses, and the user from elsewhere"
    assert isinstance(results[-1], tuple)


async def test_a_wrong_verdict_is_never_kept(platform: Platform) -> None:
    """A hash that cannot be checked costs as much and lets nobody in."""
    user = await platform.user(stored="$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21laGFzaA")
    assert (await platform.log_in(user)).code == 400
    assert await platform.deps.passwords.verify(user, None, PASSWORD) == Verdict(matches=False)
