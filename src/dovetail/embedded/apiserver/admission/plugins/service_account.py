"""ServiceAccount: every pod runs as an account of its namespace and gets that account's token.

Model: on creation the account's name, its pull secrets and a projected volume ``kube-api-access-xxxxx`` (token, CA,
namespace) with its mounts are put into the pod, unless the pod or the account says no. Mirror pods, which stand for
files on a node, may have none of it. Source: Kubernetes ``plugin/pkg/admission/serviceaccount``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

from ...foreign import part, parts
from ...objects.metadata import generate_name
from ..plugin import UPDATE, Attributes, Plugin
from .cluster import annotations_of, find
from .refusal import forbidden

Object = dict[str, Any]

STORE = "/serviceaccounts"
DEFAULT = "default"
VOLUME_PREFIX = "kube-api-access-"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
MIRROR = "kubernetes.io/config.mirror"
_ENFORCE_MOUNTABLE = "kubernetes.io/enforce-mountable-secrets"
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_ATTEMPTS = 10


class ServiceAccount(Plugin):
    async def wait(self, attributes: Attributes) -> None:
        """A new namespace gets its account ``default`` from a controller: its first pod waits for that a while."""
        if not attributes.is_new_pod or _is_mirror(attributes):
            return
        assert attributes.obj is not None
        name = part(attributes.obj, "spec").get("serviceAccountName") or DEFAULT
        pause = random.uniform(0.1, 0.2)
        attempts = _ATTEMPTS if name == DEFAULT else 1
        for _ in range(attempts - 1):
            if find(attributes.api, STORE, name, attributes.namespace) is not None:
                return
            await asyncio.sleep(pause)

    def mutate(self, attributes: Attributes) -> None:
        """What may not be is refused here already, before the pod's own rules are asked."""
        if not attributes.is_new_pod:
            return
        if not _is_mirror(attributes):
            self._complete(attributes)
        self.validate(attributes)

    def _complete(self, attributes: Attributes) -> None:
        assert attributes.obj is not None
        spec: Object = attributes.obj.setdefault("spec", {})
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = DEFAULT
        spec["serviceAccount"] = spec["serviceAccountName"]
        account = _account(attributes, spec)
        if _wants_token(spec, account):
            mount_token(spec)
        if not spec.get("imagePullSecrets") and (secrets := parts(account, "imagePullSecrets")):
            spec["imagePullSecrets"] = [{"name": secret["name"]} for secret in secrets if secret.get("name")]

    def validate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "/pods" or attributes.obj is None:
            return
        spec = part(attributes.obj, "spec")
        if attributes.subresource == "ephemeralcontainers" and attributes.operation == UPDATE:
            _check_references(attributes, spec, ephemeral=True)
        elif attributes.is_new_pod and _is_mirror(attributes):
            _check_mirror(attributes, spec)
        elif attributes.is_new_pod:
            _check_references(attributes, spec, ephemeral=False)


def _is_mirror(attributes: Attributes) -> bool:
    return MIRROR in annotations_of(attributes.obj or {})


def _account(attributes: Attributes, spec: Object) -> Object:
    name = str(spec["serviceAccountName"])
    account = find(attributes.api, STORE, name, attributes.namespace)
    if account is None:
        where = f"{attributes.namespace}/{name}"
        raise forbidden(attributes, f'error looking up service account {where}: serviceaccount "{name}" not found')
    return account


def _wants_token(spec: Object, account: Object) -> bool:
    for owner in (spec, account):
        if owner.get("automountServiceAccountToken") is not None:
            return bool(owner["automountServiceAccountToken"])
    return True


def mount_token(spec: Object) -> None:
    """Mount the token into every container that has nothing at its place."""
    names = [str(volume.get("name", "")) for volume in parts(spec, "volumes")]
    present = next((name for name in names if name.startswith(VOLUME_PREFIX)), "")
    name = present or generate_name(VOLUME_PREFIX)
    needed = False
    for container in [*parts(spec, "initContainers"), *parts(spec, "containers")]:
        mounts = parts(container, "volumeMounts")
        if all(mount.get("mountPath") != MOUNT_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            needed = True
    if needed and not present:
        spec["volumes"] = [*parts(spec, "volumes"), {"name": name, "projected": _projected()}]


def _projected() -> Object:
    authority = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": authority},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
        ],
        "defaultMode": 0o644,
    }


def _check_mirror(attributes: Attributes, spec: Object) -> None:
    if spec.get("serviceAccountName"):
        raise forbidden(attributes, "a mirror pod may not reference service accounts")
    if _references_secrets(spec):
        raise forbidden(attributes, "a mirror pod may not reference secrets")
    for volume in parts(spec, "volumes"):
        if any("serviceAccountToken" in source for source in parts(volume, "projected", "sources")):
            raise forbidden(attributes, "a mirror pod may not use ServiceAccountToken volume projections")


_SECRET_VOLUMES = ("azureFile", "cephfs", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos", "csi")


def _references_secrets(spec: Object) -> bool:
    if parts(spec, "imagePullSecrets") or any(True for _ in _secret_uses(spec, "containers", "")):
        return True
    if any(True for key in ("initContainers", "ephemeralContainers") for _ in _secret_uses(spec, key, "")):
        return True
    return any(_volume_has_secret(volume) for volume in parts(spec, "volumes"))


def _volume_has_secret(volume: Object) -> bool:
    if "secret" in volume or any("secret" in source for source in parts(volume, "projected", "sources")):
        return True
    if part(volume, "azureFile").get("secretName"):
        return True
    return any(
        "secretRef" in part(volume, kind) or "nodePublishSecretRef" in part(volume, kind) for kind in _SECRET_VOLUMES
    )


def _check_references(attributes: Attributes, spec: Object, *, ephemeral: bool) -> None:
    if not spec.get("serviceAccountName"):
        where = f"{attributes.namespace}/{part(attributes.obj or {}, 'metadata').get('name', '')}"
        raise forbidden(attributes, f"no service account specified for pod {where}")
    account = _account(attributes, spec)
    if annotations_of(account).get(_ENFORCE_MOUNTABLE) not in _TRUE:
        return
    problem = next(_unreferenced(spec, account, ephemeral=ephemeral), "")
    if problem:
        raise forbidden(attributes, problem)


def _unreferenced(spec: Object, account: Object, *, ephemeral: bool) -> Iterator[str]:
    """Secrets that a pod uses although its account, which insists, does not name them."""
    mountable = {str(secret.get("name", "")) for secret in parts(account, "secrets")}
    owner = f"service account {account['metadata']['name']}"
    refusal = f"is not allowed because {owner} does not reference that secret"
    keys = (("initContainers", "init container"), ("containers", "container"))
    if ephemeral:
        keys = (("ephemeralContainers", "ephemeral container"),)
    else:
        for volume in parts(spec, "volumes"):
            name = part(volume, "secret").get("secretName", "")
            if "secret" in volume and name not in mountable:
                yield f'volume with secret.secretName="{name}" {refusal}'
    for key, title in keys:
        for what, name in _secret_uses(spec, key, title):
            if name not in mountable:
                yield f'{what} referencing secret.secretName="{name}" {refusal}'
    pullable = {str(secret.get("name", "")) for secret in parts(account, "imagePullSecrets")}
    for index, secret in enumerate([] if ephemeral else parts(spec, "imagePullSecrets")):
        if secret.get("name", "") not in pullable:
            yield (
                f'imagePullSecrets[{index}].name="{secret.get("name", "")}" is not allowed because {owner} does not '
                "reference that imagePullSecret"
            )


def _secret_uses(spec: Object, key: str, title: str) -> Iterator[tuple[str, str]]:
    """(who uses it, secret) of the environment of each container."""
    for container in parts(spec, key):
        who = f"{title} {container.get('name', '')}"
        for variable in parts(container, "env"):
            if reference := part(variable, "valueFrom", "secretKeyRef"):
                yield f"{who} with envVar {variable.get('name', '')}", str(reference.get("name", ""))
        for source in parts(container, "envFrom"):
            if "secretRef" in source:
                yield f"{who} with envFrom", str(part(source, "secretRef").get("name", ""))
