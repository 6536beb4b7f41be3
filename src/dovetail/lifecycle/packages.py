"""From an ExtensionVersion to its package: bytes, verified and read.

The bytes are in a ConfigMap (`chartDataRef`, which wins; a large package goes on in further ones, as its annotation
says) or behind `chartURL`. What is promised is checked before
anything is used: the digest if the version has one, then that the package is this version of this extension. Nothing
is cached; a package is read when something is installed, and that is rare. A package of a repository that names a
keyring must be signed, now as when it was found.
"""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from dovetail.apis.dialects import ExtensionVersion, Repository
from dovetail.helm import HelmWorker
from dovetail.kube import CONFIGMAPS, Client, NotFound, annotations_of
from dovetail.lifecycle.errors import DigestMismatch, PackageUnavailable, UnusablePackage
from dovetail.lifecycle.fetching import FetchFailed, Origin
from dovetail.lifecycle.signatures import verify
from dovetail.lifecycle.sources import SecretUnusable, Sources
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.parts import MAX_PARTS, PARTS, part_name

if TYPE_CHECKING:
    from dovetail.packaging.package import Package

FETCH_TIMEOUT: Final = 120.0
FindRepository = Callable[[str], Repository | None]


@dataclass(frozen=True)
class Fetched:
    """A package and the bytes it was read from."""

    data: bytes
    package: "Package"


class PackageSource:
    """Where packages come from. `repository` finds a Repository by name, for its credentials."""

    def __init__(self, client: Client, sources: Sources, helm: HelmWorker, repository: FindRepository) -> None:
        self._client = client
        self._sources = sources
        self._helm = helm
        self._repository = repository

    async def load(self, version: ExtensionVersion) -> Fetched:
        """Raises PackageUnavailable, DigestMismatch, UnusablePackage; KubeError when the API does not answer."""
        where, data = await self._bytes(version)
        package = await asyncio.to_thread(read_verified, data, where, version.digest)
        if version.version and (package.name, package.version) != (version.extension, version.version):
            wanted = f"{version.extension} {version.version}"
            raise UnusablePackage(where, f"it is {package.name} {package.version}, not {wanted}")
        return Fetched(data, package)

    async def _bytes(self, version: ExtensionVersion) -> tuple[str, bytes]:
        reference = version.chart_data_ref
        if reference is not None:
            where = f"ConfigMap {reference.namespace}/{reference.name}, key {reference.key}"
            first = await self._configmap(reference.name, reference.namespace)
            data = [_binary(first, reference.key, where)]
            for number in range(2, _parts(first, where) + 1):
                part = await self._configmap(part_name(reference.name, number), reference.namespace)
                data.append(_binary(part, reference.key, f"{where}, part {number}"))
            return where, b"".join(data)
        if not version.chart_url:
            raise PackageUnavailable(version.meta.id, "the version has neither chartDataRef nor chartURL")
        return version.chart_url, await self._download(version)

    async def _configmap(self, name: str, namespace: str) -> dict[str, Any]:
        try:
            return await self._client.get(CONFIGMAPS, name, namespace)
        except NotFound as error:
            where = f"ConfigMap {namespace}/{name}"
            raise PackageUnavailable(where, "there is no such ConfigMap; publish the version again") from error

    async def _download(self, version: ExtensionVersion) -> bytes:
        url = version.chart_url
        repository = self._repository(version.repository) if version.repository else None
        try:
            origin = await self._sources.origin(repository) if repository is not None else Origin(url)
            keyring = await self._sources.keyring(repository) if repository is not None else b""
            parcel = await self._sources.package(url, origin, signed=bool(keyring), timeout=FETCH_TIMEOUT)
        except (FetchFailed, SecretUnusable) as error:
            raise PackageUnavailable(url, str(error)) from error
        if keyring:
            await verify(self._helm, parcel, version.extension, version.version, url, keyring)
        return parcel.data


def read_verified(data: bytes, where: str, digest: str) -> "Package":
    """Check the digest (if one is promised), then read.

    Raises DigestMismatch, UnusablePackage. Blocks: use a thread.
    """
    expected = digest.strip().lower().removeprefix("sha256:")
    actual = hashlib.sha256(data).hexdigest()
    if expected and expected != actual:
        raise DigestMismatch(where, expected, actual)
    from dovetail.packaging import read_package

    try:
        return read_package(data)
    except PackagingError as error:
        raise UnusablePackage(where, str(error)) from error


def _parts(obj: dict[str, Any], where: str) -> int:
    """How many ConfigMaps hold the package."""
    text = annotations_of(obj).get(PARTS, "1")
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PARTS:
        raise UnusablePackage(where, f"its annotation {PARTS} is {text!r}; publish the version again")
    return int(text)


def _binary(obj: dict[str, Any], key: str, where: str) -> bytes:
    text = cast("dict[str, str]", obj.get("binaryData") or {}).get(key)
    if text is None:
        raise PackageUnavailable(where, "the ConfigMap has no such key in binaryData")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise UnusablePackage(where, "it is not base64") from error
