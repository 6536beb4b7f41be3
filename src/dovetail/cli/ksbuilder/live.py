"""A situation with a real cluster in it: its version, what it serves, and what is installed there."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.cli.ksbuilder.check_errors import NotInstalled
from dovetail.cli.ksbuilder.cluster import run
from dovetail.cli.ksbuilder.rendering import Situation
from dovetail.helm.storage import deployed, manifest_of, record_of
from dovetail.kube import SECRETS, Client, NotFound
from dovetail.lifecycle.capabilities import capabilities
from dovetail.packaging.package import Package

_OWNED: Final = "owner=helm,name="


def live_situation(situation: Situation, kubeconfig: Path | None) -> Situation:
    """With the cluster's version and kinds; `lookup` asks it. Raises ClusterRefused."""
    version, served = run(kubeconfig, capabilities)
    return replace(situation, kube_version=version, api_versions=served, kubeconfig=kubeconfig or _default())


def installed(package: Package, kubeconfig: Path | None, namespace: str) -> tuple[str, str, str]:
    """(the manifest of the release of an extension, its version, the user's configuration).

    Raises NotInstalled, ClusterRefused.
    """
    where = namespace or package.metadata.target_namespace
    return run(kubeconfig, lambda client: _installed(client, package.name, where))


async def _installed(client: Client, name: str, namespace: str) -> tuple[str, str, str]:
    found = await client.list(SECRETS, namespace, label_selector=f"{_OWNED}{name}")
    records = {record.revision: secret for secret in found.items if (record := record_of(secret))}
    newest = deployed(filter(None, map(record_of, found.items)))
    if newest is None:
        raise NotInstalled(name, namespace)
    plan = await _plan(client, name)
    version = str(
        plan.get("status", {}).get("version") or plan.get("spec", {}).get("extension", {}).get("version") or ""
    )
    return manifest_of(records[newest.revision]), version, str(plan.get("spec", {}).get("config") or "")


async def _plan(client: Client, name: str) -> dict[str, Any]:
    """The InstallPlan of an extension; empty if it was installed by other means."""
    try:
        return await client.get(INSTALLPLANS, name)
    except NotFound:
        return {}


def object_labels(package: Package) -> dict[str, str]:
    """The label that the platform puts on every object."""
    return {labels.EXTENSION_REF: package.name}


def _default() -> Path:
    """Where Kubernetes' clients look for a kubeconfig."""
    files = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    return next(iter(files), Path.home() / ".kube" / "config")
