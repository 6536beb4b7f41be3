"""Container images: the names that objects use, taken apart as container runtimes do.

    docker.io/library/busybox:1.36        registry, repository, tag, digest
    -> Image("docker.io", "library/busybox", "1.36", "")

`images_of` is the inventory of a rendering: what bundles for air-gapped sites must carry, and what is compared with
`images` in extension.yaml. Images that an operator starts later appear in no manifest; the list in extension.yaml is
for them.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from dovetail.packaging.manifests import RenderedObject, containers, pod_spec

DEFAULT_REGISTRY: Final = "docker.io"
_NAME: Final = re.compile(
    r"(?:(?P<registry>localhost(?::\d+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d+)?|[A-Za-z0-9-]+:\d+)/)?"
    r"(?P<repository>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}))?"
)


class Image(NamedTuple):
    """An image's name in full. `tag` and `digest` are empty if not given."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tail = (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")
        return f"{self.registry}/{self.repository}{tail}"


class UsedImage(NamedTuple):
    """An image in an object, and where."""

    text: str
    owner: str
    place: str


def parse_image(text: str) -> Image | None:
    """The image that a text names; None if it is no image's name."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    registry = match["registry"] or DEFAULT_REGISTRY
    repository = match["repository"]
    if registry in (DEFAULT_REGISTRY, "index.docker.io"):
        registry, repository = DEFAULT_REGISTRY, repository if "/" in repository else f"library/{repository}"
    return Image(registry, repository, match["tag"] or "", match["digest"] or "")


def images_of(objects: Iterable[RenderedObject]) -> tuple[UsedImage, ...]:
    """Every image of every container, in the order of the objects, once for each object."""
    found: dict[UsedImage, None] = {}
    for obj in objects:
        for container in containers(pod_spec(obj)):
            if isinstance(container.get("image"), str):
                found[UsedImage(str(container["image"]), obj.title, obj.place)] = None
    return tuple(found)
