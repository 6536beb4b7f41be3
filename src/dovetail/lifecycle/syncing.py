"""What a synchronisation of a repository has to do: pure, from an index and what the cluster has.

`read_index` understands a Helm index entry by entry: one that cannot be used is a failure with its name, never a
reason to forget another. `plan_sync` compares by digest: a version that is there with the same digest and address is
not fetched again (without a digest in the index, its address and time must be the same).

An error is never read as a removal. A version that the index no longer lists goes only when two readings in a row say
so and nothing uses it: an index cut off at a lucky place, or one that flaps, removes nothing. One that lists nothing
at all where something was is taken for a fault (`EmptyIndex`). What `depth` leaves out, or what a repository of higher
priority took over, goes at once.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urljoin, urlsplit

import orjson
import yaml

from dovetail.apis.yaml_depth import refuse_depth
from dovetail.lifecycle.errors import SyncFailed
from dovetail.lifecycle.objects import mapping
from dovetail.packaging import names
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version

MAX_ENTRIES: Final = 100_000
_MAX_NAME: Final = 63


@dataclass(frozen=True)
class Entry:
    """One version in an index; `url` is absolute."""

    extension: str
    version: str
    url: str
    digest: str = ""
    created: str = ""

    @property
    def object_name(self) -> str:
        return f"{self.extension}-{self.version}"


@dataclass(frozen=True)
class Failure:
    """Something of the index that could not be used."""

    extension: str
    version: str
    message: str


@dataclass(frozen=True)
class Index:
    entries: Mapping[str, tuple[Entry, ...]]
    """By extension, newest first."""
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Known:
    """An ExtensionVersion that the cluster has."""

    name: str
    extension: str
    repository: str
    digest: str
    url: str
    created: str = ""


@dataclass(frozen=True)
class Conflict:
    """An extension that another repository gives."""

    extension: str
    winner: str


@dataclass(frozen=True)
class SyncPlan:
    fetch: tuple[Entry, ...] = ()
    unchanged: tuple[Entry, ...] = ()
    remove: tuple[str, ...] = ()
    missing: frozenset[str] = frozenset()
    """Versions that the index does not list any more: told to the next `plan_sync` as `missed`."""
    failures: tuple[Failure, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    newest: Mapping[str, Entry] = field(default_factory=dict[str, Entry])


def read_index(data: bytes, index_url: str) -> Index:
    """Parse index.yaml, resolving addresses against its own. Raises SyncFailed when it is no index. Blocks."""
    document = _parse(data, index_url)
    listed = cast("Mapping[str, Any]", document).get("entries") if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise SyncFailed("InvalidIndex", f"{index_url} is no Helm index: it has no `entries`")
    entries: dict[str, tuple[Entry, ...]] = {}
    failures: list[Failure] = []
    left = MAX_ENTRIES
    for name, versions in cast("dict[object, object]", listed).items():
        left -= 1 + _length(versions)
        if left < 0:  # counted before it is read: with YAML's aliases a small file lists millions
            raise SyncFailed("TooLarge", f"{index_url} lists more than {MAX_ENTRIES:,} versions")
        _read_extension(str(name), versions, index_url, entries, failures)
    return Index(entries, tuple(failures))


def _length(value: object) -> int:
    return len(cast("list[object]", value)) if isinstance(value, list) else 0


def _parse(data: bytes, index_url: str) -> object:
    """YAML, or JSON, which is YAML that is read a hundred times as fast."""
    if data.lstrip()[:1] == b"{":
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(data)
    try:
        refuse_depth(data)
        return cast("object", yaml.load(data, Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SyncFailed("InvalidIndex", f"{index_url} is not YAML: {' '.join(str(error).split())[:300]}") from error


def index_of(found: Iterable[Entry | Failure]) -> Index:
    """What was found one by one, as an index."""
    found = list(found)
    entries: dict[str, list[Entry]] = {}
    for entry in found:
        if isinstance(entry, Entry):
            entries.setdefault(entry.extension, []).append(entry)
    ordered = {
        name: tuple(sorted(listed, key=lambda entry: Version.parse(entry.version), reverse=True))
        for name, listed in entries.items()
    }
    return Index(ordered, tuple(failure for failure in found if isinstance(failure, Failure)))


def plan_sync(
    index: Index,
    known: Iterable[Known],
    *,
    repository: str,
    depth: int,
    owners: Mapping[str, str],
    in_use: Collection[str],
    missed: Collection[str] = (),
) -> SyncPlan:
    """What to fetch, keep and remove. `in_use` and `missed` are names of versions.

    `owners` says which repository gives an extension. Raises SyncFailed for an index that lists nothing any more.
    """
    there = {version.name: version for version in known}
    ours = [version for version in there.values() if version.repository == repository]
    if ours and not index.entries and not index.failures:
        raise SyncFailed(
            "EmptyIndex",
            f"the index lists nothing, where {len(ours)} versions were; nothing is removed. "
            "Delete the Repository if that is meant",
        )
    fetch: list[Entry] = []
    unchanged: list[Entry] = []
    failures = list(index.failures)
    newest: dict[str, Entry] = {}
    given, conflicts = _given(index, owners, repository)
    for extension, listed in given.items():
        kept = listed[:depth] if depth else listed
        newest[extension] = kept[0]
        for entry in kept:
            version = there.get(entry.object_name)
            if version is not None and not version.repository:
                message = f"{entry.object_name} was published by hand already; it is kept"
                failures.append(Failure(extension, entry.version, message))
            else:
                (unchanged if _is_same(version, entry, repository) else fetch).append(entry)
    kept_names = {entry.object_name for entry in (*fetch, *unchanged)} | set(in_use)
    unreadable = {failure.extension for failure in index.failures}
    candidates = [one for one in ours if one.name not in kept_names and one.extension not in unreadable]
    listed_names = {entry.object_name for listed in index.entries.values() for entry in listed}
    missing = frozenset(version.name for version in candidates if version.name not in listed_names)
    remove = sorted(one.name for one in candidates if one.name not in missing or one.name in missed)
    return SyncPlan(tuple(fetch), tuple(unchanged), tuple(remove), missing, tuple(failures), tuple(conflicts), newest)


def _given(
    index: Index, owners: Mapping[str, str], repository: str
) -> tuple[dict[str, tuple[Entry, ...]], list[Conflict]]:
    """What of the index this repository gives, and what another one does."""
    given: dict[str, tuple[Entry, ...]] = {}
    conflicts: list[Conflict] = []
    for extension, listed in index.entries.items():
        owner = owners.get(extension, repository)
        if owner == repository:
            given[extension] = listed
        else:
            conflicts.append(Conflict(extension, owner))
    return given, conflicts


def _is_same(version: Known | None, entry: Entry, repository: str) -> bool:
    if version is None or version.repository != repository or version.url != entry.url:
        return False
    return version.digest == entry.digest if entry.digest else version.created == entry.created


def _read_extension(
    name: str, versions: object, index_url: str, entries: dict[str, tuple[Entry, ...]], failures: list[Failure]
) -> None:
    if not names.is_subdomain(name):
        failures.append(Failure(name, "", f"{name!r} cannot be an extension's name"))
        return
    read: dict[str, tuple[Version, Entry]] = {}
    for item in cast("list[object]", versions) if isinstance(versions, list) else []:
        fields = mapping(item)
        text = str(fields.get("version") or "")
        try:
            entry = _read_entry(name, text, fields, index_url)
            read.setdefault(text, (Version.parse(text), entry))
        except (PackagingError, ValueError) as error:
            failures.append(Failure(name, text, str(error)))
    if read:
        ordered = sorted(read.values(), key=lambda pair: pair[0], reverse=True)
        entries[name] = tuple(entry for _, entry in ordered)


def _read_entry(name: str, version: str, fields: Mapping[str, Any], index_url: str) -> Entry:
    if str(fields.get("name") or name) != name:
        raise ValueError(f"the entry is listed under {name} but names itself {fields['name']}")
    if not names.is_subdomain(f"{name}-{version}", _MAX_NAME * 4) or not names.is_label_value(version):
        raise ValueError(f"the version {version!r} cannot be part of an object's name (no +, no upper case)")
    urls = fields.get("urls")
    if not isinstance(urls, list) or not urls:
        raise ValueError("the entry has no urls")
    url = urljoin(index_url, str(cast("list[object]", urls)[0]))
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https", "oci") and not (scheme == "file" == urlsplit(index_url).scheme):
        raise ValueError(f"{scheme}:// addresses are not read; offer the package over https")
    digest = str(fields.get("digest") or "").lower().removeprefix("sha256:")
    return Entry(name, version, url, digest, str(fields.get("created") or ""))
