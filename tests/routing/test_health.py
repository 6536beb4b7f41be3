"""Verdicts on backends: the rule, and probes of real sockets."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dovetail.apis.dialects import HealthCheck
from dovetail.gateway.health import HEALTHY, Health, Known, Prober, Target, judge, probe, unavailable
from dovetail.routing.model import Address, Upstream, UpstreamTLS
from dovetail.routing.upstreams import with_key

DOWN = unavailable("ConnectionRefused", "nothing listens")


def test_the_first_verdict_counts_at_once():
    assert judge(Known(), HEALTHY).health == HEALTHY
    assert judge(Known(), DOWN).health == DOWN


def test_one_failure_does_not_take_a_backend_away():
    once = judge(Known(health=HEALTHY), DOWN)
    assert once.health == HEALTHY
    assert judge(once, DOWN).health == DOWN
    assert judge(judge(once, HEALTHY), DOWN).health == HEALTHY


def test_it_comes_back_at_the_first_success():
    assert judge(Known(health=DOWN, failures=7), HEALTHY) == Known(health=HEALTHY)


def test_the_reason_follows_while_it_is_down():
    other = unavailable("Timeout", "no answer")
    assert judge(Known(health=DOWN, failures=3), other).health == other


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """A server on a port of its own, gone with all its connections at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        async with server:
            yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        await asyncio.sleep(0.05)  # a connection that was just aborted still has to reach its handler
        if tasks:
            await asyncio.wait(tasks, timeout=10)


@contextlib.asynccontextmanager
async def listening(
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[Address, list[bytes]]]:
    """A server that answers every request the same; yields its address and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()

    async with serving(serve, context) as address:
        yield address, asked


def target(
    *addresses: Address, check: HealthCheck | None = None, tls: UpstreamTLS | None = None, base: str = ""
) -> Target:
    scheme = "https" if tls else "http"
    upstream = Upstream(key="", scheme=scheme, authority="b.n.svc", addresses=addresses, tls=tls, base_path=base)
    return Target(upstream=with_key(upstream), check=check)


async def closed_port() -> Address:
    async with listening() as (address, _):
        return address


async def test_a_backend_that_listens_is_available():
    async with listening() as (address, asked):
        assert await probe(target(address)) == HEALTHY
        assert asked == []


async def test_a_closed_port_is_refused():
    assert (await probe(target(await closed_port()))).reason == "ConnectionRefused"


async def test_one_address_of_several_is_enough():
    closed = await closed_port()
    async with listening() as (address, _):
        assert await probe(target(closed, address)) == HEALTHY


async def test_no_address():
    assert (await probe(target())).reason == "MissingEndpoints"


async def test_a_name_without_an_address():
    assert (await probe(target(Address("nothing.invalid", 80)))).reason in ("NameResolutionFailed", "Timeout")


@pytest.mark.parametrize(
    ("status", "line", "reason"),
    [
        ("200", b"HTTP/1.1 200 OK", "Healthy"),
        ("2xx", b"HTTP/1.1 204 No Content", "Healthy"),
        ("200", b"HTTP/1.1 204 No Content", "UnexpectedStatus"),
        ("2xx", b"HTTP/1.1 503 No", "UnexpectedStatus"),
        ("2xx", b"SSH-2.0-x", "NoAnswer"),
        ("2xx", b"x" * 100_000, "NoAnswer"),
        ("2xx", b"", "NoAnswer"),
    ],
)
async def test_health_checks(status, line, reason):
    check = HealthCheck(url="/healthz", timeout=10.0, status=status)
    async with listening(line + b"\r\n\r\n" if line else b"") as (address, asked):
        assert (await probe(target(address, check=check, base="/v1"))).reason == reason
        assert asked[0].startswith(b"GET /v1/healthz HTTP/1.1\r\nHost: b.n.svc\r\n")
        assert b"authorization" not in asked[0].lower()


async def test_a_health_check_of_another_address():
    async with listening() as (address, asked):
        check = HealthCheck(url=f"http://{address.host}:{address.port}/up?x=1")
        assert await probe(target(await closed_port(), check=check)) == HEALTHY
        assert asked[0].startswith(b"GET /up?x=1 ")


async def test_a_backend_that_never_answers_times_out():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as address:
        found = await probe(target(address, check=HealthCheck(url="/", timeout=0.3)))
    assert found.reason == "Timeout"


def certificate(tmp_path) -> tuple[ssl.SSLContext, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "b.n.svc")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("b.n.svc"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context, pem.decode()


@pytest.mark.parametrize(
    ("server_name", "use_ca", "insecure", "reason"),
    [
        ("b.n.svc", True, False, "Healthy"),
        ("b.n.svc", False, False, "TLSVerificationFailed"),
        ("other.n.svc", True, False, "TLSVerificationFailed"),
        ("other.n.svc", False, True, "Healthy"),
    ],
)
async def test_tls_backends(tmp_path, server_name, use_ca, insecure, reason):
    context, pem = certificate(tmp_path)
    tls = UpstreamTLS(server_name=server_name, ca_pem=pem if use_ca else "", insecure_skip_verify=insecure)
    async with listening(context=context) as (address, _):
        found = await probe(target(address, tls=tls, check=HealthCheck(url="/", timeout=10.0)))
    assert found.reason == reason


async def test_plain_http_where_tls_is_expected():
    async def confused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with serving(confused) as address:
        found = await probe(target(address, tls=UpstreamTLS(server_name="b.n.svc")))
    assert found.reason == "TLSHandshakeFailed"


async def test_the_prober_reports_changes_only():
    verdicts = {"a": [HEALTHY] * 3, "b": [DOWN] * 3}
    reports: asyncio.Queue[tuple[str, Health]] = asyncio.Queue()
    probed = asyncio.Semaphore(0)

    async def fake(wanted: Target) -> Health:
        probed.release()
        return verdicts[wanted.upstream.authority][0]

    async def report(key: str, health: Health) -> None:
        await reports.put((key, health))

    prober = Prober(report, probe=fake)
    quick = HealthCheck(url="/", interval=1.0)
    targets = {name: Target(upstream=Upstream(key=name, authority=name), check=quick) for name in ("a", "b")}
    running = asyncio.create_task(prober.run())
    try:
        prober.set_targets(targets)
        async with asyncio.timeout(20):
            first = {await reports.get(), await reports.get()}
            assert first == {("a", HEALTHY), ("b", DOWN)}
            verdicts["b"] = [HEALTHY]
            assert await reports.get() == ("b", HEALTHY)
            prober.set_targets({"a": targets["a"]})
            for _ in range(4):
                await probed.acquire()
        assert reports.empty()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
