"""Backend: where a request goes, from `url`/`backend` or `service` (reference/kubesphere-core.md 2.1, Endpoint).

The address wins when both are given. A Service is spoken to with TLS on port 443 or on a port named https, in plain
HTTP on any other, unless `scheme` says otherwise; the name of a port is known only to who has the Service at hand, so
`scheme` stays empty here when the rule needs it.
"""

import re
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from dovetail.apis.dialects.certificates import read_ca_bundle
from dovetail.apis.dialects.reading import Fields

DEFAULT_SERVICE_PORT: Final = 443
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_HOST: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?\.?|[0-9A-Fa-f:.]{2,45}")
_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_SPACES: Final = re.compile(r"[\s\x00-\x20\x7f\\]")
_CLUSTER_SUFFIXES: Final = (".svc", ".svc.cluster.local")


class ServiceRef(msgspec.Struct, frozen=True):
    """A port of a Service, by number or name; port 0 means that none was named (443 then)."""

    namespace: str
    name: str
    port: int | str = 0

    @property
    def host(self) -> str:
        """Its name in the cluster's DNS."""
        return f"{self.name}.{self.namespace}.svc"


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend. `host` is set when an address was given, `service` when it is, or names, a Service of the cluster."""

    scheme: Literal["http", "https", ""] = ""
    host: str = ""
    port: int = 0
    path: str = ""
    service: ServiceRef | None = None
    ca_pem: str = ""
    insecure_skip_verify: bool = False
    note: str = ""
    """A remark for people, on something that was left out."""


def read_backend(fields: Fields) -> Backend | None:
    """The backend that an Endpoint's fields name; None, with a FieldError, when they name none."""
    ca_pem, note = read_ca_bundle(fields, "caBundle", "caBudle")
    insecure = fields.flag("insecureSkipVerify", "insecureSkipTLSVerify")
    target = _from_url(fields) if fields.text("url", "backend") else _from_service(fields)
    if target is None:
        return None
    return msgspec.structs.replace(target, ca_pem=ca_pem, insecure_skip_verify=insecure, note=note)


def _from_url(fields: Fields) -> Backend | None:
    name = fields.spelled("url", "backend")
    try:
        parts = urlsplit(fields.text(name))
        port = parts.port or 0
    except ValueError:
        fields.fail(name, "must be an address such as https://host:8443/path")
        return None
    if mistake := _mistake_in(parts, fields.text(name)):
        fields.fail(name, mistake)
        return None
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    port = port or (443 if scheme == "https" else 80)
    host = (parts.hostname or "").rstrip(".")
    return Backend(
        scheme=scheme, host=host, port=port, path=parts.path.rstrip("/"), service=service_of_host(host, port)
    )


def _mistake_in(parts: SplitResult, text: str) -> str:
    if _SPACES.search(text):
        return "must not hold white space, control characters or backslashes"
    if parts.scheme not in ("http", "https"):
        return "must start with http:// or https://"
    if not _HOST.fullmatch(parts.hostname or ""):
        return "has no host name that can be used"
    if "@" in parts.netloc:
        return "must not hold a user name or password; put credentials in a header edit"
    if parts.query or parts.fragment:
        return "must end with the path: no query and no fragment"
    return path_mistake(parts.path)


def path_mistake(path: str) -> str:
    """What is wrong with a base path; empty when nothing is."""
    if not _PATH.fullmatch(path):
        return "has a path with characters that must be percent-encoded"
    if any(segment in (".", "..") for segment in path.split("/")) or "//" in path:
        return "has a path with '.', '..' or empty segments; write the path they lead to"
    return ""


def service_of_host(host: str, port: int) -> ServiceRef | None:
    """The Service that a host name of the cluster's DNS names (`name.namespace.svc`), if it is one."""
    for suffix in _CLUSTER_SUFFIXES:
        name, _, namespace = host.removesuffix(suffix).partition(".")
        if host.endswith(suffix) and _LABEL.fullmatch(name) and _LABEL.fullmatch(namespace):
            return ServiceRef(namespace, name, port)
    return None


def _from_service(fields: Fields) -> Backend | None:
    service = fields.child("service")
    if not service.present:
        fields.fail("", "names no backend: give a url, or a service with namespace and name")
        return None
    before = len(fields.errors)
    ref = ServiceRef(_named(service, "namespace"), _named(service, "name"), _port(service))
    path = service.text("path")
    if path and not path.startswith("/"):
        path = "/" + path
    if mistake := path_mistake(path):
        service.fail("path", mistake)
    scheme = _scheme(service)
    if len(fields.errors) > before:
        return None
    return Backend(scheme=scheme, path=path.rstrip("/"), service=ref)


def _named(service: Fields, field: str) -> str:
    name = service.text(field)
    if not _NAME.fullmatch(name):
        service.fail(field, "is needed: the name of an object of the cluster")
    return name


def _port(service: Fields) -> int | str:
    value = service.raw("port")
    if value is None:
        return 0
    if isinstance(value, str) and _LABEL.fullmatch(value) and not value.isdigit():
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) <= 5:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        service.fail("port", "must be the number (1 to 65535) or the name of a port of the Service")
        return 0
    return value


def _scheme(service: Fields) -> Literal["http", "https", ""]:
    match service.text("scheme"):
        case "":
            return ""
        case "http":
            return "http"
        case "https":
            return "https"
        case _:
            service.fail("scheme", "must be http or https")
            return ""
