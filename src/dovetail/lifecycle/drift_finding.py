"""Looking for drift in one release, and mending it: as the extension's own account, with its rights and no more.

What differs is confirmed by the API server: it is asked what it would make of the mending (a dry run). What it would
not keep anyway is no drift. Objects that were right are remembered with their versions, so that a later look at a quiet
release reads metadata only and no manifest.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dovetail.apis import labels
from dovetail.apis.dialects.policies import DriftIgnored
from dovetail.helm.storage import ReleaseRecord
from dovetail.kube import (
    ApiError,
    Client,
    Forbidden,
    Invalid,
    NotFound,
    Resource,
    UnknownKind,
    annotations_of,
    is_deleting,
    labels_of,
    metadata,
    resource_version_of,
)
from dovetail.lifecycle.access import account_user
from dovetail.lifecycle.belongings import Target, whose
from dovetail.lifecycle.drift import WHOLE, Drifted, autoscaled, confirmed, drifted, ignored_paths, mending
from dovetail.lifecycle.manifests import Identity, Object, identity_of, objects_of
from dovetail.lifecycle.releases import Releases

_PARALLEL = 4


@dataclass(frozen=True)
class Subject:
    """A release to look at."""

    target: Target
    record: ReleaseRecord
    rules: Sequence[DriftIgnored] = ()

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal for equal questions."""
        return self.record.namespace, self.record.secret, tuple(self.record.labels.items()), tuple(self.rules)


@dataclass
class _Known:
    """The objects of a release that were right, and in which version."""

    question: tuple[object, ...]
    versions: dict[Identity, str] = field(default_factory=dict[Identity, str])


class DriftFinder:
    """`find` looks, `mend` mends one object."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._releases = Releases(client)
        self._known: dict[str, _Known] = {}

    def forget(self, extension: str) -> None:
        """Nobody asks for it any more."""
        self._known.pop(extension, None)

    async def find(self, subject: Subject) -> list[Drifted]:
        """What differs. Raises NotFound when the release's record is gone, KubeError."""
        known = self._known.get(subject.target.extension)
        if known is not None and known.question == subject.identity and await self._is_unchanged(known):
            return []
        manifest = await self._releases.manifest(subject.record)
        objects = await asyncio.to_thread(objects_of, manifest)
        scaled = autoscaled(objects)
        limit, known = asyncio.Semaphore(_PARALLEL), _Known(subject.identity)

        async def one(obj: Object) -> Drifted | None:
            async with limit:
                return await self._compare(subject, obj, scaled, known)

        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(one(obj)) for obj in objects]
        found = [drift for look in looks if (drift := look.result()) is not None]
        if found:
            self.forget(subject.target.extension)
        else:
            self._known[subject.target.extension] = known
        return found

    async def _is_unchanged(self, known: _Known) -> bool:
        limit = asyncio.Semaphore(_PARALLEL)

        async def one(identity: Identity, version: str) -> bool:
            async with limit:
                resource = await self._resource(identity)
                live = None if resource is None else await self._live(resource, identity, metadata_only=True)
            return live is not None and resource_version_of(live) == version and not is_deleting(live)

        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(one(identity, version)) for identity, version in known.versions.items()]
        return all(look.result() for look in looks)

    async def _compare(
        self, subject: Subject, obj: Object, scaled: frozenset[tuple[str, str]], known: _Known
    ) -> Drifted | None:
        ignored = ignored_paths(obj, subject.rules, scaled)
        if WHOLE in ignored:
            return None
        identity = identity_of(obj)
        resource = await self._resource(identity)
        namespace = subject.target.namespace if resource is None or resource.namespaced else ""
        identity = identity._replace(namespace=(identity.namespace or namespace) if namespace else "")
        live = None if resource is None else await self._live(resource, identity)
        if live is not None and is_deleting(live):
            return None  # on its way out: the next look finds it missing, or made again
        if live is not None and (owner := whose(live, subject.target)):
            return Drifted(identity, "Foreign", obj, whose=owner)
        found = drifted(obj, live, ignored, namespace)
        if found is not None and found.what == "Changed" and resource is not None:
            found = await self._confirmed(subject, resource, found)
        if found is None and live is not None:
            known.versions[Identity(*map(sys.intern, identity))] = resource_version_of(live)
        return found

    async def _confirmed(self, subject: Subject, resource: Resource, found: Drifted) -> Drifted | None:
        key = found.identity
        account = self._account(subject)
        try:
            patched = await account.patch(
                resource, key.name, mending(found.differences), key.namespace or None, content="json", dry_run=True
            )
        except (Forbidden, Invalid):
            return found  # it differs, and it cannot be mended: mending will say why
        except ApiError as error:
            if error.code >= 500:
                raise
            return found
        return confirmed(found, patched)

    async def mend(self, subject: Subject, one: Drifted) -> str:
        """Why it could not be mended; empty when it was. Raises KubeError when the API does not answer."""
        if one.what == "Foreign":
            return f"{one.identity} is left alone: {one.whose}"
        resource = await self._resource(one.identity)
        if resource is None:
            return f"{one.identity}: its kind is not served"
        try:
            await (self._make if one.what == "Missing" else self._correct)(subject, resource, one)
        except ApiError as error:
            if error.code >= 500 or error.code == 429:
                raise
            return f"{one.identity}: {error}"
        return ""

    async def _make(self, subject: Subject, resource: Resource, one: Drifted) -> None:
        marks = {
            labels.HELM_RELEASE_NAME: subject.target.release,
            labels.HELM_RELEASE_NAMESPACE: subject.target.namespace,
        }
        meta = {
            **metadata(one.wanted),
            "annotations": {**annotations_of(one.wanted), **marks},
            "labels": {**labels_of(one.wanted), labels.MANAGED_BY: "Helm"},
        }
        obj = {**one.wanted, "metadata": meta}
        await self._account(subject).create(resource, obj, one.identity.namespace or None, field_manager="helm")

    async def _correct(self, subject: Subject, resource: Resource, one: Drifted) -> None:
        live = await self._live(resource, one.identity)
        if live is None or whose(live, subject.target):
            return  # another look will tell
        again = drifted(one.wanted, live, (), "")
        wanted = {difference.path for difference in one.differences}
        still = [difference for difference in (again.differences if again else ()) if difference.path in wanted]
        if not still:
            return
        patch = mending(still, resource_version_of(live))
        key = one.identity
        await self._account(subject).patch(
            resource, key.name, patch, key.namespace or None, content="json", field_manager="helm"
        )

    def _account(self, subject: Subject) -> Client:
        return self._client.impersonate(account_user(subject.target.extension, subject.target.namespace))

    async def _resource(self, identity: Identity) -> Resource | None:
        try:
            return await self._client.discover(identity.api_version, identity.kind)
        except UnknownKind:
            return None
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def _live(
        self, resource: Resource, identity: Identity, *, metadata_only: bool = False
    ) -> Mapping[str, Any] | None:
        try:
            return await self._client.get(
                resource, identity.name, identity.namespace or None, metadata_only=metadata_only
            )
        except NotFound:
            return None
