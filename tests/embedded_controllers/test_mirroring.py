"""EndpointSlices for Endpoints that were written by hand."""

from typing import Any

import pytest

from dovetail.embedded.controllers.mirroring import is_mirrored, wanted_slices
from dovetail.kube import ENDPOINTS, ENDPOINTSLICES, SERVICES, Client, Object

from .clusters import new_namespace, until

PORT = {"name": "http", "port": 80, "protocol": "TCP"}


def endpoints(*subsets: Any, **meta: Any) -> Object:
    whole = {"name": "e", "namespace": "n", "uid": "u", **meta}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": whole, "subsets": list(subsets)}


def test_one_slice_for_each_family_and_list_of_ports() -> None:
    mixed = {"addresses": [{"ip": "10.1.0.1", "hostname": "a"}, {"ip": "fd00::1"}],
             "notReadyAddresses": [{"ip": "10.1.0.2"}], "ports": [PORT]}  # fmt: skip
    other = {"addresses": [{"ip": "10.1.0.3"}], "ports": [{**PORT, "port": 81}]}
    same = {"addresses": [{"ip": "10.1.0.1"}, {"ip": "10.1.0.4"}], "ports": [PORT]}
    found = wanted_slices(endpoints(mixed, other, same, labels={"app": "x"}))
    shape = [(s["addressType"], s["ports"][0]["port"], [e["addresses"][0] for e in s["endpoints"]]) for s in found]
    assert shape == [
        ("IPv4", 80, ["10.1.0.1", "10.1.0.2", "10.1.0.4"]), ("IPv6", 80, ["fd00::1"]), ("IPv4", 81, ["10.1.0.3"]),
    ]  # fmt: skip
    first = found[0]
    assert [endpoint["conditions"]["ready"] for endpoint in first["endpoints"]] == [True, False, True]
    assert first["endpoints"][0]["hostname"] == "a"
    assert first["metadata"]["labels"] == {
        "app": "x", "kubernetes.io/service-name": "e",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }  # fmt: skip
    assert first["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"


def test_what_is_not_mirrored() -> None:
    service: Object = {"metadata": {"name": "e"}, "spec": {}}
    assert is_mirrored(endpoints(), service)
    assert not is_mirrored(endpoints(), None)
    assert not is_mirrored(endpoints(), {**service, "spec": {"selector": {"a": "b"}}})
    assert not is_mirrored(endpoints(labels={"endpointslice.kubernetes.io/skip-mirror": "true"}), service)
    assert not is_mirrored(endpoints(annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}), service)


@pytest.mark.e2e
async def test_slices_follow_endpoints_and_their_service(client: Client) -> None:
    namespace = await new_namespace(client, "mirror")
    meta = {"name": "web", "namespace": namespace}
    await client.create(SERVICES, {"metadata": meta, "spec": {"ports": [{"name": "http", "port": 80}]}})
    subset = {"addresses": [{"ip": "10.1.0.1"}], "ports": [PORT]}
    await client.create(ENDPOINTS, {"metadata": meta, "subsets": [subset]})

    async def addresses(*wanted: str) -> bool:
        items = (await client.list(ENDPOINTSLICES, namespace)).items
        return [e["addresses"][0] for item in items for e in item.get("endpoints") or []] == list(wanted)

    await until(lambda: addresses("10.1.0.1"))
    first = (await client.list(ENDPOINTSLICES, namespace)).items[0]
    assert first["metadata"]["name"].startswith("web-")
    assert first["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    more = [{**subset, "addresses": [{"ip": "10.1.0.1"}, {"ip": "10.1.0.2"}]}]
    await client.patch(ENDPOINTS, "web", {"subsets": more}, namespace)
    await until(lambda: addresses("10.1.0.1", "10.1.0.2"))
    assert [s["metadata"]["uid"] for s in (await client.list(ENDPOINTSLICES, namespace)).items] == [
        first["metadata"]["uid"]
    ]
    await client.delete(ENDPOINTSLICES, first["metadata"]["name"], namespace)
    await until(lambda: addresses("10.1.0.1", "10.1.0.2"))
    await client.patch(SERVICES, "web", {"spec": {"selector": {"app": "web"}}}, namespace)
    await until(addresses)
