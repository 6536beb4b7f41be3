"""What a cluster needs before anybody can log in: namespaces, built-in roles, and one administrator.

The objects are pure lists; `ensure` puts them there and may run at every start, by several processes at once. Roles and
the platform's own Kubernetes RBAC are applied (drift goes, an upgrade brings new rules). The administrator is created
only when no existing user holds platform-admin: who deletes `admin` in favour of a named administrator does not get it
back, who locks everybody out gets it at the next start. The binding is written before the user, so that a start that
is killed in between is finished by the next one.

The password exists in clear only in the returned value (its repr hides it); what is stored is its argon2id hash.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, GROUP, USERS
from dovetail.apis.labels import MANAGED, ROLE_REF, SYSTEM_WORKSPACE, USER_REF
from dovetail.apis.tenant_v1beta1 import WORKSPACETEMPLATES
from dovetail.iam.builtin_roles import (
    PLATFORM_ADMIN,
    PRE_REGISTRATION,
    PRE_REGISTRATION_GROUP,
    binding_name,
    global_roles,
)
from dovetail.iam.compiler import compile_policy
from dovetail.iam.passwords import check_strength, generate_password, hash_password
from dovetail.iam.process_roles import OWN_LABELS, Object, namespaces, process_roles
from dovetail.iam.rules import AUTHENTICATED, UNAUTHENTICATED
from dovetail.kube.client import Client
from dovetail.kube.errors import AlreadyExists, Conflict
from dovetail.kube.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    NAMESPACES,
    ROLEBINDINGS,
    ROLES,
    ResourceLike,
)

ADMIN: Final = "admin"
FIELD_MANAGER: Final = "dovetail"
API_VERSION: Final = f"{GROUP}/v1beta1"

_SIDE_BY_SIDE: Final = 8

_RESOURCES: Final[dict[str, ResourceLike]] = {
    "ClusterRole": CLUSTERROLES,
    "ClusterRoleBinding": CLUSTERROLEBINDINGS,
    "Role": ROLES,
    "RoleBinding": ROLEBINDINGS,
    "GlobalRole": GLOBALROLES,
    "GlobalRoleBinding": GLOBALROLEBINDINGS,
    "WorkspaceTemplate": WORKSPACETEMPLATES,
}


@dataclass(frozen=True, slots=True)
class BootstrapResult:
    """What `ensure` did. `admin_password` is there only if the administrator was created by this call."""

    admin_created: bool
    admin_name: str
    admin_password: str | None = field(default=None, repr=False)


def global_role_bindings() -> list[Object]:
    """The bindings that hold for everybody."""
    return [
        binding("authenticated", "authenticated", "Group", AUTHENTICATED),
        binding("anonymous", "anonymous", "Group", UNAUTHENTICATED),
        binding(PRE_REGISTRATION, PRE_REGISTRATION, "Group", PRE_REGISTRATION_GROUP),
    ]


def system_workspace() -> Object:
    """The workspace of the system's namespaces, which has no manager."""
    return {
        "apiVersion": WORKSPACETEMPLATES.api_version,
        "kind": WORKSPACETEMPLATES.kind,
        "metadata": {"name": SYSTEM_WORKSPACE, "labels": {**OWN_LABELS, MANAGED: "true"}},
        "spec": {"placement": {"clusters": [{"name": "host"}]}},
    }


def binding(name: str, role: str, kind: str, subject: str) -> Object:
    """A GlobalRoleBinding of one subject to one role."""
    labels = {**OWN_LABELS, ROLE_REF: role}
    if kind == "User" and len(subject) <= 63:
        labels[USER_REF] = subject
    return {
        "apiVersion": API_VERSION,
        "kind": "GlobalRoleBinding",
        "metadata": {"name": name, "labels": {key: value for key, value in labels.items() if len(value) <= 63}},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": subject}],
        "roleRef": {"apiGroup": GROUP, "kind": "GlobalRole", "name": role},
    }


def admin_user(name: str, password_hash: str) -> Object:
    """The administrator."""
    return {
        "apiVersion": API_VERSION,
        "kind": "User",
        "metadata": {"name": name, "labels": dict(OWN_LABELS)},
        "spec": {"email": "", "password": password_hash},
    }


async def ensure(client: Client, *, admin_name: str = ADMIN, admin_password: str | None = None) -> BootstrapResult:
    """Make it so. Our kinds must be served already. Raises kube's errors, and WeakPassword for a given password."""
    if admin_password is not None:
        check_strength(admin_password)
    await _create_all(client, NAMESPACES, namespaces())
    if await _apply_all(client, [*process_roles(), *global_roles(), *global_role_bindings(), system_workspace()]):
        return BootstrapResult(admin_created=False, admin_name=admin_name)
    return await _create_admin(client, admin_name, admin_password or generate_password())


async def _apply_all(client: Client, objects: Sequence[Object]) -> bool:
    """Apply all, a few side by side (each costs a connection); whether somebody administers the platform already."""
    left = iter(objects)

    async def apply_some() -> None:
        for obj in left:
            await _apply(client, obj)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(apply_some())
            administered = group.create_task(_administered(client))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return administered.result()


async def _create_admin(client: Client, name: str, password: str) -> BootstrapResult:
    bound = binding(binding_name(name, PLATFORM_ADMIN), PLATFORM_ADMIN, "User", name)
    await _create_all(client, GLOBALROLEBINDINGS, [bound])
    user = admin_user(name, await asyncio.to_thread(hash_password, password))
    if not await _create_all(client, USERS, [user]):
        return BootstrapResult(admin_created=False, admin_name=name)
    await client.patch(USERS, name, {"status": {"state": "Active"}}, subresource="status")
    return BootstrapResult(admin_created=True, admin_name=name, admin_password=password)


async def _administered(client: Client) -> bool:
    """Whether an existing, enabled user holds platform-admin by name."""
    users, bindings = await asyncio.gather(client.list(USERS), client.list(GLOBALROLEBINDINGS))
    policy = compile_policy(users.items, global_roles(), bindings.items)
    holders = (user for user, roles in policy.user_roles.items() if PLATFORM_ADMIN in roles)
    return any(user in policy.accounts and not policy.accounts[user].disabled for user in holders)


async def _create_all(client: Client, resource: ResourceLike, objects: Sequence[Object]) -> int:
    """Create what is not there; how many were created."""
    created = 0
    for obj in objects:
        try:
            await client.create(resource, obj)
            created += 1
        except AlreadyExists:
            continue
    return created


async def _apply(client: Client, obj: Object) -> None:
    """Apply one object; two processes that start at once may collide, and then the next try finds it there."""
    for _ in range(5):
        try:
            await client.apply(_RESOURCES[obj["kind"]], obj, field_manager=FIELD_MANAGER, force=True)
            return
        except (AlreadyExists, Conflict):
            await asyncio.sleep(0.05)
    await client.apply(_RESOURCES[obj["kind"]], obj, field_manager=FIELD_MANAGER, force=True)
