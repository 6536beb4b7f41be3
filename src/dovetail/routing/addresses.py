"""Addresses: from a Service and its endpoints, as a watch delivers them, to where the gateway dials. Pure.

Ready endpoints are dialled directly. Where nobody watches endpoints (`None`), the Service's own address is used, or its
name in the cluster's DNS. A port is found by number or name; without one it is 443, or the only port there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from dovetail.apis.dialects import ServiceRef
from dovetail.routing.model import Address
from dovetail.routing.services import Resolution

Object = Mapping[str, Any]
MAX_ADDRESSES: Final = 256
_DEFAULT_PORT: Final = 443


class _Port(msgspec.Struct, frozen=True):
    name: str
    number: int
    target: int
    https: bool


def resolve(
    ref: ServiceRef, service: Object | None, *, slices: Sequence[Object] | None, endpoints: Object | None = None
) -> Resolution:
    """Where a reference leads, by the Service's EndpointSlices (None: not watched) and its Endpoints object.

    The result has a reason and no addresses when it leads nowhere: ServiceNotFound, PortNotFound, MissingEndpoints.
    """
    if service is None:
        return _nowhere(ref, "ServiceNotFound", f"there is no Service {ref.name} in namespace {ref.namespace}")
    spec = _map(service.get("spec"))
    port = _find_port(ref, _maps(spec.get("ports")))
    if port is None:
        return _nowhere(ref, "PortNotFound", f"Service {ref.namespace}/{ref.name} has no port {_wanted(ref)}")
    found = _addresses(ref, spec, port, slices, endpoints)
    if not found:
        message = f"Service {ref.namespace}/{ref.name} has no ready endpoint for port {port.number}"
        return Resolution(port=port.number, https=port.https, reason="MissingEndpoints", message=message)
    return Resolution(addresses=found[:MAX_ADDRESSES], port=port.number, https=port.https)


def _nowhere(ref: ServiceRef, reason: str, message: str) -> Resolution:
    port = ref.port if isinstance(ref.port, int) and ref.port else _DEFAULT_PORT
    return Resolution(port=port, reason=reason, message=message)


def _wanted(ref: ServiceRef) -> str:
    return str(ref.port or _DEFAULT_PORT)


def _find_port(ref: ServiceRef, ports: Sequence[Object]) -> _Port | None:
    known = [_read_port(port) for port in ports]
    if not ref.port:
        alone = known[0] if len(known) == 1 else None
        return next((port for port in known if port.number == _DEFAULT_PORT), alone)
    found = next((port for port in known if ref.port in (port.number, port.name)), None)
    if found is None and isinstance(ref.port, int) and not known:
        return _Port("", ref.port, ref.port, https=False)  # a headless or external Service need not list ports
    return found


def _read_port(port: Object) -> _Port:
    name, number = _text(port.get("name")), _number(port.get("port"))
    protocol = _text(port.get("appProtocol")).lower()
    https = name == "https" or name.startswith("https-") or protocol in ("https", "kubernetes.io/wss")
    return _Port(name, number, _number(port.get("targetPort")) or number, https=https)


def _addresses(
    ref: ServiceRef, spec: Object, port: _Port, slices: Sequence[Object] | None, endpoints: Object | None
) -> tuple[Address, ...]:
    if spec.get("type") == "ExternalName":
        name = _text(spec.get("externalName")).rstrip(".")
        return (Address(name, port.number),) if name else ()
    ready = [*_from_slices(port, slices or ()), *_from_endpoints(port, endpoints)]
    if ready:
        return tuple(dict.fromkeys(ready))
    if slices is not None or endpoints is not None:
        return ()
    cluster_ip = _text(spec.get("clusterIP"))
    return (Address(cluster_ip if cluster_ip not in ("", "None") else ref.host, port.number),)


def _from_slices(port: _Port, slices: Iterable[Object]) -> list[Address]:
    found: list[Address] = []
    for piece in slices:
        if piece.get("addressType") == "FQDN":
            continue
        number = _endpoint_port(port, _maps(piece.get("ports")))
        for endpoint in _maps(piece.get("endpoints")):
            if number and _map(endpoint.get("conditions")).get("ready") is not False:
                found += [Address(address, number) for address in _texts(endpoint.get("addresses"))[:1]]
    return found


def _from_endpoints(port: _Port, endpoints: Object | None) -> list[Address]:
    found: list[Address] = []
    for subset in _maps(endpoints.get("subsets") if endpoints else None):
        number = _endpoint_port(port, _maps(subset.get("ports")))
        addresses = [_text(address.get("ip")) for address in _maps(subset.get("addresses"))]
        found += [Address(address, number) for address in addresses if address and number]
    return found


def _endpoint_port(port: _Port, ports: Sequence[Object]) -> int:
    """The number behind a Service's port: by the port's name; a slice without ports leaves it as the Service says."""
    if not ports:
        return port.target
    named = [entry for entry in ports if _text(entry.get("name")) == port.name]
    return _number(named[0].get("port")) if named else 0


def _map(value: Any) -> Object:
    return cast("Object", value) if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Object]:
    return [_map(item) for item in cast("list[Any]", value)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in cast("list[Any]", value) if isinstance(item, str)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536 else 0
