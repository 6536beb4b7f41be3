"""The gateway's certificate: shown to backends that ask, renewed without a restart, and nobody else has one."""

import asyncio
import ssl
import time
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from dovetail.apis.dialects import HealthCheck
from dovetail.gateway import authority as authorities
from dovetail.gateway.authority import SCHEDULE, bundle, due, issued
from dovetail.gateway.health import Target, probe
from dovetail.gateway.openapi.fetching import fetch
from dovetail.iam.assertions import HEADER
from dovetail.iam.rotation import turned
from dovetail.routing.model import UpstreamTLS
from tests.e2e.certificates import Certificate, make_certificate
from tests.gateway_proxy.backend import Backend, always, answer
from tests.gateway_proxy.rig import gateway, route, upstream

NOW = time.time()
OURS = authorities.made(int(NOW), int(NOW) + 3600)
THEIRS = authorities.made(int(NOW), int(NOW) + 3600)


def strict(own: Certificate, trusted: str) -> ssl.SSLContext:
    """As docs/writing-a-backend.md has it."""
    context = own.server_context()
    context.load_verify_locations(cadata=trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def serial(transport: asyncio.StreamWriter) -> int:
    der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).serial_number


async def test_shown_renewed_and_demanded(tmp_path: Path) -> None:
    own, file, seen = make_certificate(tmp_path), tmp_path / "gateway-client.pem", list[int]()

    async def noting(_: object, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        seen.append(serial(writer))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    backend = await Backend(noting).start(tls=strict(own, bundle([OURS])))
    ca = own.authority.read_text()
    shown = UpstreamTLS("localhost", ca_pem=ca, client_cert_file=str(file))
    with_it = upstream(backend.port, scheme="https", tls=shown)
    without = upstream(backend.port, scheme="https", tls=UpstreamTLS("localhost", ca_pem=ca))
    routes, ups = [route("/with", with_it), route("/without", without)], [with_it, without]
    file.write_text(issued([OURS], NOW).pem)
    async with gateway(routes, ups) as running:
        assert (await running.once("GET", "/with")).status == 200
        assert (await running.once("GET", "/without")).is_status(502), "who shows nothing is nobody"
        file.write_text(issued([OURS], NOW + 1).pem)
        assert (await running.once("GET", "/with")).status == 200
        assert len(set(seen)) == 2, "the new certificate is in use, without a restart"
        file.write_text(issued([THEIRS], NOW).pem)
        assert (await running.once("GET", "/with")).is_status(502), "an authority of one's own is none"
        file.write_text(issued([OURS], NOW - 3600, timedelta(minutes=30)).pem)
        assert (await running.once("GET", "/with")).is_status(502), "it has expired"
    assert len(seen) == 2


async def test_health_is_asked_with_it(tmp_path: Path) -> None:
    own, file = make_certificate(tmp_path), tmp_path / "gateway-client.pem"
    file.write_text(issued([OURS], NOW).pem)
    backend = await Backend().start(tls=strict(own, bundle([OURS])))
    check = HealthCheck(url="/healthz", interval=10.0, status="200", timeout=5.0)
    for given, state in ((str(file), "Available"), ("", "Unavailable")):
        tls = UpstreamTLS("localhost", ca_pem=own.authority.read_text(), client_cert_file=given)
        found = await probe(Target(upstream=upstream(backend.port, scheme="https", tls=tls), check=check))
        assert found.state == state, found


def test_what_is_issued() -> None:
    identity = issued([OURS], NOW)
    certificate = x509.load_pem_x509_certificate(identity.pem.encode())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(OURS.certificate.encode()))
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH], "it is no server"
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(days=6) < certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=8)
    assert not due(identity, [OURS], NOW + 4 * 86400)
    assert due(identity, [OURS], NOW + 5 * 86400), "long before it ends"
    assert due(identity, [THEIRS], NOW), "another authority has taken over"
    for secret in (OURS, identity):
        assert "PRIVATE" not in repr(secret)


def test_the_next_authority_is_published_before_it_issues() -> None:
    first = turned((), SCHEDULE, int(NOW), authorities.made)
    (ca,) = x509.load_pem_x509_certificates(bundle(first).encode())
    assert ca.not_valid_after_utc.timestamp() >= first[0].signs_until + 8 * 86400 - 1, "it outlives what it issues"
    later = int(NOW) + SCHEDULE.life - SCHEDULE.lead
    both = turned(first, SCHEDULE, later, authorities.made)
    assert len(x509.load_pem_x509_certificates(bundle(both).encode())) == 2
    assert issued(both, later).issuer == first[0].certificate
    assert issued(both, later + SCHEDULE.lead).issuer != first[0].certificate


async def test_documents_are_fetched_with_it_and_with_a_signed_word(tmp_path: Path) -> None:
    own, file = make_certificate(tmp_path), tmp_path / "gateway-client.pem"
    file.write_text(issued([OURS], NOW).pem)
    backend = await Backend(always(answer(b'{"openapi": "3.0.0", "paths": {}}'))).start(tls=strict(own, bundle([OURS])))
    tls = UpstreamTLS("localhost", ca_pem=own.authority.read_text(), client_cert_file=str(file))
    found = await fetch(upstream(backend.port, scheme="https", tls=tls), "g.io", "v1", assertion="signed")
    assert found.document == {"openapi": "3.0.0", "paths": {}}
    assert (backend.seen[0].get(HEADER), backend.seen[0].get("x-remote-user")) == ("signed", "system:aggregator")
