"""What must be there before Helm may work: the namespace, the extension's account and its rights.

Every step may be repeated: what is ours is brought in line. What carries the name of one of these objects and is not
ours is left as it is, and the deployment is refused: an account that somebody else made could be anybody's. A namespace
that exists is used and not taken over: it goes with the extension only if the platform made it.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

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
    UnknownKind,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
)
from dovetail.kube.resources import Object, Resource
from dovetail.lifecycle.access import access_objects, namespace_object, role_name
from dovetail.lifecycle.errors import ForeignObject, Refused
from dovetail.lifecycle.facts import DEFAULT_PATIENCE
from dovetail.lifecycle.rendered import Rendered
from dovetail.packaging.permissions import Permissions, Rule

MANAGER: Final = "dovetail"
BEFORE: Final = "dovetail.dev/rules-before"
"""Annotation of a role during an upgrade: its rules as they were. It is only ever used to take rules away."""
_MAX_NOTE: Final = 100_000
_REMOVING: Final = ("get", "list", "watch", "patch", "update", "delete")
Rules = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Former:
    """What an account may do already, by kind of role; `before` as texts for the note."""

    rules: Mapping[str, Rules] = field(default_factory=dict[str, Rules])
    before: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING: Final = Former()


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

    async def account(self, extension: str, namespace: str, permissions: Permissions, former: Former) -> None:
        """The account with the rights that are declared and those of `former`. Raises Refused, KubeError."""
        objects = access_objects(extension, namespace, permissions, former.rules)
        try:
            async with asyncio.TaskGroup() as group:
                for resource, obj in objects:
                    group.create_task(self._check(resource, obj, extension))
            async with asyncio.TaskGroup() as group:
                for resource, obj in objects:
                    noted = _noted(obj, former)
                    group.create_task(self._client.apply(resource, noted, field_manager=MANAGER, force=True))
        except ExceptionGroup as group:
            raise _told(group.exceptions[0]) from group

    async def former(self, extension: str, namespace: str) -> Former:
        """The rights that the account has now."""
        rules: dict[str, Rules] = {}
        before: dict[str, str] = {}
        for role in await self._roles(extension, namespace):
            rules[role["kind"]] = role.get("rules") or ()
            # After an upgrade that failed they are those of two versions already; what was before that is noted.
            before[role["kind"]] = annotations_of(role).get(BEFORE) or json.dumps(role.get("rules") or [])
        return Former(rules, before)

    async def narrow(self, extension: str, namespace: str) -> None:
        """Take back what only a version needed that did not come into force. Raises KubeError.

        Nothing is granted: a rule stays when the account has it and had it before.
        """
        for role in await self._roles(extension, namespace):
            noted = annotations_of(role).get(BEFORE)
            if noted is None:
                continue
            before = _read_rules(noted)
            kept = [rule for rule in role.get("rules") or () if rule in before]
            annotations = {name: text for name, text in annotations_of(role).items() if name != BEFORE}
            metadata = {**role["metadata"], "annotations": annotations}
            resource = ROLES if role["kind"] == "Role" else CLUSTERROLES
            await self._client.update(resource, {**role, "metadata": metadata, "rules": kept})

    async def readmit(self, extension: str, namespace: str, objects: Sequence[Rendered]) -> None:
        """Give the account back what it needs to remove these objects, and no others. Raises Refused, KubeError."""
        cluster: dict[tuple[str, str], set[str]] = {}
        for obj in objects:
            try:
                resource = await self._client.discover(obj.api_version, obj.kind)
            except UnknownKind:
                continue
            cluster.setdefault((resource.group, resource.plural), set()).add(obj.name)
        rules = tuple(
            Rule(verbs=_REMOVING, api_groups=(group,), resources=(plural,), resource_names=tuple(sorted(names)))
            for (group, plural), names in sorted(cluster.items())
        )
        former = await self.former(extension, namespace)
        await self.account(extension, namespace, Permissions(cluster=rules), Former(former.rules))

    async def _roles(self, extension: str, namespace: str) -> list[Object]:
        found: list[Object] = []
        for resource, place in ((ROLES, namespace), (CLUSTERROLES, None)):
            with contextlib.suppress(NotFound):
                role = await self._client.get(resource, role_name(extension), place)
                found.append({"kind": resource.kind, **role})
        return found

    async def _check(self, resource: Resource, obj: Object, extension: str) -> None:
        key = key_of(obj)
        try:
            found = await self._client.get(resource, key.name, key.namespace or None, metadata_only=True)
        except NotFound:
            return
        owner = labels_of(found).get(labels.EXTENSION_REF, "")
        if owner != extension:
            raise ForeignObject(resource.kind, key.namespace, key.name, owner, extension)


def _noted(obj: Object, former: Former) -> Object:
    note = former.before.get(obj["kind"], "")
    if not note or len(note) > _MAX_NOTE:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "annotations": {BEFORE: note}}}


def _read_rules(text: str) -> list[Any]:
    try:
        rules = json.loads(text)
    except ValueError:
        return []  # somebody wrote something else there: what nobody knows to be right is taken away
    return cast("list[Any]", rules) if isinstance(rules, list) else []


def _told(error: Exception) -> Exception:
    """What the user must see becomes Refused; what another try may solve stays what it is."""
    if not isinstance(error, ApiError) or isinstance(error, Conflict | TooManyRequests | ServerError):
        return error
    return Refused("AccessFailed", f"the account cannot be prepared: {error}", DEFAULT_PATIENCE)
