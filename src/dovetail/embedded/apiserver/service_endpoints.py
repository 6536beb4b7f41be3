"""Where the pods behind a Service really listen: for webhooks, aggregated API servers, the proxy.

The cluster address of a Service is never connected to: no node routes it here, and the packets would leave this
machine for whoever has that address outside. The endpoints are asked themselves: those of its EndpointSlices, or of its
Endpoints; or the external name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from .foreign import part, parts
from .storage.records import ObjectKey
from .storage.store import Store

Object = dict[str, Any]
_SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Service:
    """A port of a Service, by its number."""

    namespace: str
    name: str
    port: int


class NoEndpoint(ConnectionError):
    """Nobody listens for a Service. The sentences are kube-apiserver's."""

    def __init__(self, service: Service) -> None:
        super().__init__(self._sentence(service))

    def _sentence(self, service: Service) -> str:
        return f'no endpoints available for service "{service.name}"'


class NoService(NoEndpoint):
    """The Service itself is missing."""

    def _sentence(self, service: Service) -> str:
        return f'service "{service.name}" not found'


class NoServicePort(NoEndpoint):
    """The Service is there, but without that port."""

    def _sentence(self, service: Service) -> str:
        return f'no service port {service.port} found for service "{service.name}"'


def resolve(store: Store, service: Service) -> tuple[str, int]:
    """(host, port) to connect to. Raises NoEndpoint."""
    record = store.latest(ObjectKey("/services", service.namespace, service.name))
    if record is None:
        raise NoService(service)
    spec = part(orjson.loads(record.value), "spec")
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName")), service.port
    port = next((port for port in parts(spec, "ports") if port.get("port") == service.port), None)
    if port is None:
        raise NoServicePort(service)
    for addresses, ports in _endpoints(store, service):
        number = next((p.get("port") for p in ports if (p.get("name") or "") == (port.get("name") or "")), None)
        if addresses and number:
            return addresses[0], int(number)
    raise NoEndpoint(service)


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
