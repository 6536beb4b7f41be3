"""A chart whose rendering is already done.

Every object of an extension must carry the extension's label, whatever template it comes from. The Helm SDK can only do
that with a post-renderer plugin: an executable that Helm starts for each operation and that sends all objects through a
third YAML library. Instead the chart is rendered once, the labels are written in, and the result becomes a chart of
its own: same name, version and values, its templates the finished text. Helm then installs *that*:

- the label is in the stored manifest, so upgrade, rollback and uninstall all know it, and it is on the object from its
  first moment;
- what was rendered (and can be shown, checked and approved beforehand) is byte for byte what is applied: random values,
  dates and `lookup` are decided once;
- the stored release carries no static files that were only there to be templated into ConfigMaps, and no second copy of
  disabled sub-charts.

CRDs under `crds/` are passed through unlabelled: Helm never deletes them, and neither does an uninstall of ours.
Pure: rendered text in, archive bytes out.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dovetail.helm.labelling import label_manifest

_NOTES = "templates/NOTES.txt"


@dataclass(frozen=True)
class RenderedChart:
    """A chart after rendering: `manifests` maps a template's path (`<chart>/templates/x.yaml`) to its text."""

    metadata: Mapping[str, Any]
    values: Mapping[str, Any]
    manifests: Mapping[str, str]
    crds: tuple[tuple[str, str], ...] = ()
    """(path, text) of the `crds/` of all enabled charts."""

    @property
    def name(self) -> str:
        return str(self.metadata["name"])


def labelled(chart: RenderedChart, labels: Mapping[str, str]) -> RenderedChart:
    """The same with `labels` on every object. Raises UnlabellableDocument."""
    manifests = {
        path: text if path.endswith("NOTES.txt") else label_manifest(text, labels, path)
        for path, text in chart.manifests.items()
    }
    return RenderedChart(chart.metadata, chart.values, manifests, chart.crds)


def archive(chart: RenderedChart) -> bytes:
    """The chart as a .tgz, barely compressed: it only crosses a function call."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for path, text in _files(chart):
            data = text.encode()
            member = tarfile.TarInfo(f"{chart.name}/{path}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _files(chart: RenderedChart) -> Iterable[tuple[str, str]]:
    # The sub-charts are inside the finished text: a dependency still declared would be looked for and missed.
    metadata = {key: value for key, value in chart.metadata.items() if key != "dependencies"}
    yield "Chart.yaml", json.dumps(metadata)
    yield "values.yaml", json.dumps(dict(chart.values))
    for index, text in enumerate(dict.fromkeys(text for _, text in chart.crds)):
        yield f"crds/{index:03}.yaml", text
    for path, text in chart.manifests.items():
        inner = path.removeprefix(f"{chart.name}/")
        if not text.strip() or (path.endswith("NOTES.txt") and inner != _NOTES):
            continue
        yield inner if inner.startswith("templates/") else f"templates/{inner}", _literal(text)


def _literal(text: str) -> str:
    """Text as a template that renders to it."""
    return text.replace("{{", "{{`{{`}}")
