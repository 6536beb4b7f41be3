"""Packages for previews outside the controllers' process: the same sources, without the controllers' caches."""

import contextlib
from pathlib import Path

from dovetail.apis.dialects import Repository, repository
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import REPOSITORIES
from dovetail.helm import HelmWorker
from dovetail.kube import Client, key_of
from dovetail.lifecycle.fetching import Fetcher
from dovetail.lifecycle.packages import PackageSource
from dovetail.lifecycle.sources import Sources


async def package_source(
    client: Client, fetcher: Fetcher, helm: HelmWorker, directories: tuple[Path, ...] = ()
) -> PackageSource:
    """A source with the repositories as they are now. Raises KubeError."""
    known: dict[str, Repository] = {}
    for obj in (await client.list(REPOSITORIES)).items:
        with contextlib.suppress(InvalidObject):
            known[key_of(obj).name] = repository(obj)
    return PackageSource(client, Sources(client, fetcher, directories), helm, known.get)
