"""Packages in a Helm repository: index.yaml says what is there, and uploads go to ChartMuseum's /api/charts."""

import json
from collections.abc import Sequence
from typing import Any, Final, Self, cast
from urllib.parse import urljoin

import aiohttp

from dovetail.cli.ksbuilder.credentials import REGISTRY, Credentials, Login, basic
from dovetail.cli.ksbuilder.errors import RepositoryRefused
from dovetail.cli.ksbuilder.place_directory import checked
from dovetail.cli.ksbuilder.places import Listed, Parcel
from dovetail.lifecycle.fetching import MAX_INDEX, Fetcher, FetchFailed, Origin
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.package import Package
from dovetail.packaging.yaml11 import load

_TIMEOUT: Final = 120.0


class RepositoryPlace:
    """See `places`. A login is looked up by the repository's address, then by its origin."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        known = Credentials()
        login = known.get(self.url) or known.get(urljoin(url, "/").rstrip("/")) or Login(REGISTRY)
        self._login = login
        self._origin = Origin(self.url, login.username, login.secret, login.ca_pem(), login.insecure)
        self._fetcher = Fetcher()
        self._urls: dict[tuple[str, str], str] = {}

    async def __aenter__(self) -> Self:
        await self._fetcher.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._fetcher.__aexit__(None, None, None)

    async def find(self, name: str = "") -> Sequence[Listed]:
        data = await self._fetch(f"{self.url}/index.yaml", MAX_INDEX)
        return [listed for listed in self._entries(data) if name in ("", listed.name)]

    def _entries(self, data: bytes) -> list[Listed]:
        """What the index lists; an entry that cannot be understood is one that is not there."""
        value: Any = load(data, "index.yaml").value
        entries = cast("dict[str, Any]", value).get("entries") if isinstance(value, dict) else None
        if not isinstance(entries, dict):
            raise RepositoryRefused(f"{self.url}/index.yaml", "it is no repository's index")
        found: list[Listed] = []
        for name, versions in cast("dict[str, Any]", entries).items():
            for entry in cast("list[Any]", versions) if isinstance(versions, list) else []:
                if isinstance(entry, dict):
                    found += self._entry(name, cast("dict[str, Any]", entry))
        return found

    def _entry(self, name: str, entry: dict[str, Any]) -> list[Listed]:
        version, urls = str(entry.get("version", "")), entry.get("urls")
        if not version or not isinstance(urls, list) or not urls:
            return []
        self._urls[name, version] = urljoin(f"{self.url}/", str(cast("list[Any]", urls)[0]))
        told = {field: str(entry.get(field) or "") for field in ("description", "created", "digest")}
        return [Listed(name, version, **told)]

    async def get(self, listed: Listed) -> Parcel:
        url = self._urls[listed.name, listed.version]
        data = await self._fetch(url, MAX_ARCHIVE)
        try:
            provenance = await self._fetch(f"{url}.prov", 1 << 20)
        except RepositoryRefused:
            provenance = b""  # most repositories have none; who demands one checks that it is there
        return checked(Parcel(data, provenance), listed, self.url)

    async def _fetch(self, url: str, limit: int) -> bytes:
        try:
            return await self._fetcher.get(url, self._origin, limit=limit, timeout=_TIMEOUT)
        except FetchFailed as error:
            raise RepositoryRefused(url, str(error)) from error

    async def put(self, package: Package, parcel: Parcel) -> str:
        name = f"{package.name}-{package.version}.tgz"
        form = aiohttp.FormData()
        form.add_field("chart", parcel.data, filename=name, content_type="application/gzip")
        if parcel.provenance:
            form.add_field("prov", parcel.provenance, filename=f"{name}.prov", content_type="text/plain")
        login, url = self._login, f"{self.url}/api/charts"
        headers = {"Authorization": basic(login.username, login.secret)} if login.username else {}
        patience = aiohttp.ClientTimeout(total=_TIMEOUT)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=patience, trust_env=True) as session,
                session.post(url, data=form, ssl=login.trust(), allow_redirects=False) as answer,
            ):
                told = (await answer.content.read(4096)).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RepositoryRefused(url, str(error) or type(error).__name__) from error
        if answer.status != 201:
            raise RepositoryRefused(url, _reason(answer.status, told))
        return f"{self.url}/charts/{name}"


def _reason(status: int, told: str) -> str:
    """What the server says about a refused upload."""
    if status in (404, 405):
        return "this repository takes no uploads"
    try:
        return f"the server answers {status}: {json.loads(told)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"the server answers {status}"
