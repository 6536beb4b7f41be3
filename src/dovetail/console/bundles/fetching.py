"""Fetching bundles from addresses and Services: the only module of this room that speaks HTTP as a client.

One request, no redirects, no credentials, TLS verified against the bundle's own certificates where it names some,
bounded in time and size; no body where the backend says by its entity tag that nothing has changed. A Service is
dialled at its endpoints, under its own name: this works where the cluster's DNS does not reach.
"""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dovetail.apis.dialects import Backend, ServiceRef
from dovetail.console.bundles.model import MAX_FILE
from dovetail.console.errors import FetchFailed
from dovetail.kube import ENDPOINTSLICES, SERVICES, Client, NotFound, Object
from dovetail.routing.addresses import resolve
from dovetail.routing.upstreams import scheme_of

if TYPE_CHECKING:
    import aiohttp

TIMEOUT: Final = 15.0
_LONGEST_TAG: Final = 256
_SERVICE_NAME: Final = "kubernetes.io/service-name"


class Target:
    """Where to dial and what to say: `authority` is the Host header and the name in the certificate."""

    def __init__(self, scheme: str, host: str, port: int, authority: str, path: str) -> None:
        self.scheme, self.host, self.port, self.authority, self.path = scheme, host, port, authority, path

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path or '/'}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}:{self.port}{self.path or '/'}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, and the entity tag by which to ask whether it is still the one; empty for none."""

    content: bytes
    etag: str = ""


async def fetch(client: Client, backend: Backend, etag: str = "") -> Fetched | None:
    """The body behind a backend; None if it is still the one with this tag. Raises FetchFailed."""
    import aiohttp  # here, because few consoles ever fetch and the import is heavy

    target = await locate(client, backend)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=5.0)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=True) as session,
            session.get(
                target.url,
                headers=_headers(target, etag),
                allow_redirects=False,
                ssl=_verification(backend),
                server_hostname=target.authority if target.scheme == "https" else None,
            ) as response,
        ):
            if etag and response.status == 304:
                return None
            return Fetched(await _body(response, str(target)), response.headers.get("ETag", "")[:_LONGEST_TAG])
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise FetchFailed(str(target), str(error) or type(error).__name__) from error


def _headers(target: Target, etag: str) -> dict[str, str]:
    asked = {"If-None-Match": etag} if etag else {}
    return {"Host": target.authority, "User-Agent": "dovetail-console", **asked}


def _verification(backend: Backend) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=backend.ca_pem or None)
    if backend.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _body(response: "aiohttp.ClientResponse", address: str) -> bytes:
    if response.status != 200:
        raise FetchFailed(address, f"it answered {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_FILE:
            raise FetchFailed(address, f"it has more than {MAX_FILE:,} bytes")
    return bytes(body)


async def locate(client: Client, backend: Backend) -> Target:
    """Where a backend is. Raises FetchFailed for a Service that leads nowhere."""
    ref = backend.service
    if ref is None:
        return Target(backend.scheme, backend.host, backend.port, backend.host, backend.path)
    selector = f"{_SERVICE_NAME}={ref.name}"
    slices = (await client.list(ENDPOINTSLICES, ref.namespace, label_selector=selector)).items
    found = resolve(ref, await _service(client, ref), slices=slices)
    if not found.addresses:
        raise FetchFailed(ref.host, found.message)
    scheme = backend.scheme or scheme_of(found.port, https=found.https)
    address = found.addresses[0]
    return Target(scheme, address.host, address.port, ref.host, backend.path)


async def _service(client: Client, ref: ServiceRef) -> Object | None:
    try:
        return await client.get(SERVICES, ref.name, ref.namespace)
    except NotFound:
        return None
