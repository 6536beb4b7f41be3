"""Packages with what they render to, made by hand: the rules are looked at without Helm."""

from collections.abc import Mapping, Sequence

from dovetail.packaging import build, read_package
from dovetail.packaging.checking import apply
from dovetail.packaging.examined import Examined, View
from dovetail.packaging.findings import Finding
from dovetail.packaging.manifests import ManifestReader
from dovetail.packaging.rules import BASIC, DEEP, LINT
from dovetail.packaging.versions import Version

from .trees import with_files, with_metadata

TEMPLATE = "charts/backend/templates/x.yaml"
EVERYTHING = "kind: ClusterRole\nrules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]\n"


def examined(
    manifest: str = "",
    *,
    files: Mapping[str, bytes | str | None] | None = None,
    metadata: Sequence[str] = (),
    probed: str | None = None,
    crds: str = "",
    kube: str = "1.36.0",
    provided: Mapping[str, frozenset[str]] | None = None,
) -> Examined:
    """The tiny extension, changed, whose one release renders to `manifest`."""
    tree = with_metadata(*metadata) if metadata else with_files({})
    changed = {**tree.files, **with_files({TEMPLATE: manifest, **(files or {})}).files}
    if metadata:
        changed["extension.yaml"] = tree.files["extension.yaml"]
    for path in (path for path, data in (files or {}).items() if data is None):
        changed.pop(path, None)
    package = read_package(build(type(tree)(tree.name, changed)).data)
    reader = ManifestReader(package.files, package.name)
    objects, faults = reader.objects({f"{package.name}/{TEMPLATE}": manifest})
    brought, broken = reader.objects({f"{package.name}/charts/backend/crds/x.yaml": crds})
    other = None if probed is None else tuple(reader.objects({f"{package.name}/{TEMPLATE}": probed})[0])
    view = View("host", tuple(objects), tuple(brought), other, (*faults, *broken))
    return Examined(package, (view,), Version.parse(kube), provided)


def findings(example: Examined) -> tuple[Finding, ...]:
    """What all rules say of it, the reading of the files not counted."""
    return tuple(apply((*BASIC, *LINT, *DEEP), example))


def codes(example: Examined) -> set[str]:
    """The codes of it."""
    return {finding.code for finding in findings(example)}
