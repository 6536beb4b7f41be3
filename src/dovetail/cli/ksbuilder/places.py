"""Where packages are kept besides a cluster: a directory, a Helm repository, an OCI registry; one way to use all three.

    ./charts                     a directory with .tgz files, and its index.yaml if `ksbuilder index` wrote one
    https://charts.example.org   a Helm repository; one that takes uploads (`ksbuilder serve`, ChartMuseum) for push
    oci://registry/path          a registry; every package is a repository below the path, every version a tag

Whatever comes in is compared with the digest that its place promises, and must be the package that was asked for.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dovetail.cli.ksbuilder.errors import NoSuchPackage
from dovetail.packaging.errors import InvalidVersion
from dovetail.packaging.package import Package
from dovetail.packaging.versions import Version


@dataclass(frozen=True, slots=True)
class Listed:
    """One package that a place has. `digest` is what the place promises, without `sha256:`; empty if nothing."""

    name: str
    version: str
    description: str = ""
    created: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A package on its way: its archive, and its provenance if there is one."""

    data: bytes
    provenance: bytes = b""

    @property
    def digest(self) -> str:
        """The SHA-256 of the archive."""
        return hashlib.sha256(self.data).hexdigest()


class Place(Protocol):
    """An async context manager."""

    async def __aenter__(self) -> "Place": ...
    async def __aexit__(self, *_: object) -> None: ...
    async def find(self, name: str = "") -> Sequence[Listed]:
        """What is there; of one package if it is named."""
        ...

    async def get(self, listed: Listed) -> Parcel:
        """A package, compared with what the place promises."""
        ...

    async def put(self, package: Package, parcel: Parcel) -> str:
        """Store a package; where it is now."""
        ...


def place_of(text: str, *, plain: bool | None = None) -> Place:
    """The place that an address means."""
    if text.startswith("oci://"):
        from dovetail.cli.ksbuilder.place_registry import RegistryPlace

        return RegistryPlace(text, plain)
    if text.startswith(("http://", "https://")):
        from dovetail.cli.ksbuilder.place_repository import RepositoryPlace

        return RepositoryPlace(text)
    from dovetail.cli.ksbuilder.place_directory import DirectoryPlace

    return DirectoryPlace(Path(text))


def newest_first(found: Sequence[Listed]) -> list[Listed]:
    """By name, and each from its newest version."""

    def order(listed: Listed) -> Version:
        try:
            return Version.parse(listed.version)
        except InvalidVersion:
            return Version(0, 0, 0, "0")

    by_version = sorted(found, key=order, reverse=True)
    return sorted(by_version, key=lambda listed: listed.name)


def choose(found: Sequence[Listed], name: str, version: str, where: str) -> Listed:
    """The version that is wanted, or the newest that is no pre-release. Raises NoSuchPackage."""
    versions = [listed for listed in newest_first(found) if listed.name == name]
    wanted = [listed for listed in versions if listed.version == version] if version else _released(versions)
    if not wanted:
        what = f"{name} {version}".strip()
        raise NoSuchPackage(what, where, [listed.version for listed in versions])
    return wanted[0]


def _released(versions: list[Listed]) -> list[Listed]:
    return [listed for listed in versions if "-" not in listed.version.partition("+")[0]] or versions
