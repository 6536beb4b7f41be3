"""What a command is about: the extension in a directory or an archive; and how an archive is written."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dovetail.cli.ksbuilder.errors import InvalidEpoch, NotAPackage
from dovetail.packaging.archive import DEFAULT_TIME
from dovetail.packaging.builder import Archive, build
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.tree import Tree, read_directory


def build_directory(directory: Path) -> Archive:
    """Read and build the extension in a directory. Raises PackagingError, InvalidEpoch."""
    return build(read_directory(directory), time=source_date(os.environ.get("SOURCE_DATE_EPOCH", "")))


def source_date(text: str) -> int:
    """The time for an archive's members. Raises InvalidEpoch."""
    if not text:
        return DEFAULT_TIME
    if not (text.isascii() and text.isdigit()) or int(text) >= 8**11:
        raise InvalidEpoch(text)
    return int(text)


def read_subject(path: Path) -> Tree | bytes:
    """A directory's tree, or an archive's bytes. Raises NotAPackage, PackagingError."""
    if path.is_dir():
        return read_directory(path)
    if not path.exists():
        raise NotAPackage(str(path), "there is no such file or directory")
    if not path.is_file():
        raise NotAPackage(str(path), "it is not a file")
    with path.open("rb") as file:
        return file.read(MAX_ARCHIVE + 1)


def write(archive: Archive, destination: Path) -> Path:
    """Write the archive, all of it or nothing, and say where it is."""
    destination.mkdir(parents=True, exist_ok=True)
    return write_whole(destination.resolve() / archive.name, archive.data)


def write_whole(target: Path, data: bytes) -> Path:
    """Write a file, all of it or nothing."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_files(files: Mapping[str, bytes], directory: Path) -> None:
    """Write files by path below a directory."""
    for path, data in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
