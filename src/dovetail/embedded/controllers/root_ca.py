"""Every namespace has a ConfigMap `kube-root-ca.crt` with the certificates by which pods know the API server."""

from typing import Any

from dovetail.embedded.controllers.living import is_alive
from dovetail.kube import (
    CONFIGMAPS,
    NAMESPACES,
    AlreadyExists,
    Controller,
    ControllerRuntime,
    Forbidden,
    Key,
    NotFound,
    is_deleting,
)

NAME = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


def root_ca_publisher(runtime: ControllerRuntime, authority: str) -> Controller:
    """The controller; its keys are names of namespaces. `authority` is PEM."""
    namespaces = runtime.informer(NAMESPACES)
    published = runtime.informer(CONFIGMAPS, field_selector=f"metadata.name={NAME}")

    async def reconcile(key: Key) -> None:
        namespace = namespaces.lister.get(key.name)
        if namespace is None or is_deleting(namespace):
            return
        present = published.lister.get(NAME, key.name)
        if present is not None and present.get("data") == {"ca.crt": authority}:
            return
        try:
            await _publish(runtime, _configmap(key.name, authority), present is not None)
        except (AlreadyExists, NotFound):
            return
        except Forbidden:
            if await is_alive(runtime.client, key.name):
                raise

    controller = Controller("root-ca-publisher", reconcile, workers=2)
    controller.watches(namespaces)
    controller.watches(published, lambda configmap: [Key("", configmap["metadata"]["namespace"])])
    return controller


async def _publish(runtime: ControllerRuntime, configmap: dict[str, Any], exists: bool) -> None:
    if exists:
        await runtime.client.update(CONFIGMAPS, configmap)
    else:
        await runtime.client.create(CONFIGMAPS, configmap)


def _configmap(namespace: str, authority: str) -> dict[str, Any]:
    annotations = {"kubernetes.io/description": DESCRIPTION}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace, "annotations": annotations},
        "data": {"ca.crt": authority},
    }
