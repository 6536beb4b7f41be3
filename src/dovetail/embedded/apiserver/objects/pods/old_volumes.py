"""Volume sources whose drivers left Kubernetes, or that few use: their few rules are still checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from ..names import dns_label
from .formats import between, each, relative_path

Object = dict[str, Any]
Rule = Callable[[Object, str, str], Iterator[FieldError]]

_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$")
_EUI = re.compile(r"^eui.[A-Za-z0-9]{16}$")
_NAA = re.compile(r"^naa.[A-Za-z0-9]{32}$")
_INITIATORS = {"iqn": _IQN, "eui": _EUI, "naa": _NAA}
_CACHING, _DISKS = ["None", "ReadOnly", "ReadWrite"], ["Dedicated", "Managed", "Shared"]
_MANAGED = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"


def _needs(kind: str, *names: str) -> Rule:
    """A source that only has required fields."""

    def rule(source: Object, field: str, volume: str) -> Iterator[FieldError]:
        for name in names:
            if not source.get(name):
                yield fe.required(f"{field}.{kind}.{name}")

    return rule


def _git(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    if not source.get("repository"):
        yield fe.required(f"{field}.gitRepo.repository")
    yield from relative_path(f"{field}.gitRepo.directory", str(source.get("directory", "")))


def _disk(shown: str, name: str) -> Rule:
    def rule(source: Object, field: str, volume: str) -> Iterator[FieldError]:
        if not source.get(name):
            yield fe.required(f"{field}.{shown}.{name}")
        if not 0 <= source.get("partition", 0) <= 255:
            yield fe.invalid(f"{field}.{shown}.partition", source["partition"], between(1, 255))

    return rule


def _initiator(text: str, field: str, form: str) -> Iterator[FieldError]:
    pattern = _INITIATORS.get(text[:3])
    if pattern is None:
        yield fe.invalid(field, text, "must be valid format starting with iqn, eui, or naa")
    elif not (pattern.search if text.startswith("iqn") else pattern.match)(text):
        yield fe.invalid(field, text, form)


def _iscsi(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where, portal = f"{field}.iscsi", str(source.get("targetPortal", ""))
    if not portal:
        yield fe.required(f"{where}.targetPortal")
    if not source.get("iqn"):
        yield fe.required(f"{where}.iqn")
    else:
        yield from _initiator(source["iqn"], f"{where}.iqn", "must be valid format")
    if not 0 <= source.get("lun", 0) <= 255:
        yield fe.invalid(f"{where}.lun", source["lun"], between(0, 255))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and source.get("secretRef") is None:
        yield fe.required(f"{where}.secretRef")
    if source.get("initiatorName") is not None:
        yield from _initiator(source["initiatorName"], f"{where}.initiatorname", "must be valid format")
        if len(f"{volume}:{portal}") > 64:
            text = (
                "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
                "iscsi.initiatorName is specified."
            )
            yield fe.invalid(f"{field}.name", volume, text)


def _flocker(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where, name = f"{field}.flocker", str(source.get("datasetName", ""))
    if not name and not source.get("datasetUUID"):
        yield fe.required(where, "one of datasetName and datasetUUID is required")
    if name and source.get("datasetUUID"):
        text = "datasetName and datasetUUID can not be specified simultaneously"
        yield fe.invalid(where, "resource", text)
    if "/" in name:
        yield fe.invalid(f"{where}.datasetName", name, "must not contain '/'")


def _cinder(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    if not source.get("volumeID"):
        yield fe.required(f"{field}.cinder.volumeID")
    if source.get("secretRef") is not None and not part(source, "secretRef").get("name"):
        yield fe.required(f"{field}.cinder.secretRef.name")


def _quobyte(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where, registry = f"{field}.quobyte", str(source.get("registry", ""))
    pairs = "must be a host:port pair or multiple pairs separated by commas"
    if not registry:
        yield fe.required(f"{where}.registry", pairs)
    elif len(str(source.get("tenant", ""))) >= 65:
        yield fe.required(f"{where}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in registry.split(","):
            if not re.match(r"(\[[^\]]*\]|[^:]*):[^:]*\Z", pair):
                yield fe.invalid(f"{where}.registry", registry, pairs)
    if not source.get("volume"):
        yield fe.required(f"{where}.volume")


def _fibre(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where, names, ids = f"{field}.fc", parts(source, "targetWWNs"), parts(source, "wwids")
    if not names and not ids:
        yield fe.required(f"{where}.targetWWNs", "must specify either targetWWNs or wwids, but not both")
    if names and ids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        yield fe.invalid(f"{where}.targetWWNs", names, text)
    if names and source.get("lun") is None:
        yield fe.required(f"{where}.lun", "lun is required if targetWWNs is specified")
    elif names and not 0 <= source["lun"] <= 255:
        yield fe.invalid(f"{where}.lun", source["lun"], between(0, 255))


def _flex(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    if not source.get("driver"):
        yield fe.required(f"{field}.flexVolume.driver")
    for key in sorted(part(source, "options")):
        if f".{key.partition('/')[0].lower()}".endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            yield fe.invalid(f"{field}.flexVolume.options[{key}]", key, text)


def _azure_disk(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where, uri, kind = f"{field}.azureDisk", str(source.get("diskURI", "")), source.get("kind")
    yield from _needs("azureDisk", "diskName", "diskURI")(source, field, volume)
    if source.get("cachingMode") is not None and source["cachingMode"] not in _CACHING:
        yield fe.not_supported(f"{where}.cachingMode", source["cachingMode"], _CACHING)
    if kind is not None and kind not in _DISKS:
        yield fe.not_supported(f"{where}.kind", kind, _DISKS)
    if kind == "Managed" and not uri.startswith("/subscriptions/"):
        yield fe.not_supported(f"{where}.diskURI", uri, [_MANAGED])
    if kind is not None and kind != "Managed" and not uri.startswith("https://"):
        yield fe.not_supported(f"{where}.diskURI", uri, [_BLOB])


def _storage_os(source: Object, field: str, volume: str) -> Iterator[FieldError]:
    where = f"{field}.storageos"
    if not source.get("volumeName"):
        yield fe.required(f"{where}.volumeName")
    else:
        yield from each(f"{where}.volumeName", source["volumeName"], dns_label(source["volumeName"]))
    if source.get("volumeNamespace"):
        yield from each(f"{where}.volumeNamespace", source["volumeNamespace"], dns_label(source["volumeNamespace"]))
    if source.get("secretRef") is not None and not part(source, "secretRef").get("name"):
        yield fe.required(f"{where}.secretRef.name")


OLD: dict[str, Rule] = {
    "gitRepo": _git, "gcePersistentDisk": _disk("persistentDisk", "pdName"),
    "awsElasticBlockStore": _disk("awsElasticBlockStore", "volumeID"),
    "iscsi": _iscsi, "glusterfs": _needs("glusterfs", "endpoints", "path"), "flocker": _flocker,
    "rbd": _needs("rbd", "monitors", "image"), "cinder": _cinder, "cephfs": _needs("cephfs", "monitors"),
    "quobyte": _quobyte, "fc": _fibre, "flexVolume": _flex, "azureFile": _needs("azureFile", "secretName", "shareName"),
    "vsphereVolume": _needs("vsphereVolume", "volumePath"),
    "photonPersistentDisk": _needs("photonPersistentDisk", "pdID"),
    "portworxVolume": _needs("portworxVolume", "volumeID"), "azureDisk": _azure_disk, "storageos": _storage_os,
    "scaleIO": _needs("scaleIO", "gateway", "system", "volumeName"),
}  # fmt: skip
