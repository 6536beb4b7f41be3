"""Values of the bundle store: what is served (`File`), what is not and why (`Missing`), and for whom (`Outcome`)."""

import base64
import gzip
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from dovetail.apis.dialects import Backend, JSBundle

JAVASCRIPT: Final = "application/javascript; charset=utf-8"
MAX_FILE: Final = 16 << 20
"""The largest file that is taken from anywhere, in bytes."""

_WORTH_COMPRESSING: Final = 1024


@dataclass(frozen=True, slots=True, order=True)
class BundleId:
    """Which JSBundle: both groups have the kind, so the name alone is not enough."""

    group: str
    name: str


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """A key of one ConfigMap or Secret."""

    kind: str
    namespace: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Source = bytes | ObjectRef | Backend
"""Where bytes come from: given in place, from an object of the cluster, from a backend."""


@dataclass(frozen=True, slots=True)
class Part:
    """One public path of a bundle."""

    link: str
    source: Source
    media_type: str
    digest: str = ""
    """The sha256 that the bytes must have; empty for any."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a JSBundle asks for. `main` is the JavaScript; `assets` are its style sheet, if any, and further files."""

    id: BundleId
    bundle: JSBundle
    main: Part
    assets: tuple[Part, ...] = ()
    style_link: str = ""

    @property
    def links(self) -> tuple[str, ...]:
        return (self.main.link, *(asset.link for asset in self.assets))


@dataclass(frozen=True, slots=True)
class File:
    """Bytes as they are sent. `sha256` is hexadecimal; `integrity` is for the browser's subresource integrity."""

    content: bytes
    media_type: str
    sha256: str
    integrity: str
    compressed: bytes | None = field(repr=False, default=None)

    @property
    def etag(self) -> str:
        return f'"sha256-{self.sha256[:32]}"'


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there are no bytes: a word for machines and a sentence that says what to do."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan: for each public path a file or the reason why there is none."""

    plan: Plan
    parts: dict[str, File | Missing]

    @property
    def main(self) -> File | Missing:
        return self.parts[self.plan.main.link]


def make_file(content: bytes, media_type: str) -> File:
    """Digest and compress once, for all the times that it is sent."""
    compressed = gzip.compress(content, 6, mtime=0) if len(content) >= _WORTH_COMPRESSING else None
    return File(
        content=content,
        media_type=media_type,
        sha256=hashlib.sha256(content).hexdigest(),
        integrity="sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode(),
        compressed=compressed,
    )


ForeignObject = dict[str, Any]
