"""Certificates for approved CertificateSigningRequests of the signers `kubernetes.io/...`.

Each signer takes what the documentation says that it takes; a request that does not fit gets the condition Failed. A
certificate lives for a year, or for as long as the request asks, at least ten minutes; never longer than the
authority. It is backdated by five minutes for clocks that are behind.
"""

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from dovetail.embedded.controllers.certificate_requests import (
    CLIENT,
    CSRS,
    KUBELET_CLIENT,
    KUBELET_SERVING,
    LEGACY,
    conditions_of,
    is_to_be_signed,
    parsed,
    problem,
    status_of,
)
from dovetail.embedded.controllers.signing_keys import SigningKeys
from dovetail.kube import Controller, ControllerRuntime, Key, NotFound, Object, now, rfc3339

if TYPE_CHECKING:
    from cryptography import x509

SIGNERS = frozenset({CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY})
LIFETIME, SHORTEST, SHORT = timedelta(days=365), timedelta(minutes=10), timedelta(hours=8)
BACKDATED = timedelta(minutes=5)
_KEY_USAGES = {
    "signing": "digital_signature", "digital signature": "digital_signature",
    "content commitment": "content_commitment", "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment", "key agreement": "key_agreement", "cert sign": "key_cert_sign",
    "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}  # fmt: skip
_EXTENDED_USAGES = {
    "any": "2.5.29.37.0", "server auth": "1.3.6.1.5.5.7.3.1", "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3", "email protection": "1.3.6.1.5.5.7.3.4", "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5", "ipsec tunnel": "1.3.6.1.5.5.7.3.6", "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8", "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3", "netscape sgc": "2.16.840.1.113730.4.1",
}  # fmt: skip


def certificate_signer(runtime: ControllerRuntime, keys: SigningKeys) -> Controller:
    """The controller; its keys are names of requests."""
    requests = runtime.informer(CSRS)

    async def reconcile(key: Key) -> None:
        request = requests.lister.by_key(key)
        if request is None or request["spec"].get("signerName") not in SIGNERS or not is_to_be_signed(request):
            return
        csr = parsed(request)
        status = dict(status_of(request))
        if why := problem(request, csr):
            status["conditions"] = [*conditions_of(request), _failed(why)]
        else:
            certificate = sign(csr, request["spec"].get("usages") or [], lifetime(request), keys, now())
            status["certificate"] = base64.b64encode(certificate).decode()
        try:
            await runtime.client.update(CSRS, {**request, "status": status}, subresource="status")
        except NotFound:
            return

    controller = Controller("certificate-signer", reconcile)
    controller.watches(requests)
    return controller


def _failed(why: str) -> Object:
    moment = rfc3339(now())
    return {
        "type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": why,
        "lastUpdateTime": moment, "lastTransitionTime": moment,
    }  # fmt: skip


def lifetime(request: Object) -> timedelta:
    """For how long the certificate is to be good. Pure."""
    seconds = request["spec"].get("expirationSeconds")
    return LIFETIME if seconds is None else max(SHORTEST, min(LIFETIME, timedelta(seconds=seconds)))


def sign(
    csr: "x509.CertificateSigningRequest", usages: Iterable[str], ttl: timedelta, keys: SigningKeys, moment: datetime
) -> bytes:
    """The certificate, PEM. Names come from the request, rights from `usages` alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    authority = x509.load_pem_x509_certificate(keys.authority.read_bytes())
    key: Any = serialization.load_pem_private_key(keys.authority_key.read_bytes(), password=None)
    start = moment - BACKDATED
    end = min(moment + ttl if ttl < SHORT else start + ttl, authority.not_valid_after_utc)
    builder = x509.CertificateBuilder().subject_name(csr.subject).issuer_name(authority.subject)
    builder = builder.public_key(csr.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(max(start, authority.not_valid_before_utc)).not_valid_after(end)
    for extension, critical in _extensions(csr, set(usages), authority):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _extensions(
    csr: "x509.CertificateSigningRequest", usages: set[str], authority: "x509.Certificate"
) -> Iterable[tuple["x509.ExtensionType", bool]]:
    from cryptography import x509

    granted = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if granted:
        agreed = "key_agreement" in granted  # the other two mean something with it only
        flags = {name: name in granted and (agreed or not name.endswith("_only")) for name in _KEY_USAGES.values()}
        yield x509.KeyUsage(**flags), True
    purposes = [x509.ObjectIdentifier(oid) for usage, oid in _EXTENDED_USAGES.items() if usage in usages]
    if purposes:
        yield x509.ExtendedKeyUsage(list(dict.fromkeys(purposes))), False
    yield x509.BasicConstraints(ca=False, path_length=None), True
    try:
        identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False
    except x509.ExtensionNotFound:
        pass
    try:
        yield csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False
    except x509.ExtensionNotFound:
        return
