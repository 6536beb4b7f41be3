"""What a bundle says about itself: bundle.json as a value."""

import hashlib
from typing import Final

import msgspec

from dovetail.packaging.bundling.errors import DamagedBundle

CONTENTS: Final = "bundle.json"
SEAL: Final = "bundle.json.sha256"
FORMAT: Final = "dovetail.dev/bundle/v1"
MAX_CONTENTS: Final = 32 << 20


class File(msgspec.Struct, frozen=True):
    """A member."""

    path: str
    size: int
    sha256: str


class PackageEntry(msgspec.Struct, frozen=True):
    """A package, and the images that it runs, by the names that it uses."""

    name: str
    version: str
    file: str
    images: tuple[str, ...] = ()
    signed: bool = False


class ImageEntry(msgspec.Struct, frozen=True):
    """An image by its full name, and the digest of its manifest in the layout."""

    name: str
    digest: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is in a bundle, in order."""

    format: str = FORMAT
    packages: tuple[PackageEntry, ...] = ()
    images: tuple[ImageEntry, ...] = ()
    files: tuple[File, ...] = ()
    with_images: bool = True
    """False if the images were left out on purpose, because the site has them."""


def encode(contents: Contents) -> bytes:
    """bundle.json."""
    return msgspec.json.format(msgspec.json.encode(contents), indent=1) + b"\n"


def seal(data: bytes) -> bytes:
    """The line that says what bundle.json must be, as `sha256sum` writes it."""
    return f"{hashlib.sha256(data).hexdigest()}  {CONTENTS}\n".encode()


def decode(data: bytes) -> Contents:
    """Raises DamagedBundle."""
    try:
        contents = msgspec.json.decode(data, type=Contents)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedBundle(CONTENTS, "it cannot be read") from error
    if contents.format != FORMAT:
        raise DamagedBundle(CONTENTS, f"it is in the format {contents.format[:40]!r}, which this version does not know")
    return contents
