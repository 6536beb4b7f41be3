"""Services as the compiler sees them: the addresses behind a reference, found by whoever watches the cluster."""

from collections.abc import Iterable

import msgspec

from dovetail.apis.dialects import APIService, ReverseProxy, ServiceRef
from dovetail.routing.model import Address


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a ServiceRef leads to. `reason` (one CamelCase word) and `message` are set when it leads nowhere now."""

    addresses: tuple[Address, ...] = ()
    port: int = 443
    """The number of the Service's port, for the Host header and the scheme rule."""
    https: bool = False
    """The Service says itself that it speaks TLS there: a port named https, or appProtocol https."""
    reason: str = ""
    message: str = ""


def by_name(ref: ServiceRef) -> Resolution:
    """The resolution that leaves it to the cluster's DNS, for a reference that nobody has looked up."""
    port = ref.port if isinstance(ref.port, int) and ref.port else 443
    return Resolution(addresses=(Address(ref.host, port),), port=port, https=ref.port == "https")


def references(api_services: Iterable[APIService], reverse_proxies: Iterable[ReverseProxy]) -> frozenset[ServiceRef]:
    """Every Service that these objects need, whether by `service` or by an address of the cluster's DNS."""
    backends = [item.backend for item in api_services] + [item.backend for item in reverse_proxies]
    return frozenset(backend.service for backend in backends if backend.service)
