"""What a planner wants done: one write to the cluster each, as a value, and the shell that carries it out.

A change or a deletion that comes too late is no failure: the object is gone, the watch tells, and the next pass plans
again. A `Create` that finds its name taken ends the list with AlreadyExists, since what follows may count on it: nobody
loses his old role because the new one could not be written. A `Delete` names the uid, so that it never hits a successor
of the same name; a `Patch` with `resourceVersion` or `uid` in its metadata is refused when the object has changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dovetail.kube.client import Client
from dovetail.kube.errors import Conflict, NotFound
from dovetail.kube.objects import Key, key_of, metadata, uid_of
from dovetail.kube.resources import Object, ResourceLike

FIELD_MANAGER = "dovetail-tenancy"


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object."""

    resource: ResourceLike
    object: Object


@dataclass(frozen=True, slots=True)
class Patch:
    """Merge-patch an object, or its status."""

    resource: ResourceLike
    key: Key
    patch: Object
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object of that uid."""

    resource: ResourceLike
    key: Key
    uid: str


Action = Create | Patch | Delete


def deletion(resource: ResourceLike, obj: Mapping[str, object]) -> Delete:
    """The deletion of this very object."""
    return Delete(resource, key_of(obj), uid_of(obj))


def finalizers(resource: ResourceLike, obj: Mapping[str, object], wanted: Iterable[str]) -> Patch:
    """The change of an object's finalizers, if nobody else changes them meanwhile."""
    version = metadata(obj).get("resourceVersion")
    return Patch(resource, key_of(obj), {"metadata": {"resourceVersion": version, "finalizers": list(wanted)}})


async def carry_out(client: Client, actions: Iterable[Action]) -> None:
    """Do all of it, in order. Raises AlreadyExists and kube's errors for what was refused, and then does no more."""
    for action in actions:
        try:
            await _one(client, action)
        except NotFound:
            if isinstance(action, Create):  # the namespace it should be in
                raise
        except Conflict:
            if not isinstance(action, Delete):  # a Delete conflicts when the object of that uid is gone
                raise


async def _one(client: Client, action: Action) -> None:
    match action:
        case Create(resource, obj):
            await client.create(resource, obj, field_manager=FIELD_MANAGER)
        case Patch(resource, key, patch, subresource):
            await client.patch(
                resource, key.name, patch, key.namespace or None, subresource=subresource or None,
                field_manager=FIELD_MANAGER,
            )  # fmt: skip
        case Delete(resource, key, uid):
            await client.delete(resource, key.name, key.namespace or None, uid=uid)
