"""Volumes of a pod: each has a name of its own and exactly one source.

``volume_errors`` also says which volumes are sound: only those can be mounted, so that one mistake is one error less.
Sources that in-tree drivers left behind have their few rules in ``old_volumes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ...quantities import value
from ..metadata import validate_annotations, validate_labels
from ..names import dns_label, dns_subdomain
from .environment import VOLUME_FIELDS, field_errors, resource_field_errors
from .formats import each, local_path, no_step_back, selector
from .old_volumes import OLD
from .resources import amount_errors

Object = dict[str, Any]

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_PATH_TYPES = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"]
_ACCESS = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_SECOND = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}  # as kube-apiserver spells them in one message


def volume_errors(
    spec: Object, pod_name: str, field: str, *, is_pod: bool
) -> tuple[list[FieldError], dict[str, Object]]:
    """The problems, and the sound volumes by name. ``pod_name`` is "" in templates."""
    volumes = parts(spec, "volumes")
    created = {f"{pod_name}-{v.get('name')}" for v in volumes if pod_name and v.get("ephemeral") is not None}
    errors: list[FieldError] = []
    sound: dict[str, Object] = {}
    for index, volume in enumerate(volumes):
        where, name = f"{field}[{index}]", str(volume.get("name", ""))
        found = list(_one(volume, where, name, pod_name, is_pod=is_pod))
        found += each(f"{where}.name", name, dns_label(name)) if name else [fe.required(f"{where}.name")]
        if name in sound:
            found.append(fe.duplicate(f"{where}.name", name))
        if not found:
            sound[name] = volume
        errors += found
        claim = part(volume, "persistentVolumeClaim").get("claimName")
        if claim in created:
            text = "must not reference a PVC that gets created for an ephemeral volume"
            errors.append(fe.invalid(f"{where}.persistentVolumeClaim.claimName", claim, text))
    return errors, sound


def _one(volume: Object, field: str, name: str, pod_name: str, *, is_pod: bool) -> Iterator[FieldError]:
    given = [kind for kind in _ORDER if is_object(volume.get(kind))]
    for kind in given[:1]:
        yield from _source(kind, volume[kind], field, name, pod_name, is_pod=is_pod)
    for kind in given[1:]:
        yield fe.forbidden(f"{field}.{_SECOND.get(kind, kind)}", "may not specify more than 1 volume type")
    if not given:
        yield fe.required(field, "must specify a volume type")


def _source(kind: str, source: Object, field: str, name: str, pod_name: str, *, is_pod: bool) -> Iterator[FieldError]:
    where = f"{field}.{kind}"
    if kind in OLD:
        yield from OLD[kind](source, field, name)
    elif kind == "emptyDir":
        if value(str(source.get("sizeLimit", "0"))) < 0:
            yield fe.forbidden(f"{where}.sizeLimit", "SizeLimit field must be a valid resource quantity")
    elif kind == "hostPath":
        yield from _host_path(source, where)
    elif kind in ("secret", "configMap"):
        yield from _keyed(source, "secretName" if kind == "secret" else "name", where)
    elif kind == "nfs":
        yield from _nfs(source, where)
    elif kind == "persistentVolumeClaim":
        if not source.get("claimName"):
            yield fe.required(f"{where}.claimName")
    elif kind == "downwardAPI":
        yield from _mode(source, "defaultMode", where)
        for item in parts(source, "items"):
            yield from _downward_item(item, where)
    elif kind == "projected":
        yield from _mode(source, "defaultMode", where)
        yield from _projected(source, where)
    elif kind == "csi":
        yield from _csi(source, where)
    elif kind == "ephemeral":
        yield from _ephemeral(source, where, name, pod_name)
    elif kind == "image":
        if is_pod and not source.get("reference"):
            yield fe.required(f"{where}.reference")
        yield from pull_policy_errors(source.get("pullPolicy", ""), f"{where}.pullPolicy")


def pull_policy_errors(policy: str, field: str) -> Iterator[FieldError]:
    if not policy:
        yield fe.required(field)
    elif policy not in ("Always", "IfNotPresent", "Never"):
        yield fe.not_supported(field, policy, ["Always", "IfNotPresent", "Never"])


def _host_path(source: Object, field: str) -> Iterator[FieldError]:
    if not source.get("path"):
        yield fe.required(f"{field}.path")
        return
    yield from no_step_back(f"{field}.path", source["path"])
    if source.get("type") is not None and source["type"] not in _PATH_TYPES:
        yield fe.not_supported(f"{field}.type", source["type"], _PATH_TYPES)


def _mode(source: Object, name: str, field: str) -> Iterator[FieldError]:
    mode = source.get(name)
    if mode is not None and not 0 <= mode <= 0o777:
        yield fe.invalid(f"{field}.{name}", mode, _MODE)


def _keyed(source: Object, name: str, field: str) -> Iterator[FieldError]:
    if not source.get(name):
        yield fe.required(f"{field}.{name}")
    yield from _mode(source, "defaultMode", field)
    for index, item in enumerate(parts(source, "items")):
        yield from _item(item, f"{field}.items[{index}]")


def _item(item: Object, field: str) -> Iterator[FieldError]:
    path = str(item.get("path", ""))
    if not item.get("key"):
        yield fe.required(f"{field}.key")
    if not path:
        yield fe.required(f"{field}.path")
    yield from local_path(f"{field}.path", path)
    yield from _mode(item, "mode", field)


def _nfs(source: Object, field: str) -> Iterator[FieldError]:
    path = str(source.get("path", ""))
    if not source.get("server"):
        yield fe.required(f"{field}.server")
    if not path:
        yield fe.required(f"{field}.path")
    if not path.startswith("/"):
        yield fe.invalid(f"{field}.path", path, "must be an absolute path")


def _downward_item(item: Object, field: str) -> Iterator[FieldError]:
    path = str(item.get("path", ""))
    if not path:
        yield fe.required(f"{field}.path")
    yield from local_path(f"{field}.path", path)
    reference, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if is_object(reference):
        yield from field_errors(reference, VOLUME_FIELDS, f"{field}.fieldRef")
        if is_object(resource):
            yield fe.invalid(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif is_object(resource):
        yield from resource_field_errors(resource, f"{field}.resourceFieldRef", in_volume=True)
    else:
        yield fe.required(field, "one of fieldRef and resourceFieldRef is required")
    yield from _mode(item, "mode", field)


def _projected(source: Object, field: str) -> Iterator[FieldError]:
    taken: set[str] = set()
    for index, projection in enumerate(parts(source, "sources")):
        where = f"{field}.sources[{index}]"
        for kind in ("secret", "configMap"):
            if is_object(projection.get(kind)):
                yield from _projected_items(projection[kind], field, f"{where}.{kind}", taken)
        if is_object(projection.get("downwardAPI")):
            for item in parts(projection, "downwardAPI", "items"):
                yield from _downward_item(item, f"{where}.downwardAPI")
                yield from _taken(item.get("path"), item.get("path"), field, taken)
        if is_object(projection.get("serviceAccountToken")):
            yield from _token(projection["serviceAccountToken"], field, f"{where}.serviceAccountToken")
        if is_object(projection.get("clusterTrustBundle")):
            yield from _trust(projection["clusterTrustBundle"], f"{where}.clusterTrustBundle")
            path = str(projection["clusterTrustBundle"].get("path", ""))
            yield from _taken(path or "", path, field, taken)
        kinds = ("secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate")
        if sum(is_object(projection.get(kind)) for kind in kinds) > 1:
            yield fe.forbidden(where, "may not specify more than 1 volume type per source")


def _projected_items(projection: Object, field: str, where: str, taken: set[str]) -> Iterator[FieldError]:
    if not projection.get("name"):
        yield fe.required(f"{where}.name")
    for index, item in enumerate(parts(projection, "items")):
        yield from _item(item, f"{where}.items[{index}]")
        yield from _taken(item.get("path"), projection.get("name", ""), field, taken)


def _taken(path: str | None, shown: Any, field: str, taken: set[str]) -> Iterator[FieldError]:
    if path and path in taken:
        yield fe.invalid(field, shown, "conflicting duplicate paths")
    elif path:
        taken.add(path)


def _token(token: Object, field: str, where: str) -> Iterator[FieldError]:
    seconds = token.get("expirationSeconds", 0)
    if seconds < 600:
        yield fe.invalid(f"{where}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
        yield fe.invalid(f"{where}.expirationSeconds", seconds, text)
    if not token.get("path"):
        yield fe.required(f"{field}.path")
    else:
        yield from local_path(f"{field}.path", token["path"])


def _trust(bundle: Object, field: str) -> Iterator[FieldError]:
    name, signer = bundle.get("name"), bundle.get("signerName")
    if name is not None and signer is not None:
        yield fe.invalid(field, bundle, "only one of name and signerName may be used")
    elif name is not None:
        if not name:
            yield fe.required(f"{field}.name", "must be a valid object name")
        if bundle.get("labelSelector") is not None:
            text = "labelSelector must be unset if name is specified"
            yield fe.invalid(f"{field}.labelSelector", bundle["labelSelector"], text)
    elif signer is not None:
        if not signer:
            yield fe.required(f"{field}.signerName", "must be a valid signer name")
        yield from selector(bundle.get("labelSelector"), f"{field}.labelSelector")
    else:
        yield fe.required(field, "either name or signerName must be specified")
    if not bundle.get("path"):
        yield fe.required(f"{field}.path")
    yield from local_path(f"{field}.path", str(bundle.get("path", "")))


def _csi(source: Object, field: str) -> Iterator[FieldError]:
    driver = str(source.get("driver", ""))
    if not driver:
        yield fe.required(f"{field}.driver")
    if len(driver) > 63:
        yield fe.too_long(f"{field}.driver", 63)
    yield from each(f"{field}.driver", driver, dns_subdomain(driver.lower()))
    reference = source.get("nodePublishSecretRef")
    if is_object(reference):
        name = str(reference.get("name", ""))
        if not name:
            yield fe.required(f"{field}.nodePublishSecretRef.name")
        else:
            yield from each(f"{field}.name", name, dns_subdomain(name))


def _ephemeral(source: Object, field: str, name: str, pod_name: str) -> Iterator[FieldError]:
    template = source.get("volumeClaimTemplate")
    if not is_object(template):
        yield fe.required(f"{field}.volumeClaimTemplate")
    else:
        yield from claim_template_errors(template, f"{field}.volumeClaimTemplate")
    if pod_name and name:
        claim = f"{pod_name}-{name}"
        for text in dns_subdomain(claim):
            yield fe.invalid(f"{field.rpartition('.')[0]}.name", name, f'PVC name "{claim}": {text}')


def claim_template_errors(template: Object, field: str) -> Iterator[FieldError]:
    """Labels, annotations and a claim's spec; nothing else of the metadata may be set."""
    meta = part(template, "metadata")
    yield from validate_annotations(part(meta, "annotations"), f"{field}.metadata.annotations")
    yield from validate_labels(part(meta, "labels"), f"{field}.metadata.labels")
    for name in sorted(meta):
        if name not in ("annotations", "labels", "creationTimestamp") and meta[name]:
            yield fe.forbidden(f"{field}.metadata.{name}", "cannot be set")
    yield from claim_spec_errors(part(template, "spec"), f"{field}.spec")


def claim_spec_errors(spec: Object, field: str) -> Iterator[FieldError]:
    """The spec of a persistent volume claim."""
    modes = parts(spec, "accessModes")
    if not modes:
        yield fe.required(f"{field}.accessModes", "at least 1 access mode is required")
    yield from selector(spec.get("selector"), f"{field}.selector")
    for mode in modes:
        if mode not in _ACCESS:
            yield fe.not_supported(f"{field}.accessModes", mode, _ACCESS)
    if "ReadWriteOncePod" in modes and any(mode in _ACCESS[:3] for mode in modes):
        yield fe.forbidden(f"{field}.accessModes", "may not use ReadWriteOncePod with other access modes")
    size, where = part(spec, "resources", "requests").get("storage"), f"{field}.resources[storage]"
    if size is None:
        yield fe.required(where)
    elif value(size) <= 0:
        yield fe.invalid(where, size, "must be greater than zero")
    else:
        yield from amount_errors("storage", size, where)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from each(f"{field}.{name}", spec[name], dns_subdomain(spec[name]))
        if name == "storageClassName" and spec.get("volumeMode") not in (None, "Block", "Filesystem"):
            yield fe.not_supported(f"{field}.volumeMode", spec["volumeMode"], ["Block", "Filesystem"])
