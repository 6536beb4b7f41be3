"""An operator as kopf's own tutorial teaches it: run by `kopf run`, it gives every Claim a ConfigMap and a status."""

from typing import Any

import kopf
import kubernetes


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = True


@kopf.on.create("rows.dovetail.dev", "v1", "claims")
def created(spec: Any, body: kopf.Body, name: str, namespace: str, **_: Any) -> dict[str, str]:
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{name}-made"},
        "data": {"size": spec["size"]},
    }
    kopf.adopt(owned)
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, owned)
    kopf.info(body, reason="Made", message=f"{name}-made is there")
    return {"made": f"{name}-made"}


@kopf.on.field("rows.dovetail.dev", "v1", "claims", field="spec.size")
def resized(new: Any, name: str, namespace: str, old: Any, **_: Any) -> None:
    if old is not None:
        kubernetes.client.CoreV1Api().patch_namespaced_config_map(f"{name}-made", namespace, {"data": {"size": new}})


@kopf.on.delete("rows.dovetail.dev", "v1", "claims")
def deleted(name: str, namespace: str, **_: Any) -> None:
    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{name}-was-here"}}
    kubernetes.client.CoreV1Api().create_namespaced_config_map(namespace, note)
