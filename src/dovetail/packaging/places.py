"""Places: in Helm's own messages, and in a source tree whose folders are not named like their charts.

A finding about a rendered object or a template names a path of the package, where every sub-chart lies in a folder of
its own name. In the tree that a package was built from the folder may have another name, or be a .tgz.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from dovetail.packaging.chart_file import CHART_FILE, ChartMetadata, decoded
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.findings import Finding

_PLACE: Final = re.compile(r"([\w@+.-]+(?:/[\w@+. -]+)+\.\w+):(\d+)(?::\d+)?")
_NOISE: Final = re.compile(
    r"^(?:\([\w@+. /-]+\.\w+(?::\d+)+\): |template: |execution error at |error calling \w+: |parse error at )"
)


def place_of_render_error(message: str, chart: str, files: Mapping[str, bytes]) -> tuple[str, str]:
    """(file:line in the package, the reason in one line) of a message such as Helm gives when a template fails.

    The innermost place that is a file of the package counts: that is where the author has to look.
    """
    flat = " ".join(message.split())
    places = [(match[1].removeprefix(f"{chart}/"), match[2]) for match in _PLACE.finditer(flat)]
    known = [(path, line) for path, line in places if path in files]
    place = ":".join(known[-1]) if known else "the package"
    reason = flat.rpartition(">: ")[2] if ">: " in flat else flat
    while _NOISE.match(reason):
        reason = _NOISE.sub("", reason)
    return place, reason[:300].rstrip(".")


def moved_folders(files: Mapping[str, bytes]) -> dict[str, str]:
    """`charts/<name>/` -> `charts/<folder>/` for the direct sub-charts of a tree whose folder has another name."""
    moved: dict[str, str] = {}
    for path, data in files.items():
        parts = path.split("/")
        if len(parts) == 3 and parts[0] == "charts" and parts[2] == CHART_FILE:
            try:
                name = decoded(data, ChartMetadata, path).name
            except PackagingError:
                continue
            if name and name != parts[1]:
                moved[f"charts/{name}/"] = f"charts/{parts[1]}/"
    return moved


def relocated(findings: Iterable[Finding], folders: Mapping[str, str]) -> tuple[Finding, ...]:
    """The findings with places in the tree instead of in the package."""
    return tuple(_relocated(finding, folders) for finding in findings)


def _relocated(finding: Finding, folders: Mapping[str, str]) -> Finding:
    for packed, folder in folders.items():
        if finding.place.startswith(packed):
            return msgspec.structs.replace(finding, place=folder + finding.place.removeprefix(packed))
    return finding
