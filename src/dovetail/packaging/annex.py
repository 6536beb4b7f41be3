"""The annex of a package: which images it runs, by digest, and a bill of materials.

    NAME-VERSION.images.json      every image with what uses it, its digest and its platforms as far as they are known
    NAME-VERSION.sbom.json        CycloneDX 1.6: the package, its charts, its images, its bundles

Both lie beside the archive, not in it: the archive stays the one that the published tool would make. The same package
and the same facts give the same bytes; nothing but `time` depends on when.
"""

import datetime
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from dovetail.packaging.chart import Chart
from dovetail.packaging.images import Image, UsedImage, parse_image
from dovetail.packaging.package import Package

SPECIFICATION: Final = "1.6"
_NAMESPACE: Final = uuid.UUID("6b7c1d0e-8f0d-5a4f-9d53-64cf3c1f4f2a")


class ImageFacts(NamedTuple):
    """What a registry says of an image. `refusal` is why it says nothing; `absent`: there is no such image."""

    digest: str = ""
    platforms: tuple[str, ...] = ()
    absent: bool = False
    refusal: str = ""


def image_list(package: Package, used: Iterable[UsedImage], facts: Mapping[str, ImageFacts]) -> dict[str, Any]:
    """The images of a package: those that its objects use, and those that extension.yaml lists."""
    owners: dict[str, list[str]] = {text: [] for text in package.metadata.images}
    for image in used:
        owners.setdefault(image.text, []).append(image.owner)
    entries = [_entry(text, owners[text], facts.get(text, ImageFacts())) for text in sorted(owners)]
    return {
        "package": package.name,
        "version": package.version,
        "digest": f"sha256:{package.digest}",
        "images": entries,
    }


def _entry(text: str, owners: list[str], facts: ImageFacts) -> dict[str, Any]:
    parsed = parse_image(text)
    digest = (parsed.digest if parsed else "") or facts.digest
    entry: dict[str, Any] = {"image": str(parsed or text), "digest": digest, "usedBy": sorted(set(owners))}
    return {**entry, "platforms": list(facts.platforms)} if facts.platforms else entry


def sbom(package: Package, images: Mapping[str, Any], version: str, time: int) -> dict[str, Any]:
    """A CycloneDX bill of materials. `images` is `image_list`'s, `version` the tool's, `time` in seconds since 1970."""
    top = {**_chart(package.chart, "package"), "hashes": [{"alg": "SHA-256", "content": package.digest}]}
    charts = [_chart(chart, reference) for reference, chart in _charts(package.chart, "package")]
    components = [*charts, *map(_image, images["images"]), *_bundles(package)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, package.digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat(),
            "tools": {"components": [{"type": "application", "name": "ksbuilder", "version": version}]},
            "component": top,
        },
        "components": components,
        "dependencies": [
            {"ref": "package", "dependsOn": sorted(str(component["bom-ref"]) for component in components)}
        ],
    }


def as_file(value: Mapping[str, Any]) -> bytes:
    """The bytes of an annex."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _charts(chart: Chart, prefix: str) -> Iterator[tuple[str, Chart]]:
    for sub in sorted(chart.charts, key=lambda one: one.name):
        yield f"{prefix}/{sub.name}", sub
        yield from _charts(sub, f"{prefix}/{sub.name}")


def _chart(chart: Chart, reference: str) -> dict[str, Any]:
    metadata = chart.metadata
    component: dict[str, Any] = {
        "type": "application",
        "bom-ref": reference,
        "name": metadata.name,
        "version": metadata.version,
        "purl": f"pkg:helm/{quote(metadata.name)}@{quote(metadata.version)}",
    }
    if metadata.description:
        component["description"] = metadata.description
    if licence := metadata.annotations.get("artifacthub.io/license") or metadata.annotations.get("licenses"):
        component["licenses"] = [{"license": {"name": licence}}]
    links = [("website", metadata.home), *(("vcs", source) for source in metadata.sources)]
    if references := [{"type": kind, "url": url} for kind, url in links if url]:
        component["externalReferences"] = references
    return component


def _image(entry: Mapping[str, Any]) -> dict[str, Any]:
    text, digest = str(entry["image"]), str(entry["digest"])
    image = parse_image(text) or Image("", text)
    component: dict[str, Any] = {"type": "container", "bom-ref": f"image:{text}", "name": image.repository}
    if image.tag:
        component["version"] = image.tag
    short = image.repository.rpartition("/")[2]
    where = f"?repository_url={quote(f'{image.registry}/{image.repository}', safe='')}"
    tag = f"&tag={quote(image.tag)}" if image.tag else ""
    component["purl"] = f"pkg:oci/{short}{'@' + quote(digest, safe='') if digest else ''}{where}{tag}"
    if digest.startswith("sha256:"):
        component["hashes"] = [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}]
    return component


def _bundles(package: Package) -> Iterator[dict[str, Any]]:
    for path, data in sorted(package.files.items()):
        if path.endswith(".js") and "/templates/" not in path:
            content = hashlib.sha256(data).hexdigest()
            yield {
                "type": "file",
                "bom-ref": f"file:{path}",
                "name": path,
                "hashes": [{"alg": "SHA-256", "content": content}],
            }
