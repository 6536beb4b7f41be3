"""Making a bundle: sources of bytes in, one archive out.

What the bundle will say about itself comes first in it, so everything is gathered (and its digests known) before the
first byte is written. The same packages and images give the same bundle, byte for byte.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from dovetail.packaging.bundling.contents import CONTENTS, SEAL, Contents, File, ImageEntry, PackageEntry, encode, seal
from dovetail.packaging.bundling.members import write_end, write_member
from dovetail.packaging.bundling.verifying import INDEX, LAYOUT, blob_path
from dovetail.packaging.index import build_index
from dovetail.packaging.package import Package
from dovetail.packaging.registry.manifests import INDEX as INDEX_TYPE
from dovetail.packaging.registry.manifests import Descriptor

_TIME: Final = "1980-01-01T00:00:00Z"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Boxed:
    """A package that goes into a bundle, with the images that it runs by their full names."""

    package: Package
    archive: bytes
    provenance: bytes = b""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """Gathered images: their manifests by full name, and the blobs, manifests included, as files by digest."""

    images: Mapping[str, Descriptor]
    blobs: Mapping[str, Path]


def make(out: BinaryIO, boxes: Sequence[Boxed], layout: Layout, *, with_images: bool = True) -> Contents:
    """Write a bundle; what is in it. Without `with_images` it says that the site has those that it lacks."""
    files = {**_charts(boxes), **(_layout(layout) if layout.images else {})}
    listed = [File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()]
    blobs = sorted(layout.blobs.items())
    listed += [File(blob_path(digest), path.stat().st_size, digest.removeprefix("sha256:")) for digest, path in blobs]
    contents = Contents(
        packages=tuple(_entry(box) for box in boxes),
        images=tuple(ImageEntry(name, one.digest) for name, one in sorted(layout.images.items())),
        files=tuple(listed),
        with_images=with_images,
    )
    data = encode(contents)
    for path, content in {CONTENTS: data, SEAL: seal(data), **files}.items():
        write_member(out, path, len(content), [content])
    for digest, path in blobs:
        write_member(out, blob_path(digest), path.stat().st_size, _read(path))
    write_end(out)
    return contents


def _charts(boxes: Sequence[Boxed]) -> dict[str, bytes]:
    index = build_index([box.package for box in boxes], _TIME, "charts")
    files = {INDEX: index}
    for box in boxes:
        name = _file(box)
        files[name] = box.archive
        if box.provenance:
            files[f"{name}.prov"] = box.provenance
    return files


def _layout(layout: Layout) -> dict[str, bytes]:
    manifests = [
        {**one.as_json(), "annotations": {"org.opencontainers.image.ref.name": name}}
        for name, one in sorted(layout.images.items())
    ]
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests}
    return {
        "images/oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        LAYOUT: json.dumps(index, separators=(",", ":")).encode(),
    }


def _entry(box: Boxed) -> PackageEntry:
    return PackageEntry(box.package.name, box.package.version, _file(box), box.images, bool(box.provenance))


def _file(box: Boxed) -> str:
    return f"charts/{box.package.name}-{box.package.version}.tgz"


def _read(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
