"""ksbuilder publish and unpublish, on a real Kubernetes API with our kinds."""

import base64
import json
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import CATEGORIES, EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.cli.ksbuilder.catalogue import write_all
from dovetail.cli.ksbuilder.errors import PublishFailed
from dovetail.kube import CONFIGMAPS, NAMESPACES, ResourceLike
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, plan, until, until_gone

from .command import SAMPLES, ksbuilder, refused
from .registries import needs_registry, registry

GREETER = SAMPLES / "greeter"
NEWER = SAMPLES / "greeter-0.2.0"


async def get(api: KubeApi, resource: ResourceLike, name: str, namespace: str | None = None) -> dict[str, Any]:
    """An object."""
    async with api.client() as client:
        return await client.get(resource, name, namespace)


async def names(api: KubeApi, resource: ResourceLike, namespace: str | None = None) -> set[str]:
    """The names of all objects of a kind."""
    async with api.client() as client:
        found = await client.list(resource, namespace)
    return {str(item["metadata"]["name"]) for item in found.items}


async def create(api: KubeApi, resource: ResourceLike, name: str, **spec: Any) -> None:
    """Create an object of ours."""
    obj = {"apiVersion": "kubesphere.io/v1alpha1", "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
    async with api.client() as client:
        await client.create(resource, obj)


def published(api: KubeApi, path: Path, cwd: Path) -> dict[str, str]:
    """Publish; what happened to each kind of object."""
    process = ksbuilder("publish", path, "--kubeconfig", api.kubeconfig, "-o", "json", cwd=cwd)
    assert process.returncode == 0, process.stderr
    return {change["kind"]: change["action"] for change in json.loads(process.stdout)["objects"]}


@pytest.fixture
async def api(platform_crds: KubeApi) -> AsyncIterator[KubeApi]:
    """An API whose catalogue is empty afterwards."""
    yield platform_crds
    async with platform_crds.client() as client:
        for resource in (INSTALLPLANS, EXTENSIONS, EXTENSIONVERSIONS, CATEGORIES):
            await client.delete_collection(resource)
        await client.delete_collection(CONFIGMAPS, "kubesphere-system")


async def test_publish_makes_the_four_objects(api: KubeApi, tmp_path: Path) -> None:
    process = ksbuilder("package", GREETER, "-o", "json", cwd=tmp_path)
    package = json.loads(process.stdout)
    process = ksbuilder("publish", "greeter-0.1.0.tgz", "--kubeconfig", api.kubeconfig, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == [
        "publish extension greeter-0.1.0.tgz",
        "created ConfigMap kubesphere-system/extension-greeter-0.1.0-chart",
        "created Category dev-tools",
        "created ExtensionVersion greeter-0.1.0",
        "created Extension greeter",
        "published greeter 0.1.0",
    ]
    version = await get(api, EXTENSIONVERSIONS, "greeter-0.1.0")
    assert version["spec"]["digest"] == package["digest"]
    assert version["spec"]["icon"].startswith("data:image/svg+xml;base64,")
    reference = version["spec"]["chartDataRef"]
    chart = await get(api, CONFIGMAPS, reference["name"], reference["namespace"])
    assert base64.b64decode(chart["binaryData"][reference["key"]]) == (tmp_path / "greeter-0.1.0.tgz").read_bytes()
    extension = await get(api, EXTENSIONS, "greeter")
    assert extension["metadata"]["labels"] == {"kubesphere.io/category": "dev-tools", "kubesphere.io/managed": "true"}
    assert extension["spec"]["displayName"] == {"en": "Greeter", "zh": "问候"}
    assert (await get(api, CATEGORIES, "dev-tools"))["spec"]["displayName"]["en"] == "Developer tools"


async def test_publishing_again_changes_only_what_changed(api: KubeApi, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    published(api, copy, tmp_path)
    again = published(api, copy, tmp_path)
    assert set(again.values()) == {"unchanged"}
    file = copy / "extension.yaml"
    file.write_text(file.read_text().replace("keywords:\n  - sample\n", ""))
    changed = published(api, copy, tmp_path)
    assert (changed["ConfigMap"], changed["ExtensionVersion"]) == ("configured", "configured")
    assert (changed["Extension"], changed["Category"]) == ("unchanged", "unchanged")
    assert "keywords" not in (await get(api, EXTENSIONVERSIONS, "greeter-0.1.0"))["spec"]


async def test_an_older_version_does_not_change_the_extension(api: KubeApi, tmp_path: Path) -> None:
    assert published(api, NEWER, tmp_path)["Extension"] == "created"
    assert "Extension" not in published(api, GREETER, tmp_path)
    assert await names(api, EXTENSIONVERSIONS) == {"greeter-0.1.0", "greeter-0.2.0"}


async def test_a_category_that_is_there_stays_as_it_is(api: KubeApi, tmp_path: Path) -> None:
    await create(api, CATEGORIES, "dev-tools", displayName={"en": "Mine"})
    assert published(api, GREETER, tmp_path)["Category"] == "unchanged"
    assert (await get(api, CATEGORIES, "dev-tools"))["spec"]["displayName"] == {"en": "Mine"}


async def test_a_large_package_is_published_in_parts_and_installed(api: KubeApi, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    (copy / "static/large.bin").write_bytes(random.Random(1).randbytes(1_200_000))
    assert published(api, copy, tmp_path)["ConfigMap"] == "created"
    first = "extension-greeter-0.1.0-chart"
    assert await names(api, CONFIGMAPS, "kubesphere-system") >= {first, f"{first}.2"}
    async with api.client() as client, controllers(api.kubeconfig):
        await plan(client, "greeter", "0.1.0")
        await until(
            lambda: client.get(INSTALLPLANS, "greeter"),
            lambda obj: obj.get("status", {}).get("state") == "Installed",
            "the installation",
        )
        await client.delete(INSTALLPLANS, "greeter")
        await until_gone(client, INSTALLPLANS, "greeter")
    (copy / "static/large.bin").unlink()
    published(api, copy, tmp_path)
    left = await names(api, CONFIGMAPS, "kubesphere-system")
    assert first in left
    assert f"{first}.2" not in left
    assert "annotations" not in (await get(api, CONFIGMAPS, first, "kubesphere-system"))["metadata"]


async def test_a_version_of_a_repository_is_not_overwritten(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    patch = {"metadata": {"labels": {"kubesphere.io/repository-ref": "main"}}}
    async with api.client() as client:
        await client.patch(EXTENSIONVERSIONS, "greeter-0.1.0", patch)
    sentence = refused(ksbuilder("publish", GREETER, "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert sentence.startswith("greeter-0.1.0 is already there, from the repository main.")
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert "No extension greeter is published" in sentence


async def test_unpublish_refuses_while_installed(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    await create(api, INSTALLPLANS, "greeter", extension={"name": "greeter", "version": "0.1.0"}, enabled=True)
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert "greeter is installed" in sentence
    assert "kubectl delete installplan greeter" in sentence
    assert await names(api, EXTENSIONS) == {"greeter"}


async def test_unpublish_takes_every_version_away(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    published(api, NEWER, tmp_path)
    process = ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[:2] == ["unpublish extension greeter", "deleted Extension greeter"]
    assert await names(api, EXTENSIONS) == await names(api, EXTENSIONVERSIONS) == set()
    assert not {name for name in await names(api, CONFIGMAPS, "kubesphere-system") if name.startswith("extension-")}
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert sentence.startswith("No extension greeter is published.")


async def test_a_failure_half_way_leaves_nothing(api: KubeApi, tmp_path: Path) -> None:
    published(api, NEWER, tmp_path)
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "kubesphere-system"}}
    steps: list[tuple[ResourceLike, dict[str, Any]]] = [
        (CONFIGMAPS, {**kept, "data": {"a": "b"}}),
        (CONFIGMAPS, {"metadata": {"name": "new", "namespace": "kubesphere-system"}}),
        (EXTENSIONVERSIONS, {"metadata": {"name": "x-1.0.0"}, "spec": {"version": "1.0.0"}}),
        (EXTENSIONS, {"metadata": {"name": "Not A Name"}, "spec": {}}),
    ]
    async with api.client() as client:
        await client.create(CONFIGMAPS, kept)
        with pytest.raises(PublishFailed, match=r"^x 1\.0\.0 was not published: .*Nothing was left behind\."):
            await write_all(client, "x 1.0.0", steps)
    assert await names(api, EXTENSIONVERSIONS) == {"greeter-0.2.0"}
    assert {"kept", "new"} & await names(api, CONFIGMAPS, "kubesphere-system") == {"kept"}


async def test_a_cluster_without_the_platform(own_kube_api: KubeApi, tmp_path: Path) -> None:
    before = await names(own_kube_api, NAMESPACES)
    sentence = refused(ksbuilder("publish", GREETER, "--kubeconfig", own_kube_api.kubeconfig, cwd=tmp_path))
    assert "does not know extensions" in sentence
    assert await names(own_kube_api, NAMESPACES) == before


@needs_registry
async def test_publishing_from_a_registry(api: KubeApi, tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        process = ksbuilder("push", GREETER, f"oci://{host}/x", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        address = f"oci://{host}/x/greeter:0.1.0"
        process = ksbuilder("publish", address, "--kubeconfig", api.kubeconfig, "-o", "json", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
    version = await get(api, EXTENSIONVERSIONS, "greeter-0.1.0")
    assert version["spec"]["digest"] == json.loads(process.stdout)["digest"]
