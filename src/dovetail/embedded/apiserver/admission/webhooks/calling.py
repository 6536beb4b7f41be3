"""One question to one webhook over HTTPS, and why it failed, in the words of Go's client.

Connections are kept per certificate authority and server name. The timeout is the hook's, and stands in the URL, too.
aiohttp is imported with the first call.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import orjson

from ...outgoing import read_limited, reason
from ...service_endpoints import NoEndpoint, resolve
from ...storage.store import Store
from .configurations import Hook

if TYPE_CHECKING:
    import aiohttp

LIMIT = 3 * 1024 * 1024
_CONTEXTS = 64
_ANSWERS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    406: "the server was unable to respond with a content type that the client supports",
    409: "the server reported a conflict",
    410: "the requested resource is no longer available",
    415: "the server does not support the media type",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class CallFailed(Exception):
    """The webhook was not reached or did not answer properly."""


class Caller:
    """The connections to all webhooks. Belongs to one event loop."""

    def __init__(self) -> None:
        self._contexts: dict[bytes, ssl.SSLContext] = {}
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, store: Store, hook: Hook, body: bytes) -> Any:
        """The answer as JSON. Raises CallFailed."""
        import aiohttp

        shown, real, host = _addresses(hook, store)
        context = self._context(hook.client.authority)
        options: dict[str, Any] = {"server_hostname": urlsplit(shown).hostname} if host else {}
        headers = {
            "content-type": "application/json",
            "accept": "application/json, */*",
            "user-agent": "kube-apiserver-admission",
        }
        if host:
            headers["host"] = host
        try:
            async with asyncio.timeout(hook.seconds):
                async with self._connected().post(
                    real, data=body, headers=headers, ssl=context, allow_redirects=False, **options
                ) as response:
                    return _read(response.status, await read_limited(response, LIMIT))
        except TimeoutError as error:
            raise CallFailed(f'Post "{shown}": context deadline exceeded') from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailed(f'Post "{shown}": {reason(error)}') from error

    def _connected(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._session

    def _context(self, authority: bytes) -> ssl.SSLContext:
        """Raises CallFailed when the authority is not PEM."""
        if authority not in self._contexts:
            if len(self._contexts) >= _CONTEXTS:
                self._contexts.clear()
            try:
                self._contexts[authority] = ssl.create_default_context(cadata=authority.decode() or None)
            except (ssl.SSLError, ValueError) as error:
                text = "unable to load root certificates: unable to parse bytes as PEM block"
                raise CallFailed(text) from error
        return self._contexts[authority]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _addresses(hook: Hook, store: Store) -> tuple[str, str, str]:
    """(URL for people, URL to connect to, Host header or "" when it is that of the URL). Raises CallFailed."""
    timeout, service = f"?timeout={hook.seconds}s", hook.client.service
    if service is None:
        url = hook.client.url
        shown = url + ("" if urlsplit(url).path else "/") + timeout
        return shown, shown, ""
    name = f"{service.name}.{service.namespace}.svc"
    shown = f"https://{name}:{service.port}{hook.client.path}{timeout}"
    try:
        address, port = resolve(store, service)
    except NoEndpoint as error:
        raise CallFailed(f'Post "{shown}": {error}') from error
    bracketed = f"[{address}]" if ":" in address else address
    return shown, f"https://{bracketed}:{port}{hook.client.path}{timeout}", f"{name}:{service.port}"


def _read(code: int, body: bytes) -> Any:
    """Raises CallFailed for an answer that is none."""
    try:
        answer: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if 200 <= code < 300:
            raise CallFailed(f"couldn't get version/kind; json parse error: {error}") from error
        answer = None
    if 200 <= code < 300:
        return answer
    status = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    if status.get("kind") == "Status" and status.get("message"):
        raise CallFailed(str(status["message"]))
    if code == 500:
        shown = orjson.dumps(body.decode("utf-8", "replace").strip()).decode()[1:-1]
        raise CallFailed(f'an error on the server ("{shown}") has prevented the request from succeeding')
    default = f"the server responded with the status code {code} but did not return more information"
    raise CallFailed(_ANSWERS.get(code, default))
