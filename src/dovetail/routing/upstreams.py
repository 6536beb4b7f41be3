"""Upstreams: a Backend and the addresses it leads to, as something a worker can dial.

The key is a digest of all that matters to a connection: objects with the same backend share connections, and a changed
CA, address or timeout never reuses an old one. (The original cached a transport by name, for ever.)
"""

import hashlib
from typing import Final

import msgspec

from dovetail.apis.dialects import Backend
from dovetail.apis.dialects.resilience import Timeouts
from dovetail.routing.model import Address, Scheme, Upstream, UpstreamTLS
from dovetail.routing.services import Resolution
from dovetail.routing.traffic import Balance, Breaker

DEFAULT_PORTS = {"http": 80, "https": 443}
_encoder = msgspec.msgpack.Encoder()


class ClientCertificate(msgspec.Struct, frozen=True):
    """Files with the certificate and key by which the gateway shows backends who it is; empty for none."""

    cert_file: str = ""
    key_file: str = ""


NO_CERTIFICATE: Final = ClientCertificate()
_NO_TIMEOUTS: Final = Timeouts()


def build_upstream(
    backend: Backend,
    resolution: Resolution | None,
    *,
    timeouts: Timeouts = _NO_TIMEOUTS,
    certificate: ClientCertificate = NO_CERTIFICATE,
    host: str = "",
    balance: Balance = "RoundRobin",
    breaker: Breaker | None = None,
) -> Upstream:
    """The upstream of a backend. `resolution` is that of `backend.service`; `host` overrides the Host header."""
    service_port = resolution.port if resolution else backend.port
    name = backend.host or (backend.service.host if backend.service else "")
    scheme = backend.scheme or scheme_of(service_port, https=bool(resolution and resolution.https))
    draft = Upstream(
        key="",
        scheme=scheme,
        authority=host or authority(name, backend.port or service_port, scheme),
        base_path=backend.path,
        addresses=resolution.addresses if resolution else (Address(backend.host, backend.port),),
        tls=_tls(backend, name, certificate) if scheme == "https" else None,
        connect_timeout=timeouts.connect or 5.0,
        response_timeout=timeouts.first_byte or 60.0,
        idle_timeout=timeouts.idle or 3600.0,
        balance=balance,
        breaker=breaker,
    )
    return with_key(draft)


def scheme_of(port: int, *, https: bool) -> Scheme:
    """The rule for a Service: TLS on 443 and where the Service says so, plain HTTP elsewhere."""
    return "https" if https or port == 443 else "http"


def authority(host: str, port: int, scheme: Scheme) -> str:
    """`host`, with the port unless it is the scheme's own; IPv6 addresses in brackets."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port == DEFAULT_PORTS[scheme] else f"{bracketed}:{port}"


def with_key(upstream: Upstream) -> Upstream:
    """The same upstream with the key that follows from all its other fields."""
    blank = msgspec.structs.replace(upstream, key="")
    digest = hashlib.blake2b(_encoder.encode(blank), digest_size=12).hexdigest()
    return msgspec.structs.replace(upstream, key=digest)


def _tls(backend: Backend, name: str, certificate: ClientCertificate) -> UpstreamTLS:
    return UpstreamTLS(
        server_name=name,
        ca_pem=backend.ca_pem,
        insecure_skip_verify=backend.insecure_skip_verify,
        client_cert_file=certificate.cert_file,
        client_key_file=certificate.key_file,
    )
