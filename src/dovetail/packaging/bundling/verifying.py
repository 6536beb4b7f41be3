"""Proving a bundle: every byte is as it was made, and nothing that an installation needs is missing.

First pass over the file: each member is the one that bundle.json names next, with its size and digest. What the members
say is kept where it is small (the index, the packages, the manifests of images), and then compared: every package is in
the index under its own digest, every image of a package is in the layout, and every blob that an image names is there.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from dovetail.packaging.bundling.contents import CONTENTS, MAX_CONTENTS, SEAL, Contents, PackageEntry, decode, seal
from dovetail.packaging.bundling.errors import DamagedBundle, IncompleteBundle
from dovetail.packaging.bundling.members import read_data, read_header
from dovetail.packaging.manifests import items, mapping
from dovetail.packaging.package import read_package
from dovetail.packaging.registry.manifests import MAX_MANIFEST, read
from dovetail.packaging.registry.references import parse_image
from dovetail.packaging.yaml11 import load

BLOBS: Final = "images/blobs/sha256/"
INDEX: Final = "index.yaml"
LAYOUT: Final = "images/index.json"


class Bundle:
    """A proved bundle: what it says about itself, and its small files."""

    def __init__(self, contents: Contents, files: Mapping[str, bytes]) -> None:
        self.contents, self.files = contents, files


def verify(source: BinaryIO) -> Bundle:
    """Prove a bundle. Raises DamagedBundle, IncompleteBundle, PackagingError."""
    contents = read_contents(source)
    kept: dict[str, bytes] = {}
    for path, chunks in members(source, contents):
        if path.startswith(BLOBS):
            data = _manifest(chunks)
        else:
            data = _small(path, chunks)
        if data:
            kept[path] = data
    _check_packages(contents, kept)
    _check_images(contents, kept)
    return Bundle(contents, kept)


def read_contents(source: BinaryIO) -> Contents:
    """bundle.json, which must be sealed. Raises DamagedBundle."""
    data = _named(source, CONTENTS)
    if _named(source, SEAL) != seal(data):
        raise DamagedBundle(CONTENTS, f"it is not what {SEAL} says")
    return decode(data)


def _named(source: BinaryIO, path: str) -> bytes:
    found = read_header(source, path)
    if found is None or found[0] != path:
        raise DamagedBundle(path, "it is not where it must be; this is no bundle")
    if found[1] > MAX_CONTENTS:
        raise DamagedBundle(path, "it is too large")
    return b"".join(read_data(source, path, found[1]))


def members(source: BinaryIO, contents: Contents) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Every other member with its data, which is compared as it is read. Raises DamagedBundle."""
    before = SEAL
    for file in contents.files:
        found = read_header(source, file.path)
        if found is None or found[0] != file.path:
            raise DamagedBundle(file.path, "it is not where bundle.json says")
        if found[1] != file.size:
            raise DamagedBundle(file.path, f"it has {found[1]:,} bytes, not {file.size:,}")
        if file.path.startswith(BLOBS) and file.path != BLOBS + file.sha256:
            raise DamagedBundle(file.path, "its name is not its digest")
        yield file.path, _compared(read_data(source, file.path, file.size), file.path, file.sha256)
        before = file.path
    if read_header(source, before) is not None:
        raise DamagedBundle(before, "more follows than bundle.json names")


def _compared(chunks: Iterator[bytes], path: str, digest: str) -> Iterator[bytes]:
    """Chunks are given on before the last is known: whoever keeps what came must wait for the end."""
    hashed = hashlib.sha256()
    for chunk in chunks:
        hashed.update(chunk)
        yield chunk
    if hashed.hexdigest() != digest:
        raise DamagedBundle(path, "its bytes are not those that bundle.json names")


def _manifest(chunks: Iterator[bytes]) -> bytes:
    """A blob that may be a manifest; empty for every other. Layers, however small, are not kept."""
    data = bytearray(next(chunks, b""))
    if not data.lstrip().startswith(b"{"):
        data.clear()
    for chunk in chunks:
        if data and len(data) <= MAX_MANIFEST:
            data += chunk
    return bytes(data) if len(data) <= MAX_MANIFEST else b""


def _small(path: str, chunks: Iterator[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_CONTENTS:
            raise DamagedBundle(path, "it is too large")
    return bytes(data)


def _check_packages(contents: Contents, files: Mapping[str, bytes]) -> None:
    """Every package is what its entry says, and in the index under its digest."""
    entries = mapping(mapping(load(files.get(INDEX, b""), INDEX).value).get("entries"))
    for entry in contents.packages:
        if entry.file not in files:
            raise IncompleteBundle(entry.file, f"{entry.name} {entry.version}")
        package = read_package(files[entry.file])
        if (package.name, package.version) != (entry.name, entry.version):
            raise DamagedBundle(entry.file, f"it is {package.name} {package.version}, not what bundle.json says")
        listed = [one for one in map(mapping, items(entries.get(entry.name))) if one.get("version") == entry.version]
        if not listed or listed[0].get("digest") != package.digest:
            raise IncompleteBundle(f"{entry.name} {entry.version} in {INDEX}", "whoever installs from it")
        if entry.signed and f"{entry.file}.prov" not in files:
            raise IncompleteBundle(f"{entry.file}.prov", f"{entry.name} {entry.version}, which is signed,")
        _check_listed(entry, contents, package.metadata.images)


def _check_listed(entry: PackageEntry, contents: Contents, declared: tuple[str, ...]) -> None:
    """Every image that a package runs is one of the bundle's."""
    there = {image.name for image in contents.images}
    for text in (*declared, *entry.images) if contents.with_images else ():
        if str(parse_image(text)) not in there:
            raise IncompleteBundle(f"the image {text}", f"{entry.name} {entry.version}")


def _check_images(contents: Contents, files: Mapping[str, bytes]) -> None:
    """Every image is in the layout with everything that it names."""
    there, seen = {file.path for file in contents.files}, set[str]()
    for image in contents.images:
        _check_manifest(image.digest, image.name, files, there, seen)
    if contents.images:
        listed = {one.digest for one in read(files.get(LAYOUT, b""), LAYOUT).manifests}
        for image in contents.images:
            if image.digest not in listed:
                raise IncompleteBundle(f"{image.digest} in {LAYOUT}", image.name)


def _check_manifest(digest: str, name: str, files: Mapping[str, bytes], there: set[str], seen: set[str]) -> None:
    """A manifest and what it names; one that several images share is looked at once."""
    if digest in seen:
        return
    seen.add(digest)
    path = blob_path(digest)
    if path not in files:
        raise IncompleteBundle(path, name)
    parts = read(files[path], path)
    for blob in parts.blobs:
        if blob_path(blob.digest) not in there:
            raise IncompleteBundle(blob_path(blob.digest), name)
    for manifest in parts.manifests:
        _check_manifest(manifest.digest, name, files, there, seen)


def blob_path(digest: str) -> str:
    """Where a blob lies in the layout."""
    return BLOBS + digest.removeprefix("sha256:")
