"""ksbuilder publish and unpublish, on a real Kubernetes API with our kinds."""

import base64
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KubeApi

from .command import SAMPLES, ksbuilder, refused

GREETER = SAMPLES / "greeter"
NEWER = SAMPLES / "greeter-0.2.0"
GROUP = "kubesphere.io"


def get(api: KubeApi, kind: str, name: str, *options: str) -> dict[str, Any]:
    """An object, as kubectl sees it."""
    process = api.kubectl("get", kind, name, *options, "-o", "json")
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def names(api: KubeApi, kind: str, *options: str) -> set[str]:
    """The names of all objects of a kind."""
    process = api.kubectl("get", kind, *options, "-o", "name")
    assert process.returncode == 0, process.stderr
    return {line.partition("/")[2] for line in process.stdout.split()}


def published(api: KubeApi, path: Path, cwd: Path) -> dict[str, str]:
    """Publish; what happened to each kind of object."""
    process = ksbuilder("publish", path, "--kubeconfig", api.kubeconfig, "-o", "json", cwd=cwd)
    assert process.returncode == 0, process.stderr
    return {change["kind"]: change["action"] for change in json.loads(process.stdout)["objects"]}


@pytest.fixture
def api(platform_crds: KubeApi) -> Iterator[KubeApi]:
    """An API whose catalogue is empty before and after."""
    yield platform_crds
    for kind in ("installplans", "extensions", "extensionversions", "categories"):
        platform_crds.kubectl("delete", f"{kind}.{GROUP}", "--all", "--wait=false")
    platform_crds.kubectl("delete", "configmaps", "-n", "kubesphere-system", "--all")


def test_publish_makes_the_four_objects(api: KubeApi, tmp_path: Path) -> None:
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
    version = get(api, f"extensionversions.{GROUP}", "greeter-0.1.0")
    assert version["spec"]["digest"] == package["digest"]
    assert version["spec"]["icon"].startswith("data:image/svg+xml;base64,")
    reference = version["spec"]["chartDataRef"]
    chart = get(api, "configmap", reference["name"], "-n", reference["namespace"])
    assert base64.b64decode(chart["binaryData"][reference["key"]]) == (tmp_path / "greeter-0.1.0.tgz").read_bytes()
    extension = get(api, f"extensions.{GROUP}", "greeter")
    assert extension["metadata"]["labels"] == {"kubesphere.io/category": "dev-tools", "kubesphere.io/managed": "true"}
    assert extension["spec"]["displayName"] == {"en": "Greeter", "zh": "问候"}
    assert get(api, f"categories.{GROUP}", "dev-tools")["spec"]["displayName"]["en"] == "Developer tools"


def test_publishing_again_changes_only_what_changed(api: KubeApi, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    published(api, copy, tmp_path)
    again = published(api, copy, tmp_path)
    assert set(again.values()) == {"unchanged"}
    file = copy / "extension.yaml"
    file.write_text(file.read_text().replace("keywords:\n  - sample\n", ""))
    changed = published(api, copy, tmp_path)
    assert (changed["ConfigMap"], changed["ExtensionVersion"]) == ("configured", "configured")
    assert (changed["Extension"], changed["Category"]) == ("unchanged", "unchanged")
    assert "keywords" not in get(api, f"extensionversions.{GROUP}", "greeter-0.1.0")["spec"]


def test_an_older_version_does_not_change_the_extension(api: KubeApi, tmp_path: Path) -> None:
    assert published(api, NEWER, tmp_path)["Extension"] == "created"
    assert "Extension" not in published(api, GREETER, tmp_path)
    assert names(api, f"extensionversions.{GROUP}") == {"greeter-0.1.0", "greeter-0.2.0"}


def test_a_category_that_is_there_stays_as_it_is(api: KubeApi, tmp_path: Path) -> None:
    category = {
        "apiVersion": "kubesphere.io/v1alpha1", "kind": "Category", "metadata": {"name": "dev-tools"},
        "spec": {"displayName": {"en": "Mine"}},
    }  # fmt: skip
    assert api.kubectl("create", "-f", "-", stdin=json.dumps(category)).returncode == 0
    assert published(api, GREETER, tmp_path)["Category"] == "unchanged"
    assert get(api, f"categories.{GROUP}", "dev-tools")["spec"]["displayName"] == {"en": "Mine"}


def test_too_large_for_a_configmap_writes_nothing(api: KubeApi, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(GREETER, tmp_path / "greeter"))
    (copy / "static/large.bin").write_bytes(random.Random(1).randbytes(1_200_000))
    sentence = refused(ksbuilder("publish", copy, "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert "larger than 1,048,576 bytes" in sentence
    assert "Repository" in sentence
    assert names(api, f"extensions.{GROUP}") == names(api, f"extensionversions.{GROUP}") == set()


def test_a_version_of_a_repository_is_not_overwritten(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    label = ("label", f"extensionversions.{GROUP}", "greeter-0.1.0", "kubesphere.io/repository-ref=main")
    assert api.kubectl(*label).returncode == 0
    sentence = refused(ksbuilder("publish", GREETER, "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert sentence.startswith("greeter-0.1.0 is already there, from the repository main.")
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert "No extension greeter is published" in sentence


def test_unpublish_refuses_while_installed(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    plan = {
        "apiVersion": "kubesphere.io/v1alpha1", "kind": "InstallPlan", "metadata": {"name": "greeter"},
        "spec": {"extension": {"name": "greeter", "version": "0.1.0"}, "enabled": True},
    }  # fmt: skip
    assert api.kubectl("create", "-f", "-", stdin=json.dumps(plan)).returncode == 0
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert "greeter is installed" in sentence
    assert "kubectl delete installplan greeter" in sentence
    assert names(api, f"extensions.{GROUP}") == {"greeter"}


def test_unpublish_takes_every_version_away(api: KubeApi, tmp_path: Path) -> None:
    published(api, GREETER, tmp_path)
    published(api, NEWER, tmp_path)
    process = ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[:2] == ["unpublish extension greeter", "deleted Extension greeter"]
    assert names(api, f"extensions.{GROUP}") == names(api, f"extensionversions.{GROUP}") == set()
    assert names(api, "configmaps", "-n", "kubesphere-system", "-l", "kubesphere.io/extension-ref=greeter") == set()
    sentence = refused(ksbuilder("unpublish", "greeter", "--kubeconfig", api.kubeconfig, cwd=tmp_path))
    assert sentence.startswith("No extension greeter is published.")


def test_a_cluster_without_the_platform(own_kube_api: KubeApi, tmp_path: Path) -> None:
    sentence = refused(ksbuilder("publish", GREETER, "--kubeconfig", own_kube_api.kubeconfig, cwd=tmp_path))
    assert "does not know extensions" in sentence
    assert "kubesphere-system" not in names(own_kube_api, "namespaces")
