"""What the API server itself would refuse, asked with `dryRun`: it goes all the way and stores nothing.

Immutable fields, quotas, validation, admission webhooks: nobody knows them but the API server. Every object that is to
be added or changed is sent to it as a trial, by whoever asks for the preview. Only kinds of Kubernetes itself and of
the platform are tried, because these are known to keep their word about `dryRun`. What the asker may not do is no
answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.kube import ApiError, Client, Invalid, Resource
from dovetail.lifecycle.facts import Namespace
from dovetail.lifecycle.preview.field_changes import is_native, patch_of
from dovetail.lifecycle.preview.objects_delta import ObjectChange, as_helm_applies
from dovetail.lifecycle.preview.world import ObjectKey, Refusal, World, keyed
from dovetail.packaging.manifests import RenderedObject

_AT_ONCE: Final = 8
_OURS: Final = ("extensions.kubesphere.io", "kubesphere.io")
_DENIED: Final = ("denied the request", "exceeded quota", "is forbidden: violates PodSecurity")
_NO_TRIALS: Final = "dry run"


@dataclass(frozen=True)
class _Try:
    key: ObjectKey
    obj: RenderedObject
    resource: Resource
    new: bool
    former: Mapping[str, object]
    """What the release's former manifest says of it."""


async def trial(client: Client, world: World, changes: Sequence[ObjectChange]) -> list[Refusal]:
    """What is refused. Raises KubeError when the API does not answer."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(each: _Try) -> Refusal | None:
        async with limit:
            return await _tried(client, world, each)

    answers = await asyncio.gather(*(one(each) for each in _tries(world, changes)))
    return [answer for answer in answers if answer is not None]


def _tries(world: World, changes: Sequence[ObjectChange]) -> list[_Try]:
    assert world.rendering is not None
    objects = keyed(world.rendering.objects, world.kinds, world.namespace)
    before = keyed(world.in_force.objects, world.kinds, world.namespace)
    there = world.namespace_state == Namespace.ACTIVE.value
    found: list[_Try] = []
    for change in changes:
        key, obj = change.key, objects.get(change.key)
        if obj is None or change.what not in ("added", "changed"):
            continue
        if not is_native(obj.api_version) and key.group not in _OURS:
            continue
        if change.what == "added" and key.namespace and not (there and key.namespace == world.namespace):
            continue  # its namespace may be made with it
        served = world.kinds[obj.api_version, obj.kind]
        version = obj.api_version.rpartition("/")[2]
        resource = Resource(obj.group, version, served.plural, obj.kind, served.namespaced)
        former: Mapping[str, object] = before[key].value if key in before else {}
        found.append(_Try(key, obj, resource, change.what == "added", former))
    return found


async def _tried(client: Client, world: World, each: _Try) -> Refusal | None:
    body = as_helm_applies(each.obj.value, world)
    place = each.key.namespace or None
    try:
        if each.new:
            await client.create(each.resource, body, place, dry_run=True)
        else:
            content = "strategic" if is_native(each.obj.api_version) else "merge"
            patch = _without_status(patch_of(each.former, body))
            await client.patch(each.resource, each.key.name, patch, place, content=content, dry_run=True)
    except ApiError as error:
        return _refusal(each, error)
    return None


def _without_status(body: Mapping[str, object]) -> dict[str, object]:
    """`status` is another endpoint's."""
    return {name: value for name, value in body.items() if name != "status"}


def _refusal(each: _Try, error: ApiError) -> Refusal | None:
    message = error.message
    if _NO_TRIALS in message.lower() or not (isinstance(error, Invalid) or any(word in message for word in _DENIED)):
        return None
    if each.key.kind == "Secret" and not each.key.group:  # the API server quotes what it refuses
        message = "a value of it is not valid"
    return Refusal(each.key, message, each.obj.place)
