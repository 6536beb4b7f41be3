"""What a repository lists: index.yaml over HTTP, the tags of a registry, or the archives of a directory.

All three give one `Index`. What was there before is not read again: an index is asked for with the ETag it had, a
registry's manifests are read for the newest versions only, and an archive in a directory as long as it is the same
file.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dovetail.apis.dialects import Repository
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.fetching import MAX_INDEX, MAX_PACKAGE, FetchFailed, Origin
from dovetail.lifecycle.sources import Sources, read_file
from dovetail.lifecycle.syncing import MAX_ENTRIES, Entry, Failure, Index, index_of, read_index
from dovetail.packaging.errors import PackagingError

_Files = Mapping[str, tuple[tuple[int, int, int], Entry | Failure]]
"""Archives by name: time, size and number of the file as it was read, and what it is."""


@dataclass(frozen=True)
class Stamps:
    """What is remembered of a reading, to make the next one cheap."""

    digest: str = ""
    etag: str = ""
    files: _Files = field(default_factory=dict[str, tuple[tuple[int, int, int], Entry | Failure]])


@dataclass(frozen=True)
class Listing:
    """What a repository lists; `index` is None if it is what it was."""

    index: Index | None
    stamps: Stamps


async def read_listing(sources: Sources, model: Repository, origin: Origin, before: Stamps) -> Listing:
    """Read what a repository lists. Raises SyncFailed."""
    scheme = model.url.partition(":")[0]
    try:
        match scheme:
            case "http" | "https":
                return await _helm(sources, model, origin, before)
            case "oci":
                from dovetail.lifecycle.registries import read_registry

                return _listing(await read_registry(model, origin), before, {})
            case "file":
                directory = sources.directory(model.url)
                files = await asyncio.to_thread(_directory, directory, before.files)
                return _listing(index_of([found for _, found in files.values()]), before, files)
            case _:
                raise SyncFailed("UnknownScheme", f"{scheme}:// repositories are not read; offer it over https")
    except (FetchFailed, PackagingError) as error:
        where = f"{model.url.rstrip('/')}/index.yaml" if scheme.startswith("http") else model.url
        raise SyncFailed("IndexUnavailable", f"{where} cannot be read: {error}") from error


async def _helm(sources: Sources, model: Repository, origin: Origin, before: Stamps) -> Listing:
    url = f"{model.url.rstrip('/')}/index.yaml"
    body = await sources.fetcher.revalidate(url, origin, before.etag, limit=MAX_INDEX, timeout=model.timeout)
    if body.data is None:
        return Listing(None, before)
    digest = hashlib.sha256(body.data).hexdigest()
    stamps = Stamps(digest, body.stamp)
    if digest == before.digest:
        return Listing(None, stamps)
    return Listing(await asyncio.to_thread(read_index, body.data, url), stamps)


def _listing(index: Index, before: Stamps, files: _Files) -> Listing:
    """A listing that has no bytes of its own: its digest is that of what it lists."""
    hashed = hashlib.sha256()
    for _, listed in sorted(index.entries.items()):
        for entry in listed:
            hashed.update(f"{entry.extension} {entry.version} {entry.digest}\n".encode())
    for failure in index.failures:
        hashed.update(f"{failure}\n".encode())
    stamps = Stamps(hashed.hexdigest(), files=files)
    return Listing(None if stamps.digest == before.digest else index, stamps)


def _directory(directory: Path, before: _Files) -> _Files:
    """Every archive of a directory by name. Raises FetchFailed. Blocks."""
    found: dict[str, tuple[tuple[int, int, int], Entry | Failure]] = {}
    try:
        paths = sorted(directory.glob("*.tgz"))
        if not directory.is_dir():
            raise FetchFailed("it is no directory")
        for path in paths[:MAX_ENTRIES]:
            status = path.stat()
            same = status.st_mtime_ns, status.st_size, status.st_ino
            known = before.get(path.name)
            found[path.name] = known if known is not None and known[0] == same else (same, _archive(path))
    except OSError as error:
        raise FetchFailed(str(error.strerror)) from error
    return found


def _archive(path: Path) -> Entry | Failure:
    from dovetail.packaging import read_package

    try:
        package = read_package(read_file(Path(path), MAX_PACKAGE))
    except (PackagingError, FetchFailed) as error:
        return Failure(path.stem, "", f"{path.name}: {error}")
    return Entry(package.name, package.version, path.as_uri(), package.digest)
