"""The objects a package becomes, and the index of a repository."""

import base64

import pytest

from dovetail.packaging import build, read_package
from dovetail.packaging.errors import TooLarge
from dovetail.packaging.index import build_index
from dovetail.packaging.objects import catalogue_objects, category_object, version_object
from dovetail.packaging.yaml11 import load

from .trees import with_files, with_metadata


def test_the_four_objects() -> None:
    archive = build(with_metadata("annotations: {a: b}", "externalDependencies: [{name: x, version: '*'}]"))
    package = read_package(archive.data)
    objects = catalogue_objects(package, archive.data, created="2025-01-01T00:00:00Z")
    assert objects.category == {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "Category",
        "metadata": {"name": "dev-tools"},
        "spec": {"displayName": {"en": "Developer tools", "zh": "开发工具"}},
    }
    info = {
        "displayName": {"en": "Tiny", "zh": "微小"},
        "description": {"en": "A tiny extension", "zh": "一个微小的扩展"},
        "icon": package.icon,
        "provider": {"en": {"name": "Somebody"}},
        "created": "2025-01-01T00:00:00Z",
    }
    assert objects.extension == {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "Extension",
        "metadata": {
            "name": "tiny",
            "labels": {"kubesphere.io/category": "dev-tools", "kubesphere.io/managed": "true"},
        },
        "spec": info,
    }
    assert objects.version == {
        "apiVersion": "kubesphere.io/v1alpha1",
        "kind": "ExtensionVersion",
        "metadata": {
            "name": "tiny-0.1.0",
            "labels": {"kubesphere.io/extension-ref": "tiny", "kubesphere.io/category": "dev-tools"},
            "annotations": {"a": "b"},
        },
        "spec": {
            **info,
            "version": "0.1.0",
            "category": "dev-tools",
            "installationMode": "HostOnly",
            "digest": archive.digest,
            "externalDependencies": [{"name": "x", "type": "extension", "version": "*", "required": False}],
            "chartDataRef": {
                "namespace": "kubesphere-system",
                "name": "extension-tiny-0.1.0-chart",
                "key": "chart.tgz",
            },
        },
    }
    assert objects.chart["metadata"]["name"] == "extension-tiny-0.1.0-chart"
    assert objects.chart["metadata"]["namespace"] == "kubesphere-system"
    assert base64.b64decode(objects.chart["binaryData"]["chart.tgz"]) == archive.data


def test_our_models_accept_the_objects() -> None:
    from dovetail.apis import dialects

    archive = build(with_files({}))
    objects = catalogue_objects(read_package(archive.data), archive.data)
    assert dialects.extension_version(objects.version).version == "0.1.0"
    assert dialects.category(objects.category or {}).display_name


def test_a_package_of_a_repository() -> None:
    package = read_package(build(with_files({})).data)
    version = version_object(package, chartURL="https://x/tiny-0.1.0.tgz", repository="main")
    assert version["spec"]["chartURL"] == "https://x/tiny-0.1.0.tgz"
    assert "chartDataRef" not in version["spec"]


def test_what_does_not_fit_into_a_configmap_goes_into_several() -> None:
    package = read_package(build(with_files({})).data)
    data = bytes(range(256)) * 4100
    objects = catalogue_objects(package, data)
    parts = [objects.chart, *objects.rest]
    first = "extension-tiny-0.1.0-chart"
    assert [part["metadata"]["name"] for part in parts] == [first, f"{first}.2"]
    assert b"".join(base64.b64decode(part["binaryData"]["chart.tgz"]) for part in parts) == data
    assert objects.chart["metadata"]["annotations"] == {"dovetail.dev/parts": "2"}
    one = catalogue_objects(package, data[: 1 << 20])
    assert one.rest == ()
    assert "annotations" not in one.chart["metadata"]


def test_what_does_not_fit_into_all_of_them() -> None:
    package = read_package(build(with_files({})).data)
    with pytest.raises(TooLarge, match="add that to the platform as a Repository"):
        catalogue_objects(package, bytes(30 << 20))


def test_a_category_of_ones_own() -> None:
    assert category_object("other")["spec"] == {"displayName": {"en": "other", "zh": "other"}}


def test_the_index_lists_the_newest_first() -> None:
    trees = (with_metadata(f"version: {number}", without="version") for number in ("0.9.0", "0.10.0"))
    packages = [read_package(build(tree).data) for tree in trees]
    index = build_index(packages, "2025-01-01T00:00:00Z", "https://x/charts/")
    assert index == build_index(packages[::-1], "2025-01-01T00:00:00Z", "https://x/charts")
    value = load(index, "index.yaml").value
    assert value["generated"] == "2025-01-01T00:00:00Z"
    entries = value["entries"]["tiny"]
    assert [entry["version"] for entry in entries] == ["0.10.0", "0.9.0"]
    assert entries[0]["urls"] == ["https://x/charts/tiny-0.10.0.tgz"]
    assert entries[0]["digest"] == packages[1].digest
    assert entries[0]["dependencies"] == [{"name": "backend", "repository": "", "tags": ["extension"]}]
