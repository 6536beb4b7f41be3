"""The seed's Repository: an image that serves a Helm repository, run where the cluster runs workloads.

Each has a Deployment of one pod and a Service in kubesphere-system, `repository-<name>`, owned by the Repository and
removed with it. The pod gets no rights and no token. At every poll the image is pulled again, unless it is named by its
digest: the pod template gets another annotation, the new pod takes over when it serves its index, and only then the
index is read. The repository's address is the Service's name; `ServiceResolver` finds the pod behind it through the
API, so that it makes no difference whether the controllers run in the cluster or beside it.
"""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from dovetail.apis import labels
from dovetail.apis.dialects import Repository, ServiceRef
from dovetail.kube import (
    DEPLOYMENTS,
    ENDPOINTSLICES,
    NAMESPACES,
    NODES,
    SERVICES,
    AlreadyExists,
    Client,
    NotFound,
    owner_reference,
    uid_of,
)
from dovetail.kube.resources import Object, ResourceLike
from dovetail.kube.timestamps import now, rfc3339
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.objects import generation_of, mapping, spec_of, status_of

PREFIX: Final = "repository-"
PORT: Final = 8080
PULLED: Final = "dovetail.dev/pulled-at"
"""Annotation of the pod template: the last time that a pull was asked for."""
_REPOSITORY: Final = "dovetail.dev/repository"
_SERVICE_NAME: Final = "kubernetes.io/service-name"
_MANAGER: Final = "dovetail"
_LONGEST: Final = 63 - len(PREFIX)
_PATIENCE: Final = 60.0
_GLANCE: Final = 1.0


def name_of(repository: str) -> str:
    """Of the Deployment and the Service: a Repository's name may be longer than a Service's, and have dots."""
    if len(repository) <= _LONGEST and "." not in repository:
        return f"{PREFIX}{repository}"
    digest = hashlib.sha256(repository.encode()).hexdigest()[:10]
    return f"{PREFIX}{repository.replace('.', '-')[: _LONGEST - 11]}-{digest}"


def address_of(repository: str) -> str:
    """The URL of what the image serves."""
    return f"http://{name_of(repository)}.{labels.SYSTEM_NAMESPACE}.svc:{PORT}"


def is_pinned(image: str) -> bool:
    """Whether the image can only be one, so that pulling it again is useless."""
    return "@sha256:" in image


def deployment(owner: Object, image: str, pulled: str) -> dict[str, Any]:
    """The pod that serves the image's packages; `pulled` changes to have the image pulled again."""
    name = name_of(owner["metadata"]["name"])
    marks = {_REPOSITORY: name}
    container = {
        "name": "repository",
        "image": image,
        "imagePullPolicy": "IfNotPresent" if is_pinned(image) else "Always",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/index.yaml", "port": PORT}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {"automountServiceAccountToken": False, "enableServiceLinks": False, "containers": [container]}
    template = {"metadata": {"labels": marks, "annotations": {PULLED: pulled}}, "spec": pod}
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    spec = {"replicas": 1, "selector": {"matchLabels": marks}, "strategy": rolling, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _metadata(owner, name, marks), "spec": spec}


def service(owner: Object) -> dict[str, Any]:
    """The address of the pod."""
    name = name_of(owner["metadata"]["name"])
    marks = {_REPOSITORY: name}
    ports = [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}]
    spec = {"selector": marks, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(owner, name, marks), "spec": spec}


def is_rolled_out(found: Object) -> bool:
    """Whether the pod of the newest template serves, and no older one any more."""
    status = status_of(found)
    counts = {int(status.get(name) or 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    return int(status.get("observedGeneration") or 0) >= generation_of(found) and counts == {1}


def _metadata(owner: Object, name: str, marks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": labels.SYSTEM_NAMESPACE,
        "labels": {**marks, labels.MANAGED: "true"},
        "ownerReferences": [owner_reference(owner)],
    }


class ImageRepositories:
    """Runs the images of Repositories."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def served(self, model: Repository, owner: Object, *, pull: bool) -> Repository:
        """The repository with the address of what its image serves. Raises SyncFailed while nothing serves it."""
        await self._ensure(model, owner, pull=pull and not is_pinned(model.image))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(model.timeout, _PATIENCE)):
                while not is_rolled_out(found := await self._deployment(owner)):
                    await self._hopeless(model)
                    await asyncio.sleep(_GLANCE)
                return msgspec.structs.replace(model, url=address_of(model.meta.name))
        found = await self._deployment(owner)
        message = f"no pod of the image {model.image} is ready yet: {_why(found)}. Look at the pods of the Deployment "
        raise SyncFailed("WaitingForPod", f"{message}{_where(name_of(model.meta.name))}")

    async def withdraw(self, owner: Object) -> None:
        """Remove what ran for a Repository that names no image any more."""
        for resource in (DEPLOYMENTS, SERVICES):
            found = await self._get(resource, name_of(owner["metadata"]["name"]))
            if found is not None and _is_of(found, owner):
                with contextlib.suppress(NotFound):
                    await self._client.delete(
                        resource, found["metadata"]["name"], labels.SYSTEM_NAMESPACE, propagation="Background"
                    )

    async def _ensure(self, model: Repository, owner: Object, *, pull: bool) -> None:
        found = await self._get(DEPLOYMENTS, name_of(model.meta.name))
        for resource, obj in ((DEPLOYMENTS, found), (SERVICES, await self._get(SERVICES, name_of(model.meta.name)))):
            if obj is not None and not _is_of(obj, owner):
                what = f"{resource.kind} {_where(name_of(model.meta.name))}"
                raise SyncFailed("NameTaken", f"{what} belongs to somebody else; remove it, or rename the Repository")
        with contextlib.suppress(AlreadyExists):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": labels.SYSTEM_NAMESPACE}}
            await self._client.create(NAMESPACES, namespace)
        pulled = rfc3339(now()) if pull or found is None else _pulled_at(found)
        for resource, obj in ((DEPLOYMENTS, deployment(owner, model.image, pulled)), (SERVICES, service(owner))):
            await self._client.apply(resource, obj, field_manager=_MANAGER, force=True)

    async def _hopeless(self, model: Repository) -> None:
        """Raises SyncFailed where no pod can ever run."""
        if not (await self._client.list(NODES, limit=1, metadata_only=True)).items:
            raise SyncFailed(
                "NoNodes",
                f"the repository is the image {model.image}, which needs a pod, and this cluster has no node that runs "
                "pods; add a node, or give the url of a Helm repository, an oci:// registry or a directory",
            )

    async def _deployment(self, owner: Object) -> Object:
        return await self._get(DEPLOYMENTS, name_of(owner["metadata"]["name"])) or {}

    async def _get(self, resource: ResourceLike, name: str) -> Object | None:
        try:
            return await self._client.get(resource, name, labels.SYSTEM_NAMESPACE)
        except NotFound:
            return None


class ServiceResolver(AbstractResolver):
    """Finds the pods behind the Services of image repositories; every other name is left to the system."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._system = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        from dovetail.routing.addresses import resolve  # few platforms have such a repository

        name, _, rest = host.partition(".")
        if rest != f"{labels.SYSTEM_NAMESPACE}.svc" or not name.startswith(PREFIX):
            return await self._system.resolve(host, port, family)
        selector = f"{_SERVICE_NAME}={name}"
        slices = (await self._client.list(ENDPOINTSLICES, labels.SYSTEM_NAMESPACE, label_selector=selector)).items
        ref = ServiceRef(labels.SYSTEM_NAMESPACE, name, port)
        try:
            found = resolve(ref, await self._client.get(SERVICES, name, labels.SYSTEM_NAMESPACE), slices=slices)
        except NotFound as error:
            raise OSError(f"there is no Service {_where(name)}") from error
        if not found.addresses:
            raise OSError(found.message)
        return [_result(host, address.host, address.port) for address in found.addresses]

    async def close(self) -> None:
        await self._system.close()


def _result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=name, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def _is_of(obj: Object, owner: Object) -> bool:
    owners = obj["metadata"].get("ownerReferences") or ()
    return any(one.get("uid") == uid_of(owner) for one in owners)


def _pulled_at(found: Object) -> str:
    template = mapping(mapping(spec_of(found).get("template")).get("metadata"))
    return str(mapping(template.get("annotations")).get(PULLED) or "")


def _why(found: Object) -> str:
    """What the Deployment says of itself."""
    for condition in status_of(found).get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return str(condition["message"])[:300].rstrip(".")
    return "it has not told why"


def _where(name: str) -> str:
    return f"{labels.SYSTEM_NAMESPACE}/{name}"
