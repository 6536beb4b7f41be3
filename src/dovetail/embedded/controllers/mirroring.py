"""EndpointSlices of Endpoints that somebody wrote by hand, for a Service without a selector.

Readers of services look at slices only, so hand-made Endpoints have to be mirrored. What is mirrored: Endpoints whose
Service exists and has no selector, that do not hold a leader election, and that are not labelled
`endpointslice.kubernetes.io/skip-mirror`. What a slice should be is decided by `wanted_slices`, which is pure.
Source: the Kubernetes documentation, "EndpointSlices", mirroring.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from dovetail.embedded.controllers.living import is_alive
from dovetail.kube import (
    ENDPOINTS,
    ENDPOINTSLICES,
    SERVICES,
    AlreadyExists,
    Controller,
    ControllerRuntime,
    Forbidden,
    Key,
    NotFound,
    Object,
    annotations_of,
    is_deleting,
    key_of,
    labels_of,
    owner_reference,
)

MANAGED_BY, MANAGER = "endpointslice.kubernetes.io/managed-by", "endpointslicemirroring-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES = 1000
_NOT_COPIED = ("kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time")
_PORT_FIELDS = ("name", "port", "protocol", "appProtocol")
_PORT_DEFAULTS = {"name": "", "protocol": "TCP"}


def endpoint_mirroring(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are namespaces and names of Endpoints (and so of Services)."""
    endpoints, services = runtime.informer(ENDPOINTS), runtime.informer(SERVICES)
    slices = runtime.informer(ENDPOINTSLICES, label_selector=f"{MANAGED_BY}={MANAGER}")

    async def reconcile(key: Key) -> None:
        found = endpoints.lister.by_key(key)
        mirrored = found is not None and is_mirrored(found, services.lister.by_key(key))
        present = [each for each in slices.lister.list(key.namespace) if labels_of(each).get(SERVICE_NAME) == key.name]
        wanted = wanted_slices(found) if found is not None and mirrored else []
        try:
            await _converge(runtime, key, present, wanted)
        except Forbidden:
            if await is_alive(runtime.client, key.namespace):
                raise

    def of_slice(changed: Object) -> Iterable[Key]:
        return [Key(key_of(changed).namespace, labels_of(changed).get(SERVICE_NAME, ""))]

    controller = Controller("endpoint-mirroring", reconcile, workers=2)
    controller.watches(endpoints)
    controller.watches(services)
    controller.watches(slices, of_slice)
    return controller


def is_mirrored(endpoints: Mapping[str, Any], service: Mapping[str, Any] | None) -> bool:
    """Whether slices of these Endpoints are ours to make."""
    if service is None or is_deleting(endpoints):
        return False
    spec: Mapping[str, Any] = service.get("spec") or {}
    skipped = labels_of(endpoints).get(SKIP) == "true" or LEADER in annotations_of(endpoints)
    return not skipped and not spec.get("selector")


def wanted_slices(endpoints: Mapping[str, Any]) -> list[Object]:
    """One slice for each list of ports and address family. Pure."""
    found: dict[tuple[str, bytes], Object] = {}
    subsets: list[Mapping[str, Any]] = endpoints.get("subsets") or []
    for subset in subsets:
        ports = _ports(subset)
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            addresses: list[Mapping[str, Any]] = subset.get(field) or []
            for address in addresses:
                family = _family(str(address.get("ip", "")))
                key = family, orjson.dumps(sorted(ports, key=orjson.dumps))
                slice_ = found.setdefault(key, _slice(endpoints, family, ports))
                _add(slice_["endpoints"], _endpoint(address, ready))
    return list(found.values())


def _family(ip: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(ip).version}"
    except ValueError:
        return "IPv4"


def _slice(endpoints: Mapping[str, Any], family: str, ports: list[Object]) -> Object:
    key = key_of(endpoints)
    labels = {**labels_of(endpoints), MANAGED_BY: MANAGER, SERVICE_NAME: key.name}
    meta: Object = {"namespace": key.namespace, "labels": labels, "ownerReferences": [owner_reference(endpoints)]}
    annotations = {name: value for name, value in annotations_of(endpoints).items() if name not in _NOT_COPIED}
    if annotations:
        meta["annotations"] = annotations
    return {
        "apiVersion": ENDPOINTSLICES.api_version, "kind": ENDPOINTSLICES.kind, "metadata": meta,
        "addressType": family, "endpoints": [], "ports": ports,
    }  # fmt: skip


def _endpoint(address: Mapping[str, Any], ready: bool) -> Object:
    endpoint: Object = {"addresses": [address.get("ip")], "conditions": {"ready": ready}}
    for name in ("hostname", "nodeName", "targetRef"):
        if address.get(name):
            endpoint[name] = address[name]
    return endpoint


def _add(endpoints: list[Object], endpoint: Object) -> None:
    if len(endpoints) < MAX_ADDRESSES and all(known["addresses"] != endpoint["addresses"] for known in endpoints):
        endpoints.append(endpoint)


async def _converge(runtime: ControllerRuntime, key: Key, present: list[Object], wanted: list[Object]) -> None:
    """Slices that fit are kept or updated, missing ones made, the others deleted. Before one is made, the API is asked
    which there are: names are generated, so a cache that is behind our own writes would make a slice twice.
    """
    spare, surplus = _by_identity(present)
    if any(_identity(wish) not in spare for wish in wanted):
        selector = f"{MANAGED_BY}={MANAGER},{SERVICE_NAME}={key.name}"
        present = (await runtime.client.list(ENDPOINTSLICES, key.namespace, label_selector=selector)).items
        spare, surplus = _by_identity(present)
    for wish in wanted:
        found = spare.pop(_identity(wish), None)
        if found is None:
            await _create(runtime, wish)
        elif not _fits(found, wish):
            await _update(runtime, found, wish)
    for leftover in (*surplus, *spare.values()):
        await _delete(runtime, leftover)


def _by_identity(present: Iterable[Object]) -> tuple[dict[tuple[str, bytes], Object], list[Object]]:
    """One slice of each identity, and those that repeat one."""
    first: dict[tuple[str, bytes], Object] = {}
    surplus = [each for each in present if first.setdefault(_identity(each), each) is not each]
    return first, surplus


def _identity(obj: Mapping[str, Any]) -> tuple[str, bytes]:
    return str(obj.get("addressType")), orjson.dumps(sorted(_ports(obj), key=orjson.dumps))


def _ports(obj: Mapping[str, Any]) -> list[Object]:
    """With the defaults written out: a stored slice has them, Endpoints do not."""
    ports: list[Mapping[str, Any]] = obj.get("ports") or []
    return [{**_PORT_DEFAULTS, **{name: port[name] for name in _PORT_FIELDS if name in port}} for port in ports]


def _fits(found: Mapping[str, Any], wish: Mapping[str, Any]) -> bool:
    meta = wish["metadata"]
    same_meta = labels_of(found) == meta["labels"] and annotations_of(found) == meta.get("annotations", {})
    return same_meta and found.get("endpoints") == wish["endpoints"]


async def _create(runtime: ControllerRuntime, wish: Object) -> None:
    meta = wish["metadata"]
    named = {**wish, "metadata": {**meta, "generateName": f"{meta['labels'][SERVICE_NAME]}-"}}
    try:
        await runtime.client.create(ENDPOINTSLICES, named)
    except (AlreadyExists, NotFound):
        return


async def _update(runtime: ControllerRuntime, found: Object, wish: Object) -> None:
    meta = {**found["metadata"], "labels": wish["metadata"]["labels"]}
    meta["annotations"] = wish["metadata"].get("annotations", {})
    try:
        await runtime.client.update(ENDPOINTSLICES, {**found, "metadata": meta, "endpoints": wish["endpoints"]})
    except NotFound:
        return


async def _delete(runtime: ControllerRuntime, slice_: Object) -> None:
    key = key_of(slice_)
    try:
        await runtime.client.delete(ENDPOINTSLICES, key.name, key.namespace)
    except NotFound:
        return
