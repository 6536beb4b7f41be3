"""CertificateSigningRequests: who asks is written in, the request is immutable, and approval and issuance each have a
subresource of their own.

Only ``/approval`` sets the conditions Approved and Denied, only ``/status`` the certificate; neither takes away what
was decided. Who may do so for which signer is asked by admission plugins; signing itself is a controller's work.
Source of the rules: the documentation, "Certificates and Certificate Signing Requests".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names
from .strategy import Context, Strategy

Object = dict[str, Any]

LEGACY = "kubernetes.io/legacy-unknown"
_USAGES = [
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime",
    "server auth", "signing", "timestamping",
]  # fmt: skip
_ASKER = ("username", "uid", "groups", "extra")
_DECISIONS, _LASTING = ("Approved", "Denied"), ("Approved", "Denied", "Failed")
_MINIMUM_SECONDS = 600
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)-----END \1-----", re.DOTALL)


class CertificateRequestStrategy(Strategy):
    keeps_status = True  # each endpoint has its own idea of what of the status it writes: see ``prepare``

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None:
            spec = {name: value for name, value in part(obj, "spec").items() if name not in _ASKER}
            obj["spec"] = {**spec, **context.user.info()}
            obj["status"] = {}
            return
        obj["spec"], before = old["spec"], part(old, "status")
        if context.subresource == "approval":
            obj["status"] = {**before, "conditions": parts(obj, "status", "conditions")}
        elif context.subresource == "status":
            status: Object = dict(part(obj, "status"))
            obj["status"] = status
            status["conditions"] = _with_decisions_kept(parts(status, "conditions"), parts(before, "conditions"))
        else:
            obj["status"] = before
            return
        _stamp(parts(obj, "status", "conditions"), parts(before, "conditions"), context.api.now())
        if not obj["status"]["conditions"]:
            del obj["status"]["conditions"]

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec = part(obj, "spec")
        errors = [*_spec_errors(spec)] if old is None else []
        errors += _condition_errors(parts(obj, "status", "conditions"))
        certificate = part(obj, "status").get("certificate")
        if certificate and (problem := _certificate_problem(str(certificate))):
            errors.append(fe.invalid("status.certificate", "<certificate data>", problem))
        return errors if old is None else [*errors, *_change_errors(obj, old, context.subresource)]


# -- conditions


def _of_type(conditions: list[Object], kind: str) -> list[Object]:
    return [condition for condition in conditions if condition.get("type") == kind]


def _with_decisions_kept(new: list[Object], old: list[Object]) -> list[Object]:
    """Through /status the decisions stay word for word, unless some were added or removed: that is refused later."""
    kept = list(new)
    for kind in _DECISIONS:
        before = _of_type(old, kind)
        places = [at for at, condition in enumerate(kept) if condition.get("type") == kind]
        if len(places) == len(before):
            for at, condition in zip(places, before, strict=True):
                kept[at] = condition
    return kept


def _stamp(conditions: list[Object], old: list[Object], now: str) -> None:
    for condition in conditions:
        if not condition.get("lastUpdateTime"):
            condition["lastUpdateTime"] = now
        if not condition.get("lastTransitionTime"):
            same = [c for c in _of_type(old, condition.get("type", "")) if c.get("status") == condition.get("status")]
            known = same[0].get("lastTransitionTime") if same else None
            condition["lastTransitionTime"] = known or now


def _condition_errors(conditions: list[Object]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        field, kind, status = f"status.conditions[{index}]", str(condition.get("type") or ""), condition.get("status")
        if not kind:
            yield fe.required(f"{field}.type")
        if kind in _DECISIONS and seen & (set(_DECISIONS) - {kind}):
            yield fe.invalid(f"{field}.type", kind, "Approved and Denied conditions are mutually exclusive")
        allowed = ["True"] if kind in _LASTING else ["False", "True", "Unknown"]
        if not status:
            yield fe.required(f"{field}.status")
        elif status not in allowed:
            yield fe.not_supported(f"{field}.status", status, allowed)
        if kind in seen:
            yield fe.duplicate(f"{field}.type", kind)
        seen.add(kind)


def _change_errors(obj: Object, old: Object, subresource: str) -> Iterator[FieldError]:
    new, before = parts(obj, "status", "conditions"), parts(old, "status", "conditions")
    for kind in _LASTING:
        if len(_of_type(new, kind)) < len(_of_type(before, kind)):
            yield fe.forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')
    if subresource != "approval":
        for kind in _DECISIONS:
            if len(_of_type(new, kind)) > len(_of_type(before, kind)):
                yield fe.forbidden("status.conditions", f'updates may not add a condition of type "{kind}"')
    had, has = part(old, "status").get("certificate"), part(obj, "status").get("certificate")
    if had and had != has:
        yield fe.forbidden("status.certificate", "updates may not modify existing certificate content")


# -- the request


def _spec_errors(spec: Object) -> Iterator[FieldError]:
    if problem := _request_problem(str(spec.get("request") or "")):
        yield fe.invalid("spec.request", spec.get("request") or "", problem)
    usages = parts(spec, "usages")
    if not usages:
        yield fe.required("spec.usages")
    for index, usage in enumerate(usages):
        if usage not in _USAGES:
            yield fe.not_supported(f"spec.usages[{index}]", usage, _USAGES)
    for index, usage in enumerate(usages):
        if usage in usages[:index]:
            yield fe.duplicate(f"spec.usages[{index}]", usage)
    yield from _signer_errors(str(spec.get("signerName") or ""), "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _MINIMUM_SECONDS:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        yield fe.invalid("spec.expirationSeconds", seconds, text)


def _signer_errors(name: str, field: str) -> Iterator[FieldError]:
    if not name:
        yield fe.required(field)
        return
    if name == LEGACY:
        yield fe.invalid(field, name, "the legacy signerName is not allowed via this API version")
        return
    segments = name.split("/")
    if len(segments) != 2:
        text = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        yield fe.invalid(field, name, text)
        return
    domain, path = segments
    for label in domain.split("."):
        for problem in names.dns_label(label):
            yield fe.invalid(field, domain, f'validating label "{label}": {problem}')
    if "." not in domain:
        yield fe.invalid(field, domain, "should be a domain with at least two segments separated by dots")
    for label in path.split("."):
        for problem in names.dns_subdomain(label):
            yield fe.invalid(field, path, f'validating label "{label}": {problem}')


def _request_problem(encoded: str) -> str:
    """Why the base64 of a PEM is not a certificate request with a good signature, or ""."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    found = _PEM.search(_decoded(encoded))
    if found is None or found[1] != b"CERTIFICATE REQUEST":
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(found[0])
        good = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"x509: malformed certificate request: {error}"
    return "" if good else "x509: signature verification failure"


def _certificate_problem(encoded: str) -> str:
    from cryptography import x509

    blocks = _PEM.findall(_decoded(encoded))
    for kind, _ in blocks:
        if kind != b"CERTIFICATE":
            return f'only CERTIFICATE PEM blocks are allowed, found "{kind.decode()}"'
    if not blocks:
        return "must contain at least one CERTIFICATE PEM block"
    try:
        x509.load_pem_x509_certificates(_decoded(encoded))
    except ValueError as error:
        return f"x509: malformed certificate: {error}"
    return ""


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""
