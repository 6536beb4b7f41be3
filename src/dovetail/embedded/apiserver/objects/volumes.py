"""Persistent volumes and the claims to them. Pure. Source: Kubernetes ``ValidatePersistentVolume`` and ``...Claim``."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..quantities import value as number
from . import names
from .metadata import validate_selector

Object = dict[str, Any]

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_CLAIM_FIXED = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
_VOLUME_MODES = ("Block", "Filesystem")
_POLICIES = ("Delete", "Recycle", "Retain")
SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_NEEDED = {
    "hostPath": ("path",), "nfs": ("server", "path"), "local": ("path",), "csi": ("driver", "volumeHandle"),
    "iscsi": ("targetPortal", "iqn"), "cinder": ("volumeID",), "rbd": ("monitors", "image"), "cephfs": ("monitors",),
    "glusterfs": ("endpoints", "path"), "azureFile": ("secretName", "shareName"), "flexVolume": ("driver",),
    "vsphereVolume": ("volumePath",), "awsElasticBlockStore": ("volumeID",), "gcePersistentDisk": ("pdName",),
}  # fmt: skip


def volume_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    yield from _mode_errors(spec)
    capacity = part(spec, "capacity")
    if "storage" not in capacity or len(capacity) > 1:
        yield (
            fe.required("spec.capacity") if not capacity else fe.not_supported("spec.capacity", capacity, ["storage"])
        )
    for name, quantity in capacity.items():
        if number(quantity) <= 0:
            yield fe.invalid(f"spec.capacity[{name}]", quantity, "must be greater than zero")
    policy = spec.get("persistentVolumeReclaimPolicy", "")
    if policy and policy not in _POLICIES:
        yield fe.not_supported("spec.persistentVolumeReclaimPolicy", policy, _POLICIES)
    yield from _source_errors(spec)
    if spec.get("storageClassName"):
        yield from fe.every(
            "spec.storageClassName", spec["storageClassName"], names.dns_subdomain(spec["storageClassName"])
        )
    if spec.get("volumeMode", "Filesystem") not in _VOLUME_MODES:
        yield fe.not_supported("spec.volumeMode", spec["volumeMode"], _VOLUME_MODES)
    if old is not None:
        yield from _volume_changes(spec, part(old, "spec"))


def _mode_errors(spec: Object) -> Iterator[FieldError]:
    modes = parts(spec, "accessModes")
    if not modes:
        yield fe.required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield fe.not_supported("spec.accessModes", mode, _ACCESS_MODES)
    if "ReadWriteOncePod" in modes and any(mode != "ReadWriteOncePod" and mode in _ACCESS_MODES for mode in modes):
        yield fe.forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes")


def _source_errors(spec: Object) -> Iterator[FieldError]:
    given = [name for name in SOURCES if name in spec]
    for name in given[1:]:
        yield fe.forbidden(f"spec.{name}", "may not specify more than 1 volume type")
    if not given:
        yield fe.required("spec", "must specify a volume type")
        return
    source = part(spec, given[0])
    for name in _NEEDED.get(given[0], ()):
        if not source.get(name):
            yield fe.required(f"spec.{given[0]}.{name}")
    if given[0] in ("hostPath", "nfs", "local") and ".." in str(source.get("path", "")).split("/"):
        yield fe.invalid(f"spec.{given[0]}.path", source["path"], "must not contain '..'")
    if given[0] == "nfs" and source.get("path") and not posixpath.isabs(source["path"]):
        yield fe.invalid("spec.nfs.path", source["path"], "must be an absolute path")
    if given[0] == "local" and not part(spec, "nodeAffinity").get("required"):
        yield fe.required("spec.nodeAffinity", "Local volume requires node affinity")
    root = given[0] == "hostPath" and posixpath.normpath(str(source.get("path", ""))) == "/"
    if root and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        yield fe.forbidden("spec.persistentVolumeReclaimPolicy", text)


def _volume_changes(spec: Object, before: Object) -> Iterator[FieldError]:
    now, then = ({name: side[name] for name in SOURCES if name in side} for side in (spec, before))
    if "csi" in then and "controllerExpandSecretRef" not in then["csi"] and "csi" in now:
        now["csi"] = {key: value for key, value in now["csi"].items() if key != "controllerExpandSecretRef"}
    if now != then:
        yield fe.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
    if spec.get("volumeMode") != before.get("volumeMode"):
        yield fe.invalid("volumeMode", spec.get("volumeMode"), "field is immutable")
    if "nodeAffinity" in before and spec.get("nodeAffinity") != before["nodeAffinity"]:
        yield fe.invalid("nodeAffinity", spec.get("nodeAffinity"), "field is immutable")
    if "volumeAttributesClassName" in before and "volumeAttributesClassName" not in spec:
        yield fe.forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def claim_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    modes = list(_mode_errors(spec))
    yield from [error for error in modes if error.type == "FieldValueRequired"]
    yield from validate_selector(part(spec, "selector"), "spec.selector")
    yield from [error for error in modes if error.type != "FieldValueRequired"]
    size = part(spec, "resources", "requests").get("storage")
    field = "spec.resources[storage]"
    if size is None:
        yield fe.required(field)
    elif number(size) <= 0:
        yield fe.invalid(field, size, "must be greater than zero")
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from fe.every(f"spec.{name}", spec[name], names.dns_subdomain(spec[name]))
    if spec.get("volumeMode", "Filesystem") not in _VOLUME_MODES:
        yield fe.not_supported("spec.volumeMode", spec["volumeMode"], _VOLUME_MODES)
    for name in ("dataSource", "dataSourceRef"):
        if name in spec:
            yield from _data_source_errors(part(spec, name), f"spec.{name}")
    if old is not None:
        yield from _claim_changes(obj, old)


def _data_source_errors(source: Object, field: str) -> Iterator[FieldError]:
    for name in ("name", "kind"):
        if not source.get(name):
            yield fe.required(f"{field}.{name}")
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != "PersistentVolumeClaim":
        text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        yield fe.invalid(field, source.get("kind", ""), text)
    elif group:
        yield from fe.every(f"{field}.apiGroup", group, names.dns_subdomain(group))


def _claim_changes(obj: Object, old: Object) -> Iterator[FieldError]:
    spec, before = part(obj, "spec"), part(old, "spec")
    bound = part(obj, "status").get("phase") == "Bound"
    if _fixed(spec, before, bound) != _fixed(before, before, bound):
        yield fe.forbidden("spec", _CLAIM_FIXED)
    size, held = (part(side, "resources", "requests").get("storage") for side in (spec, before))
    if size and held and number(size) < number(held):
        reached = part(old, "status", "capacity").get("storage", "0")
        if number(size) <= number(reached):
            field = "spec.resources.requests.storage"
            yield fe.forbidden(field, "field can not be less than status.capacity")
    if spec.get("volumeMode") != before.get("volumeMode"):
        yield fe.invalid("volumeMode", spec.get("volumeMode"), "field is immutable")
    if before.get("volumeAttributesClassName") is not None and not spec.get("volumeAttributesClassName"):
        what = "nil" if "volumeAttributesClassName" not in spec else "an empty string"
        yield fe.forbidden("spec.volumeAttributesClassName", f"update from non-nil value to {what} is forbidden")


def _fixed(spec: Object, before: Object, bound: bool) -> Object:
    """The part of a claim that never changes: a volume and a class may be named once, a bound claim may grow."""
    kept = {key: value for key, value in spec.items() if key != "volumeAttributesClassName"}
    for name in ("volumeName", "storageClassName"):
        if not before.get(name) and (name == "volumeName" or name not in before):
            kept.pop(name, None)
    if bound and "requests" in part(spec, "resources"):
        requests = {k: v for k, v in spec["resources"]["requests"].items() if k != "storage"}
        kept["resources"] = {**spec["resources"], "requests": requests}
    return kept
