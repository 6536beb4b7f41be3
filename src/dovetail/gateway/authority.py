"""The gateway's certificate towards backends, and the authority that issues it. Pure, but for making keys.

A backend that wants to be sure that a connection comes from the gateway demands a client certificate and trusts this
authority and no other: it issues nothing else, so who shows a certificate of it is the gateway. The authority lies in
one Secret of the cluster (`AUTHORITIES`), lives ten years and is published long before it is used; each control process
has certificates of its own, which live a week and are renewed when two thirds of it are over. Keys are ECDSA on P-256.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dovetail.iam.rotating_secret import RotatingSecret
from dovetail.iam.rotation import Schedule, signing

NAME: Final = "dovetail-gateway"
"""The common name and the only DNS name of the gateway's certificates."""
_DAY: Final = 24 * 3600
SCHEDULE: Final = Schedule(life=9 * 365 * _DAY, lead=30 * _DAY, grace=30 * _DAY)
LIFETIME: Final = timedelta(days=7)
_BACKDATED: Final = timedelta(minutes=5)
"""Clocks differ."""


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """One authority: certificate and key as PEM, and when it issues. Its repr does not show the key."""

    certificate: str
    key: str
    signs_from: int
    signs_until: int

    def __repr__(self) -> str:
        return f"Authority({self.signs_from}, {self.signs_until})"


class ClientIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of the gateway with its key, in one PEM text, and when it is to be renewed (epoch seconds)."""

    pem: str
    renew_at: float
    issuer: str
    """The authority's certificate."""

    def __repr__(self) -> str:
        return f"ClientIdentity({self.renew_at})"


def made(signs_from: int, signs_until: int) -> Authority:
    """A new authority; its certificate outlives what it issues."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named(f"{NAME}-authority")
    end = datetime.fromtimestamp(signs_until, UTC) + timedelta(seconds=SCHEDULE.grace)
    builder = _builder(name, name, key.public_key(), datetime.now(UTC), end)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(issues=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=_pem(certificate), key=_key_pem(key), signs_from=signs_from, signs_until=signs_until)


AUTHORITIES: Final = RotatingSecret(
    "dovetail-gateway-authority", "dovetail.dev/gateway-authority", Authority, SCHEDULE, made
)


def bundle(authorities: Sequence[Authority]) -> str:
    """What backends trust: the certificates of all authorities, PEM."""
    return "".join(authority.certificate for authority in authorities)


def issued(authorities: Sequence[Authority], now: float, lifetime: timedelta = LIFETIME) -> ClientIdentity:
    """A new certificate of the gateway."""
    authority = signing(authorities, int(now))
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.fromtimestamp(now, UTC)
    certificate = (
        _builder(_named(NAME), issuer.subject, key.public_key(), begin, begin + lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(issues=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    renew_at = now + lifetime.total_seconds() * 2 / 3
    return ClientIdentity(pem=_pem(certificate) + _key_pem(key), renew_at=renew_at, issuer=authority.certificate)


def due(identity: ClientIdentity, authorities: Sequence[Authority], now: float) -> bool:
    """Whether a certificate is to be renewed: it ages, or another authority has taken over."""
    return now >= identity.renew_at or identity.issuer != signing(authorities, int(now)).certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _BACKDATED)
        .not_valid_after(end)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(*, issues: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not issues, key_cert_sign=issues, crl_sign=issues, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
