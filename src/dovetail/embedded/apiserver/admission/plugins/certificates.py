"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may say yes for which signer.

Rights are asked for on the resource ``signers`` of the group, by the signer's name or by ``its-domain/*``.
"""

from __future__ import annotations

from typing import Any

from ...access.identity import MASTERS
from ...access.rbac import Attributes as Asked
from ...foreign import part
from ..plugin import CREATE, UPDATE, Attributes, Plugin
from .refusal import forbidden

Object = dict[str, Any]

GROUP = "certificates.k8s.io"
STORE = f"{GROUP}/certificatesigningrequests"
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateApproval(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if _is(attributes, UPDATE, "approval"):
            _check(attributes, "approve", _signer(attributes.obj or {}))


class CertificateSigning(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if not _is(attributes, UPDATE, "status"):
            return
        new, old = part(attributes.obj or {}, "status"), part(attributes.old or {}, "status")
        if any(new.get(name) != old.get(name) for name in ("certificate", "conditions")):
            _check(attributes, "sign", _signer(attributes.old or {}))


class CertificateSubjectRestriction(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if not _is(attributes, CREATE, "") or _signer(attributes.obj or {}) != CLIENT_SIGNER:
            return
        try:
            organizations = _organizations(str(part(attributes.obj or {}, "spec").get("request", "")))
        except ValueError as error:
            raise forbidden(attributes, f"failed to parse CSR: {error}") from error
        if MASTERS in organizations:
            raise forbidden(attributes, f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")


def _is(attributes: Attributes, operation: str, subresource: str) -> bool:
    return (
        attributes.resource.store == STORE
        and attributes.operation == operation
        and attributes.subresource == subresource
    )


def _signer(request: Object) -> str:
    return str(part(request, "spec").get("signerName", ""))


def _check(attributes: Attributes, verb: str, signer: str) -> None:
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        if attributes.api.authorizer.allows(attributes.user, Asked(verb, GROUP, "signers", name=name)):
            return
    raise forbidden(attributes, f'user not permitted to {verb} requests with signerName "{signer}"')


def _organizations(request: str) -> list[str]:
    """Of a base64 encoded PEM. Raises ValueError."""
    import base64

    from cryptography import x509
    from cryptography.x509.oid import NameOID

    subject = x509.load_pem_x509_csr(base64.b64decode(request)).subject
    return [str(attribute.value) for attribute in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
