"""HTTP to one API server: the only module that knows aiohttp.

One session with a pool of connections, opened at the first request, because importing aiohttp costs more than all of
this room. A request is sent at most `ATTEMPTS` times: again after a 401 with a renewed credential, and after a 429 that
says how long to wait (the server has then done nothing). Everything is bounded: time, size of an answer, requests in
flight. A stream may stay open for long but not silent: see `stream`.

It does not know resources, objects or watches; `client` does.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dovetail.kube.config import ClusterConfig
from dovetail.kube.credentials import Credentials, credentials_for
from dovetail.kube.errors import ConfigError, RequestTimeout, Unreachable, UnreadableAnswer

if TYPE_CHECKING:
    import aiohttp

CONNECT_TIMEOUT = 10.0
MAX_ANSWER = 256 * 1024 * 1024
MAX_IN_FLIGHT = 64
ATTEMPTS = 4
MAX_RETRY_AFTER = 10.0
_TLS_ENDS_LATE = sys.version_info < (3, 12, 7)
"""asyncio keeps the socket of a closed TLS connection until its peer answers, python/cpython#118950; aiohttp helps."""

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it goes out. `path` is percent-encoded; `headers` may repeat a name (impersonated groups do)."""

    method: str
    path: str
    query: Query = ()
    headers: Headers = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer, whatever its status. Header names are lower-case; values of repeated ones are joined."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RequestObserver(Protocol):
    """Told about every answered request; for metrics. `status` is 0 when there was no answer."""

    def __call__(self, method: str, path: str, status: int, seconds: float) -> None: ...


class Stream:
    """An answer that is still arriving."""

    def __init__(self, response: "aiohttp.ClientResponse", server: str) -> None:
        self.status = response.status
        self.headers = _headers(response)
        self._response, self._server = response, server

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, in pieces of any size. Raises Unreachable when the connection breaks."""
        with _translated(self._server, None):
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def read(self, limit: int) -> bytes:
        """The rest of the body. Raises UnreadableAnswer over `limit` bytes."""
        with _translated(self._server, None):
            return await _read(self._response, limit)


class Transport:
    """Requests to `config.server` as `config`'s user."""

    def __init__(self, config: ClusterConfig, user_agent: str, observer: RequestObserver | None = None) -> None:
        self.config = config
        self.server = config.server
        self._user_agent = user_agent
        self._observer = observer
        self._credentials: Credentials | None = None
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def close(self) -> None:
        """Close every connection; later requests raise Unreachable."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request, timeout: float, limit: int = MAX_ANSWER) -> Response:
        """The whole answer within `timeout` seconds (waiting for a free slot and retries included).

        Raises Unreachable, RequestTimeout, UnreadableAnswer (over `limit` bytes), ConfigError (credential).
        """
        loop = asyncio.get_running_loop()
        started, status = loop.time(), 0
        try:
            async with asyncio.timeout(timeout), self._slots:
                response = await self._attempts(request, timeout, limit)
                status = response.status
                return response
        except TimeoutError as error:
            raise RequestTimeout(self.server, timeout) from error
        finally:
            if self._observer is not None:
                self._observer(request.method, request.path, status, loop.time() - started)

    @asynccontextmanager
    async def stream(self, request: Request, idle: float) -> AsyncGenerator[Stream]:
        """An answer read piece by piece; `idle` bounds the wait for its head and for each further piece.

        The caller checks the status. Raises Unreachable, RequestTimeout.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=idle)
        for attempt in range(2):
            async with self._open(request, timeout, idle) as response:
                if response.status == 401 and attempt == 0 and self._renew():
                    continue
                yield Stream(response, self.server)
                return

    async def _attempts(self, request: Request, timeout: float, limit: int) -> Response:
        import aiohttp

        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(CONNECT_TIMEOUT, timeout))
        attempt = 1
        while True:
            async with self._open(request, limits, timeout) as response:
                answer = Response(response.status, _headers(response), await _read(response, limit))
            wait = self._wait_before_retry(answer)
            if wait is None or attempt == ATTEMPTS:
                return answer
            attempt += 1
            await asyncio.sleep(wait)

    def _wait_before_retry(self, answer: Response) -> float | None:
        if answer.status == 401 and self._renew():
            return 0.0
        after = answer.headers.get("retry-after", "")
        if answer.status == 429 and after.isdecimal():
            return min(float(after), MAX_RETRY_AFTER)
        return None

    def _renew(self) -> bool:
        return self._credentials is not None and self._credentials.renew()

    @asynccontextmanager
    async def _open(
        self, request: Request, timeout: "aiohttp.ClientTimeout", seconds: float
    ) -> AsyncGenerator["aiohttp.ClientResponse"]:
        import yarl

        session = self._open_session()
        credentials = self._credentials = self._credentials or credentials_for(self.config)
        headers = [*(await credentials.headers()).items(), *_pairs(request.headers)]
        url = yarl.URL(self.server + request.path, encoded=True)
        if request.query:
            url = url.extend_query(_pairs(request.query))
        with _translated(self.server, seconds):
            async with session.request(
                request.method,
                url,
                headers=headers,
                data=request.body,
                timeout=timeout,
                allow_redirects=False,
                ssl=credentials.ssl_context() or True,
                server_hostname=self.config.tls_server_name or None,
                proxy=self.config.proxy_url or None,
            ) as response:
                yield response

    def _open_session(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=_connector(self.config),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
            )
        return self._session


def _connector(config: ClusterConfig) -> "aiohttp.BaseConnector":
    """No limit of connections: watches hold theirs, and `_slots` bounds the rest."""
    import aiohttp

    if config.socket is not None:
        return aiohttp.UnixConnector(str(config.socket), limit=0)
    return aiohttp.TCPConnector(limit=0, socket_factory=_socket, enable_cleanup_closed=_TLS_ENDS_LATE)


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket on which a dead peer is noticed in a minute though nothing is sent: watches are silent for long."""
    family, kind, protocol = address[:3]
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return opened


class _translated:  # noqa: N801 -- used like a function
    """Turns what aiohttp and ssl raise into this room's errors."""

    def __init__(self, server: str, seconds: float | None) -> None:
        self._server, self._seconds = server, seconds

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (GeneratorExit, asyncio.CancelledError)):
            return
        import aiohttp

        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            problem = f"its certificate is not trusted ({error.certificate_error})"
            raise Unreachable(self._server, f"{problem}; check certificate-authority in the kubeconfig") from error
        if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
            raise RequestTimeout(self._server, self._seconds or 0.0) from error
        if isinstance(error, aiohttp.InvalidURL | ValueError) and not isinstance(error, UnicodeError):
            raise ConfigError(self._server, f"the request cannot be formed ({error})") from error
        if isinstance(error, aiohttp.ClientError | OSError):
            raise Unreachable(self._server, _sentence(error)) from error


def _sentence(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _read(response: "aiohttp.ClientResponse", limit: int) -> bytes:
    if (response.content_length or 0) > limit:
        raise UnreadableAnswer(str(response.url.path), f"{response.content_length} bytes are more than {limit}")
    if response.content_length is not None:
        return await response.read()
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise UnreadableAnswer(str(response.url.path), f"it is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _headers(response: "aiohttp.ClientResponse") -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _pairs(values: Mapping[str, str] | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(values.items()) if isinstance(values, Mapping) else list(values)
