"""Asking a provider over HTTP: certificates verified, no redirects, answers bounded in size and time.

Only an administrator says where a provider is, so any address will do, private ones too. Without TLS a provider is
believed on this very machine only, unless `insecureSkipVerify` says that it does not matter.
"""

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohttp
import orjson

from dovetail.iam.identity_providers.certificates import context_of
from dovetail.iam.identity_providers.provider import ProviderFailed
from dovetail.iam.labelled_secrets import UnusableConfiguration, flag, text

_SECONDS: Final = 10.0
_LARGEST: Final = 1 << 20

Json = dict[str, Any]


class Web:
    """The way to one provider."""

    def __init__(self, name: str, provider: Mapping[str, Any]) -> None:
        self._name = name
        self._unverified = flag(provider, "insecureSkipVerify")
        self._context: ssl.SSLContext = context_of(provider)

    def address(self, said: Mapping[str, Any], key: str, otherwise: str = "") -> str:
        """An address of the settings. Raises UnusableConfiguration."""
        address = text(said, key) or otherwise
        if address and not self.acceptable(address):
            raise UnusableConfiguration(f"{key} must be an https:// address, or http:// on this machine")
        return address

    def acceptable(self, address: str) -> bool:
        """Whether the provider may be asked there."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return False
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and (self._unverified or _here(parts.hostname or ""))

    async def get(self, address: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The answer's body. Raises ProviderFailed for anything but 200."""
        code, body = await self._asked("GET", address, headers)
        if code != 200:
            raise ProviderFailed(self._name, f"GET {_bare(address)} was answered with {code}")
        return body

    async def get_json(self, address: str, headers: Mapping[str, str] | None = None) -> Json:
        """The answer as a JSON object."""
        return self._object(address, await self.get(address, {"Accept": "application/json", **(headers or {})}))

    async def post_form(
        self, address: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, Json]:
        """The status and the JSON object of the answer to a form."""
        code, body = await self._asked("POST", address, {"Accept": "application/json", **(headers or {})}, form)
        return code, self._object(address, body)

    async def _asked(
        self, method: str, address: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        if not self.acceptable(address):
            raise ProviderFailed(self._name, f"{_bare(address)} is no address to ask")
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.request(
                    method, address, headers=headers, data=form, ssl=self._context, allow_redirects=False
                ) as answer,
            ):
                return answer.status, await self._body(address, answer)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            problem = f"{method} {_bare(address)}: {type(error).__name__}: {error}"
            raise ProviderFailed(self._name, problem) from error

    async def _body(self, address: str, answer: aiohttp.ClientResponse) -> bytes:
        received = bytearray()
        async for chunk in answer.content.iter_any():
            received += chunk
            if len(received) > _LARGEST:
                raise ProviderFailed(self._name, f"{_bare(address)} answers with more than {_LARGEST} bytes")
        return bytes(received)

    def _object(self, address: str, body: bytes) -> Json:
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ProviderFailed(self._name, f"{_bare(address)} does not answer with JSON") from error
        if not isinstance(value, dict):
            raise ProviderFailed(self._name, f"{_bare(address)} does not answer with a JSON object")
        return cast("Json", value)


def _bare(address: str) -> str:
    """An address for the log: a query may hold a code or a ticket."""
    return address.partition("?")[0]


def _here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
