"""Rows from Flux: where packages come from."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
from dovetail.packaging.package import read_package
from dovetail.packaging.registry.client import Registry
from dovetail.packaging.registry.manifests import MANIFEST, push_of
from dovetail.packaging.registry.references import parse
from tests.ksbuilder.registries import PROGRAM, registry
from tests.lifecycle.museum import repository, until_synced
from tests.lifecycle.platform import package, until
from tests.lifecycle.scenarios.stage import Stage
from tests.lifecycle.scenarios.table import flux

Push = Callable[[bytes], Awaitable[None]]


@contextlib.asynccontextmanager
async def shelf(stage: Stage, *versions: str) -> AsyncIterator[Push]:
    """A registry with these versions, and a Repository that is synchronised with it."""
    if PROGRAM is None:
        pytest.skip("no registry program here (make machine)")
    with tempfile.TemporaryDirectory() as directory, registry(Path(directory)) as host:

        async def push(archive: bytes) -> None:
            read = read_package(archive)
            target = parse(f"oci://{host}/shelf/{read.name}:{read.version}")
            pushed = push_of(read, archive)
            async with Registry(target) as client:
                for descriptor, data in pushed.blobs:
                    await client.put_blob(target, descriptor.digest, data)
                await client.put_manifest(target, pushed.manifest, MANIFEST)

        for version in versions:
            await push(package(stage.name, version))
        stage.repositories.add(stage.name)
        await repository(stage.client, stage.name, f"oci://{host}/shelf")
        await until_synced(stage.client, stage.name)
        yield push


@flux("sources", "a repository says how much it holds and when it was read; what it lists can be installed")
async def sources(stage: Stage) -> None:
    async with stage.serving() as museum:
        museum.add(stage.name, "1.0.0", package(stage.name, "1.0.0"))
        museum.add(stage.name, "1.1.0", package(stage.name, "1.1.0"))
        obj = await stage.synced(museum)
        assert (obj["status"]["extensions"], obj["status"]["versions"]) == (1, 2)
        assert obj["status"]["lastSuccessTime"]
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.leave()


@flux("install-from-hc-source", "a version object alone, with an address and a digest, is enough to install from",
      "the version object is ours (ExtensionVersion), by hand or by a synchronisation")  # fmt: skip
async def install_from_hc_source(stage: Stage) -> None:
    async with stage.serving() as museum:
        data = package(stage.name, "1.0.0")
        museum.add(stage.name, "1.0.0", data)
        spec = {"version": "1.0.0", "chartURL": f"{museum.url}/{stage.name}-1.0.0.tgz"}
        metadata = {"name": f"{stage.name}-1.0.0", "labels": {"kubesphere.io/extension-ref": stage.name}}
        await stage.client.apply(EXTENSIONVERSIONS, {"metadata": metadata, "spec": spec}, field_manager="test")
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        assert museum.asked == {f"{stage.name}-1.0.0.tgz": museum.asked[f"{stage.name}-1.0.0.tgz"]}, "no index is read"
        await stage.leave()


@flux("podinfo", "the same package by an upload and by an index is the same extension",
      "Flux's third way, a Git repository, is not offered: extensions are packages")  # fmt: skip
async def podinfo(stage: Stage) -> None:
    async with stage.serving() as museum:
        await stage.offer("1.0.0")
        museum.add(stage.name, "1.1.0", package(stage.name, "1.1.0"))
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.synced(museum)
        await stage.leave()


@flux("charts", "a package is read whole and held against its digest before anything of it is used")
async def charts(stage: Stage) -> None:
    async with stage.serving() as museum:
        data = package(stage.name, "1.0.0")
        museum.add(stage.name, "1.0.0", data)
        await stage.synced(museum)
        museum.files[f"{stage.name}-1.0.0.tgz"] = package(stage.name, "1.0.0", templates__more_yaml="# more")
        await stage.plan("1.0.0", retry={"backOff": "100ms", "maxBackOff": "1s"})
        obj = await stage.failed()
        assert obj["status"]["conditions"][-1]["reason"] == "DigestMismatch"
        museum.files[f"{stage.name}-1.0.0.tgz"] = data
        await stage.installed("1.0.0")
        await stage.leave()


@flux("install-from-ocirepo-source", "a registry's tags are versions; one is installed by its digest")
async def install_from_ocirepo_source(stage: Stage) -> None:
    async with shelf(stage, "1.0.0"):
        found = await stage.client.get(EXTENSIONVERSIONS, f"{stage.name}-1.0.0")
        assert found["spec"]["digest"]
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await stage.leave()


@flux("upgrade-from-ocirepo-source", "a tag that is pushed later is a version to upgrade to")
async def upgrade_from_ocirepo_source(stage: Stage) -> None:
    async with shelf(stage, "1.0.0") as push:
        await stage.plan("1.0.0")
        await stage.installed("1.0.0")
        await push(package(stage.name, "1.1.0"))
        await stage.read_again()
        await until(
            lambda: stage.client.get(EXTENSIONVERSIONS, f"{stage.name}-1.1.0"), lambda obj: True, "the new version"
        )
        await stage.plan("1.1.0")
        await stage.installed("1.1.0")
        assert (await stage.settings())["version"] == "1.1.0"
        await stage.leave()
