"""Talking to an OCI registry: manifests, blobs, tags.

What is given is checked before it is used: a blob has the size and the digest that its manifest says, a manifest the
digest it was asked for by. Credentials go to the registry itself, or to the place of tokens that it names, and never
past a redirect. Registries on this machine are spoken to in plain HTTP, all others over TLS unless told otherwise.
"""

import base64
import contextlib
import hashlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp

from dovetail.packaging.manifests import mapping
from dovetail.packaging.registry import challenges, manifests
from dovetail.packaging.registry.errors import RegistryRefused
from dovetail.packaging.registry.manifests import Descriptor
from dovetail.packaging.registry.references import Reference, same_origin

_CHUNK: Final = 1 << 18
_MOST_PAGES: Final = 1000
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=20, sock_read=60)
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Account:
    """Who asks a registry, and which certificates are taken (as aiohttp wants to be told). Its repr has no password."""

    username: str = ""
    password: str = field(default="", repr=False)
    trust: ssl.SSLContext | bool = True

    @property
    def basic(self) -> str:
        """The value of an Authorization header; empty for nobody."""
        if not self.username:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


class Registry:
    """An async context manager for one host. `plain` None means plain HTTP on this machine only.

    `login_hint` is what a person does who is not known to the registry.
    """

    def __init__(
        self,
        reference: Reference,
        *,
        plain: bool | None = None,
        account: Account | None = None,
        login_hint: str = "give it a user name and a password",
    ) -> None:
        self.host = reference.host
        is_plain = reference.is_local if plain is None else plain
        self._base = f"{'http' if is_plain else 'https'}://{_address(self.host)}"
        self._account = account or Account()
        self._login_hint = login_hint
        self._authorization = ""

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._account.trust)
        headers = {"User-Agent": "dovetail"}
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, headers=headers, trust_env=True, auto_decompress=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def check_login(self) -> None:
        """Whether the registry takes the login. Raises RegistryRefused."""
        async with self._send("GET", "/v2/", "") as answer:
            self._expect(answer, self.host, 200)

    async def manifest(self, reference: Reference) -> tuple[bytes, str]:
        """A manifest and its digest. Raises RegistryRefused."""
        path = f"/v2/{reference.repository}/manifests/{reference.target}"
        headers = {"Accept": ", ".join(manifests.ACCEPTED)}
        async with self._send("GET", path, _scope(reference), headers=headers) as answer:
            self._expect(answer, str(reference), 200)
            data = await answer.content.read(manifests.MAX_MANIFEST + 1)
            while not answer.content.at_eof() and len(data) <= manifests.MAX_MANIFEST:
                data += await answer.content.read(_CHUNK)
        if len(data) > manifests.MAX_MANIFEST:
            raise RegistryRefused(str(reference), "its manifest is too large")
        digest = manifests.digest_of(data)
        if reference.digest and digest != reference.digest:
            raise RegistryRefused(str(reference), f"the registry gave other bytes ({digest})")
        return data, digest

    async def blob(self, reference: Reference, blob: Descriptor) -> AsyncIterator[bytes]:
        """A blob in chunks; at the end it was what the manifest said. Raises RegistryRefused."""
        path = f"/v2/{reference.repository}/blobs/{blob.digest}"
        hashed, size = hashlib.sha256(), 0
        async with self._send("GET", path, _scope(reference)) as answer:
            self._expect(answer, f"{reference}, blob {blob.digest}", 200)
            async for chunk in answer.content.iter_chunked(_CHUNK):
                hashed.update(chunk)
                size += len(chunk)
                if size > blob.size:
                    break
                yield chunk
        if size != blob.size or f"sha256:{hashed.hexdigest()}" != blob.digest:
            raise RegistryRefused(str(reference), f"the blob {blob.digest} is damaged")

    async def read_blob(self, reference: Reference, blob: Descriptor, limit: int) -> bytes:
        """A blob as a whole. Raises RegistryRefused."""
        if blob.size > limit:
            raise RegistryRefused(str(reference), f"it is larger than {limit:,} bytes")
        return b"".join([chunk async for chunk in self.blob(reference, blob)])

    async def has_blob(self, reference: Reference, digest: str) -> bool:
        """Whether the repository has a blob already."""
        scope = _scope(reference, write=True)
        async with self._send("HEAD", f"/v2/{reference.repository}/blobs/{digest}", scope) as answer:
            return answer.status == 200

    async def put_blob(self, reference: Reference, digest: str, data: bytes | Path) -> None:
        """Upload a blob, or a file that is one, unless it is there. Raises RegistryRefused."""
        if await self.has_blob(reference, digest):
            return
        scope = _scope(reference, write=True)
        async with self._send("POST", f"/v2/{reference.repository}/blobs/uploads/", scope) as answer:
            self._expect(answer, str(reference), 202)
            location = urljoin(str(answer.url), answer.headers.get("Location", ""))
        joint = "&" if urlsplit(location).query else "?"
        headers = {"Content-Type": "application/octet-stream"}
        async with self._send("PUT", f"{location}{joint}digest={digest}", scope, headers=headers, data=data) as answer:
            self._expect(answer, str(reference), 201)

    async def put_manifest(self, reference: Reference, data: bytes, media_type: str) -> None:
        """Upload a manifest, which makes everything it names visible. Raises RegistryRefused."""
        path = f"/v2/{reference.repository}/manifests/{reference.target}"
        headers = {"Content-Type": media_type}
        async with self._send("PUT", path, _scope(reference, write=True), headers=headers, data=data) as answer:
            self._expect(answer, str(reference), 201)

    async def tags(self, reference: Reference) -> list[str]:
        """The tags of a repository. Raises RegistryRefused."""
        found: list[str] = []
        path = f"/v2/{reference.repository}/tags/list?n=1000"
        async for value in self._pages(path, str(reference), _scope(reference)):
            found += [str(tag) for tag in value.get("tags") or ()]
        return found

    async def repositories(self) -> list[str]:
        """The repositories of a registry that tells. Raises RegistryRefused."""
        found: list[str] = []
        async for value in self._pages("/v2/_catalog?n=1000", self.host, "registry:catalog:*"):
            found += [str(name) for name in value.get("repositories") or ()]
        return found

    async def _pages(self, path: str, what: str, scope: str) -> AsyncIterator[Mapping[str, Any]]:
        url = self._base + path
        for _ in range(_MOST_PAGES):
            async with self._send("GET", url, scope) as answer:
                self._expect(answer, what, 200)
                yield await self._object(answer)
                following = [link["url"] for name, link in answer.links.items() if name == "next"]
            if not following:
                return
            url = str(following[0])
        raise RegistryRefused(what, "its list does not end")

    async def _object(self, answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
        """A JSON object. Raises RegistryRefused."""
        data = bytearray()
        async for chunk in answer.content.iter_chunked(_CHUNK):
            data += chunk
            if len(data) > manifests.MAX_MANIFEST:
                raise RegistryRefused(self.host, "its list is too large")
        try:
            value: object = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RegistryRefused(self.host, "what it answers is not JSON") from error
        return mapping(value)

    @asynccontextmanager
    async def _send(
        self, method: str, place: str, scope: str, *, headers: Headers | None = None, data: bytes | Path | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """One request; if the registry asks who that is, once more with the answer."""
        url = self._base + place if place.startswith("/") else place
        try:
            for attempt in (1, 2):
                own = self._authorization and same_origin(url, self._base)
                sent = {**(headers or {}), **({"Authorization": self._authorization} if own else {})}
                async with contextlib.AsyncExitStack() as stack:
                    body = stack.enter_context(data.open("rb")) if isinstance(data, Path) else data
                    request = self._session.request(method, url, headers=sent, data=body)
                    answer = await stack.enter_async_context(request)
                    if answer.status != 401 or attempt == 2:
                        yield answer
                        return
                    challenge = challenges.read(answer.headers.get("WWW-Authenticate", ""))
                await self._authorize(challenge, scope)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RegistryRefused(self.host, f"it does not answer ({error or type(error).__name__})") from error

    async def _authorize(self, challenge: challenges.Challenge | None, scope: str) -> None:
        own = self._account.basic
        if challenge is None or (not challenge.realm and not own):
            raise RegistryRefused(self.host, self._why(401), 401)
        if challenge.realm.startswith("http://") and self._base.startswith("https://"):
            raise RegistryRefused(self.host, "it asks for the password to be sent in plain text")
        if not challenge.realm:
            self._authorization = own
            return
        headers = {"Authorization": own} if own else {}
        async with self._session.get(challenge.url(scope), headers=headers) as answer:
            self._expect(answer, self.host, 200)
            given = await self._object(answer)
        self._authorization = f"Bearer {given.get('token') or given.get('access_token') or ''}"

    def _expect(self, answer: aiohttp.ClientResponse, what: str, code: int) -> None:
        if answer.status != code:
            raise RegistryRefused(what, self._why(answer.status), answer.status)

    def _why(self, status: int) -> str:
        if status == 401:
            return f"it wants to know who you are; {self._login_hint}"
        if status == 403:
            return "you may not do this there"
        if status == 404:
            return "there is no such thing"
        return f"the registry answers {status}"


def _address(host: str) -> str:
    """Docker's registry answers under another name than images use."""
    return "registry-1.docker.io" if host == "docker.io" else host


def _scope(reference: Reference, *, write: bool = False) -> str:
    return f"repository:{reference.repository}:{'pull,push' if write else 'pull'}"
