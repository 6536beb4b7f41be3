"""Whose the objects are that a deployment would touch.

Helm asks before it takes over an object, but not before it deletes a hook's predecessor: an object of the same name
that somebody else made is gone. And it goes by its own annotations only, which hooks do not have. So before Helm runs,
every object that the package renders to is looked up. It is ours when it carries our label and no other release's
marks, or, unmarked, when the release's records tell that it made one of this name. Anything else is somebody else's,
and the deployment is refused before Helm begins.

`foreign` is the rule, pure; `Ownership` asks the API. What happens between the look and Helm's deed is not covered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dovetail.apis import labels
from dovetail.kube import ApiError, Client, NotFound, UnknownKind, annotations_of, labels_of
from dovetail.kube.resources import Resource
from dovetail.lifecycle.errors import ForeignObject
from dovetail.lifecycle.rendered import Rendered

Made = Callable[[], Awaitable[Iterable[Rendered]]]
_PARALLEL: Final = 8
NOBODY: Final = ""


@dataclass(frozen=True)
class Owner:
    """Who asks: an extension with its release."""

    extension: str
    release: str
    namespace: str


@dataclass(frozen=True)
class Place:
    """Where an object is, whatever the version of its kind."""

    group: str
    kind: str
    namespace: str
    name: str


def place_of(obj: Rendered, namespace: str) -> Place:
    """`namespace` is where it goes when it names none; of a cluster's objects it is empty."""
    group = obj.api_version.rpartition("/")[0]
    return Place(group, obj.kind, obj.namespace or namespace, obj.name)


def foreign(found: Mapping[str, Any], me: Owner, *, known: bool) -> str | None:
    """Who else's an object is: a name, NOBODY for one without any marks, or None when it is ours.

    `found` needs only metadata. `known`: the release's records say that it made an object of this name.
    """
    extension = labels_of(found).get(labels.EXTENSION_REF, NOBODY)
    annotations = annotations_of(found)
    release = annotations.get(labels.HELM_RELEASE_NAME, NOBODY)
    namespace = annotations.get(labels.HELM_RELEASE_NAMESPACE, NOBODY)
    if extension not in (NOBODY, me.extension):
        return f"extension {extension}"
    if release and (release, namespace) != (me.release, me.namespace):
        return f"Helm release {namespace}/{release}"
    return None if known or extension or release else NOBODY


def _is_our_hook(recorded: Rendered) -> bool:
    """A hook that had our label when it was made: without it, it is another object by now, and Helm would delete it."""
    return bool(recorded.hooks) and labels.EXTENSION_REF in labels_of(recorded.content)


class Ownership:
    """Looks the objects of a rendering up."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def check(self, objects: Sequence[Rendered], me: Owner, made: Made) -> None:
        """Raises ForeignObject for the first object that is somebody else's; KubeError when the API does not answer.

        `made` gives the objects and hooks of the release's records; it is asked only when something has no marks.
        """
        limit = asyncio.Semaphore(_PARALLEL)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._look(obj, me, limit)) for obj in objects if obj.name]
        problems = [(obj, problem) for task in tasks if (found := task.result()) for obj, problem in [found]]
        if any(not problem.owner for _, problem in problems):
            known = {place_of(obj, me.namespace) for obj in await made() if not _is_our_hook(obj)}
            problems = [
                (o, problem) for o, problem in problems if problem.owner or place_of(o, me.namespace) not in known
            ]
        if problems:
            raise problems[0][1]

    async def _look(self, obj: Rendered, me: Owner, limit: asyncio.Semaphore) -> tuple[Rendered, ForeignObject] | None:
        async with limit:
            resource = await self._resource(obj)
            if resource is None:
                return None
            namespace = (obj.namespace or me.namespace) if resource.namespaced else ""
            try:
                found = await self._client.get(resource, obj.name, namespace or None, metadata_only=True)
            except NotFound:
                return None
        owner = foreign(found, me, known=False)
        if owner is None:
            return None
        return obj, ForeignObject(obj.kind, namespace, obj.name, owner, me.extension)

    async def _resource(self, obj: Rendered) -> Resource | None:
        """None for a kind that is not served (yet): nothing of it can be there."""
        try:
            return await self._client.discover(obj.api_version, obj.kind)
        except UnknownKind:
            return None
        except ApiError as error:
            if error.code == 404:
                return None
            raise
