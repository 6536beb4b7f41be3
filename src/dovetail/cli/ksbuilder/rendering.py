"""Rendering a package as the platform would: on the host and as an agent, with the values that the platform puts in.

A `Situation` says in which world: the version of Kubernetes, the user's values, what `lookup` finds (nothing, fixtures,
or a cluster), the platform's settings. Every release of a package is rendered in it; for the checks each is rendered
once more with another image registry and node selector, to see whether the objects follow.

Helm runs in its worker process, which lives as long as the `async with`.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dovetail.cli.ksbuilder.provided_modules import provided_modules
from dovetail.helm import Connection, HelmRefused, HelmWorker, Render, Values
from dovetail.helm.fixtures import fixture_cluster
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.values import injected_values
from dovetail.packaging.examined import (
    AGENT,
    NEWEST_KUBERNETES,
    PROBE_NODES,
    PROBE_REGISTRY,
    Examined,
    View,
    view_names,
)
from dovetail.packaging.findings import Finding, error
from dovetail.packaging.manifests import ManifestReader
from dovetail.packaging.package import Package
from dovetail.packaging.places import place_of_render_error
from dovetail.packaging.versions import Version


@dataclass(frozen=True)
class Situation:
    """The world that a package is rendered in. `files` win over `config`, and `sets` over both: all are the user's."""

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()
    config: str = ""
    files: tuple[str, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    fixtures: Sequence[Mapping[str, Any]] = ()
    kubeconfig: Path | None = None
    namespace: str = ""
    settings: LifecycleSettings = field(default_factory=LifecycleSettings)
    revision: int = 1
    object_labels: dict[str, str] = field(default_factory=dict[str, str])

    def settings_of(self, view: str) -> LifecycleSettings:
        """The platform's settings on the host, or on a member cluster."""
        if view != AGENT:
            return self.settings
        return replace(self.settings, cluster_name="member", cluster_role="member")


@dataclass(frozen=True)
class Rendering:
    """What Helm made of one release: template path -> text, and the CRDs as (path, text)."""

    view: str
    manifests: Mapping[str, str]
    crds: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Renderer:
    """Renders the releases of packages in one situation."""

    def __init__(self, helm: HelmWorker, situation: Situation, kubeconfig: str | None) -> None:
        self._helm, self._situation, self._kubeconfig = helm, situation, kubeconfig

    async def render(self, package: Package, archive: bytes, view: str, **settings: Any) -> Rendering:
        """One release; `settings` change the platform's. Raises HelmError."""
        situation = self._situation
        namespace = situation.namespace or package.metadata.target_namespace
        platform = injected_values(
            replace(situation.settings_of(view), **settings), package.dependencies, agent=view == AGENT
        )
        connection = None if self._kubeconfig is None else Connection(namespace=namespace, kubeconfig=self._kubeconfig)
        operation = Render(
            release=package.name if view != AGENT else f"{package.name}-agent",
            chart=archive,
            namespace=namespace,
            values=Values(situation.config, platform, situation.files, situation.sets),
            connection=connection,
            revision=situation.revision,
            kube_version=situation.kube_version or f"v{NEWEST_KUBERNETES}",
            api_versions=situation.api_versions,
            object_labels=situation.object_labels,
        )
        result = await self._helm.call(operation)
        crds = tuple((str(path), str(text)) for path, text in result["crds"])
        return Rendering(view, result["manifests"], crds, result["values"])

    async def examine(self, package: Package, archive: bytes) -> Examined:
        """The package with all its views, probed; a view that does not render carries the finding."""
        reader = ManifestReader(package.files, package.name)
        views = [await self._view(package, archive, name, reader) for name in view_names(package)]
        version = Version.parse((self._situation.kube_version or NEWEST_KUBERNETES).removeprefix("v"))
        return Examined(package, tuple(views), version, provided_modules())

    async def _view(self, package: Package, archive: bytes, name: str, reader: ManifestReader) -> View:
        try:
            rendering = await self.render(package, archive, name)
        except HelmRefused as refused:
            return View(name, findings=(_refusal(refused, package),))
        objects, faults = reader.objects(rendering.manifests)
        crds, broken = reader.objects(dict(rendering.crds))
        probed = await self._probe(package, archive, name, reader)
        return View(name, tuple(objects), tuple(crds), probed, (*faults, *broken))

    async def _probe(self, package: Package, archive: bytes, view: str, reader: ManifestReader) -> Any:
        try:
            probe = await self.render(
                package, archive, view, image_registry=PROBE_REGISTRY, node_selector=dict(PROBE_NODES)
            )
        except HelmRefused:
            return None
        return tuple(reader.objects(probe.manifests, workloads_only=True)[0])


@asynccontextmanager
async def renderer(situation: Situation) -> AsyncGenerator[Renderer]:
    """Helm's worker, and the fixtures' server if there are fixtures, for as long as the context lasts."""
    with ExitStack() as stack:
        kubeconfig = None if situation.kubeconfig is None else str(situation.kubeconfig)
        if situation.fixtures:
            kubeconfig = stack.enter_context(fixture_cluster(situation.fixtures))
        async with HelmWorker() as helm:
            yield Renderer(helm, situation, kubeconfig)


def _refusal(refused: HelmRefused, package: Package) -> Finding:
    place, reason = place_of_render_error(refused.detail, package.name, package.files)
    fix = "Correct the template, or give the value that it needs in values.yaml"
    return error("render-failed", place, f"it does not render: {reason}", fix)
