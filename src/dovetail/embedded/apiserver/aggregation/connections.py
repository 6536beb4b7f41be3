"""Connections to backends: HTTPS with the front-proxy certificate, verified as the APIService says.

A context is made per backend (its trust may differ); connections are kept. aiohttp is imported with the first use.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from ..outgoing import AnswerTooLarge, read_limited, reason
from ..pki import Credential
from ..service_endpoints import NoEndpoint, resolve
from ..storage.store import Store
from .backends import Backend

if TYPE_CHECKING:
    import aiohttp

LIMIT = 16 * 1024 * 1024
CONNECT_SECONDS = 10.0


class BackendUnreachable(ConnectionError):
    """The backend did not answer; the text says why."""


class Connections:
    """All backends' connections; they belong to one event loop. Where a backend is is kept until ``moved``."""

    def __init__(self, store: Store, credential: Credential) -> None:
        self._store, self._credential = store, credential
        self._contexts: dict[Backend, ssl.SSLContext] = {}
        self._places: dict[Backend, tuple[str, int]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, backend: Backend, path: str, seconds: float) -> tuple[int, Any]:
        """(status, JSON or None) of a GET as the aggregator itself. Raises BackendUnreachable."""
        import aiohttp

        headers = {
            "X-Remote-User": "system:kube-aggregator",
            "X-Remote-Group": "system:masters",
            "Accept": "application/json",
        }
        try:
            async with asyncio.timeout(seconds):
                async with await self.open(backend, "GET", path, headers, b"") as response:
                    content = await read_limited(response, LIMIT)
                    return response.status, orjson.loads(content) if response.status == 200 else None
        except TimeoutError as error:
            raise BackendUnreachable("context deadline exceeded") from error
        except orjson.JSONDecodeError as error:
            raise BackendUnreachable("the answer is not JSON") from error
        except BackendUnreachable:
            raise
        except (aiohttp.ClientError, OSError, AnswerTooLarge) as error:
            raise BackendUnreachable(reason(error)) from error

    async def open(
        self, backend: Backend, method: str, target: str, headers: Mapping[str, str] | Any, body: bytes
    ) -> aiohttp.ClientResponse:
        """A started answer; the caller closes it. ``target`` is path and query as sent. Raises BackendUnreachable."""
        import aiohttp
        from yarl import URL

        host, port = self._place(backend)
        address = f"[{host}]" if ":" in host else host
        try:
            return await self._connected().request(
                method, URL(f"https://{address}:{port}{target}", encoded=True), data=body or None, headers=headers,
                ssl=self._context(backend), server_hostname=backend.host, allow_redirects=False,
            )  # fmt: skip
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise BackendUnreachable(reason(error)) from error

    def _place(self, backend: Backend) -> tuple[str, int]:
        """(host, port). Raises BackendUnreachable."""
        if backend not in self._places:
            try:
                self._places[backend] = resolve(self._store, backend.target)
            except NoEndpoint as error:
                raise BackendUnreachable(str(error)) from error
        return self._places[backend]

    def moved(self) -> None:
        """Services or their endpoints changed: look again where backends are."""
        self._places.clear()

    def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _context(self, backend: Backend) -> ssl.SSLContext:
        if backend not in self._contexts:
            try:
                context = ssl.create_default_context(cadata=backend.authority.decode("ascii") or None)
            except (ssl.SSLError, ValueError) as error:
                raise BackendUnreachable("unable to load root certificates from caBundle") from error
            if backend.insecure:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.load_cert_chain(self._credential.certificate_file, self._credential.key_file)
            self._contexts[backend] = context
        return self._contexts[backend]

    def keep_only(self, backends: set[Backend]) -> None:
        """Forget the contexts and places of backends that are gone."""
        for kept in (self._contexts, self._places):
            for backend in set(kept) - backends:
                del kept[backend]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
