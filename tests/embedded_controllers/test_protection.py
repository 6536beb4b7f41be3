"""Volumes and claims in use stay; quotas come into force: in a real `dovetail kube`."""

import asyncio
import uuid
from typing import Any

import pytest

from dovetail.embedded.controllers.quotas import RESOURCEQUOTAS, counting_patch
from dovetail.embedded.controllers.storage_protection import (
    CLAIM_FINALIZER,
    PERSISTENTVOLUMES,
    VOLUME_FINALIZER,
    claim_names,
    uses,
)
from dovetail.kube import (
    CONFIGMAPS,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    Client,
    Forbidden,
    Object,
    finalizers_of,
    is_deleting,
)

from .clusters import gone, new_namespace, until


@pytest.fixture
async def namespace(client: Client) -> str:
    return await new_namespace(client, "use")


def claim(name: str, namespace: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": ""}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def pod(name: str, namespace: str, claim_name: str, **spec: Any) -> Object:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim_name}}]
    whole = {"containers": [{"name": "c", "image": "nginx"}], "volumes": volumes, **spec}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": whole}


@pytest.mark.e2e
async def test_a_claim_waits_for_the_pods_that_use_it(client: Client, namespace: str) -> None:
    made = await client.create(PERSISTENTVOLUMECLAIMS, claim("c", namespace))
    assert finalizers_of(made) == [CLAIM_FINALIZER]
    await client.create(PODS, pod("user", namespace, "c", nodeName="somewhere"))
    await client.delete(PERSISTENTVOLUMECLAIMS, "c", namespace)
    await asyncio.sleep(0.5)
    assert is_deleting(await client.get(PERSISTENTVOLUMECLAIMS, "c", namespace))
    await client.request("DELETE", PODS.path(namespace, "user"), query=[("gracePeriodSeconds", "0")])
    await gone(client, PERSISTENTVOLUMECLAIMS, "c", namespace)


@pytest.mark.e2e
async def test_a_pod_without_a_node_holds_nothing(client: Client, namespace: str) -> None:
    await client.create(PERSISTENTVOLUMECLAIMS, claim("c", namespace))
    await client.create(PODS, pod("waiting", namespace, "c"))
    await client.delete(PERSISTENTVOLUMECLAIMS, "c", namespace)
    await gone(client, PERSISTENTVOLUMECLAIMS, "c", namespace)


@pytest.mark.e2e
async def test_a_volume_waits_while_it_is_bound(client: Client) -> None:
    name = f"v-{uuid.uuid4().hex[:8]}"
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    made = await client.create(PERSISTENTVOLUMES, {"metadata": {"name": name}, "spec": spec})
    assert finalizers_of(made) == [VOLUME_FINALIZER]
    await client.patch(PERSISTENTVOLUMES, name, {"status": {"phase": "Bound"}}, subresource="status")
    await client.delete(PERSISTENTVOLUMES, name)
    await asyncio.sleep(0.5)
    assert is_deleting(await client.get(PERSISTENTVOLUMES, name))
    await client.patch(PERSISTENTVOLUMES, name, {"status": {"phase": "Released"}}, subresource="status")
    await gone(client, PERSISTENTVOLUMES, name)


@pytest.mark.e2e
async def test_protection_that_was_taken_off_comes_back(client: Client, namespace: str) -> None:
    await client.create(PERSISTENTVOLUMECLAIMS, claim("c", namespace))
    await client.patch(PERSISTENTVOLUMECLAIMS, "c", {"metadata": {"finalizers": None}}, namespace)

    async def protected() -> bool:
        return CLAIM_FINALIZER in finalizers_of(await client.get(PERSISTENTVOLUMECLAIMS, "c", namespace))

    await until(protected)


@pytest.mark.e2e
async def test_a_quota_comes_into_force_and_follows_its_spec(client: Client, namespace: str) -> None:
    quota = {"metadata": {"name": "q", "namespace": namespace}, "spec": {"hard": {"configmaps": "3", "pods": "1"}}}
    await client.create(RESOURCEQUOTAS, quota)

    async def status_is(hard: dict[str, str], **used: str) -> None:
        async def condition() -> bool:
            found = await client.get(RESOURCEQUOTAS, "q", namespace)
            return found["status"] == {"hard": hard, "used": used}

        await until(condition)

    await status_is({"configmaps": "3", "pods": "1"}, configmaps="1", pods="0")  # kube-root-ca.crt
    await client.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": namespace}})
    await client.patch(RESOURCEQUOTAS, "q", {"spec": {"hard": {"configmaps": "2", "pods": None}}}, namespace)
    await status_is({"configmaps": "2"}, configmaps="2")
    with pytest.raises(Forbidden, match="exceeded quota: q, requested: configmaps=1, used: configmaps=2"):
        await client.create(CONFIGMAPS, {"metadata": {"name": "b", "namespace": namespace}})


def test_a_new_spec_leaves_nothing_of_the_old_one() -> None:
    quota = {"spec": {"hard": {"pods": "2"}}, "status": {"hard": {"pods": "1", "secrets": "1"}, "used": {"pods": "1"}}}
    assert counting_patch(quota) == {"status": {"hard": {"secrets": None, "pods": "2"}, "used": None}}


def test_ephemeral_volumes_have_claims_of_their_own() -> None:
    meta = {"name": "p", "namespace": "n", "uid": "u"}
    owner = {"metadata": meta, "spec": {"nodeName": "x", "volumes": [{"name": "v", "ephemeral": {}}]}}
    assert list(claim_names(owner)) == ["p-v"]
    own = {"metadata": {"name": "p-v", "namespace": "n", "ownerReferences": [{"uid": "u"}]}}
    foreign = {"metadata": {"name": "p-v", "namespace": "n"}}
    assert (uses(owner, own), uses(owner, foreign)) == (True, False)
