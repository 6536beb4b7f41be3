"""Every finding about an extension, instead of the first error.

`check` takes a source tree or an archive's bytes and never raises for a fault of the extension: what `build` or
`read_package` would refuse comes back as an `error` finding among the others. The deeper rules of `ksbuilder check`
(rendering, permissions, images) have their seam here: more functions from a tree to findings.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from dovetail.packaging import errors
from dovetail.packaging.builder import build
from dovetail.packaging.findings import Finding
from dovetail.packaging.metadata import METADATA_FILE, judge, read_metadata
from dovetail.packaging.package import read_package
from dovetail.packaging.preflight import preflight
from dovetail.packaging.tree import Tree

_CODES: Final[Mapping[type[errors.PackagingError], str]] = {
    errors.BrokenArchive: "archive-broken",
    errors.InvalidChart: "chart-invalid",
    errors.InvalidPermissions: "permissions-invalid",
    errors.InvalidYaml: "yaml-invalid",
    errors.TooLarge: "too-large",
    errors.UnreadableTree: "tree-unreadable",
    errors.UnsafeMember: "member-unsafe",
}


def check(subject: Tree | bytes) -> tuple[Finding, ...]:
    """All findings of a source tree, or of an archive."""
    if isinstance(subject, bytes):
        return _check_archive(subject)
    return (*_check_tree(subject), *_bundles(subject))


def _check_tree(tree: Tree) -> tuple[Finding, ...]:
    try:
        return build(tree).findings
    except errors.InvalidMetadata as error:
        noticed = judge(read_metadata(tree.files[METADATA_FILE]))
        return (*noticed, *(finding for finding in error.findings if finding not in noticed))
    except errors.PackagingError as error:
        return (finding_of(error),)


def _check_archive(data: bytes) -> tuple[Finding, ...]:
    try:
        package = read_package(data)
    except errors.InvalidMetadata as error:
        return error.findings
    except errors.PackagingError as error:
        return (finding_of(error),)
    return (*package.findings, *_bundles(Tree(package.name, package.files)))


def finding_of(error: errors.PackagingError) -> Finding:
    """An error as a finding. Every error's sentence ends with its way out."""
    sentence = str(error).rstrip(".")
    message, _, fix = sentence.rpartition(". ")
    place = str(getattr(error, "place", "") or getattr(error, "member", "") or "the package")
    code = _CODES.get(type(error), "package-invalid")
    return Finding(code=code, severity="error", place=place, message=message.removeprefix(f"{place}: "), fix=fix)


def _bundles(tree: Tree) -> Iterator[Finding]:
    """Bundles that no console can load, or whose needs cannot be told in advance."""
    for path, data in tree.files.items():
        if path.startswith("charts/") and "/files/" in path and path.endswith(".js"):
            bundle = preflight(data)
            if bundle.unreadable:
                message = f"the bundle's header cannot be read: {bundle.unreadable}"
                fix = "Build it with a bundler that writes the system format"
                yield Finding(code="bundle-unreadable", severity="warning", place=path, message=message, fix=fix)
