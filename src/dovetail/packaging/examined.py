"""What rules look at: a package and what it renders to.

    Examined
      package     files, metadata, permissions, the chart
      views       one for each release that the platform makes: `host`, and `agent` for Multicluster extensions
      provided    the modules that the console gives to bundles, with their exports

Values only. Who renders is the caller; without views only the rules about files have something to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dovetail.packaging.findings import Finding
from dovetail.packaging.manifests import RenderedObject
from dovetail.packaging.metadata import METADATA_FILE, MULTICLUSTER
from dovetail.packaging.package import Package
from dovetail.packaging.versions import Version
from dovetail.packaging.yaml11 import Document, Path, load

HOST: Final = "host"
AGENT: Final = "agent"
PROBE_REGISTRY: Final = "probe.dovetail.invalid"
PROBE_NODES: Final = {"probe.dovetail.invalid/node": "chosen"}
NEWEST_KUBERNETES: Final = "1.36.0"


@dataclass(frozen=True, slots=True)
class View:
    """One release: its objects, the CRDs that it brings, and the workloads under other platform settings (`probed`)."""

    name: str
    objects: tuple[RenderedObject, ...] = ()
    crds: tuple[RenderedObject, ...] = ()
    probed: tuple[RenderedObject, ...] | None = None
    """With PROBE_REGISTRY as the registry and PROBE_NODES as the node selector; None if that does not render."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Examined:
    """A package with everything that is known of it."""

    package: Package
    views: tuple[View, ...] = ()
    kube_version: Version = field(default_factory=lambda: Version.parse(NEWEST_KUBERNETES))
    provided: Mapping[str, frozenset[str]] | None = None

    @property
    def objects(self) -> tuple[RenderedObject, ...]:
        """The objects of all views; one that two views share counts once for each."""
        return tuple(obj for view in self.views for obj in view.objects)

    @property
    def document(self) -> Document:
        """extension.yaml with the lines of its values."""
        return load(self.package.files.get(METADATA_FILE, b""), METADATA_FILE)

    def at(self, *path: str | int) -> str:
        """The place of a value in extension.yaml."""
        return place_in(self.document, METADATA_FILE, path)


def place_in(document: Document, file: str, path: Path) -> str:
    """file:line of a value, or of the nearest one around it."""
    return f"{file}:{document.line(path)}"


def view_names(package: Package) -> tuple[str, ...]:
    """The releases that the platform makes of a package."""
    return (HOST, AGENT) if package.metadata.installation_mode == MULTICLUSTER else (HOST,)
