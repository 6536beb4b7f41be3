"""Rendering for a preview: twice, nothing created, `lookup` answered as the account that will install if that is there.

The account exists once the extension is installed; it answers as the install would if it holds what the new version
declares. Before, whoever asks for the preview is asked instead, which the plan says. Where nothing in the package looks
anything up, the cluster is not asked at all.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from dovetail.apis import labels
from dovetail.helm import Connection, HelmWorker, Render, Values
from dovetail.helm import Rendering as Rendered
from dovetail.helm.expecting import expected, leaves
from dovetail.lifecycle.preview.world import HOOK, Answered, Rendering
from dovetail.packaging.manifests import ManifestReader, RenderedObject

if TYPE_CHECKING:
    from dovetail.packaging.package import Package

_LOOKUP: Final = re.compile(rb"\blookup\b")
_CLOCK: Final = re.compile(rb"\b(now|date|ago|htmlDate|dateInZone)\b")
_A_SECOND: Final = 1.05
"""Two renderings on different seconds: what shows the time differs."""


@dataclass(frozen=True)
class Recipe:
    """Everything that a rendering is made from but who answers `lookup`."""

    extension: str
    chart: bytes
    namespace: str
    values: Values
    revision: int
    kube_version: str
    api_versions: tuple[str, ...]

    def operation(self, connection: Connection | None) -> Render:
        return Render(
            release=self.extension,
            chart=self.chart,
            namespace=self.namespace,
            values=self.values,
            object_labels={labels.EXTENSION_REF: self.extension},
            connection=connection,
            revision=self.revision,
            kube_version=self.kube_version,
            api_versions=self.api_versions,
        )


def looks_up(package: "Package", config: str) -> bool:
    """Whether templates, or values that are templates, may ask the cluster."""
    return _mentions(_LOOKUP, package, config)


async def render(
    helm: HelmWorker, package: "Package", config: str, recipe: Recipe, connection: Connection | None
) -> Rendering:
    """Raises HelmRefused for what does not render."""
    first = await _once(helm, recipe, connection)
    if _mentions(_CLOCK, package, config):
        await asyncio.sleep(_A_SECOND)
    second = await _once(helm, recipe, connection)
    return await asyncio.to_thread(_read, package, first, second)


async def _once(helm: HelmWorker, recipe: Recipe, connection: Connection | None) -> Rendered:
    return msgspec.convert(await helm.call(recipe.operation(connection)), Rendered)


def _read(package: "Package", first: Rendered, second: Rendered) -> Rendering:
    reader = ManifestReader(package.files, package.name)
    objects, _ = reader.objects(first.manifests)
    again, _ = reader.objects(second.manifests)
    crds, _ = reader.objects(dict(first.crds))
    found = leaves(first.manifests, first.crds)
    other = found if first == second else leaves(second.manifests, second.crds)
    return Rendering(
        objects=tuple(_without_hooks(objects)),
        hooks=tuple(obj for obj in objects if HOOK in obj.annotations),
        crds=tuple(crds),
        again=tuple(_without_hooks(again)),
        expected=expected(found, other),
    )


def _without_hooks(objects: Iterable[RenderedObject]) -> Iterable[RenderedObject]:
    return (obj for obj in objects if HOOK not in obj.annotations)


def answered(connection: Connection | None, account: str, asker: str) -> Answered:
    """Who answered, for people."""
    if connection is None:
        return Answered()
    own = connection.user == account
    return Answered(by=account if own else asker, as_account=own, used=True)


def _mentions(what: re.Pattern[bytes], package: "Package", config: str) -> bool:
    files: Mapping[str, bytes] = package.files
    texts = (data for path, data in files.items() if "templates/" in path or path.endswith(("values.yaml", ".tpl")))
    return bool(what.search(config.encode())) or any(what.search(data) for data in texts)
