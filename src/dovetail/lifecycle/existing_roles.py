"""The roles of a cluster that a package binds without bringing them, read for `permissions_needed`."""

from collections.abc import Iterable

from dovetail.kube import CLUSTERROLES, ROLES, Client, NotFound
from dovetail.lifecycle.permissions_needed import RoleKey, rules_of
from dovetail.packaging.permissions import Rule


async def existing_roles(client: Client, keys: Iterable[RoleKey]) -> dict[RoleKey, tuple[Rule, ...]]:
    """Those that there are. Raises KubeError."""
    found: dict[RoleKey, tuple[Rule, ...]] = {}
    for key in keys:
        try:
            if key.kind == "ClusterRole":
                role = await client.get(CLUSTERROLES, key.name)
            else:
                role = await client.get(ROLES, key.name, key.namespace)
        except NotFound:
            continue
        found[key] = rules_of(role)
    return found
