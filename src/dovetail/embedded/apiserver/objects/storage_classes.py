"""Storage classes, CSI drivers and nodes, attachments, capacities. Pure. Source: ``pkg/apis/storage/validation``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names
from .metadata import validate_selector

Object = dict[str, Any]

_BINDING = ("Immediate", "WaitForFirstConsumer")
_LIFECYCLES = ("Ephemeral", "Persistent")
_FS_GROUPS = ("File", "None", "ReadWriteOnceWithFSType")


def class_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _provisioner_errors(obj.get("provisioner", ""), "provisioner")
    yield from _parameter_errors(obj)
    policy, mode = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    if policy not in ("Delete", "Retain"):
        yield fe.not_supported("reclaimPolicy", policy, ("Delete", "Retain"))
    if mode is None:
        yield fe.required("volumeBindingMode")
    elif mode not in _BINDING:
        yield fe.not_supported("volumeBindingMode", mode, _BINDING)
    if old is None:
        return
    if obj.get("parameters") != old.get("parameters"):
        yield fe.forbidden("parameters", "updates to parameters are forbidden.")
    if obj.get("provisioner") != old.get("provisioner"):
        yield fe.forbidden("provisioner", "updates to provisioner are forbidden.")
    if policy != old.get("reclaimPolicy"):
        yield fe.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.")
    if mode != old.get("volumeBindingMode"):
        yield fe.invalid("volumeBindingMode", mode, "field is immutable")


def attributes_class_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from _provisioner_errors(obj.get("driverName", ""), "driverName")
    if not part(obj, "parameters"):
        yield fe.required("parameters", "must contain at least one key/value pair")
    yield from _parameter_errors(obj)
    if old is None:
        return
    if obj.get("driverName") != old.get("driverName"):
        yield fe.invalid("driverName", obj.get("driverName"), "field is immutable")
    if obj.get("parameters") != old.get("parameters"):
        yield fe.invalid("parameters", obj.get("parameters"), "field is immutable")


def _provisioner_errors(name: str, field: str) -> Iterator[FieldError]:
    if not name:
        yield fe.required(field)
    else:
        yield from fe.every(field, name, names.qualified(name.lower()))


def _parameter_errors(obj: Object) -> Iterator[FieldError]:
    parameters = part(obj, "parameters")
    if len(parameters) > 512:
        yield fe.too_long("parameters", 512)
    elif "" in parameters:
        yield fe.invalid("parameters", "", "field can not be empty.")
    if sum(len(key) + len(value) for key, value in parameters.items()) > 256 * 1024:
        yield fe.too_long("parameters", 256 * 1024)


def driver_name_errors(name: str, field: str) -> Iterator[FieldError]:
    if not name:
        yield fe.required(field)
    if len(name) > 63:
        yield fe.too_long(field, 63)
    yield from fe.every(field, name, names.dns_subdomain(name.lower()))


def driver_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    if old is None:
        yield from driver_name_errors(obj["metadata"]["name"], "name")
    for index, mode in enumerate(parts(spec, "volumeLifecycleModes")):
        if mode not in _LIFECYCLES:
            yield fe.not_supported(f"spec.volumeLifecycleModes[{index}]", mode, _LIFECYCLES)
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _FS_GROUPS:
        yield fe.not_supported("spec.fsGroupPolicy", policy, _FS_GROUPS)
    seen: set[str] = set()
    for index, request in enumerate(parts(spec, "tokenRequests")):
        audience = request.get("audience", "")
        if audience in seen:
            yield fe.duplicate(f"spec.tokenRequests[{index}].audience", audience)
        seen.add(audience)
    if old is not None:
        for name in ("attachRequired", "volumeLifecycleModes"):
            if spec.get(name) != part(old, "spec").get(name):
                yield fe.invalid(f"spec.{name}", spec.get(name), "field is immutable")


def node_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    del old
    seen: set[str] = set()
    for index, driver in enumerate(parts(obj, "spec", "drivers")):
        field, name = f"spec.drivers[{index}]", driver.get("name", "")
        yield from driver_name_errors(name, f"{field}.name")
        if not driver.get("nodeID"):
            yield fe.required(f"{field}.nodeID")
        if name in seen:
            yield fe.duplicate(f"{field}.name", name)
        seen.add(name)


def attachment_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec, source = part(obj, "spec"), part(obj, "spec", "source")
    yield from _attacher_errors(spec)
    if not source.get("persistentVolumeName") and "inlineVolumeSpec" not in source:
        yield fe.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
    elif source.get("persistentVolumeName") and "inlineVolumeSpec" in source:
        text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        yield fe.invalid("spec.source", source, text)
    if not spec.get("nodeName"):
        yield fe.required("spec.nodeName")
    else:
        yield from fe.every("spec.nodeName", spec["nodeName"], names.dns_subdomain(spec["nodeName"]))
    if old is not None and spec != part(old, "spec"):
        yield fe.invalid("spec", spec, "field is immutable")


def _attacher_errors(spec: Object) -> Iterator[FieldError]:
    if not spec.get("attacher"):
        yield fe.required("spec.attacher")
    else:
        yield from fe.every("spec.attacher", spec["attacher"], names.qualified(spec["attacher"].lower()))


def capacity_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    yield from validate_selector(part(obj, "nodeTopology"), "nodeTopology")
    name = obj.get("storageClassName", "")
    yield from fe.every("storageClassName", name, names.dns_subdomain(name))
    if old is not None:
        for field in ("nodeTopology", "storageClassName"):
            if obj.get(field) != old.get(field):
                yield fe.invalid(field, obj.get(field), "field is immutable")
