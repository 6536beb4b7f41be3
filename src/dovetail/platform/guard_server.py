"""The webhooks of the platform, over TLS on an address that only the API server asks: refusals of what
`iam.tenancy.guards` guards, the counting of quotas (`quota_reviews`), who changed an InstallPlan and who needs what it
installed (`lifecycle.plan_admission`).

It is not part of the platform's API and no gateway stands in front of it: it listens on a port of its own, with a
certificate that it makes when it starts and that is trusted by nothing but the webhook configurations written with it.
Whoever else finds the port (it is on the loopback interface) is told nothing: the paths begin with a word that is drawn
at every start and stands in the webhook configurations only. Who may read those could have room counted as taken for
three seconds, or his own name for another's written to a plan that is uninstalled.
"""

import asyncio
import contextlib
import ipaddress
import logging
import os
import secrets
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

from dovetail.iam.process_roles import OWN_LABELS
from dovetail.iam.tenancy.guards import (
    CONFIGURATIONS,
    OLDEST,
    PROJECTS_PATH,
    QUOTAS_PATH,
    SHARES_PATH,
    answered,
    configuration,
    verdict,
)
from dovetail.kube.client import Client
from dovetail.kube.errors import KubeError
from dovetail.kube.resources import Object, Resource
from dovetail.lifecycle import plan_admission
from dovetail.platform.answers import HANDLERS, json_answer, json_body
from dovetail.platform.plan_reviews import PlanReviews
from dovetail.platform.quota_reviews import QuotaReviews
from dovetail.platform.serve import Server

log = logging.getLogger(__name__)

_REVIEW_LIMIT: Final = 4 << 20
_LIFETIME: Final = timedelta(days=90)
_RENEWED_AFTER: Final = timedelta(days=30)
_RETRY_SECONDS: Final = 5.0
_HOST: Final = "127.0.0.1"


class GuardServer:
    """Serves the webhooks and keeps their configurations in the cluster, until cancelled."""

    def __init__(self, client: Client, run_dir: Path, reviews: QuotaReviews) -> None:
        self._client, self._reviews = client, reviews
        self._changed = asyncio.Event()
        reviews.follow(self._changed.set)
        self._file = run_dir / "guards.pem"

    async def run(self) -> None:
        """Serve; the certificate is renewed in time."""
        if not await self._supported():
            log.warning(
                "the cluster is older than Kubernetes %d.%d: labels of projects and plans are not guarded", *OLDEST
            )
            return
        authority = self._certify()
        with socket.socket() as listener:
            listener.bind((_HOST, 0))
            word = f"/{secrets.token_urlsafe(24)}"
            url = f"https://{_HOST}:{listener.getsockname()[1]}{word}"
            config = uvicorn.Config(
                guard_app(self._reviews, PlanReviews(self._client), word), log_config=None, access_log=False,
                server_header=False, ws="none", lifespan="off", ssl_certfile=str(self._file),
                ssl_keyfile=str(self._file),
            )  # fmt: skip
            server = Server(config)
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(server.serve(sockets=[listener]), name="guards")
                try:
                    await self._keep(url, authority, config)
                finally:
                    server.should_exit = True
                    serving.cancel()
                    for connection in list(server.server_state.connections):
                        connection.transport.abort()

    async def _keep(self, url: str, authority: str, config: uvicorn.Config) -> None:
        """Keep the configurations right: when other workspaces are limited, and when the certificate is renewed."""
        written: list[tuple[Resource, Object]] = []
        certified = asyncio.get_running_loop().time()
        while True:
            self._changed.clear()
            wanted = [
                (CONFIGURATIONS, configuration(url, authority, self._reviews.limited())),
                *plan_admission.configurations(url, authority, OWN_LABELS),
            ]
            for resource, one in wanted:
                if (resource, one) not in written:
                    await self._configure(resource, one)
            written = wanted
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(certified + _RENEWED_AFTER.total_seconds()):
                    await self._changed.wait()
                    continue
            authority, certified = self._certify(), asyncio.get_running_loop().time()
            if config.ssl is not None:
                config.ssl.load_cert_chain(self._file)

    async def _configure(self, resource: Resource, wanted: Object) -> None:
        while True:
            try:
                await self._client.apply(resource, wanted, field_manager="dovetail-guards", force=True)
                return
            except KubeError as error:
                log.warning("the webhooks of %s are not in place yet: %s", wanted["metadata"]["name"], error)
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


def guard_app(reviews: QuotaReviews, plans: PlanReviews, word: str) -> Starlette:
    """The application: paths that refuse, one that counts, one that asks who needs an extension, one that signs.

    All of them are below `word`.
    """

    async def count(request: Request) -> Response:
        return json_answer(reviews.review(await json_body(request, _REVIEW_LIMIT)))

    async def answer(request: Request) -> Response:
        return json_answer(verdict(request.url.path.removeprefix(word), await json_body(request, _REVIEW_LIMIT)))

    async def sign(request: Request) -> Response:
        return json_answer(plan_admission.authored(await json_body(request, _REVIEW_LIMIT)))

    async def forge(request: Request) -> Response:
        review = await json_body(request, _REVIEW_LIMIT)
        return json_answer(answered(review, plan_admission.forgery(review)))

    async def uninstall(request: Request) -> Response:
        return json_answer(await plans.review(await json_body(request, _REVIEW_LIMIT)))

    served = {
        PROJECTS_PATH: answer, SHARES_PATH: answer, QUOTAS_PATH: count, plan_admission.AUTHORS_PATH: sign,
        plan_admission.FORGERIES_PATH: forge, plan_admission.UNINSTALLS_PATH: uninstall,
    }  # fmt: skip
    routes = [Route(word + path, handler, methods=["POST"]) for path, handler in served.items()]
    return Starlette(routes=routes, exception_handlers=HANDLERS)


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
