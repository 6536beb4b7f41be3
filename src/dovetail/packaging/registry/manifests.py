"""Manifests: what is made for a package, and what is read of anything that a registry gives.

Reading takes nothing for granted: sizes and digests are those that the blobs must have, and a manifest that does not
say them is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from dovetail.packaging.chart_file import serialised
from dovetail.packaging.manifests import mapping
from dovetail.packaging.package import Package
from dovetail.packaging.registry.errors import UnusableManifest
from dovetail.packaging.registry.references import is_digest

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
PROVENANCE: Final = "application/vnd.cncf.helm.chart.provenance.v1.prov"

ACCEPTED: Final = (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST)
MAX_MANIFEST: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A blob as a manifest names it."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """Its form in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a manifest holds: blobs, or for an index further manifests."""

    media_type: str
    blobs: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...] = ()


@dataclass(frozen=True, slots=True)
class Push:
    """Everything that is uploaded for a package: the blobs, then the manifest."""

    blobs: tuple[tuple[Descriptor, bytes], ...]
    manifest: bytes
    digest: str


def digest_of(data: bytes) -> str:
    """The digest by which a registry knows these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def push_of(package: Package, archive: bytes, provenance: bytes = b"") -> Push:
    """What to upload for a package. The same package gives the same manifest: no time is in it."""
    config = json.dumps(serialised(package.chart.metadata), ensure_ascii=False, sort_keys=True).encode()
    blobs = [(CONFIG, config), (CHART, archive), *([(PROVENANCE, provenance)] if provenance else [])]
    described = [(Descriptor(kind, digest_of(data), len(data)), data) for kind, data in blobs]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described[0][0].as_json(),
        "layers": [descriptor.as_json() for descriptor, _ in described[1:]],
        "annotations": {
            "org.opencontainers.image.title": package.name,
            "org.opencontainers.image.version": package.version,
        },
    }
    data = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode()
    return Push(tuple(described), data, digest_of(data))


def read(data: bytes, where: str) -> Parts:
    """What a manifest or an index names. Raises UnusableManifest."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnusableManifest(where, "its manifest is not JSON") from error
    if not isinstance(value, dict):
        raise UnusableManifest(where, "its manifest is not an object")
    given = cast("dict[str, Any]", value)
    kind = str(given.get("mediaType") or (INDEX if "manifests" in given else MANIFEST))
    if kind not in ACCEPTED:
        raise UnusableManifest(where, f"it is {kind[:80]}, not an image or a package")
    if kind in (INDEX, DOCKER_LIST):
        return Parts(kind, (), tuple(_descriptor(item, where) for item in _list(given, "manifests", where)))
    blobs = [_descriptor(given.get("config"), where)]
    blobs += [_descriptor(item, where) for item in _list(given, "layers", where)]
    return Parts(kind, tuple(blobs))


def platform_of(value: object) -> str:
    """`linux/amd64`: what an index says of a manifest, or an image's configuration of the image."""
    platform = mapping(value)
    return f"{platform.get('os') or 'unknown'}/{platform.get('architecture') or 'unknown'}"


def chart_of(parts: Parts, where: str) -> tuple[Descriptor, Descriptor | None]:
    """The archive of a package and its provenance. Raises UnusableManifest."""
    charts = [blob for blob in parts.blobs if blob.media_type == CHART]
    signatures = [blob for blob in parts.blobs if blob.media_type == PROVENANCE]
    if len(charts) != 1 or len(signatures) > 1:
        raise UnusableManifest(where, "it is not one Helm chart")
    return charts[0], signatures[0] if signatures else None


def _list(given: Mapping[str, Any], name: str, where: str) -> list[Any]:
    value = given.get(name)
    if not isinstance(value, list):
        raise UnusableManifest(where, f"its manifest has no {name}")
    return cast("list[Any]", value)


def _descriptor(value: Any, where: str) -> Descriptor:
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        digest, size = given.get("digest"), given.get("size")
        if isinstance(digest, str) and is_digest(digest) and isinstance(size, int) and size >= 0:
            return Descriptor(str(given.get("mediaType", "")), digest, size)
    raise UnusableManifest(where, "its manifest names a blob without digest and size")
