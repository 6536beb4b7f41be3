"""Asking registries for the images of an extension: whether they exist, for which machines, and their digests.

Registries are asked side by side, a few at a time, each image once. What a registry says is judged by pure functions
(`dovetail.packaging.annex`); here is only the asking. Credentials are those of `ksbuilder login`.
"""

import asyncio
import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from dovetail.cli.ksbuilder.oci import Registry
from dovetail.packaging.annex import ImageFacts
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, note, warning
from dovetail.packaging.images import images_of
from dovetail.packaging.manifests import items, mapping
from dovetail.packaging.registry import manifests
from dovetail.packaging.registry.errors import RegistryRefused, UnusableManifest
from dovetail.packaging.registry.references import Reference, parse_image

WANTED: Final = ("linux/amd64", "linux/arm64")
_AT_ONCE: Final = 6
_MOST: Final = 1 << 20


async def ask_registries(examined: Examined) -> list[Finding]:
    """What registries say about the images that the objects use and that extension.yaml lists."""
    places = {image.text: image.place for image in reversed(images_of(examined.objects))}
    for at, text in enumerate(examined.package.metadata.images):
        places.setdefault(text, examined.at("images", at))
    facts = await facts_of(places)
    return [finding for text, place in places.items() for finding in _judge(text, place, facts[text])]


def _judge(text: str, place: str, facts: ImageFacts) -> Iterable[Finding]:
    if facts.absent:
        yield error("image-not-found", place, f"the registry has no {text}", "Push the image, or correct its name")
    elif facts.refusal:
        yield note("image-not-asked", place, f"{text} could not be asked for: {facts.refusal}", "Check the network")
    elif missing := [platform for platform in WANTED if platform not in facts.platforms]:
        message = f"{text} is built for {', '.join(facts.platforms) or 'no machine'}, not for {', '.join(missing)}"
        yield warning("image-architecture-missing", place, message, "Build it for linux/amd64 and linux/arm64")


async def facts_of(images: Iterable[str]) -> dict[str, ImageFacts]:
    """What the registries say, image by image. Never raises for what a registry says."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(text: str) -> tuple[str, ImageFacts]:
        async with gate:
            return text, await _facts(text)

    return dict(await asyncio.gather(*(ask(text) for text in dict.fromkeys(images))))


async def _facts(text: str) -> ImageFacts:
    try:
        reference = parse_image(text)
        async with Registry(reference) as registry:
            data, digest = await registry.manifest(reference)
            return ImageFacts(digest=digest, platforms=tuple(await _platforms(registry, reference, data)))
    except RegistryRefused as refused:
        return ImageFacts(absent=refused.status == HTTPStatus.NOT_FOUND, refusal=_first_sentence(refused))
    except PackagingError as refused:
        return ImageFacts(refusal=_first_sentence(refused))


def _first_sentence(refused: Exception) -> str:
    return str(refused).partition(". ")[0].rstrip(".")


async def _platforms(registry: Registry, reference: Reference, data: bytes) -> list[str]:
    """`linux/amd64`, ... of an index, or the one of a single image, which its configuration says."""
    parts = manifests.read(data, str(reference))
    if parts.manifests:
        listed = map(mapping, items(mapping(json.loads(data)).get("manifests")))
        found = [manifests.platform_of(entry.get("platform")) for entry in listed]
        return sorted({platform for platform in found if "unknown" not in platform})
    configuration = await registry.read_blob(reference, parts.blobs[0], _MOST)
    try:
        return [manifests.platform_of(json.loads(configuration))]
    except (ValueError, RecursionError) as error:
        raise UnusableManifest(str(reference), "its configuration is not JSON") from error
