"""Addresses in registries: `oci://host:port/path/name:tag@sha256:...`, and images as containers name them.

A version's `+` (build metadata) is not allowed in a tag; Helm writes `_` for it, and so do we.
"""

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from dovetail.packaging import images
from dovetail.packaging.registry.errors import InvalidReference

SCHEME: Final = "oci://"
_HOST: Final = re.compile(r"(localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(:\d{1,5})?")
_REPOSITORY: Final = re.compile(r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """Something in a registry. `tag` and `digest` may be empty; a digest wins."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.repository.rpartition("/")[2]

    @property
    def target(self) -> str:
        """What a manifest is asked for by."""
        return self.digest or self.tag or "latest"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where registries speak plain HTTP."""
        bare = self.host.rpartition(":")[0] if ":" in self.host else self.host
        return bare in ("localhost", "127.0.0.1", "[::1]")

    def tagged(self, tag: str) -> "Reference":
        """The same repository at another tag."""
        return replace(self, tag=tag, digest="")

    def __str__(self) -> str:
        tail = (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")
        return f"{self.host}/{self.repository}{tail}"


def parse(text: str) -> Reference:
    """An address with its scheme. Raises InvalidReference."""
    if not text.startswith(SCHEME):
        raise InvalidReference(text, f"it does not begin with {SCHEME}")
    return _parse(text.removeprefix(SCHEME).rstrip("/"), text)


def parse_image(text: str) -> Reference:
    """An image as a container names it: without a host it is Docker's. Raises InvalidReference."""
    image = images.parse_image(text)
    if image is None or (image.digest and not is_digest(image.digest)):
        raise InvalidReference(text, "it is no image's name")
    tag = image.tag or ("" if image.digest else "latest")
    return Reference(image.registry, image.repository, tag, image.digest)


def _parse(text: str, whole: str) -> Reference:
    bare, at, digest = text.partition("@")
    host, slash, path = bare.partition("/")
    repository, colon, tag = path.partition(":")
    if not _HOST.fullmatch(host):
        raise InvalidReference(whole, "it names no host")
    if not slash or not _REPOSITORY.fullmatch(repository):
        raise InvalidReference(whole, "it names no repository (lower-case letters, digits, and . _ - between them)")
    if colon and not _TAG.fullmatch(tag):
        raise InvalidReference(whole, f"{tag!r} cannot be a tag")
    if at and not _DIGEST.fullmatch(digest):
        raise InvalidReference(whole, "its digest is not sha256 and 64 hexadecimal digits")
    return Reference(host, repository, tag, digest)


def is_digest(text: str) -> bool:
    """Whether a text is a sha256 digest."""
    return _DIGEST.fullmatch(text) is not None


def tag_of(version: str) -> str:
    """The tag of a version."""
    return version.replace("+", "_")


def version_of(tag: str) -> str:
    """The version that a tag stands for."""
    return tag.replace("_", "+")


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port: what credentials are good for."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port
