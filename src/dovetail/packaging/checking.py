"""Every finding about an extension, instead of the first error.

    check(subject)              what files and metadata say: `validate`
    opened(subject)             the same, with the package itself if it can be built at all
    apply(rules, examined)      findings of more rules, over what the package renders to (`examined`, `rules`)

Nothing here raises for a fault of the extension: what `build` or `read_package` would refuse comes back as an `error`
finding among the others. Rendering is not done here; whoever renders makes the `Examined`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from dovetail.packaging import errors
from dovetail.packaging.archive import DEFAULT_TIME
from dovetail.packaging.builder import build
from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, errors_of, note, ordered, warning
from dovetail.packaging.metadata import METADATA_FILE, judge, read_metadata
from dovetail.packaging.package import Package, read_package
from dovetail.packaging.parts import MAX_CONFIGMAP
from dovetail.packaging.places import moved_folders, relocated
from dovetail.packaging.preflight import preflight
from dovetail.packaging.tree import Tree

if TYPE_CHECKING:
    from dovetail.packaging.rules import Rule

_CODES: Final[Mapping[type[errors.PackagingError], str]] = {
    errors.BrokenArchive: "archive-broken",
    errors.InvalidChart: "chart-invalid",
    errors.InvalidPermissions: "permissions-invalid",
    errors.InvalidYaml: "yaml-invalid",
    errors.TooLarge: "too-large",
    errors.UnreadableTree: "tree-unreadable",
    errors.UnsafeMember: "member-unsafe",
}


class Opened(NamedTuple):
    """What came of a subject: the findings, and the package with its archive unless they forbid it."""

    findings: tuple[Finding, ...]
    package: Package | None = None
    archive: bytes = b""
    folders: Mapping[str, str] = {}
    """Where sub-charts lie in the package -> where they lie in the tree, if that is elsewhere."""


def check(subject: Tree | bytes) -> tuple[Finding, ...]:
    """All findings of a source tree, or of an archive, that need no rendering."""
    return opened(subject).findings


def opened(subject: Tree | bytes, *, time: int = DEFAULT_TIME) -> Opened:
    """Build a tree, or read an archive, and say everything about its files and metadata."""
    from dovetail.packaging.rules import BASIC

    opened = _read(subject) if isinstance(subject, bytes) else _build(subject, time)
    if opened.package is None:
        return Opened(ordered(opened.findings))
    package = opened.package
    more = (*_bundles(package), *_size(opened.archive), *apply(BASIC, Examined(package)))
    return opened._replace(findings=relocated(ordered((*opened.findings, *more)), opened.folders))


def apply(rules: Iterable["Rule"], examined: Examined) -> Iterator[Finding]:
    """The findings of some rules."""
    for rule in rules:
        yield from rule(examined)


def _build(tree: Tree, time: int) -> Opened:
    try:
        archive = build(tree, time=time)
        return Opened(archive.findings, read_package(archive.data), archive.data, moved_folders(tree.files))
    except errors.InvalidMetadata as invalid:
        noticed = judge(read_metadata(tree.files[METADATA_FILE]))
        return Opened((*noticed, *invalid.findings))
    except errors.PackagingError as refused:
        return Opened((finding_of(refused),))


def _read(data: bytes) -> Opened:
    try:
        package = read_package(data)
    except errors.InvalidMetadata as invalid:
        return Opened(invalid.findings)
    except errors.PackagingError as refused:
        return Opened((finding_of(refused),))
    return Opened(package.findings, None if errors_of(package.findings) else package, data)


def finding_of(refused: errors.PackagingError) -> Finding:
    """An error as a finding. Every error's sentence ends with its way out."""
    sentence = str(refused).rstrip(".")
    message, _, fix = sentence.rpartition(". ")
    place = str(getattr(refused, "place", "") or getattr(refused, "member", "") or "the package")
    code = _CODES.get(type(refused), "package-invalid")
    return error(code, place, message.removeprefix(f"{place}: "), fix)


def _size(archive: bytes) -> Iterator[Finding]:
    if len(archive) > MAX_CONFIGMAP:
        message = f"the archive has {len(archive):,} bytes; a ConfigMap holds {MAX_CONFIGMAP:,}"
        fix = "Leave files out with .helmignore, or offer the package in a repository"
        yield note("archive-large", "the package", message, fix)


def _bundles(package: Package) -> Iterator[Finding]:
    """Bundles that no console can load, or whose needs cannot be told in advance."""
    for path, data in package.files.items():
        if path.startswith("charts/") and "/files/" in path and path.endswith(".js"):
            bundle = preflight(data)
            if bundle.unreadable:
                message = f"the bundle's header cannot be read: {bundle.unreadable}"
                fix = "Build it with a bundler that writes the system format"
                yield warning("bundle-unreadable", path, message, fix)
