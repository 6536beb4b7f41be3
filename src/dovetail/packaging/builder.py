"""Building a package: a source tree in, an archive out, the same bytes every time.

Chart.yaml is generated from extension.yaml with the icon carried inside, the files that `.helmignore` names stay out,
and the chart is saved in Helm's layout (`chart`, `archive`). Everything that the published tool accepts and an
installer would later reject is refused here, where its author can still do something about it: `Archive.findings` has
what was only doubtful, InvalidMetadata.findings what was wrong.
"""

import hashlib
from dataclasses import dataclass

from dovetail.packaging.archive import DEFAULT_TIME, check_path, write_archive
from dovetail.packaging.chart import VALUES_FILE, Chart, load_chart
from dovetail.packaging.chart_file import CHART_FILE, chart_yaml, checked, metadata_for
from dovetail.packaging.errors import InvalidMetadata, TooLarge, UnreadableTree
from dovetail.packaging.findings import Finding, errors_of
from dovetail.packaging.icon import inline, judge_icon
from dovetail.packaging.ignore import IGNORE_FILE, Rules
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.metadata import METADATA_FILE, ExtensionMetadata, judge, read_metadata
from dovetail.packaging.permissions import PERMISSIONS_FILE, read_permissions
from dovetail.packaging.tree import Tree
from dovetail.packaging.yaml11 import load


@dataclass(frozen=True, slots=True)
class Archive:
    """A built package: its file name (`greeter-0.1.0.tgz`), its bytes, and their SHA-256 in hex."""

    name: str
    data: bytes
    digest: str
    metadata: ExtensionMetadata
    members: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


def build(tree: Tree, *, time: int = DEFAULT_TIME) -> Archive:
    """Build the package of a source tree. `time` (seconds since 1970) is given to every member.

    Raises PackagingError; its sentence says what to correct.
    """
    if METADATA_FILE not in tree.files:
        fix = f"Give the directory that holds {METADATA_FILE}"
        raise UnreadableTree(tree.name or "the directory", f"{METADATA_FILE} is missing", fix)
    rules = Rules.parse(tree.files.get(IGNORE_FILE, b"").decode("utf-8-sig", "replace"))
    files = {path: data for path, data in tree.files.items() if not rules.ignores_file(path)}
    metadata, findings = _metadata(tree, files)
    icon = inline(metadata.icon, tree.files) or ""
    generated = checked(metadata_for(metadata, icon), METADATA_FILE)
    chart = load_chart({**files, CHART_FILE: chart_yaml(generated)}, metadata.name)
    return _archive(chart, metadata, (*findings, *_chart_findings(chart, metadata)), time)


def _metadata(tree: Tree, files: dict[str, bytes]) -> tuple[ExtensionMetadata, tuple[Finding, ...]]:
    reading = read_metadata(tree.files[METADATA_FILE])
    permissions = read_permissions(files.get(PERMISSIONS_FILE, b""))
    load(files.get(VALUES_FILE, b""), VALUES_FILE)
    findings = (*judge(reading), *judge_icon(reading.metadata.icon, tree.files), *permissions.findings)
    if errors := errors_of(findings):
        raise InvalidMetadata(errors)
    return reading.metadata, findings


def _chart_findings(chart: Chart, metadata: ExtensionMetadata) -> tuple[Finding, ...]:
    """Sub-charts that are there and not declared are always installed; declared and not there, Helm refuses."""
    present = {sub.name for sub in chart.charts}
    declared = {dependency.name for dependency in metadata.dependencies}
    missing = sorted(declared - present)
    if missing:
        message = f"the dependency {missing[0]} is not in charts/"
        fix = "Add its chart to charts/, or remove it from dependencies"
        raise InvalidMetadata(
            [Finding(code="dependency-missing", severity="error", place=METADATA_FILE, message=message, fix=fix)]
        )
    fix = "Declare it with the tag extension or agent"
    return tuple(
        Finding(
            code="sub-chart-undeclared",
            severity="warning",
            place=f"charts/{name}",
            message=f"the sub-chart {name} is not declared and is installed everywhere",
            fix=fix,
        )
        for name in sorted(present - declared)
    )


def _archive(chart: Chart, metadata: ExtensionMetadata, findings: tuple[Finding, ...], time: int) -> Archive:
    members = list(chart.members())
    for path, _ in members:
        check_path(path)
    data = write_archive(members, time)
    name = f"{metadata.name}-{metadata.version}.tgz"
    if len(data) > MAX_ARCHIVE:
        raise TooLarge(name, len(data), MAX_ARCHIVE, f"List what is not needed in {IGNORE_FILE}")
    digest = hashlib.sha256(data).hexdigest()
    return Archive(name, data, digest, metadata, tuple(path for path, _ in members), findings)
