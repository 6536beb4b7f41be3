"""Packages in a directory. The files count; index.yaml is written for others, and again after every push."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from dovetail.cli.ksbuilder.errors import DirectoryUnusable, RepositoryRefused
from dovetail.cli.ksbuilder.places import Listed, Parcel
from dovetail.cli.ksbuilder.subjects import read_subject, write_whole
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.index import build_index
from dovetail.packaging.package import Package, read_package

INDEX = "index.yaml"


class DirectoryPlace:
    """See `places`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def find(self, name: str = "") -> Sequence[Listed]:
        return await asyncio.to_thread(self._list, name)

    def _list(self, name: str) -> Sequence[Listed]:
        return [
            Listed(package.name, package.version, package.metadata.description.get("en", ""), digest=package.digest)
            for package in read_all(self.path)
            if name in ("", package.name)
        ]

    async def get(self, listed: Listed) -> Parcel:
        path = self.path / f"{listed.name}-{listed.version}.tgz"
        data = read_subject(path)
        assert isinstance(data, bytes)
        signature = path.with_name(f"{path.name}.prov")
        return checked(Parcel(data, signature.read_bytes() if signature.is_file() else b""), listed, str(self.path))

    async def put(self, package: Package, parcel: Parcel) -> str:
        return await asyncio.to_thread(self._put, package, parcel)

    def _put(self, package: Package, parcel: Parcel) -> str:
        target = self.path / f"{package.name}-{package.version}.tgz"
        self.path.mkdir(parents=True, exist_ok=True)
        signature = target.with_name(f"{target.name}.prov")
        signature.unlink(missing_ok=True)  # never beside an archive that it does not belong to
        write_whole(target, parcel.data)
        if parcel.provenance:
            write_whole(signature, parcel.provenance)
        write_index(self.path)
        return str(target.absolute())


def read_all(path: Path) -> list[Package]:
    """The packages in a directory. Raises DirectoryUnusable."""
    if not path.is_dir():
        raise DirectoryUnusable(str(path), "there is no such directory. Give one with packages.")
    found: list[Package] = []
    for file in sorted(path.glob("*.tgz")):
        try:
            found.append(read_package(file.read_bytes()))
        except PackagingError as error:
            raise DirectoryUnusable(str(file), str(error)) from error
    return found


def write_index(path: Path, base_url: str = "", time: str = "") -> list[Package]:
    """Write index.yaml for a directory; the packages in it."""
    packages = read_all(path)
    generated = time or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    write_whole(path / INDEX, build_index(packages, generated, base_url))
    return packages


def checked(parcel: Parcel, listed: Listed, where: str) -> Parcel:
    """A parcel that is what its place promised. Raises RepositoryRefused."""
    promised = listed.digest.removeprefix("sha256:")
    if promised and parcel.digest != promised:
        what = f"{listed.name} {listed.version} in {where}"
        raise RepositoryRefused(what, f"it has sha256 {parcel.digest}, and {promised} is promised; it is not used")
    package = read_package(parcel.data)
    if (package.name, package.version) != (listed.name, listed.version):
        reason = f"the archive is {package.name} {package.version}, and is not used"
        raise RepositoryRefused(f"{listed.name} {listed.version} in {where}", reason)
    return parcel
