"""Reading a package from a path for sending it on: its archive, and the provenance that lies beside it."""

from pathlib import Path

from dovetail.cli.ksbuilder.places import Parcel
from dovetail.cli.ksbuilder.reporting import tell
from dovetail.cli.ksbuilder.subjects import build_directory, read_subject
from dovetail.packaging.errors import InvalidMetadata
from dovetail.packaging.findings import errors_of
from dovetail.packaging.package import Package, read_package


def read_parcel(path: Path) -> tuple[Package, Parcel]:
    """The package at a path, built if it is a directory. One with errors is not sent on. Raises PackagingError."""
    data = build_directory(path).data if path.is_dir() else read_subject(path)
    assert isinstance(data, bytes)
    package = read_package(data)
    if errors := errors_of(package.findings):
        raise InvalidMetadata(errors)
    tell(package.findings)
    signature = path.with_name(f"{path.name}.prov")
    return package, Parcel(data, signature.read_bytes() if path.is_file() and signature.is_file() else b"")
