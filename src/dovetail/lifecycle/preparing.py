"""What must be there before Helm may work: the namespace, the extension's account and its rights.

Every step may be repeated: what is ours is brought in line. What carries the name of one of these objects and is not
ours is left as it is, and the deployment is refused: an account that somebody else made could be anybody's. A namespace
that exists is used and not taken over: it goes with the extension only if the platform made it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dovetail.apis import labels
from dovetail.kube import (
    CLUSTERROLES,
    NAMESPACES,
    ROLES,
    AlreadyExists,
    ApiError,
    Client,
    Conflict,
    NotFound,
    ServerError,
    TooManyRequests,
    is_deleting,
    key_of,
    labels_of,
)
from dovetail.kube.resources import Object, Resource
from dovetail.lifecycle.access import access_objects, namespace_object, role_name
from dovetail.lifecycle.errors import ForeignObject, Refused
from dovetail.lifecycle.facts import DEFAULT_PATIENCE
from dovetail.packaging.permissions import Permissions

MANAGER: Final = "dovetail"
Rules = Mapping[str, Sequence[Mapping[str, Any]]]
NO_RULES: Final[Rules] = {}


class Preparation:
    """Makes an extension's place in a cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def namespace(self, extension: str, namespace: str) -> None:
        """Make it unless it is there. Raises Refused while it is being deleted."""
        try:
            await self._client.create(NAMESPACES, namespace_object(extension, namespace), field_manager=MANAGER)
        except AlreadyExists:
            found = await self._client.get(NAMESPACES, namespace, metadata_only=True)
            if is_deleting(found):
                why = f"namespace {namespace} is being deleted"
                raise Refused("NamespaceTerminating", why, DEFAULT_PATIENCE) from None
        except ApiError as error:
            raise _told(error) from error

    async def account(self, extension: str, namespace: str, permissions: Permissions, former: Rules) -> None:
        """The account with the rights that are declared and those of `former`. Raises Refused, KubeError."""
        objects = access_objects(extension, namespace, permissions, former)
        try:
            async with asyncio.TaskGroup() as group:
                for resource, obj in objects:
                    group.create_task(self._check(resource, obj, extension))
            async with asyncio.TaskGroup() as group:
                for resource, obj in objects:
                    group.create_task(self._client.apply(resource, obj, field_manager=MANAGER, force=True))
        except ExceptionGroup as group:
            raise _told(group.exceptions[0]) from group

    async def rules(self, extension: str, namespace: str) -> Rules:
        """The rights that the account has now, by kind of role."""
        name = role_name(extension)
        rules: dict[str, Sequence[Mapping[str, Any]]] = {}
        for resource, place in ((ROLES, namespace), (CLUSTERROLES, None)):
            try:
                role = await self._client.get(resource, name, place)
            except NotFound:
                continue
            rules[resource.kind] = role.get("rules") or ()
        return rules

    async def _check(self, resource: Resource, obj: Object, extension: str) -> None:
        key = key_of(obj)
        try:
            found = await self._client.get(resource, key.name, key.namespace or None, metadata_only=True)
        except NotFound:
            return
        owner = labels_of(found).get(labels.EXTENSION_REF, "")
        if owner != extension:
            raise ForeignObject(resource.kind, key.namespace, key.name, owner, extension)


def _told(error: Exception) -> Exception:
    """What the user must see becomes Refused; what another try may solve stays what it is."""
    if not isinstance(error, ApiError) or isinstance(error, Conflict | TooManyRequests | ServerError):
        return error
    return Refused("AccessFailed", f"the account cannot be prepared: {error}", DEFAULT_PATIENCE)
