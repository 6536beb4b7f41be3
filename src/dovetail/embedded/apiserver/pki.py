"""The cluster's certificates: an own authority, the server's certificate, client certificates, the token signing key.

Files in ``<data_dir>/pki`` (0700; keys 0600): ``ca.crt``/``ca.key``, ``server.crt``/``server.key``, ``sa.key`` (signs
service account tokens), ``clients/<name>.crt``/``.key``. Existing ones are kept as long as they are valid for another
30 days and cover the wanted names; otherwise they are issued again. Losing ``ca.key`` means that every kubeconfig is
written anew.

ECDSA P-256 throughout. A client's name is the certificate's CN, its groups are the O's (as in Kubernetes).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
LEAF_DAYS = 365
RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate and its key, PEM, with the files that hold them."""

    certificate_file: Path
    key_file: Path
    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a client certificate names: ``file`` is its base name below ``clients/``."""

    file: str
    name: str
    groups: tuple[str, ...] = ()


class Authority:
    """The certificate authority of one data directory. Creating it creates what is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for directory in (folder, folder / "clients"):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ca_file = folder / "ca.crt"
        self._key = _load_key(folder / "ca.key")
        self._certificate = self._load_or_create()

    @property
    def ca_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def _load_or_create(self) -> x509.Certificate:
        found = _load_certificate(self.ca_file)
        if found is not None and _fresh(found) and found.public_key() == self._key.public_key():
            return found
        name = _name("dovetail-ca")
        builder = _builder(name, name, self._key.public_key(), AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(sign_certificates=True), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        write_private(self.ca_file, certificate.public_bytes(serialization.Encoding.PEM))
        return certificate

    def server(self, hosts: Sequence[str]) -> Credential:
        """The server's certificate for these names and addresses."""
        names = [_general_name(host) for host in hosts]
        alternatives = x509.SubjectAlternativeName(names)
        return self._leaf("server", _name("kube-apiserver"), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def client(self, subject: Subject) -> Credential:
        name = _name(subject.name, subject.groups)
        return self._leaf(f"clients/{subject.file}", name, ExtendedKeyUsageOID.CLIENT_AUTH, None)

    def signing_key(self) -> bytes:
        """The PEM of the key that signs service account tokens."""
        return _pem(_load_key(self.folder / "sa.key"))

    def keep_signing_key(self) -> None:
        """Make the key of ``signing_key`` if there is none: the token controller reads the file, too."""
        if not (self.folder / "sa.key").exists():
            _load_key(self.folder / "sa.key")

    def _leaf(
        self, file: str, name: x509.Name, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName | None
    ) -> Credential:
        certificate_file, key_file = self.folder / f"{file}.crt", self.folder / f"{file}.key"
        key = _load_key(key_file)
        found = _load_certificate(certificate_file)
        if found is None or not self._still_good(found, key, name, names):
            found = self._sign(name, key, usage, names)
            write_private(certificate_file, found.public_bytes(serialization.Encoding.PEM))
        pem = found.public_bytes(serialization.Encoding.PEM)
        return Credential(certificate_file, key_file, pem, _pem(key))

    def _still_good(
        self,
        found: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        name: x509.Name,
        names: x509.SubjectAlternativeName | None,
    ) -> bool:
        if not _fresh(found) or found.subject != name or found.public_key() != key.public_key():
            return False
        try:
            found.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return names is None or _alternatives(found) == set(names)

    def _sign(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
    ) -> x509.Certificate:
        builder = _builder(name, self._certificate.subject, key.public_key(), LEAF_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(issuer, critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step; only its owner may read it."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(path, _pem(key))
    return key


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _fresh(certificate: x509.Certificate) -> bool:
    now = datetime.now(UTC)
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - timedelta(days=RENEW_DAYS)


def _alternatives(certificate: x509.Certificate) -> set[x509.GeneralName]:
    try:
        return set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return set()


def _name(common: str, organizations: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=5)).not_valid_after(now + timedelta(days=days))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=sign_certificates, crl_sign=sign_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
