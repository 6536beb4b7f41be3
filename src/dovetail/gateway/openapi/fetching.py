"""Asks a backend for its OpenAPI document. Never raises for anything that a backend does but Unfetched.

Asked, in this order: `/openapi/v3` (an index in Kubernetes' manner, of which the entry of the group version is
followed; or a document itself), then `/openapi/v2`. Without redirects and compression, bounded in time and size. The
caller is named as kube-aggregator names itself, in the gateway's signed word, too; no user's credential is ever sent.
"""

import hashlib
import ssl
from socket import AF_INET, AF_INET6
from typing import Any, Final, cast

import aiohttp
import msgspec
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

from dovetail.gateway.backend_tls import client_context
from dovetail.iam.assertions import HEADER
from dovetail.iam.policy import Identity
from dovetail.iam.rules import AUTHENTICATED
from dovetail.routing.model import Upstream

TIMEOUT: Final = 10.0
MOST_BYTES: Final = 8 << 20
_LONGEST_ETAG: Final = 256
CALLER: Final = Identity(name="system:aggregator", groups=(AUTHENTICATED,))
_CALLER: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "dovetail-openapi",
    "X-Remote-User": CALLER.name,
    "X-Remote-Group": AUTHENTICATED,
}


class Unfetched(Exception):
    """There is no document. `reason` is one word: Unreachable, NotServed, UnexpectedStatus, TooLarge, NotJSON."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Fetched(msgspec.Struct, frozen=True):
    """A document as it came. `tag` identifies it; `document` is None when it is still the one that was known."""

    tag: str
    document: Any = None
    etags: dict[str, str] = {}
    """What the backend called what it served, by path: sent back, so that it need not send the same again."""


NOTHING: Final = Fetched("")


class _Unchanged(Exception):
    """The backend says that it serves what it served before."""


class _Addresses(AbstractResolver):
    """Resolves the backend's name to the addresses that the route dials."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=at.host, port=at.port, proto=0, flags=0,
                family=AF_INET6 if ":" in at.host else AF_INET,
            )
            for at in self._upstream.addresses
        ]  # fmt: skip

    async def close(self) -> None:
        pass


async def fetch(upstream: Upstream, group: str, version: str, known: Fetched = NOTHING, assertion: str = "") -> Fetched:
    """The document of a group version. `known` is what came the time before. Raises Unfetched."""
    headers = {**_CALLER, HEADER: assertion} if assertion else _CALLER
    connector = aiohttp.TCPConnector(resolver=_Addresses(upstream), ssl=_verification(upstream), use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, trust_env=False, headers=headers
        ) as session:
            return await _Asking(session, upstream, known).ask(f"{group}/{version}")
    except _Unchanged:
        return Fetched(known.tag, None, known.etags)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unfetched("Unreachable", str(error) or f"no answer within {TIMEOUT:g} s") from error


def _verification(upstream: Upstream) -> ssl.SSLContext | bool:
    return client_context(upstream.tls) if upstream.tls is not None else True


class _Asking:
    def __init__(self, session: aiohttp.ClientSession, upstream: Upstream, known: Fetched) -> None:
        self._session = session
        self._upstream = upstream
        self._known = known
        self._etags: dict[str, str] = {}

    async def ask(self, group_version: str) -> Fetched:
        found = await self._get("/openapi/v3")
        if found is not None:
            index = self._decoded(found)
            if "openapi" in index:
                return self._fetched(found, index)
            self._etags.clear()  # an index may stay as it is while a document changes
            path = _entry(index, group_version)
            document = await self._get(path) if path else None
            if document is not None:
                return self._fetched(document)
        found = await self._get("/openapi/v2")
        if found is None:
            raise Unfetched("NotServed", "it serves neither /openapi/v3 nor /openapi/v2")
        return self._fetched(found)

    def _fetched(self, body: bytes, document: Any = None) -> Fetched:
        tag = hashlib.sha256(body).hexdigest()
        if tag == self._known.tag:
            return Fetched(tag, None, self._etags)
        return Fetched(tag, document if document is not None else self._decoded(body), self._etags)

    def _decoded(self, body: bytes) -> dict[str, Any]:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Unfetched("NotJSON", f"its OpenAPI document is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise Unfetched("NotJSON", "its OpenAPI document is not a JSON object")
        return cast("dict[str, Any]", value)

    async def _get(self, path: str) -> bytes | None:
        """The body; None where nothing is served."""
        upstream, tls = self._upstream, self._upstream.tls
        url = f"{upstream.scheme}://{upstream.authority}{upstream.base_path}{path}"
        name = tls.server_name if tls is not None else None
        known = self._known.etags.get(path)
        headers = {"If-None-Match": known} if known else {}
        async with self._session.get(url, allow_redirects=False, server_hostname=name, headers=headers) as answer:
            if answer.status == 304 and known:
                raise _Unchanged
            if answer.status in (404, 405, 406, 410):
                return None
            if answer.status != 200:
                raise Unfetched("UnexpectedStatus", f"{path[:200]} was answered {answer.status}")
            body = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                body += piece
                if len(body) > MOST_BYTES:
                    raise Unfetched("TooLarge", f"its OpenAPI document has more than {MOST_BYTES:,} bytes")
            if etag := answer.headers.get("ETag", "")[:_LONGEST_ETAG]:
                self._etags[path] = etag
            return bytes(body)


def _entry(index: dict[str, Any], group_version: str) -> str:
    """Where an index has the document of a group version; only a path of the same backend will do."""
    paths = index.get("paths")
    if not isinstance(paths, dict):
        return ""
    for name in (f"kapis/{group_version}", f"apis/{group_version}", group_version):
        entry: Any = cast("dict[str, Any]", paths).get(name)
        url: Any = cast("dict[str, Any]", entry).get("serverRelativeURL") if isinstance(entry, dict) else None
        if isinstance(url, str) and url.startswith("/") and not url.startswith("//") and "\\" not in url:
            return url
    return ""
