"""Packages in OCI registries: what is listed there, and one of them.

`oci://host/path` is one package if it has tags, else the packages below it; tags that are no versions, and images, are
not meant. Only the newest versions are looked at: each costs a request for its manifest, which says its digest.
"""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

from dovetail.apis.dialects import Repository
from dovetail.lifecycle.fetching import MAX_PACKAGE, FetchFailed, Origin
from dovetail.lifecycle.sources import MAX_PROVENANCE, Parcel
from dovetail.lifecycle.syncing import MAX_ENTRIES, Entry, Failure, Index, index_of
from dovetail.packaging import names
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.registry.client import Account, Registry
from dovetail.packaging.registry.errors import RegistryRefused
from dovetail.packaging.registry.manifests import CHART, chart_of, read
from dovetail.packaging.registry.references import Reference, parse, version_of
from dovetail.packaging.versions import Version

_AT_ONCE: Final = 6
_NOTHING_THERE: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""What registries answer for a path that is no package but has some below it."""
T = TypeVar("T")


async def pulled(url: str, origin: Origin, *, signed: bool, timeout: float) -> Parcel:
    """The package at an address in a registry. Raises FetchFailed."""
    try:
        async with asyncio.timeout(timeout), _registry(parse(url), origin) as opened:
            reference = parse(url)
            data, _ = await opened.manifest(reference)
            chart, provenance = chart_of(read(data, str(reference)), str(reference))
            archive = await opened.read_blob(reference, chart, MAX_PACKAGE)
            if not signed:
                return Parcel(archive)
            if provenance is None:
                raise FetchFailed("it has no provenance; push it with its .prov file")
            return Parcel(archive, await opened.read_blob(reference, provenance, MAX_PROVENANCE))
    except TimeoutError as error:
        raise FetchFailed(f"no complete answer within {timeout:g} s") from error
    except PackagingError as error:
        raise FetchFailed(str(error)) from error


async def read_registry(model: Repository, origin: Origin) -> Index:
    """The packages at an address in a registry: the one that it names, or those below it."""
    host_only = "/" not in model.url.removeprefix("oci://").rstrip("/")
    base = parse(f"{model.url.rstrip('/')}/x") if host_only else parse(model.url)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with _registry(base, origin) as opened:
        refused: list[Failure] = []
        own = [] if host_only else await _tags(opened, base)
        if own:
            listed = [(base, own)]
        else:
            below = await _below(opened, base.host, "" if host_only else f"{base.repository}/")
            tags = await asyncio.gather(*(_within(gate, _tags_below(opened, reference)) for reference in below))
            listed = [(ref, found) for ref, found in zip(below, tags, strict=True) if not isinstance(found, Failure)]
            refused = [found for found in tags if isinstance(found, Failure)]
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
    return index_of([found for found in (*newest, *rest, *refused) if found is not None])


async def _within(gate: asyncio.Semaphore, job: Awaitable[T]) -> T:
    async with gate:
        return await job


async def _tags(opened: Registry, reference: Reference) -> list[str]:
    try:
        return await opened.tags(reference)
    except RegistryRefused as refused:
        if refused.status in _NOTHING_THERE:
            return []
        raise


async def _tags_below(opened: Registry, reference: Reference) -> list[str] | Failure:
    """The tags of what a catalogue names; it may be empty by now. One that is refused is not taken for gone."""
    try:
        return await opened.tags(reference)
    except RegistryRefused as refused:
        return [] if refused.status == HTTPStatus.NOT_FOUND else Failure(reference.name, "", str(refused))


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


def _registry(reference: Reference, origin: Origin) -> Registry:
    """A registry, spoken to as a repository says if it is the repository's own."""
    own = urlsplit(origin.url).netloc == reference.host
    account = Account(origin.username, origin.password, origin.trust) if own else None
    return Registry(reference, account=account, login_hint="name a Secret in basicAuth.secretRef")
