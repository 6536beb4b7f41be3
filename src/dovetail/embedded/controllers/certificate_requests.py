"""CertificateSigningRequests as the controllers see them. Pure, but for reading a PEM."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dovetail.kube import Object, Resource, find_condition, is_true

if TYPE_CHECKING:
    from cryptography import x509

CSRS = Resource("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", False)
CLIENT, KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING, LEGACY = "kubernetes.io/kubelet-serving", "kubernetes.io/legacy-unknown"
_CLIENT_USAGES = ({"key encipherment", "digital signature", "client auth"}, {"digital signature", "client auth"})
_SERVING_USAGES = ({"key encipherment", "digital signature", "server auth"}, {"digital signature", "server auth"})


def status_of(request: Mapping[str, Any]) -> Object:
    return request.get("status") or {}


def conditions_of(request: Mapping[str, Any]) -> list[Object]:
    return status_of(request).get("conditions") or []


def is_decided(request: Mapping[str, Any]) -> bool:
    return any(condition.get("type") in ("Approved", "Denied") for condition in conditions_of(request))


def is_to_be_signed(request: Mapping[str, Any]) -> bool:
    conditions = conditions_of(request)
    approved = is_true(conditions, "Approved") and find_condition(conditions, "Denied") is None
    return approved and not is_true(conditions, "Failed") and not status_of(request).get("certificate")


def parsed(request: Mapping[str, Any]) -> "x509.CertificateSigningRequest":
    """Raises ValueError."""
    from cryptography import x509

    return x509.load_pem_x509_csr(base64.b64decode(request["spec"]["request"]))


def certificate_end(request: Mapping[str, Any]) -> datetime | None:
    """Until when the issued certificate is good; None without one that can be read."""
    from cryptography import x509

    encoded = status_of(request).get("certificate")
    if not encoded:
        return None
    try:
        return x509.load_pem_x509_certificates(base64.b64decode(encoded))[0].not_valid_after_utc
    except (ValueError, IndexError):
        return None


# -- which requests a signer takes


def problem(request: Mapping[str, Any], csr: "x509.CertificateSigningRequest") -> str:
    """Why the signer that the request names does not sign it, or ""."""
    usages: list[str] = request["spec"].get("usages") or []
    match request["spec"].get("signerName"):
        case signer if signer == CLIENT:
            return _client_problem(usages)
        case signer if signer == KUBELET_CLIENT:
            return kubelet_client_problem(csr, usages)
        case signer if signer == KUBELET_SERVING:
            return _kubelet_serving_problem(csr, usages)
        case _:
            return ""


def _client_problem(usages: list[str]) -> str:
    for usage in usages:
        if usage not in ("digital signature", "key encipherment", "client auth"):
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def kubelet_client_problem(csr: "x509.CertificateSigningRequest", usages: list[str]) -> str:
    names = _Names(csr)
    if names.organizations != ["system:nodes"]:
        return "subject organization is not system:nodes"
    for found, kind in ((names.dns, "DNS"), (names.emails, "Email"), (names.ips, "IP"), (names.uris, "URI")):
        if found:
            return f"{kind} subjectAltNames are not allowed"
    if not names.common.startswith("system:node:"):
        return "subject common name does not begin with system:node: "
    return "" if set(usages) in _CLIENT_USAGES else _mismatch(_CLIENT_USAGES[0])


def _kubelet_serving_problem(csr: "x509.CertificateSigningRequest", usages: list[str]) -> str:
    names = _Names(csr)
    if names.organizations != ["system:nodes"]:
        return "subject organization is not system:nodes"
    if not names.dns and not names.ips:
        return "DNS or IP subjectAltName is required"
    for found, kind in ((names.emails, "Email"), (names.uris, "URI")):
        if found:
            return f"{kind} subjectAltNames are not allowed"
    if set(usages) not in _SERVING_USAGES:
        return _mismatch(_SERVING_USAGES[0])
    return "" if names.common.startswith("system:node:") else "subject common name does not begin with system:node: "


def _mismatch(wanted: set[str]) -> str:
    return f"usages did not match [{' '.join(sorted(wanted))}]"


class _Names:
    """What a request wants to be called."""

    def __init__(self, csr: "x509.CertificateSigningRequest") -> None:
        from cryptography import x509
        from cryptography.x509.oid import NameOID

        subject = csr.subject.get_attributes_for_oid
        self.organizations = [str(each.value) for each in subject(NameOID.ORGANIZATION_NAME)]
        self.common = "".join(str(each.value) for each in subject(NameOID.COMMON_NAME)[:1])
        try:
            alternatives = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            alternatives = x509.SubjectAlternativeName([])
        self.dns = alternatives.get_values_for_type(x509.DNSName)
        self.emails = alternatives.get_values_for_type(x509.RFC822Name)
        self.ips = alternatives.get_values_for_type(x509.IPAddress)
        self.uris = alternatives.get_values_for_type(x509.UniformResourceIdentifier)


def common_name(csr: "x509.CertificateSigningRequest") -> str:
    return _Names(csr).common
