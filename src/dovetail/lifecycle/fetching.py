"""Reading files over HTTP: whole, bounded in size and time, from where they were asked for.

Certificates are verified unless the repository's owner says otherwise; credentials and the repository's own
certificates are for its own origin only, at every step of a redirect; a redirect may not lead from https to plain
http. Sizes count what a transfer unpacks to, and unpacking stops at the limit. Nothing is kept between two calls but
connections.
"""

import asyncio
import base64
import functools
import ssl
import zlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.registry.references import same_origin

MAX_PACKAGE: Final = MAX_ARCHIVE
MAX_INDEX: Final = 32 << 20
_MAX_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_REDIRECTS: Final = (301, 302, 303, 307, 308)


class FetchFailed(Exception):
    """A file could not be read; the sentence says why, without the address and without credentials."""


@dataclass(frozen=True)
class Origin:
    """How to speak to a repository. `ca_pem` replaces the system's certificates when given. No secret is printed."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_pem: str = field(default="", repr=False)
    insecure: bool = False

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """Which certificates are taken, as aiohttp wants to be told."""
        if self.insecure:
            return False
        return _context(self.ca_pem) if self.ca_pem else True


@dataclass(frozen=True)
class Body:
    """A file, or that it is still what `stamp` (its ETag) said: then `data` is None."""

    data: bytes | None
    stamp: str = ""


class Fetcher:
    """An async context manager; `get` may be called concurrently."""

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        """`resolver` finds the addresses of hosts; the system's when absent."""
        self._resolver = resolver
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
        """The body of a 200 answer, as it lies there. Raises FetchFailed for everything else."""
        body = await self._bounded(url, origin, {"Accept-Encoding": "identity"}, limit, timeout)
        return body.data or b""

    async def revalidate(self, url: str, origin: Origin, stamp: str, *, limit: int, timeout: float) -> Body:
        """A text that may be sent compressed, unless it is still what it was. Raises FetchFailed."""
        headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": stamp} if stamp else {})
        return await self._bounded(url, origin, headers, limit, timeout)

    async def _bounded(self, url: str, origin: Origin, headers: dict[str, str], limit: int, timeout: float) -> Body:
        try:
            async with asyncio.timeout(timeout):
                return await self._follow(url, origin, headers, limit)
        except TimeoutError as error:
            raise FetchFailed(f"no complete answer within {timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, zlib.error) as error:
            raise FetchFailed(f"{type(error).__name__}: {error}") from error

    async def _follow(self, url: str, origin: Origin, headers: dict[str, str], limit: int) -> Body:
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._ask(url, origin, headers)
            async with answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    url = _next(url, answer.headers["Location"])
                    continue
                return await _read(answer, limit, unpack=headers["Accept-Encoding"] == "gzip")
        raise FetchFailed(f"it redirects more than {_MAX_REDIRECTS} times")

    async def _ask(self, url: str, origin: Origin, headers: dict[str, str]) -> aiohttp.ClientResponse:
        own = same_origin(url, origin.url)
        sent = headers | ({"Authorization": _basic(origin)} if own and origin.username else {})
        trust = origin.trust if own else True
        return await self._open().get(url, headers=sent, ssl=trust, allow_redirects=False)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._resolver),
                trust_env=True,
                auto_decompress=False,
                headers={"User-Agent": "dovetail"},
                timeout=aiohttp.ClientTimeout(total=None, connect=30, sock_read=60),
                requote_redirect_url=False,
            )
        return self._session


def _next(url: str, location: str) -> str:
    """Where a redirect leads. Raises FetchFailed."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in ("http", "https"):
        raise FetchFailed(f"it redirects to a {scheme}: address")
    if scheme != "https" and urlsplit(url).scheme == "https":
        raise FetchFailed("it redirects from https to plain http")
    return target


async def _read(answer: aiohttp.ClientResponse, limit: int, *, unpack: bool) -> Body:
    if answer.status == 304:
        return Body(None)
    if answer.status != 200:
        raise FetchFailed(f"the server answers {answer.status} {answer.reason or ''}".strip())
    encoding = answer.headers.get("Content-Encoding", "identity").lower() if unpack else "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise FetchFailed(f"it is encoded as {encoding[:40]}, which was not asked for")
    unpacker = None if encoding == "identity" else zlib.decompressobj(_GZIP_OR_ZLIB)
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        body += chunk if unpacker is None else unpacker.decompress(chunk, max(limit + 1 - len(body), 1))
        if len(body) > limit or (unpacker is not None and unpacker.unconsumed_tail):
            raise FetchFailed(f"it is larger than {limit:,} bytes")
    if unpacker is not None and not unpacker.eof:
        raise FetchFailed("it ends in the middle of what was compressed")
    return Body(bytes(body), answer.headers.get("ETag", ""))


def _basic(origin: Origin) -> str:
    return "Basic " + base64.b64encode(f"{origin.username}:{origin.password}".encode()).decode()


@functools.lru_cache(maxsize=32)
def _context(ca_pem: str) -> ssl.SSLContext:
    """One context for the same certificates, so that connections are used again."""
    return ssl.create_default_context(cadata=ca_pem)
