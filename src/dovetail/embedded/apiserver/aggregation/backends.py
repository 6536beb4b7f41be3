"""An APIService that names a Service, as a value."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from ..foreign import part
from ..service_endpoints import Service

Object = dict[str, Any]

STORE = "apiregistration.k8s.io/apiservices"


@dataclass(frozen=True, slots=True)
class Backend:
    """``authority`` is PEM, empty for the machine's own trust. ``insecure`` turns verification off, as the object
    asks.
    """

    name: str
    group: str
    version: str
    namespace: str
    service: str
    port: int
    authority: bytes
    insecure: bool

    @property
    def host(self) -> str:
        """The name that the backend's certificate must carry."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def target(self) -> Service:
        return Service(self.namespace, self.service, self.port)


def backend_of(obj: Object) -> Backend | None:
    """None for a local APIService."""
    spec = part(obj, "spec")
    service = part(spec, "service")
    if not service:
        return None
    return Backend(
        str(obj["metadata"]["name"]), str(spec.get("group", "")), str(spec.get("version", "")),
        str(service.get("namespace", "")), str(service.get("name", "")), int(service.get("port") or 443),
        decoded(str(spec.get("caBundle") or "")), bool(spec.get("insecureSkipTLSVerify")),
    )  # fmt: skip


def decoded(bundle: str) -> bytes:
    """The PEM inside the base64 of ``caBundle``; empty when it is not base64."""
    try:
        return base64.b64decode(bundle, validate=True)
    except (binascii.Error, ValueError):
        return b""
