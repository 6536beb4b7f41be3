"""Helm deletes what a release's manifest names, whoever made it: what is somebody else's by now is taken off the list.

It happens that a user deletes an object of an extension and makes another under its name. Before Helm uninstalls, every
object of the newest revision and of its hooks is looked up; the documents of those that are not the extension's are
taken out of the revision's record, so that Helm does not know of them. A hook that would have to delete somebody's
object to run does not run.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.helm.errors import HelmProtocolError
from dovetail.helm.storage import contents_of, narrowed
from dovetail.kube import SECRETS, ApiError, Client, NotFound, UnknownKind, key_of
from dovetail.lifecycle.belongings import PARALLEL, Target, whose
from dovetail.lifecycle.manifests import Identity, Object, identity_of, objects_of, without
from dovetail.lifecycle.releases import Records


async def spare(client: Client, target: Target, records: Records) -> dict[Identity, str]:
    """Take what is foreign out of the newest revision; the objects, and whose they are.

    Raises Conflict when somebody works on the release, KubeError.
    """
    latest = records.latest
    if latest is None:
        return {}
    try:
        secret = await client.get(SECRETS, latest.secret, latest.namespace)
        contents = await asyncio.to_thread(contents_of, secret)
    except (NotFound, HelmProtocolError):
        return {}
    objects = await asyncio.to_thread(objects_of, contents.manifest)
    hooks = {text: objects_of(text) for text in contents.hooks}
    foreign = await _foreign(client, target, [*objects, *(obj for several in hooks.values() for obj in several)])
    if foreign:
        rest = without(contents.manifest, lambda obj: identity_of(obj) in foreign)
        taken = {text for text, several in hooks.items() if any(identity_of(obj) in foreign for obj in several)}
        await client.update(SECRETS, narrowed(secret, rest, taken))
    return foreign


async def _foreign(client: Client, target: Target, objects: Iterable[Object]) -> dict[Identity, str]:
    limit = asyncio.Semaphore(PARALLEL)

    async def one(obj: Object) -> str:
        async with limit:
            live = await _live(client, obj, target.namespace)
        return whose(live, target) if live is not None else ""

    async with asyncio.TaskGroup() as group:
        looks = {identity_of(obj): group.create_task(one(obj)) for obj in objects}
    return {identity: why for identity, look in looks.items() if (why := look.result())}


async def _live(client: Client, obj: Object, namespace: str) -> Mapping[str, Any] | None:
    """Its metadata, None when it is not there or its kind is not."""
    identity, key = identity_of(obj), key_of(obj)
    try:
        resource = await client.discover(identity.api_version, identity.kind)
        place = (key.namespace or namespace) if resource.namespaced else None
        return await client.get(resource, key.name, place, metadata_only=True)
    except (NotFound, UnknownKind):
        return None
    except ApiError as error:
        if error.code in (404, 405):
            return None
        raise
