"""The columns of volumes, claims, storage classes and CSI objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..foreign import part, parts
from .cells import at, computed, flag, text
from .tables import AGE, NAME, Column

Object = Mapping[str, Any]

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def _modes(modes: list[str]) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def _phase(obj: Object) -> str:
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else str(at(obj, "status.phase", ""))


def _class(obj: Object) -> str:
    annotated = part(obj, "metadata", "annotations").get(_BETA_CLASS)
    return str(annotated if annotated is not None else at(obj, "spec.storageClassName", "") or "")


def _claim(obj: Object) -> str:
    reference = at(obj, "spec.claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


def _if_bound(cell: Callable[[Object], str]) -> Callable[[Object], str]:
    return lambda obj: cell(obj) if at(obj, "spec.volumeName") else ""


def _named_default(*annotations: str) -> Column:
    def cell(obj: Object) -> str:
        found = part(obj, "metadata", "annotations")
        default = any(found.get(name) == "true" for name in annotations)
        return f"{obj['metadata'].get('name', '')}{' (default)' if default else ''}"

    return Column("Name", lambda obj, _: cell(obj), format="name", description=NAME.description)


def _audiences(obj: Object) -> str:
    requests = parts(obj, "spec", "tokenRequests")
    return ",".join(str(request.get("audience", "")) for request in requests) if requests else "<unset>"


_ATTRIBUTES = text("VolumeAttributesClass", "spec.volumeAttributesClassName", "<unset>")
_MODE = text("VolumeMode", "spec.volumeMode", "<unset>", 1)

STORAGE: dict[str, tuple[Column, ...]] = {
    "/persistentvolumeclaims": (
        NAME, computed("Status", _phase), text("Volume", "spec.volumeName"),
        computed("Capacity", _if_bound(lambda obj: str(at(obj, "status.capacity.storage", "0")))),
        computed("Access Modes", _if_bound(lambda obj: _modes(parts(obj, "status", "accessModes")))),
        computed("StorageClass", _class), _ATTRIBUTES, AGE, _MODE,
    ),
    "/persistentvolumes": (
        NAME, text("Capacity", "spec.capacity.storage"),
        computed("Access Modes", lambda obj: _modes(parts(obj, "spec", "accessModes"))),
        text("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"), computed("Status", _phase),
        computed("Claim", _claim), computed("StorageClass", _class), _ATTRIBUTES, text("Reason", "status.reason"),
        AGE, _MODE,
    ),
    "storage.k8s.io/storageclasses": (
        _named_default(
            "storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"
        ),
        text("Provisioner", "provisioner"), text("ReclaimPolicy", "reclaimPolicy", "Delete"),
        text("VolumeBindingMode", "volumeBindingMode", "Immediate"),
        computed("AllowVolumeExpansion", lambda obj: bool(obj.get("allowVolumeExpansion"))), AGE,
    ),
    "storage.k8s.io/volumeattributesclasses": (
        _named_default("storageclass.kubernetes.io/is-default-class"), text("DriverName", "driverName"), AGE,
    ),
    "storage.k8s.io/csidrivers": (
        NAME, flag("AttachRequired", "spec.attachRequired"), flag("PodInfoOnMount", "spec.podInfoOnMount"),
        flag("StorageCapacity", "spec.storageCapacity"), computed("TokenRequests", _audiences),
        flag("RequiresRepublish", "spec.requiresRepublish"),
        computed("Modes", lambda obj: ",".join(parts(obj, "spec", "volumeLifecycleModes")) or "<none>"), AGE,
    ),
    "storage.k8s.io/csinodes": (
        NAME, computed("Drivers", lambda obj: len(parts(obj, "spec", "drivers")), "integer"), AGE,
    ),
    "storage.k8s.io/csistoragecapacities": (
        NAME, text("StorageClassName", "storageClassName"), text("Capacity", "capacity", "<unset>"),
    ),
    "storage.k8s.io/volumeattachments": (
        NAME, text("Attacher", "spec.attacher"), text("PV", "spec.source.persistentVolumeName"),
        text("Node", "spec.nodeName"), flag("Attached", "status.attached"), AGE,
    ),
}  # fmt: skip
