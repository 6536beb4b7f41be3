"""Logging in: a name (or e-mail address) and a password become an account, or one and the same refusal.

A stranger cannot tell an unknown user from a wrong password, neither by the answer nor by the time it takes: the user
is looked up in the API each time, and a hash is computed each time. Only who knows the password learns that an account
is disabled. Tries are counted (`dovetail.iam.lockout`). A hash of an older kind is replaced while the password is at
hand; should that fail, the log-in still stands.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.iam.compiler import account_of
from dovetail.iam.email_addresses import holders
from dovetail.iam.errors import TooManyAttempts, UnusableHash
from dovetail.iam.login_records import LoginAttempt
from dovetail.iam.passwords import Verdict
from dovetail.iam.policy import Account
from dovetail.kube.errors import ApiError, NotFound
from dovetail.platform.callers import Origin
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Unauthenticated

log = logging.getLogger(__name__)

USER_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LONGEST_NAME = 253
_REFUSAL = "the user name or the password is wrong"


async def log_in(deps: PlatformDeps, login: str, password: str, origin: Origin) -> tuple[str, Account]:
    """The user's name and account. Raises Unauthenticated, TooManyAttempts, and kube's errors."""
    address = origin.address
    typed = login.strip().lower()
    name = _name_of(deps, typed)
    known = name if deps.users.get(name) else ""
    try:
        async with deps.lockout.attempt(name, address, deps.clock) as attempt:
            user = await find_user(deps, name)
            if not (await check_password(deps, name, user, password)).matches or user is None:
                attempt.failed(deps.clock())
                raise Unauthenticated(_REFUSAL)
            attempt.succeeded()
        account = account_of(user)
        if account is None or account.disabled:
            raise Unauthenticated("the account is disabled; ask an administrator")
    except (Unauthenticated, TooManyAttempts) as error:
        deps.logged_in(known, address, str(error))
        if known:
            deps.login_records.note(LoginAttempt(known, False, address, origin.agent, reason=str(error)))
        raise
    deps.logged_in(name, address, "")
    deps.login_records.note(LoginAttempt(name, True, address, origin.agent))
    return str(user["metadata"]["name"]), account


async def check_password(deps: PlatformDeps, name: str, user: Mapping[str, Any] | None, password: str) -> Verdict:
    """Whether the password is the user's; a hash of an older kind is replaced. Takes as long for `user` None."""
    stored = str((user or {}).get("spec", {}).get("password") or "")
    try:
        verdict = await deps.passwords.verify(name, stored, password)
    except UnusableHash as error:
        log.error("%s", error)
        return await deps.passwords.verify(name, None, password)
    if verdict.matches and verdict.upgrade and user is not None:
        await _upgrade(deps, user, password)
    return verdict


async def find_user(deps: PlatformDeps, name: str) -> dict[str, Any] | None:
    """The User as the API has it now; None when there is none, or when no user can have this name."""
    if len(name) > _LONGEST_NAME or not USER_NAME.match(name):
        return None
    try:
        return await deps.client.get(USERS, name)
    except NotFound:
        return None


def _name_of(deps: PlatformDeps, typed: str) -> str:
    """The name behind what was typed: an e-mail address counts if exactly one user has it (no name has an `@`)."""
    if "@" not in typed:
        return typed
    having = holders(deps.users.list(), typed)
    return having[0] if len(having) == 1 else typed


async def _upgrade(deps: PlatformDeps, user: Mapping[str, Any], password: str) -> None:
    metadata = user["metadata"]
    patch = {
        "metadata": {"resourceVersion": metadata["resourceVersion"]},
        "spec": {"password": await deps.passwords.hash(password)},
    }
    try:
        await deps.client.patch(USERS, str(metadata["name"]), patch)
    except ApiError as error:
        log.warning("User %s: the password hash stays of the old kind: %s", metadata["name"], error)
