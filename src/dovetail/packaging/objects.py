"""The objects that make a package known to a cluster.

    Category/<category>                                   the shelf, if it is not there yet
    Extension/<name>                                      what the extension is
    ExtensionVersion/<name>-<version>                     one version, and where its package is
    ConfigMap kubesphere-system/extension-<name>-<version>-chart      the package itself, key chart.tgz
    ConfigMap ...-chart.2, ...-chart.3                                the rest of a package that one cannot hold (parts)

Names, labels and keys are the published ones (reference/ksbuilder.md 6.4). Every field of a spec is listed here by
name: nothing from a package passes through unseen, so a package cannot point its own version at other bytes.

Only values; who applies them, and in which order, is `ksbuilder publish` (and the repositories of the platform).
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from dovetail.apis import kubesphere_v1alpha1 as kinds
from dovetail.apis import labels
from dovetail.packaging.errors import TooLarge
from dovetail.packaging.package import Package
from dovetail.packaging.parts import MAX_PARTS, PART, PARTS, part_name, split

CHART_KEY: Final = "chart.tgz"
Object = dict[str, Any]

_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "ai-machine-learning": ("AI / machine learning", "AI / 机器学习"),
    "computing": ("Computing", "计算"),
    "database": ("Database", "数据库"),
    "deepseek": ("DeepSeek", "DeepSeek"),
    "dev-tools": ("Developer tools", "开发工具"),
    "integration-delivery": ("Integration and delivery", "集成与交付"),
    "networking": ("Networking", "网络"),
    "observability": ("Observability", "可观测"),
    "security": ("Security", "安全"),
    "storage": ("Storage", "存储"),
    "streaming-messaging": ("Streaming and messaging", "流处理和消息"),
}


@dataclass(frozen=True, slots=True)
class CatalogueObjects:
    """The objects of one package. `category` is None if the package names none; `rest` goes on where `chart` ends."""

    category: Object | None
    extension: Object
    version: Object
    chart: Object
    rest: tuple[Object, ...] = ()


def catalogue_objects(package: Package, archive: bytes, *, created: str = "") -> CatalogueObjects:
    """Make the objects of a package. `archive` is its .tgz, `created` an RFC 3339 time (left out if empty).

    Raises TooLarge if it does not fit into MAX_PARTS ConfigMaps.
    """
    if len(archive) > PART * MAX_PARTS:
        fix = (
            "Leave files out with .helmignore, or put the archive into a Helm repository "
            "and add that to the platform as a Repository"
        )
        name = f"{package.name}-{package.version}.tgz"
        raise TooLarge(f"{name}, which is published as ConfigMaps,", len(archive), PART * MAX_PARTS, fix)
    chart, *rest = _chart_objects(package, archive)
    return CatalogueObjects(
        category=category_object(package.metadata.category) if package.metadata.category else None,
        extension=extension_object(package, created),
        version=version_object(package, created, chartDataRef=_chart_reference(package)),
        chart=chart,
        rest=tuple(rest),
    )


def category_object(name: str) -> Object:
    """A category, titled in English and Chinese if it is one that every platform has."""
    english, chinese = _TITLES.get(name, (name, name))
    return {
        "apiVersion": f"{kinds.GROUP}/{kinds.VERSION}",
        "kind": "Category",
        "metadata": {"name": name},
        "spec": {"displayName": {"en": english, "zh": chinese}},
    }


def extension_object(package: Package, created: str = "") -> Object:
    """The extension as a whole."""
    object_labels = {**_category_label(package), labels.MANAGED: "true"}
    return {
        "apiVersion": f"{kinds.GROUP}/{kinds.VERSION}",
        "kind": "Extension",
        "metadata": {"name": package.name, "labels": object_labels},
        "spec": _info(package, created),
    }


def version_object(package: Package, created: str = "", **source: Any) -> Object:
    """One version. `source` says where the package is: `chartDataRef`, or `chartURL` and `repository`."""
    metadata = package.metadata
    about: Object = {
        "name": f"{package.name}-{package.version}",
        "labels": {labels.EXTENSION_REF: package.name, **_category_label(package)},
    }
    if metadata.annotations:
        about["annotations"] = dict(metadata.annotations)
    plain: Object = msgspec.to_builtins(metadata)
    spec = {field: plain[field] for field in _VERSION_FIELDS if plain.get(field)}
    spec |= {"version": package.version, "installationMode": metadata.installation_mode, "digest": package.digest}
    if package.chart.metadata.deprecated:
        spec["deprecated"] = True
    if channel := metadata.annotations.get(labels.CHANNEL):
        spec["channel"] = channel
    if metadata.external_dependencies:
        spec["externalDependencies"] = [_full(dependency) for dependency in metadata.external_dependencies]
    return {
        "apiVersion": f"{kinds.GROUP}/{kinds.VERSION}",
        "kind": "ExtensionVersion",
        "metadata": about,
        "spec": {**_info(package, created), **spec, **source},
    }


_VERSION_FIELDS: Final = (
    "keywords", "sources", "category", "kubeVersion", "ksVersion", "home", "docs", "screenshots", "namespace",
)  # fmt: skip


def _full(dependency: msgspec.Struct) -> Object:
    """Every field, defaults too: the cluster's schema requires them."""
    return {field: getattr(dependency, field) for field in dependency.__struct_fields__}


def _info(package: Package, created: str) -> Object:
    metadata = package.metadata
    info: Object = {
        "displayName": dict(metadata.display_name),
        "description": dict(metadata.description),
        "icon": package.icon,
        "provider": {code: msgspec.to_builtins(provider) for code, provider in metadata.provider.items()},
        "maintainers": msgspec.to_builtins(metadata.maintainers),
        "created": created,
    }
    return {field: value for field, value in info.items() if value}


def _category_label(package: Package) -> dict[str, str]:
    return {labels.CATEGORY: package.metadata.category} if package.metadata.category else {}


def chart_configmap_name(name: str, version: str) -> str:
    """The ConfigMap that holds a published package, in the platform's namespace."""
    return f"extension-{name}-{version}-chart"


def _chart_reference(package: Package) -> Object:
    name = chart_configmap_name(package.name, package.version)
    return {"namespace": labels.SYSTEM_NAMESPACE, "name": name, "key": CHART_KEY}


def _chart_objects(package: Package, archive: bytes) -> list[Object]:
    """One ConfigMap as published, or several."""
    objects = [_chart_object(package, part, number) for number, part in enumerate(split(archive), 1)]
    if len(objects) > 1:
        objects[0]["metadata"]["annotations"] = {PARTS: str(len(objects))}
    return objects


def _chart_object(package: Package, part: bytes, number: int) -> Object:
    reference = _chart_reference(package)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": part_name(reference["name"], number),
            "namespace": reference["namespace"],
            "labels": {labels.EXTENSION_REF: package.name, labels.MANAGED: "true"},
        },
        "binaryData": {CHART_KEY: base64.b64encode(part).decode()},
    }
