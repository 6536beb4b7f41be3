"""The controllers at work in a real `dovetail kube`."""

import asyncio
from typing import Any

import pytest

from dovetail.kube import (
    CONFIGMAPS,
    CRDS,
    EVENTS,
    NAMESPACES,
    SECRETS,
    SERVICEACCOUNTS,
    Client,
    NotFound,
    Object,
    Resource,
    is_deleting,
    key_of,
    owner_reference,
    owners_of,
    uid_of,
)
from tests.conftest import KubeApi

from .clusters import exists, gone, new_namespace, until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def namespace(client: Client) -> str:
    return await new_namespace(client, "gc")


async def put(client: Client, namespace: str, name: str, *owners: Object, **meta: Any) -> Object:
    references = [owner_reference(owner, controller=at == 0) for at, owner in enumerate(owners)]
    metadata = {"name": name, "namespace": namespace, "ownerReferences": references, **meta}
    return await client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


async def names(client: Client, namespace: str) -> set[str]:
    found = await client.list(CONFIGMAPS, namespace)
    return {key_of(obj).name for obj in found.items} - {"kube-root-ca.crt"}


async def free(client: Client, namespace: str, name: str) -> None:
    await client.patch(CONFIGMAPS, name, {"metadata": {"finalizers": None}}, namespace)


async def test_every_namespace_gets_its_account_and_the_ca(client: Client, namespace: str, kube_api: KubeApi) -> None:
    async def both() -> bool:
        return await exists(client, SERVICEACCOUNTS, "default", namespace) and await exists(
            client, CONFIGMAPS, "kube-root-ca.crt", namespace
        )

    await until(both)
    published = await client.get(CONFIGMAPS, "kube-root-ca.crt", namespace)
    assert published["data"]["ca.crt"] == client.config.ca_pem()
    account = await client.get(SERVICEACCOUNTS, "default", namespace)
    await client.delete(SERVICEACCOUNTS, "default", namespace)
    await client.patch(CONFIGMAPS, "kube-root-ca.crt", {"data": {"ca.crt": "forged"}}, namespace)

    async def repaired() -> bool:
        found = await client.get(CONFIGMAPS, "kube-root-ca.crt", namespace)
        return found["data"] == published["data"] and await exists(client, SERVICEACCOUNTS, "default", namespace)

    await until(repaired)
    assert uid_of(await client.get(SERVICEACCOUNTS, "default", namespace)) != uid_of(account)


async def test_a_namespace_goes_with_all_that_is_in_it(client: Client, namespace: str) -> None:
    for at in range(20):
        await put(client, namespace, f"c{at}")
    await client.create(SECRETS, {"metadata": {"name": "s", "namespace": namespace}})
    await client.delete(NAMESPACES, namespace)
    await gone(client, NAMESPACES, namespace)
    assert (await client.list(CONFIGMAPS, namespace)).items == []
    assert (await client.list(SECRETS, namespace)).items == []
    await client.create(NAMESPACES, {"metadata": {"name": namespace}})
    assert await names(client, namespace) == set()


async def test_a_namespace_waits_for_finalizers_and_says_so(client: Client, namespace: str) -> None:
    await put(client, namespace, "held", finalizers=["example.com/hold"])
    await client.delete(NAMESPACES, namespace)

    async def told() -> bool:
        status: Object = (await client.get(NAMESPACES, namespace)).get("status") or {}
        messages = [c["message"] for c in status.get("conditions") or [] if c["status"] == "True"]
        return any("example.com/hold in 1 resource instances" in message for message in messages)

    await until(told)
    assert is_deleting(await client.get(CONFIGMAPS, "held", namespace))
    await free(client, namespace, "held")
    await gone(client, NAMESPACES, namespace)


async def test_background_takes_the_whole_tree_and_leaves_the_rest(client: Client, namespace: str) -> None:
    root = await put(client, namespace, "root")
    other = await put(client, namespace, "other")
    child = await put(client, namespace, "child", root)
    await put(client, namespace, "grandchild", child)
    await put(client, namespace, "shared", root, other)
    await client.delete(CONFIGMAPS, "root", namespace, propagation="Background")

    async def settled() -> bool:
        if await names(client, namespace) != {"other", "shared"}:
            return False
        shared = await client.get(CONFIGMAPS, "shared", namespace)
        return [owner["name"] for owner in owners_of(shared)] == ["other"]

    await until(settled)


async def test_an_owner_of_the_same_name_is_not_the_owner(client: Client, namespace: str) -> None:
    owner = await put(client, namespace, "owner")
    await client.delete(CONFIGMAPS, "owner", namespace)
    await put(client, namespace, "owner")
    await put(client, namespace, "stray", owner)
    await gone(client, CONFIGMAPS, "stray", namespace)
    assert await names(client, namespace) == {"owner"}


async def test_an_owner_in_another_namespace_is_none_and_an_event_says_so(client: Client, namespace: str) -> None:
    elsewhere = f"{namespace}-b"
    await client.create(NAMESPACES, {"metadata": {"name": elsewhere}})
    owner = await put(client, elsewhere, "owner")
    await put(client, namespace, "stray", owner)
    await gone(client, CONFIGMAPS, "stray", namespace)
    assert await names(client, elsewhere) == {"owner"}

    async def told() -> bool:
        events = (await client.list(EVENTS, namespace)).items
        wanted = f"[v1/ConfigMap, namespace: {namespace}, name: owner, uid: {uid_of(owner)}]"
        text = f'ownerRef {wanted} does not exist in namespace "{namespace}"'
        return any((e["reason"], e["message"]) == ("OwnerRefInvalidNamespace", text) for e in events)

    await until(told)


async def test_foreground_takes_the_dependents_first(client: Client, namespace: str) -> None:
    root = await put(client, namespace, "root")
    child = await put(client, namespace, "child", root)
    await put(client, namespace, "grandchild", child, finalizers=["example.com/hold"])
    await client.delete(CONFIGMAPS, "root", namespace, propagation="Foreground")

    async def grandchild_is_deleting() -> bool:
        return is_deleting(await client.get(CONFIGMAPS, "grandchild", namespace))

    await until(grandchild_is_deleting)
    assert await names(client, namespace) == {"root", "child", "grandchild"}
    await free(client, namespace, "grandchild")

    async def all_gone() -> bool:
        return await names(client, namespace) == set()

    await until(all_gone)


async def test_orphans_stay_without_their_owner(client: Client, namespace: str) -> None:
    root = await put(client, namespace, "root")
    await put(client, namespace, "child", root)
    await client.delete(CONFIGMAPS, "root", namespace, propagation="Orphan")
    await gone(client, CONFIGMAPS, "root", namespace)
    child = await client.get(CONFIGMAPS, "child", namespace)
    assert (list(owners_of(child)), is_deleting(child)) == ([], False)


def crd(group: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }  # fmt: skip


async def test_kinds_that_come_later_are_collected_too(client: Client, namespace: str) -> None:
    group = f"{namespace}.example.com"
    widgets = Resource(group, "v1", "widgets", "Widget")
    await client.create(CRDS, crd(group))

    async def served() -> bool:
        try:
            await client.list(widgets, namespace)
        except NotFound:
            return False
        return True

    await until(served)
    meta = {"name": "w", "namespace": namespace}
    widget = await client.create(widgets, {"apiVersion": widgets.api_version, "kind": "Widget", "metadata": meta})
    owned = await put(client, namespace, "owned", widget)
    meta = {"name": "w2", "namespace": namespace, "ownerReferences": [owner_reference(owned)]}
    await client.create(widgets, {"apiVersion": widgets.api_version, "kind": "Widget", "metadata": meta})
    await client.delete(widgets, "w", namespace)
    await gone(client, CONFIGMAPS, "owned", namespace)
    await gone(client, widgets, "w2", namespace)
    await client.delete(NAMESPACES, namespace)
    await gone(client, NAMESPACES, namespace)
    await client.delete(CRDS, f"widgets.{group}")


async def test_all_of_it_after_a_kill(own_kube_api: KubeApi) -> None:
    """What is pending when the process dies is finished by the next one."""
    async with own_kube_api.client() as client:
        await client.create(NAMESPACES, {"metadata": {"name": "doomed"}})
        root = await put(client, "default", "root")
        await put(client, "default", "child", root)
        await put(client, "doomed", "c")
        await asyncio.gather(
            client.delete(NAMESPACES, "doomed"), client.delete(CONFIGMAPS, "root", "default", propagation="Background")
        )
        await asyncio.to_thread(own_kube_api.restart)
        await gone(client, NAMESPACES, "doomed")
        await gone(client, CONFIGMAPS, "child", "default")
