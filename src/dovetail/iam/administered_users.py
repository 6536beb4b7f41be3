"""Users as whoever holds the cluster administers them: `dovetail user`, `dovetail reset-password`.

It writes to the cluster, so it works while the platform is down; and it checks no rights, since the holder of the
cluster has them all. The API for everybody else is `dovetail.platform.accounts`. Passwords come as text and are stored
as hashes; sessions end with the password, when a user is disabled, and with the user.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.apis.labels import UNINITIALIZED
from dovetail.iam.bootstrap import API_VERSION, binding, binding_name
from dovetail.iam.compiler import read_binding
from dovetail.iam.email_addresses import address_of, holders
from dovetail.iam.passwords import check_strength, hash_password
from dovetail.iam.session_store import SessionStore
from dovetail.iam.user_password import store_password
from dovetail.kube.client import Client


class EmailTaken(Exception):
    """Another user has this e-mail address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"another user has the e-mail address {email}")


@dataclass(frozen=True, slots=True)
class UserToMake:
    """A new user. `role` "" for none; `first`: the password has to be changed at the first log-in."""

    name: str
    password: str = field(repr=False)
    email: str = ""
    display_name: str = ""
    role: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user as a list shows it."""

    name: str
    state: str
    email: str
    roles: tuple[str, ...]
    last_login: str


async def make(client: Client, new: UserToMake) -> None:
    """Store a user with its role. Raises WeakPassword, EmailTaken, and kube's errors (NotFound: no such role)."""
    check_strength(new.password)
    if new.role:
        await client.get(GLOBALROLES, new.role)
    if new.email and holders((await client.list(USERS)).items, new.email):
        raise EmailTaken(new.email)
    marks = {UNINITIALIZED: "true"} if new.first else {}
    spec = {"email": new.email, "displayName": new.display_name, "password": await _hashed(new.password)}
    metadata = {"name": new.name, "annotations": marks}
    await client.create(USERS, {"apiVersion": API_VERSION, "kind": "User", "metadata": metadata, "spec": spec})
    await client.patch(USERS, new.name, {"status": {"state": "Active"}}, subresource="status")
    if new.role:
        await client.create(GLOBALROLEBINDINGS, binding(binding_name(new.name, new.role), new.role, "User", new.name))


async def set_password(client: Client, name: str, password: str, *, first: bool = False) -> None:
    """Set a password and end the user's sessions. Raises WeakPassword, and kube's errors."""
    check_strength(password)
    user = await client.get(USERS, name)
    hashed = await _hashed(password)
    await store_password(client, SessionStore(client).end_all, user, hashed, time(), first=first)


async def set_state(client: Client, name: str, state: str) -> None:
    """Active or Disabled; a disabled user's sessions end."""
    await client.patch(USERS, name, {"status": {"state": state}}, subresource="status")
    if state != "Active":
        await SessionStore(client).end_all(name, time())


async def remove(client: Client, name: str) -> None:
    """Delete a user and end its sessions; the platform takes it out of every binding (`iam.deleted_users`)."""
    await client.delete(USERS, name)
    await SessionStore(client).end_all(name, time())


async def listed(client: Client) -> list[UserLine]:
    """All users by name."""
    users, bindings = await asyncio.gather(client.list(USERS), client.list(GLOBALROLEBINDINGS))
    roles: dict[str, set[str]] = {}
    for bound in bindings.items:
        role, subjects = read_binding(bound) or ("", [])
        for kind, name in subjects:
            if kind == "User":
                roles.setdefault(name, set()).add(role)
    return sorted((_line(user, roles) for user in users.items), key=lambda line: line.name)


def _line(user: Mapping[str, Any], roles: Mapping[str, set[str]]) -> UserLine:
    name, status = str(user["metadata"]["name"]), dict[str, Any](user.get("status") or {})
    held = tuple(sorted(roles.get(name, ())))
    return UserLine(
        name, str(status.get("state") or "Active"), address_of(user), held, str(status.get("lastLoginTime") or "")
    )


async def _hashed(password: str) -> str:
    return await asyncio.to_thread(hash_password, password)
