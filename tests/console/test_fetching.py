"""Fetching a bundle from a backend: real servers, with and without TLS, well and badly behaved."""

import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dovetail.apis.dialects import Backend, ServiceRef
from dovetail.console.bundles import fetching
from dovetail.console.bundles.fetching import Fetched, fetch
from dovetail.console.errors import FetchFailed
from dovetail.kube import ENDPOINTSLICES, SERVICES, Client
from tests.conftest import KubeApi
from tests.own_address import own_address

CODE = b"System.register([], function () { return {} })"


def certificate(folder: Path, *names: str) -> tuple[Path, str]:
    """A self-signed certificate and key in one file, and the certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    alternatives = [x509.DNSName(n) for n in names] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + private)
    return path, pem.decode()


@contextlib.asynccontextmanager
async def backend(tls: Path | None = None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server on a port of its own: /index.js, /echo (the Host it was asked for), /gone, /away, /endless."""

    async def index(request: web.Request) -> web.Response:
        return web.Response(body=CODE)

    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Host"])

    async def tagged(request: web.Request) -> web.Response:
        tag = {"ETag": '"one"'}
        same = request.headers.get("If-None-Match") == '"one"'
        return web.Response(status=304, headers=tag) if same else web.Response(body=CODE, headers=tag)

    async def gone(request: web.Request) -> web.Response:
        raise web.HTTPInternalServerError

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound("/index.js")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65536)
        return response

    app = web.Application()
    handlers = {"index.js": index, "echo": echo, "tagged": tagged, "gone": gone, "away": away, "endless": endless}
    for path, handler in handlers.items():
        app.router.add_get(f"/{path}", handler)
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0, ssl_context=context).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def at(port: int, path: str, **more: Any) -> Backend:
    return Backend(**{"scheme": "http", "host": "127.0.0.1", "port": port, "path": path, **more})


async def body(client: Client, backend: Backend) -> bytes:
    fetched = await fetch(client, backend)
    assert fetched is not None
    return fetched.content


@pytest.fixture
def nobody() -> Client:
    """A client that an address never needs."""
    return None  # type: ignore[return-value]


async def test_the_body_behind_an_address(nobody: Client):
    async with backend() as port:
        assert (await body(nobody, at(port, "/index.js"))) == CODE


@pytest.mark.parametrize(("path", "why"), [("/gone", "it answered 500"), ("/away", "it answered 302"), ("/no", "404")])
async def test_anything_but_the_body_is_a_failure_with_a_reason(nobody: Client, path: str, why: str):
    async with backend() as port:
        with pytest.raises(FetchFailed, match=why):
            await fetch(nobody, at(port, path))


async def test_too_much_is_cut_off(nobody: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fetching, "MAX_FILE", 1 << 20)
    async with backend() as port:
        with pytest.raises(FetchFailed, match="more than 1,048,576 bytes"):
            await fetch(nobody, at(port, "/endless"))


async def test_what_has_not_changed_is_not_sent_again(nobody: Client):
    async with backend() as port:
        first = await fetch(nobody, at(port, "/tagged"))
        assert first is not None
        assert first == Fetched(CODE, '"one"')
        assert await fetch(nobody, at(port, "/tagged"), first.etag) is None
        assert await fetch(nobody, at(port, "/tagged"), '"older"') == first


async def test_nobody_listening(nobody: Client):
    async with backend() as port:
        pass
    with pytest.raises(FetchFailed, match="could not be fetched"):
        await fetch(nobody, at(port, "/index.js"))


async def test_tls_is_verified_against_the_bundles_own_certificates(nobody: Client, tmp_path: Path):
    path, pem = certificate(tmp_path)
    async with backend(path) as port:
        with pytest.raises(FetchFailed, match="certificate"):
            await fetch(nobody, at(port, "/index.js", scheme="https"))
        assert (await body(nobody, at(port, "/index.js", scheme="https", ca_pem=pem))) == CODE
        assert (await body(nobody, at(port, "/index.js", scheme="https", insecure_skip_verify=True))) == CODE


async def test_a_service_is_dialled_at_its_endpoint_under_its_own_name(platform_crds: KubeApi, tmp_path: Path):
    path, pem = certificate(tmp_path, "bundle-backend.default.svc")
    meta = {"name": "bundle-backend", "namespace": "default"}
    host = own_address()
    async with backend(path, host) as port, platform_crds.client() as client:
        await client.create(SERVICES, {
            "apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"ports": [{"name": "https", "port": 8443, "targetPort": port}]},
        }, "default")  # fmt: skip
        labels = {"kubernetes.io/service-name": "bundle-backend"}
        await client.create(ENDPOINTSLICES, {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {**meta, "labels": labels}, "endpoints": [{"addresses": [host]}],
            "ports": [{"name": "https", "port": port}],
        }, "default")  # fmt: skip
        service = Backend(service=ServiceRef("default", "bundle-backend", "https"), path="/echo", ca_pem=pem)
        assert await body(client, service) == b"bundle-backend.default.svc"
        with pytest.raises(FetchFailed, match="there is no Service no-such"):
            await fetch(client, Backend(service=ServiceRef("default", "no-such")))
        for resource in (SERVICES, ENDPOINTSLICES):
            await client.delete(resource, "bundle-backend", "default")
