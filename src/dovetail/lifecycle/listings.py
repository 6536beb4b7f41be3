"""What a repository lists: index.yaml over HTTP, the tags of a registry, or the archives of a directory.

All three give one `Index`. What was there before is not read again: an index is asked for with the ETag it had, a
registry's manifests are read for the newest versions only, and an archive in a directory as long as it is the same
file.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from dovetail.apis.dialects import Repository
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.fetching import MAX_INDEX, MAX_PACKAGE, FetchFailed, Origin
from dovetail.lifecycle.sources import Sources, read_file, registry
from dovetail.lifecycle.syncing import MAX_ENTRIES, Entry, Failure, Index, read_index
from dovetail.packaging import names
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.registry.client import Registry
from dovetail.packaging.registry.errors import RegistryRefused
from dovetail.packaging.registry.manifests import CHART, chart_of, read
from dovetail.packaging.registry.references import Reference, parse, version_of
from dovetail.packaging.versions import Version

_AT_ONCE: Final = 6
T = TypeVar("T")


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
                return _listing(await _oci(model, origin), before, {})
            case "file":
                directory = sources.directory(model.url)
                files = await asyncio.to_thread(_directory, directory, before.files)
                return _listing(_index_of([found for _, found in files.values()]), before, files)
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


def _index_of(found: list[Entry | Failure]) -> Index:
    entries: dict[str, list[Entry]] = {}
    for entry in found:
        if isinstance(entry, Entry):
            entries.setdefault(entry.extension, []).append(entry)
    ordered = {
        name: tuple(sorted(listed, key=lambda entry: Version.parse(entry.version), reverse=True))
        for name, listed in entries.items()
    }
    return Index(ordered, tuple(failure for failure in found if isinstance(failure, Failure)))


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


async def _oci(model: Repository, origin: Origin) -> Index:
    """The packages at an address in a registry: the one that it names, or those below it."""
    host_only = "/" not in model.url.removeprefix("oci://").rstrip("/")
    base = parse(f"{model.url.rstrip('/')}/x") if host_only else parse(model.url)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with registry(base, origin) as opened:
        own = [] if host_only else await _tags(opened, base)
        if own:
            listed = [(base, own)]
        else:
            below = await _below(opened, base.host, "" if host_only else f"{base.repository}/")
            tags = await asyncio.gather(*(_within(gate, _tags(opened, reference)) for reference in below))
            listed = list(zip(below, tags, strict=True))
        jobs = [
            _within(gate, _tagged(opened, reference.tagged(tag)))
            for reference, tags in listed
            for tag in _newest(tags, model.depth)
        ]
        newest = await asyncio.gather(*jobs)
    rest = [
        _entry(reference.tagged(tag), "")
        for reference, tags in listed
        for tag in (_newest(tags, 0)[model.depth :] if model.depth else ())
    ]
    return _index_of([found for found in (*newest, *rest) if found is not None])


async def _within(gate: asyncio.Semaphore, job: Awaitable[T]) -> T:
    async with gate:
        return await job


async def _tags(opened: Registry, reference: Reference) -> list[str]:
    try:
        return await opened.tags(reference)
    except RegistryRefused as refused:
        if refused.status in (401, 403, 404):  # a catalogue names what is empty by now, or other people's
            return []
        raise


async def _below(opened: Registry, host: str, prefix: str) -> list[Reference]:
    found = [name for name in await opened.repositories() if name.startswith(prefix)]
    return [Reference(host, name) for name in found if "/" not in name[len(prefix) :]][:MAX_ENTRIES]


def _newest(tags: list[str], depth: int) -> list[str]:
    """Those that are versions, newest first; all for a depth of 0."""
    versions: list[tuple[Version, str]] = []
    for tag in tags:
        try:
            versions.append((Version.parse(version_of(tag)), tag))
        except PackagingError:
            continue  # `latest`, or the signature of an image
    ordered = [tag for _, tag in sorted(versions, key=lambda pair: pair[0], reverse=True)]
    return ordered[:depth] if depth else ordered


async def _tagged(opened: Registry, reference: Reference) -> Entry | Failure | None:
    """What a tag is; None if it is no chart at all: registries hold images, too."""
    try:
        parts = read((await opened.manifest(reference))[0], str(reference))
        if not any(blob.media_type == CHART for blob in parts.blobs):
            return None
        chart, _ = chart_of(parts, str(reference))
    except PackagingError as error:
        return Failure(reference.name, version_of(reference.tag), str(error))
    return _entry(reference, chart.digest.removeprefix("sha256:"))


def _entry(reference: Reference, digest: str) -> Entry | Failure:
    version = version_of(reference.tag)
    if not names.is_subdomain(f"{reference.name}-{version}", 252):
        return Failure(reference.name, version, f"the version {version!r} cannot be part of an object's name")
    return Entry(reference.name, version, f"oci://{reference}", digest)
