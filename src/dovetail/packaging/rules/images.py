"""Rules about images: pinned, listed in extension.yaml, and led by the platform's settings."""

from collections.abc import Iterator
from typing import Final

from dovetail.packaging.examined import PROBE_NODES, PROBE_REGISTRY, Examined
from dovetail.packaging.findings import Finding, note, warning
from dovetail.packaging.images import UsedImage, images_of, parse_image
from dovetail.packaging.manifests import RenderedObject, mapping, pod_spec

_NODES: Final = next(iter(PROBE_NODES))


def _used(examined: Examined) -> dict[str, UsedImage]:
    """The images of all views by their text, with the first place."""
    used: dict[str, UsedImage] = {}
    for image in images_of(examined.objects):
        used.setdefault(image.text, image)
    return used


def names(examined: Examined) -> Iterator[Finding]:
    """An image without a version runs something else tomorrow."""
    tagged: list[str] = []
    for text, image in _used(examined).items():
        parsed = parse_image(text)
        if parsed is None:
            yield warning("image-invalid", image.place, f"{text!r} of {image.owner} is no image's name", "Correct it")
        elif not parsed.digest and parsed.tag in ("", "latest"):
            what = "the tag latest" if parsed.tag else "no tag"
            message = f"{text} of {image.owner} has {what}"
            yield warning("image-unpinned", image.place, message, "Give the version as the tag, or the digest")
        elif not parsed.digest:
            tagged.append(text)
    if tagged:
        which = tagged[0] if len(tagged) == 1 else f"{tagged[0]} and {len(tagged) - 1} more"
        message = f"a tag, which can be moved, is all that names {which}"
        yield note("image-without-digest", examined.at("images"), message, "Add @sha256:... where you can")


def listed(examined: Examined) -> Iterator[Finding]:
    """`images` in extension.yaml is what mirrors and bundles are made from."""
    if not examined.views or any(view.findings for view in examined.views):
        return
    used = _used(examined)
    declared = {parse_image(text) or text: at for at, text in enumerate(examined.package.metadata.images)}
    if used and not declared:
        message = f"extension.yaml lists no images, and {len(used)} are used"
        yield warning(
            "images-missing", examined.at("images"), message, "Add images, as `ksbuilder package --annex` lists"
        )
        return
    names_in_use = {parse_image(text) or text for text in used}
    for text, image in used.items():
        if (parse_image(text) or text) not in declared:
            message = f"{text} of {image.owner} is not listed in extension.yaml"
            yield warning("image-not-declared", image.place, message, "Add it to images")
    for name, at in declared.items():
        if name not in names_in_use and not _mentioned(examined, examined.package.metadata.images[at]):
            message = f"no object uses {examined.package.metadata.images[at]}"
            yield note("image-not-used", examined.at("images", at), message, "Correct or remove it")


def _mentioned(examined: Examined, text: str) -> bool:
    """Whether an object names the image anywhere: operators get theirs as arguments and variables."""
    short = text.removeprefix("docker.io/").removeprefix("library/")
    return any(short in obj.text for obj in examined.objects)


def registry(examined: Examined) -> Iterator[Finding]:
    """Every image must follow `global.imageRegistry`."""
    for view in examined.views:
        ignoring = [one for one in images_of(view.probed or ()) if PROBE_REGISTRY not in one.text]
        if ignoring:
            owners = ", ".join(dict.fromkeys(one.owner for one in ignoring))
            fix = "Put {{ .Values.global.imageRegistry }} in front of the image"
            message = f"global.imageRegistry is ignored by {owners}"
            yield warning("image-registry-ignored", ignoring[0].place, message, fix)


def nodes(examined: Examined) -> Iterator[Finding]:
    """Every pod must follow `global.nodeSelector`. DaemonSets are asked, too: their nodes are chosen the same way."""
    for view in examined.views:
        ignoring = [obj for obj in view.probed or () if pod_spec(obj) and not _follows(obj)]
        if ignoring:
            owners = ", ".join(obj.title for obj in ignoring)
            message = f"global.nodeSelector is ignored by {owners}"
            fix = "Merge .Values.global.nodeSelector into the pods' nodeSelector"
            yield warning("node-selector-ignored", ignoring[0].place, message, fix)


def _follows(obj: RenderedObject) -> bool:
    return mapping(pod_spec(obj).get("nodeSelector")).get(_NODES) == PROBE_NODES[_NODES]
