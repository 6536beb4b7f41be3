"""The webhooks of tenancy, over TLS on an address that only the API server asks: refusals of what `iam.tenancy.guards`
guards, and the counting of quotas (`quota_reviews`).

It is not part of the platform's API and no gateway stands in front of it: it listens on a port of its own, with a
certificate that it makes when it starts and that is trusted by nothing but the webhook configuration written with it.
Whoever else finds the port (it is on the loopback interface) can ask whether something fits, and so have some room
counted as taken for three seconds.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.tenancy.guards import (
    CONFIGURATIONS,
    OLDEST,
    PROJECTS_PATH,
    QUOTAS_PATH,
    SHARES_PATH,
    configuration,
    verdict,
)
from dovetail.kube.client import Client
from dovetail.kube.errors import KubeError
from dovetail.kube.resources import Object
from dovetail.platform.answers import HANDLERS, json_answer, json_body
from dovetail.platform.quota_reviews import QuotaReviews
from dovetail.platform.serve import Server

log = logging.getLogger(__name__)

_REVIEW_LIMIT: Final = 4 << 20
_LIFETIME: Final = timedelta(days=90)
_RENEWED_AFTER: Final = timedelta(days=30)
_RETRY_SECONDS: Final = 5.0
_HOST: Final = "127.0.0.1"


class GuardServer:
    """Serves the webhook and keeps its configuration in the cluster, until cancelled."""

    def __init__(self, client: Client, run_dir: Path, reviews: QuotaReviews) -> None:
        self._client, self._reviews = client, reviews
        self._changed = asyncio.Event()
        reviews.follow(self._changed.set)
        self._file = run_dir / "guards.pem"

    async def run(self) -> None:
        """Serve; the certificate is renewed in time."""
        if not await self._supported():
            log.warning("the cluster is older than Kubernetes %d.%d: labels of projects are not guarded", *OLDEST)
            return
        authority = self._certify()
        with socket.socket() as listener:
            listener.bind((_HOST, 0))
            url = f"https://{_HOST}:{listener.getsockname()[1]}"
            config = uvicorn.Config(
                guard_app(self._reviews), log_config=None, access_log=False, server_header=False, ws="none",
                lifespan="off", ssl_certfile=str(self._file), ssl_keyfile=str(self._file),
            )  # fmt: skip
            server = Server(config)
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(server.serve(sockets=[listener]), name="guards")
                try:
                    await self._keep(url, authority, config)
                finally:
                    server.should_exit = True
                    serving.cancel()

    async def _keep(self, url: str, authority: str, config: uvicorn.Config) -> None:
        """Keep the configuration right: when other workspaces are limited, and when the certificate is renewed."""
        written: Object = {}
        certified = asyncio.get_running_loop().time()
        while True:
            self._changed.clear()
            wanted = configuration(url, authority, self._reviews.limited())
            if wanted != written:
                await self._configure(wanted)
                written = wanted
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(certified + _RENEWED_AFTER.total_seconds()):
                    await self._changed.wait()
                    continue
            authority, certified = self._certify(), asyncio.get_running_loop().time()
            if config.ssl is not None:
                config.ssl.load_cert_chain(self._file)

    async def _configure(self, wanted: Object) -> None:
        while True:
            try:
                await self._client.apply(CONFIGURATIONS, wanted, field_manager="dovetail-guards", force=True)
                return
            except KubeError as error:
                log.warning("the guards of projects are not in place yet: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _supported(self) -> bool:
        while True:
            try:
                answer = await self._client.request("GET", "/version")
                return answer.status != 200 or _version(answer.body) >= OLDEST
            except KubeError:
                await asyncio.sleep(_RETRY_SECONDS)

    def _certify(self) -> str:
        """A new certificate in the file; what vouches for it, in base64."""
        certificate, key = self_signed(_HOST, datetime.now(UTC))
        fresh = self._file.with_name(f".{self._file.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate + key)
        fresh.replace(self._file)
        return b64encode(certificate).decode()


def guard_app(reviews: QuotaReviews) -> Starlette:
    """The application: two paths that refuse, and one that counts."""

    async def count(request: Request) -> Response:
        return json_answer(reviews.review(await json_body(request, _REVIEW_LIMIT)))

    async def answer(request: Request) -> Response:
        return json_answer(verdict(request.url.path, await json_body(request, _REVIEW_LIMIT)))

    routes = [Route(path, answer, methods=["POST"]) for path in (PROJECTS_PATH, SHARES_PATH)]
    counting = Route(QUOTAS_PATH, count, methods=["POST"])
    return Starlette(routes=[*routes, counting], exception_handlers=HANDLERS)


def self_signed(address: str, now: datetime) -> tuple[bytes, bytes]:
    """A certificate for an IP address that vouches for itself, and its key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dovetail-guards")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem), private


def _version(body: bytes) -> tuple[int, int]:
    """Major and minor of the cluster; as new as can be when it does not say."""
    import orjson

    said: dict[str, Any] = orjson.loads(body)
    major, minor = (str(said.get(part) or "").rstrip("+") for part in ("major", "minor"))
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else OLDEST
