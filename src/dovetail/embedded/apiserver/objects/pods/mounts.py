"""What a container mounts of the pod's volumes: ``volumeMounts`` and ``volumeDevices``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part, parts
from .formats import no_step_back, not_found, relative_path

Object = dict[str, Any]

_PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"]
_RECURSIVE = ["Disabled", "Enabled", "IfPossible"]


def mount_errors(container: Object, volumes: dict[str, Object], field: str) -> Iterator[FieldError]:
    mounts, devices = parts(container, "volumeMounts"), parts(container, "volumeDevices")
    where = f"{field}.volumeMounts"
    taken: set[str] = set()
    device_names = {str(d.get("name", "")): str(d.get("devicePath", "")) for d in devices}
    for index, mount in enumerate(mounts):
        yield from _mount(mount, volumes, device_names, taken, f"{where}[{index}]")
        yield from _mount_options(mount, container, where, index)
    mount_names = {str(m.get("name", "")): str(m.get("mountPath", "")) for m in mounts}
    yield from _devices(devices, volumes, mount_names, f"{field}.volumeDevices")


def _mount(
    mount: Object, volumes: dict[str, Object], devices: dict[str, str], taken: set[str], field: str
) -> Iterator[FieldError]:
    name, path = str(mount.get("name", "")), str(mount.get("mountPath", ""))
    if not name:
        yield fe.required(f"{field}.name")
    if name not in volumes:
        yield not_found(f"{field}.name", name)
    if not path:
        yield fe.required(f"{field}.mountPath")
    if path in taken:
        yield fe.invalid(f"{field}.mountPath", path, "must be unique")
    taken.add(path)
    if name in devices:
        yield fe.invalid(f"{field}.name", name, "must not already exist in volumeDevices")
    if path in devices.values():
        yield fe.invalid(f"{field}.mountPath", path, "must not already exist as a path in volumeDevices")


def _mount_options(mount: Object, container: Object, field: str, index: int) -> Iterator[FieldError]:
    """Most of these problems are told of the whole list, as kube-apiserver does."""
    path, expression = str(mount.get("subPath", "")), str(mount.get("subPathExpr", ""))
    if path:
        yield from relative_path(f"{field}.subPath", path)
    if expression:
        if path:
            text = "subPathExpr and subPath are mutually exclusive"
            yield fe.invalid(f"{field}[{index}].subPathExpr", expression, text)
        yield from relative_path(f"{field}.subPathExpr", expression)
    propagation = mount.get("mountPropagation")
    if propagation is not None:
        if propagation not in _PROPAGATIONS:
            yield fe.not_supported(f"{field}.mountPropagation", propagation, _PROPAGATIONS)
        if propagation == "Bidirectional" and not part(container, "securityContext").get("privileged"):
            text = "Bidirectional mount propagation is available only to privileged containers"
            yield fe.forbidden(f"{field}.mountPropagation", text)
    recursive, where = mount.get("recursiveReadOnly"), f"{field}.recursiveReadOnly"
    if recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            yield fe.forbidden(where, "may only be specified when readOnly is true")
        if propagation not in (None, "None"):
            yield fe.forbidden(where, "may only be specified when mountPropagation is None or not specified")
    elif recursive not in (None, "Disabled"):
        yield fe.not_supported(where, recursive, _RECURSIVE)


def _devices(
    devices: list[Object], volumes: dict[str, Object], mounts: dict[str, str], field: str
) -> Iterator[FieldError]:
    names: set[str] = set()
    paths: set[str] = set()
    for index, device in enumerate(devices):
        where, name, path = f"{field}[{index}]", str(device.get("name", "")), str(device.get("devicePath", ""))
        volume = volumes.get(name)
        if not name:
            yield fe.required(f"{where}.name")
        if name in names:
            yield fe.invalid(f"{where}.name", name, "must be unique")
        if volume is not None and "persistentVolumeClaim" not in volume and "ephemeral" not in volume:
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield fe.invalid(f"{where}.name", name, text)
        if volume is None:
            yield not_found(f"{where}.name", name)
        if not path:
            yield fe.required(f"{where}.devicePath")
        if path in paths:
            yield fe.invalid(f"{where}.devicePath", path, "must be unique")
        if path and list(no_step_back(where, path)):
            yield fe.invalid(f"{where}.devicePath", path, "can not contain backsteps ('..')")
        else:
            paths.add(path)
        if name in mounts:
            yield fe.invalid(f"{where}.name", name, "must not already exist in volumeMounts")
        if path in mounts.values():
            yield fe.invalid(f"{where}.devicePath", path, "must not already exist as a path in volumeMounts")
        if name:
            names.add(name)
