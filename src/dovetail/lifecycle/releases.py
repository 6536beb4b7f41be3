"""Helm's records of an extension's release, read and mended through the Kubernetes API.

Looking at a release needs no Helm: its Secrets' labels tell it (`dovetail.helm.storage`), also the target that we put
there. So whatever happens to a release, by us, by a crash or by somebody's hand, is seen by a watch on metadata.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.helm import storage
from dovetail.helm.errors import HelmProtocolError
from dovetail.helm.storage import ReleaseRecord
from dovetail.kube import SECRETS, Client, NotFound
from dovetail.lifecycle.facts import Release

TARGET_LABEL: Final = "dovetail.dev/target"
"""On a release's records: the fingerprint of what it was made from."""

_WAS_IN_FORCE: Final = frozenset({storage.DEPLOYED, storage.SUPERSEDED, storage.UNINSTALLING, storage.UNINSTALLED})


@dataclass(frozen=True)
class Records:
    """All revisions that are stored of one release."""

    revisions: Sequence[ReleaseRecord] = ()

    @property
    def latest(self) -> ReleaseRecord | None:
        return storage.latest(self.revisions)

    def fact(self, description: str = "", *, attempted: str = "") -> Release | None:
        """What a decision needs of them; `attempted` is the target of the attempt that may have failed."""
        latest = self.latest
        if latest is None:
            return None
        in_force = any(record.status in _WAS_IN_FORCE for record in self.revisions)
        target, good = latest.labels.get(TARGET_LABEL, ""), self._good(latest, attempted)
        return Release(latest.revision, latest.status, target, in_force, description, good.revision if good else 0)

    def _good(self, latest: ReleaseRecord, attempted: str) -> ReleaseRecord | None:
        """What a roll-back brings back: the revision in force before, or what a release that failed its tests replaced.

        Helm marks a failed revision superseded, too, when a roll-back from it fails; so one of the attempt itself is
        none.
        """
        before = [record for record in self.revisions if record.revision < latest.revision]
        replaced = (
            record for record in before if record.status == storage.SUPERSEDED and not _is_of(record, attempted)
        )
        return storage.deployed(before) or storage.latest(replaced)


def _is_of(record: ReleaseRecord, attempted: str) -> bool:
    target = record.labels.get(TARGET_LABEL, "")
    return bool(attempted) and target.endswith(attempted)  # also before its tests: `untested-<target>`


NO_RECORDS: Final = Records()


class Releases:
    """Reading, unlocking and forgetting releases."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def records(self, namespace: str, release: str) -> Records:
        """Every revision of the release, from the API itself: a cache could still show the past."""
        selector = f"{storage.SELECTOR},name={release}"
        found = await self._client.list(SECRETS, namespace, label_selector=selector, metadata_only=True)
        return Records([record for secret in found.items if (record := storage.record_of(secret)) is not None])

    async def description(self, record: ReleaseRecord) -> str:
        """What Helm wrote about the revision, such as why it failed; empty when the record is gone."""
        try:
            return storage.description_of(await self._client.get(SECRETS, record.secret, record.namespace))
        except NotFound:
            return ""

    async def contents(self, record: ReleaseRecord) -> storage.Contents:
        """What a revision made; nothing when its record is gone or cannot be read."""
        try:
            secret = await self._client.get(SECRETS, record.secret, record.namespace)
            return await asyncio.to_thread(storage.contents_of, secret)
        except (NotFound, HelmProtocolError):
            return storage.Contents("")

    async def manifest(self, record: ReleaseRecord) -> str:
        """The objects of a revision, as YAML documents. Raises NotFound, HelmProtocolError."""
        return storage.manifest_of(await self._client.get(SECRETS, record.secret, record.namespace))

    async def unlock(self, record: ReleaseRecord) -> None:
        """Mark a pending revision failed. Raises Conflict when somebody still works on it."""
        secret = await self._client.get(SECRETS, record.secret, record.namespace)
        await self._client.update(SECRETS, storage.marked_failed(secret, "interrupted; unlocked by Dovetail"))

    async def forget(self, records: Records) -> None:
        """Delete the records; the release's objects stay."""
        for record in records.revisions:
            try:
                await self._client.delete(SECRETS, record.secret, record.namespace)
            except NotFound:
                continue
