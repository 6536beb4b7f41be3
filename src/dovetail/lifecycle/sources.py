"""Where packages lie, by the scheme of their address: `https://`, `oci://`, and `file:///` where it is allowed.

A repository's user name, password and keys are in Secrets of kubesphere-system; they are read for each
synchronisation and each installation, and kept nowhere. Directories of the controllers' machine are read below those
only that its administrator named: whoever may write a Repository object could otherwise read any file as the
controllers.
"""

import asyncio
import base64
import binascii
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from dovetail.apis import labels
from dovetail.apis.dialects import Repository
from dovetail.kube import SECRETS, Client, NotFound
from dovetail.lifecycle.fetching import MAX_PACKAGE, Fetcher, FetchFailed, Origin

MAX_PROVENANCE: Final = 1 << 20


class SecretUnusable(Exception):
    """A Secret that a repository names is missing, or lacks a key. The sentence has no secret in it."""


@dataclass(frozen=True)
class Parcel:
    """A package's bytes, and its provenance; empty if it has none or none was asked for."""

    data: bytes
    provenance: bytes = b""


class Sources:
    """Opens addresses. `directories` are those below which `file:///` may lead."""

    def __init__(self, client: Client, fetcher: Fetcher, directories: tuple[Path, ...] = ()) -> None:
        self.fetcher = fetcher
        self._client = client
        self._directories = tuple(directory.resolve() for directory in directories)

    async def origin(self, repository: Repository) -> Origin:
        """How to speak to a repository. Raises SecretUnusable."""
        username, password = repository.username, repository.password
        if repository.secret:
            given = await self._secret(repository.secret)
            if not {"username", "password"} <= given.keys():
                raise SecretUnusable(f"the Secret {_where(repository.secret)} lacks `username` or `password`")
            username, password = given["username"].decode(), given["password"].decode()
        return Origin(repository.url, username, password, repository.ca_pem, repository.insecure)

    async def keyring(self, repository: Repository) -> bytes:
        """The keys that packages must be signed with; empty if they need not be. Raises SecretUnusable."""
        if not repository.keyring:
            return b""
        keys = b"".join((await self._secret(repository.keyring)).values())
        if not keys:
            raise SecretUnusable(f"the Secret {_where(repository.keyring)} holds no keys")
        return keys

    async def package(self, url: str, origin: Origin, *, signed: bool, timeout: float) -> Parcel:
        """The package at an address, with its provenance if wanted. Raises FetchFailed."""
        scheme = urlsplit(url).scheme
        if scheme == "oci":
            from dovetail.lifecycle.registries import pulled

            return await pulled(url, origin, signed=signed, timeout=timeout)
        if scheme == "file":
            return await asyncio.to_thread(self._read, url, signed)
        if scheme not in ("http", "https"):
            raise FetchFailed(f"{scheme} addresses are not read; offer it over https")
        data = await self.fetcher.get(url, origin, limit=MAX_PACKAGE, timeout=timeout)
        if not signed:
            return Parcel(data)
        beside = urlsplit(url)._replace(path=f"{urlsplit(url).path}.prov").geturl()
        try:
            return Parcel(data, await self.fetcher.get(beside, origin, limit=MAX_PROVENANCE, timeout=timeout))
        except FetchFailed as error:
            raise FetchFailed(f"its .prov file cannot be read: {error}") from error

    def directory(self, url: str) -> Path:
        """The directory or file that an address means. Raises FetchFailed if it may not be read."""
        path = Path(os.path.realpath(unquote(urlsplit(url).path)))
        if not any(path == allowed or allowed in path.parents for allowed in self._directories):
            named = ", ".join(map(str, self._directories))
            raise FetchFailed(
                f"directories are read below {named} only"
                if named
                else "directories are not read on this platform; "
                "its administrator allows them with `dovetail controller-manager --local-repositories DIRECTORY`"
            )
        return path

    def _read(self, url: str, signed: bool) -> Parcel:
        path = self.directory(url)
        data = read_file(path, MAX_PACKAGE)
        return Parcel(data, read_file(path.with_name(f"{path.name}.prov"), MAX_PROVENANCE) if signed else b"")

    async def _secret(self, name: str) -> Mapping[str, bytes]:
        try:
            obj = await self._client.get(SECRETS, name, labels.SYSTEM_NAMESPACE)
        except NotFound:
            raise SecretUnusable(f"there is no Secret {_where(name)}") from None
        try:
            data = cast("dict[str, str]", obj.get("data") or {})
            return {key: base64.b64decode(value) for key, value in data.items()}
        except binascii.Error as error:
            raise SecretUnusable(f"the Secret {_where(name)} cannot be read") from error


def read_file(path: Path, limit: int) -> bytes:
    """A regular file as a whole. Raises FetchFailed."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FetchFailed(f"{path.name} is no file")
            data = file.read(limit + 1)
    except OSError as error:
        raise FetchFailed(f"{path.name} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise FetchFailed(f"it is larger than {limit:,} bytes")
    return data


def _where(secret: str) -> str:
    return f"{labels.SYSTEM_NAMESPACE}/{secret}"
