"""Where a Service's webhook really listens.

The cluster address of a Service is never connected to: no node routes it here, and the packets would leave this
machine for whoever has that address outside. The endpoints are asked themselves: those of its EndpointSlices, or of its
Endpoints; or the external name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ...foreign import part, parts
from ...storage.records import ObjectKey
from ...storage.store import Store
from .configurations import Service

Object = dict[str, Any]
_SERVICE_LABEL = "kubernetes.io/service-name"


class NoEndpoint(ConnectionError):
    """The sentence is kube-apiserver's."""


def resolve(store: Store, service: Service) -> tuple[str, int]:
    """(host, port) to connect to. Raises NoEndpoint."""
    record = store.latest(ObjectKey("/services", service.namespace, service.name))
    if record is None:
        raise NoEndpoint(f'service "{service.name}" not found')
    spec = part(orjson.loads(record.value), "spec")
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName")), service.port
    port = next((port for port in parts(spec, "ports") if port.get("port") == service.port), None)
    if port is None:
        raise NoEndpoint(f'no service port {service.port} found for service "{service.name}"')
    for addresses, ports in _endpoints(store, service):
        number = next((p.get("port") for p in ports if (p.get("name") or "") == (port.get("name") or "")), None)
        if addresses and number:
            return addresses[0], int(number)
    raise NoEndpoint(f'no endpoints available for service "{service.name}"')


def _endpoints(store: Store, service: Service) -> Iterator[tuple[list[str], list[Object]]]:
    """(ready addresses, ports) of every part."""
    for record in store.list("discovery.k8s.io/endpointslices", service.namespace).records:
        if service.name.encode() in record.value:
            found = orjson.loads(record.value)
            if part(found, "metadata", "labels").get(_SERVICE_LABEL) == service.name:
                ready = [e for e in parts(found, "endpoints") if part(e, "conditions").get("ready") is not False]
                yield [str(address) for e in ready for address in parts(e, "addresses")], parts(found, "ports")
    record = store.latest(ObjectKey("/endpoints", service.namespace, service.name))
    for subset in parts(orjson.loads(record.value), "subsets") if record is not None else []:
        yield [str(address.get("ip")) for address in parts(subset, "addresses")], parts(subset, "ports")
