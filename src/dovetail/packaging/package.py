"""A package: an extension as it lies in an archive or a directory, read and understood.

`read_package` is for whoever gets a package (the lifecycle, `ksbuilder publish`): it refuses what cannot be trusted or
installed at all (a broken or hostile archive, unreadable metadata or permissions, a name that does not match) and is
lenient about the rest, telling it as findings. `read_tree` does the same for a tree whose bytes were read already.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from dovetail.packaging import names
from dovetail.packaging.archive import read_archive
from dovetail.packaging.chart import VALUES_FILE, Chart, load_chart
from dovetail.packaging.chart_file import CHART_FILE, ChartMetadata
from dovetail.packaging.errors import InvalidMetadata, InvalidVersion
from dovetail.packaging.findings import Finding
from dovetail.packaging.icon import inline, judge_icon
from dovetail.packaging.metadata import METADATA_FILE, Dependency, ExtensionMetadata, Reading, judge, read_metadata
from dovetail.packaging.permissions import PERMISSIONS_FILE, Permissions, read_permissions
from dovetail.packaging.tree import Tree
from dovetail.packaging.versions import Version
from dovetail.packaging.yaml11 import Document, load

_FATAL_IN_PACKAGES: Final = frozenset({"wrong-type"})


@dataclass(frozen=True, slots=True)
class Package:
    """One version of an extension. `digest` is the SHA-256 of the archive in hex, empty for a directory."""

    metadata: ExtensionMetadata
    permissions: Permissions
    files: Mapping[str, bytes]
    """Every file below the root, by path, `Chart.yaml` included."""
    chart: Chart
    icon: str
    """A URL, a data URI, or empty."""
    digest: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """The extension's name."""
        return self.metadata.name

    @property
    def version(self) -> str:
        """The version as written."""
        return self.metadata.version

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """The sub-charts as declared, with their tags and conditions."""
        return self.metadata.dependencies

    @property
    def values(self) -> str:
        """The default configuration, YAML text; empty if there is none."""
        return self.files.get(VALUES_FILE, b"").decode("utf-8", "replace")


def read_package(data: bytes) -> Package:
    """Read a .tgz. Raises PackagingError with a reason for anything that must not be installed."""
    package = read_tree(read_archive(data))
    return Package(
        metadata=package.metadata,
        permissions=package.permissions,
        files=package.files,
        chart=package.chart,
        icon=package.icon,
        digest=hashlib.sha256(data).hexdigest(),
        findings=package.findings,
    )


def read_tree(tree: Tree) -> Package:
    """Read the files of a packed extension. Raises PackagingError."""
    chart = load_chart(tree.files, tree.name)
    reading = _read_metadata(tree.files, chart.metadata)
    findings = judge(reading)
    fatal = (*_mismatches(reading, chart.metadata, tree.name), *(f for f in findings if f.code in _FATAL_IN_PACKAGES))
    if fatal:
        raise InvalidMetadata(fatal)
    metadata = reading.metadata
    permissions = read_permissions(tree.files.get(PERMISSIONS_FILE, b""))
    icon = inline(metadata.icon, tree.files) or ""
    noticed = (*findings, *judge_icon(metadata.icon, tree.files), *permissions.findings)
    return Package(metadata, permissions, tree.files, chart, icon, findings=noticed)


def _read_metadata(files: Mapping[str, bytes], chart: ChartMetadata) -> Reading:
    if METADATA_FILE in files:
        return read_metadata(files[METADATA_FILE])
    fix = f"Add {METADATA_FILE}"
    message = f"there is no {METADATA_FILE}; the chart's own metadata counts"
    finding = Finding(code="metadata-missing", severity="warning", place=CHART_FILE, message=message, fix=fix)
    return Reading(metadata_of_chart(chart), Document(None), (finding,))


def metadata_of_chart(chart: ChartMetadata) -> ExtensionMetadata:
    """The oldest packages say everything in Chart.yaml, some of it in annotations `kubesphere.io/...`."""
    notes = chart.annotations
    maintainer = chart.maintainers[0] if chart.maintainers else None
    return ExtensionMetadata(
        api_version=chart.api_version,
        name=chart.name,
        version=chart.version,
        display_name=_locales(notes.get("kubesphere.io/display-name", "") or chart.name),
        description={"en": chart.description} if chart.description else {},
        keywords=chart.keywords,
        home=chart.home,
        sources=chart.sources,
        kube_version=chart.kube_version,
        ks_version=notes.get("kubesphere.io/ks-version", ""),
        maintainers=chart.maintainers,
        provider=msgspec.convert({"en": msgspec.to_builtins(maintainer)} if maintainer else {}, _PROVIDERS),
        icon=chart.icon,
        dependencies=chart.dependencies,
        installation_mode=notes.get("kubesphere.io/installation-mode", "HostOnly"),
        annotations=notes,
    )


_PROVIDERS: Final = ExtensionMetadata.__annotations__["provider"]


def _locales(text: str) -> dict[str, str]:
    """A text, or a YAML mapping of language codes to texts."""
    value = load(text.encode(), CHART_FILE).value
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return {"en": text}


def _mismatches(reading: Reading, chart: ChartMetadata, root: str) -> list[Finding]:
    """What makes a package impossible to install: one archive must be one version of one extension."""
    metadata = reading.metadata
    found: list[Finding] = []

    def refuse(code: str, message: str, fix: str) -> None:
        found.append(Finding(code=code, severity="error", place=METADATA_FILE, message=message, fix=fix))

    if not names.is_subdomain(metadata.name):
        refuse("name-invalid", f"{metadata.name!r} cannot be an extension's name", f"Use {names.STRICT_NAME_RULE}")
    elif (metadata.name, metadata.version) != (chart.name, chart.version):
        both = f"{metadata.name} {metadata.version} here, {chart.name} {chart.version} in {CHART_FILE}"
        refuse("identity-mismatch", f"the package has two identities: {both}", "Build the package again with ksbuilder")
    elif root and root != metadata.name:
        refuse("root-mismatch", f"the archive's folder is {root}, not {metadata.name}", "Build it again with ksbuilder")
    try:
        Version.parse(metadata.version)
    except InvalidVersion:
        refuse("version-invalid", f"{metadata.version!r} is not a semantic version", "Write MAJOR.MINOR.PATCH")
    return found
