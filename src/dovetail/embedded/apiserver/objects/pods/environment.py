"""Environment variables and references into the pod: ``env``, ``envFrom``, the downward API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, parts
from ...quantities import value
from ..names import dns_label, dns_subdomain, qualified
from .formats import config_key, each, environment_name, local_path

Object = dict[str, Any]

ENV_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
# what the downward API can name at all; of these each place supports some
_KNOWN = {*ENV_FIELDS, *VOLUME_FIELDS, "spec.restartPolicy", "spec.schedulerName", "status.phase"}
_RESOURCES = (
    "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
    "requests.memory",
)  # fmt: skip
_HUGE = ("limits.hugepages-", "requests.hugepages-")
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def variable_errors(container: Object, field: str) -> Iterator[FieldError]:
    for index, variable in enumerate(parts(container, "env")):
        where, name = f"{field}.env[{index}]", str(variable.get("name", ""))
        if not name:
            yield fe.required(f"{where}.name")
        else:
            yield from each(f"{where}.name", name, environment_name(name))
        if is_object(source := variable.get("valueFrom")):
            yield from _source_errors(source, str(variable.get("value", "")), f"{where}.valueFrom")
    yield from _group_errors(parts(container, "envFrom"), f"{field}.envFrom")


def _source_errors(source: Object, text: str, field: str) -> Iterator[FieldError]:
    given = [name for name in _SOURCES if is_object(source.get(name))]
    for name in given:
        where, reference = f"{field}.{name}", source[name]
        if name == "fieldRef":
            yield from field_errors(reference, ENV_FIELDS, where)
        elif name == "resourceFieldRef":
            yield from resource_field_errors(reference, where, in_volume=False)
        elif name == "fileKeyRef":
            yield from _file_key_errors(reference, where)
        else:
            yield from _key_errors(reference, where)
    if not given:
        names = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        yield fe.invalid(field, "", f"must specify one of: {names}")
    elif text:
        yield fe.invalid(field, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield fe.invalid(field, "", "may not have more than one field specified at a time")


def _key_errors(reference: Object, field: str) -> Iterator[FieldError]:
    name, key = str(reference.get("name", "")), str(reference.get("key", ""))
    yield from each(f"{field}.name", name, dns_subdomain(name))
    if not key:
        yield fe.required(f"{field}.key")
    else:
        yield from each(f"{field}.key", key, config_key(key))


def _file_key_errors(reference: Object, field: str) -> Iterator[FieldError]:
    key, volume, path = (str(reference.get(name, "")) for name in ("key", "volumeName", "path"))
    if not key:
        yield fe.required(f"{field}.key")
    else:
        yield from each(f"{field}.key", key, environment_name(key))
    if not volume:
        yield fe.required(f"{field}.volumeName")
    else:
        yield from each(f"{field}.volumeName", volume, dns_label(volume))
    if not path:
        yield fe.required(f"{field}.path")
    else:
        yield from local_path(f"{field}.path", path)


def _group_errors(groups: list[Object], field: str) -> Iterator[FieldError]:
    for index, group in enumerate(groups):
        where = f"{field}[{index}]"
        if prefix := str(group.get("prefix", "")):
            yield from each(f"{where}.prefix", prefix, environment_name(prefix))
        given = [name for name in ("configMapRef", "secretRef") if is_object(group.get(name))]
        for source in given:
            name = str(group[source].get("name", ""))
            if not name:
                yield fe.required(f"{where}.{source}.name")
            else:
                # checked as a prefix: a dash at the end is fine
                masked = f"{name[:-1]}a" if len(name) > 1 and name.endswith("-") else name
                yield from each(f"{where}.{source}.name", name, dns_subdomain(masked))
        if not given:
            yield fe.invalid(field, "", "must specify one of: `configMapRef` or `secretRef`")
        elif len(given) > 1:
            yield fe.invalid(field, "", "may not have more than one field specified at a time")


def field_errors(reference: Object, supported: tuple[str, ...], field: str) -> Iterator[FieldError]:
    """A reference to a field of the pod: ``metadata.labels['key']``, ``status.podIP``, ..."""
    version, path = str(reference.get("apiVersion", "")), str(reference.get("fieldPath", ""))
    if not version or not path:
        yield fe.required(f"{field}.{'fieldPath' if version else 'apiVersion'}")
        return
    base, subscript = _split(path)
    if version != "v1":
        yield fe.invalid(f"{field}.fieldPath", path, f"error converting fieldPath: unsupported pod version: {version}")
    elif subscript is not None and base not in ("metadata.annotations", "metadata.labels"):
        text = f"error converting fieldPath: field label does not support subscript: {path}"
        yield fe.invalid(f"{field}.fieldPath", path, text)
    elif subscript is not None:
        key = subscript.lower() if base == "metadata.annotations" else subscript
        yield from each(field, key, qualified(key))
    elif path not in _KNOWN:
        yield fe.invalid(f"{field}.fieldPath", path, f"error converting fieldPath: field label not supported: {path}")
    elif path not in supported:
        yield fe.not_supported(f"{field}.fieldPath", path, list(supported))


def _split(path: str) -> tuple[str, str | None]:
    base, bracket, rest = path.partition("['")
    if bracket and rest.endswith("']") and base:
        return base, rest[:-2]
    return path, None


def resource_field_errors(reference: Object, field: str, *, in_volume: bool) -> Iterator[FieldError]:
    """A reference to a resource of a container."""
    resource = str(reference.get("resource", ""))
    if in_volume and not reference.get("containerName"):
        yield fe.required(f"{field}.containerName")
    elif not resource:
        yield fe.required(f"{field}.resource")
    elif resource not in _RESOURCES and not resource.startswith(_HUGE):
        yield fe.not_supported(f"{field}.resource", resource, list(_RESOURCES))
    yield from _divisor_errors(resource, str(reference.get("divisor", "0")), field)


def _divisor_errors(resource: str, divisor: str, field: str) -> Iterator[FieldError]:
    if value(divisor) == 0:
        return
    kind = resource.partition(".")[2]
    where, sizes = f"{field}.divisor", ", ".join(_BYTES)
    if kind == "cpu" and resource in _RESOURCES:
        if divisor not in ("1m", "1"):
            yield fe.invalid(where, resource, "only divisor's values 1m and 1 are supported with the cpu resource")
        return
    named = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}
    words = named.get(kind) if resource in _RESOURCES else "hugepages" if resource.startswith(_HUGE) else None
    if words and divisor not in _BYTES:
        yield fe.invalid(where, resource, f"only divisor's values {sizes} are supported with the {words} resource")
