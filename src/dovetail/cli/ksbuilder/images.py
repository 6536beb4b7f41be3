"""Images between registries and files: fetching them into a folder of blobs, and pushing them from a bundle."""

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dovetail.cli.ksbuilder.oci import Registry
from dovetail.cli.ksbuilder.waiting import Waiting
from dovetail.packaging.bundling.making import Layout
from dovetail.packaging.manifests import items, mapping
from dovetail.packaging.registry.errors import RegistryRefused
from dovetail.packaging.registry.manifests import Descriptor, platform_of, read
from dovetail.packaging.registry.references import Reference, parse_image

_MOST: Final = 1 << 20


class Gatherer:
    """Fetches images, each blob once; `platforms` (`linux/amd64`) chooses among those of an image, none takes all."""

    def __init__(
        self, folder: Path, told: Waiting, *, platforms: Sequence[str] = (), plain: bool | None = None
    ) -> None:
        self._folder, self._told, self._platforms, self._plain = folder, told, frozenset(platforms), plain
        self._blobs: dict[str, Path] = {}
        self._images: dict[str, Descriptor] = {}

    async def gather(self, names: Sequence[str]) -> Layout:
        """Fetch all. Raises RegistryRefused, UnusableManifest, InvalidReference."""
        for text in names:
            reference = parse_image(text)
            self._told.what = f"fetching {reference}"
            async with Registry(reference, plain=self._plain) as registry:
                self._images[str(reference)] = await self._image(registry, reference)
        return Layout(self._images, self._blobs)

    async def _image(self, registry: Registry, reference: Reference) -> Descriptor:
        data, digest = await registry.manifest(reference)
        parts = read(data, str(reference))
        if parts.manifests and self._platforms:
            chosen = _chosen(data, self._platforms)
            if len(chosen) != 1:
                raise RegistryRefused(str(reference), f"it has {len(chosen)} images for {', '.join(self._platforms)}")
            return await self._image(registry, Reference(reference.host, reference.repository, digest=chosen[0]))
        self._keep(digest, data)
        for blob in parts.blobs:
            await self._blob(registry, reference, blob)
        if parts.blobs:
            self._check_platform(reference, self._blobs[parts.blobs[0].digest])
        for manifest in parts.manifests:
            if manifest.digest not in self._blobs:
                await self._image(registry, Reference(reference.host, reference.repository, digest=manifest.digest))
        return Descriptor(parts.media_type, digest, len(data))

    async def _blob(self, registry: Registry, reference: Reference, blob: Descriptor) -> None:
        if blob.digest in self._blobs:
            return
        path = self._folder / blob.digest.removeprefix("sha256:")
        with path.open("wb") as file:
            async for chunk in registry.blob(reference, blob):
                file.write(chunk)
        self._blobs[blob.digest] = path

    def _check_platform(self, reference: Reference, configuration: Path) -> None:
        """An image that is for one platform alone must be for the one that is wanted."""
        with configuration.open("rb") as file, contextlib.suppress(ValueError, RecursionError):
            built = platform_of(json.loads(file.read(_MOST)))
            if self._platforms and "unknown" not in built and built not in self._platforms:
                raise RegistryRefused(str(reference), f"it is built for {built}, not for {', '.join(self._platforms)}")

    def _keep(self, digest: str, data: bytes) -> None:
        path = self._folder / digest.removeprefix("sha256:")
        path.write_bytes(data)
        self._blobs[digest] = path


def _chosen(data: bytes, platforms: frozenset[str]) -> list[str]:
    """The manifests of an index for these platforms."""
    given = map(mapping, items(mapping(json.loads(data)).get("manifests")))
    return [str(one["digest"]) for one in given if platform_of(one.get("platform")) in platforms]


async def push_image(registry: Registry, target: Reference, digest: str, blobs: Path) -> None:
    """Push an image of an unpacked layout. Raises RegistryRefused."""
    data = (blobs / digest.removeprefix("sha256:")).read_bytes()
    parts = read(data, str(target))
    for manifest in parts.manifests:
        inner = Reference(target.host, target.repository, digest=manifest.digest)
        await push_image(registry, inner, manifest.digest, blobs)
    for blob in parts.blobs:
        await registry.put_blob(target, blob.digest, blobs / blob.digest.removeprefix("sha256:"))
    await registry.put_manifest(target, data, parts.media_type)
