"""Packages in an OCI registry: `oci://host/path` is where they are, `oci://host/path/name:version` is one."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Self

from dovetail.cli.ksbuilder.oci import Registry
from dovetail.cli.ksbuilder.place_directory import checked
from dovetail.cli.ksbuilder.places import Listed, Parcel
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.package import Package
from dovetail.packaging.registry.errors import RegistryRefused
from dovetail.packaging.registry.manifests import MANIFEST, chart_of, push_of, read
from dovetail.packaging.registry.references import Reference, parse, tag_of, version_of

_NOT_OURS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""A registry's catalogue may name repositories that are empty by now, or other people's."""


class RegistryPlace:
    """See `places`. The address is the path under which packages are, unless it names one: then it is that one."""

    def __init__(self, text: str, plain: bool | None = None) -> None:
        host_only = "/" not in text.removeprefix("oci://").rstrip("/")
        self._host_only = host_only
        self.reference = parse(f"{text.rstrip('/')}/x") if host_only else parse(text)
        self._registry = Registry(self.reference, plain=plain)

    async def __aenter__(self) -> Self:
        await self._registry.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registry.__aexit__()

    async def find(self, name: str = "") -> Sequence[Listed]:
        found: list[Listed] = []
        for reference in [self._below(name)] if name else await self._repositories():
            try:
                tags = await self._registry.tags(reference)
            except RegistryRefused as refused:
                if name or refused.status not in _NOT_OURS:
                    raise
                continue
            found += [Listed(reference.name, version_of(tag)) for tag in tags if not tag.startswith("sha256-")]
        return found

    async def _repositories(self) -> list[Reference]:
        prefix = "" if self._host_only else f"{self.reference.repository}/"
        names = await self._registry.repositories()
        host = self.reference.host
        return [Reference(host, name) for name in names if name.startswith(prefix) and "/" not in name[len(prefix) :]]

    def _below(self, name: str) -> Reference:
        if self._host_only:
            return Reference(self.reference.host, name)
        if self.reference.name == name:
            return Reference(self.reference.host, self.reference.repository)
        return Reference(self.reference.host, f"{self.reference.repository}/{name}")

    async def get(self, listed: Listed) -> Parcel:
        return checked(await self.fetch(self._below(listed.name).tagged(tag_of(listed.version))), listed, self._where)

    @property
    def _where(self) -> str:
        return self.reference.host

    async def fetch(self, reference: Reference) -> Parcel:
        """The package at an address. Raises RegistryRefused, UnusableManifest."""
        data, _ = await self._registry.manifest(reference)
        chart, provenance = chart_of(read(data, str(reference)), str(reference))
        archive = await self._registry.read_blob(reference, chart, MAX_ARCHIVE)
        signed = await self._registry.read_blob(reference, provenance, 1 << 20) if provenance else b""
        return Parcel(archive, signed)

    async def put(self, package: Package, parcel: Parcel) -> str:
        target = self._below(package.name).tagged(tag_of(package.version))
        push = push_of(package, parcel.data, parcel.provenance)
        for descriptor, data in push.blobs:
            await self._registry.put_blob(target, descriptor.digest, data)
        await self._registry.put_manifest(target, push.manifest, MANIFEST)
        return f"oci://{target}@{push.digest}"
