"""Reading files over HTTP: whole, bounded in size and time, verified.

Certificates are verified unless the repository's owner says otherwise; a redirect may not lead from https to http;
credentials go to the repository's own origin only. Compressed transfers count by what they unpack to. Nothing is kept
between two calls but connections.
"""

import asyncio
import base64
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp

MAX_PACKAGE: Final = 64 << 20
MAX_INDEX: Final = 64 << 20
_MAX_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16


class FetchFailed(Exception):
    """A file could not be read; the sentence says why, without the address and without credentials."""


@dataclass(frozen=True)
class Origin:
    """How to speak to a repository. `ca_pem` replaces the system's certificates when given."""

    url: str
    username: str = ""
    password: str = ""
    ca_pem: str = ""
    insecure: bool = False


class Fetcher:
    """An async context manager; `get` may be called concurrently."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, url: str, origin: Origin, *, limit: int, timeout: float) -> bytes:
        """The body of a 200 answer. Raises FetchFailed for everything else."""
        try:
            async with asyncio.timeout(timeout):
                return await self._get(url, origin, limit)
        except TimeoutError as error:
            raise FetchFailed(f"no complete answer within {timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise FetchFailed(f"{type(error).__name__}: {error}") from error

    async def _get(self, url: str, origin: Origin, limit: int) -> bytes:
        same = same_origin(url, origin.url)
        headers = {"Authorization": _basic(origin)} if origin.username and same else None  # not sent past a redirect
        async with self._open().get(
            url, headers=headers, ssl=_trust(origin) if same else True, max_redirects=_MAX_REDIRECTS
        ) as answer:
            if answer.url.scheme != "https" and urlsplit(url).scheme == "https":
                raise FetchFailed("it redirects from https to plain http")
            if answer.status != 200:
                raise FetchFailed(f"the server answers {answer.status} {answer.reason or ''}".strip())
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > limit:
                    raise FetchFailed(f"it is larger than {limit:,} bytes")
            return bytes(body)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                trust_env=True,
                headers={"User-Agent": "dovetail"},
                timeout=aiohttp.ClientTimeout(total=None, connect=30, sock_read=60),
                requote_redirect_url=False,
            )
        return self._session


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _basic(origin: Origin) -> str:
    return "Basic " + base64.b64encode(f"{origin.username}:{origin.password}".encode()).decode()


def _trust(origin: Origin) -> ssl.SSLContext | bool:
    if origin.insecure:
        return False
    return ssl.create_default_context(cadata=origin.ca_pem) if origin.ca_pem else True
