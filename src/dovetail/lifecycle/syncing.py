"""What a synchronisation of a repository has to do: pure, from an index and what the cluster has.

`read_index` understands a Helm index entry by entry: one that cannot be used is a failure with its name, never a
reason to forget another. `plan_sync` compares by digest: a version that is there with the same digest and address is
not fetched again. A version is removed only when a readable index does not list it (or `depth` leaves it out) and
nothing uses it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urljoin, urlsplit

import yaml

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


@dataclass(frozen=True)
class SyncPlan:
    fetch: tuple[Entry, ...] = ()
    unchanged: tuple[Entry, ...] = ()
    remove: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    newest: Mapping[str, Entry] = field(default_factory=dict[str, Entry])


def read_index(data: bytes, index_url: str) -> Index:
    """Parse index.yaml, resolving addresses against its own. Raises SyncFailed when it is no index. Blocks."""
    try:
        document: object = yaml.load(data, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SyncFailed("InvalidIndex", f"{index_url} is not YAML: {' '.join(str(error).split())[:300]}") from error
    listed = cast("Mapping[str, Any]", document).get("entries") if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise SyncFailed("InvalidIndex", f"{index_url} is no Helm index: it has no `entries`")
    entries: dict[str, tuple[Entry, ...]] = {}
    failures: list[Failure] = []
    for name, versions in cast("Mapping[object, object]", listed).items():
        _read_extension(str(name), versions, index_url, entries, failures)
    if sum(map(len, entries.values())) > MAX_ENTRIES:
        raise SyncFailed("TooLarge", f"{index_url} lists more than {MAX_ENTRIES:,} versions")
    return Index(entries, tuple(failures))


def plan_sync(
    index: Index,
    known: Iterable[Known],
    *,
    repository: str,
    depth: int,
    owners: Mapping[str, str],
    in_use: Collection[str],
) -> SyncPlan:
    """What to fetch, keep and remove. `owners`: which repository each extension is from; `in_use`: object names."""
    there = {version.name: version for version in known}
    fetch: list[Entry] = []
    unchanged: list[Entry] = []
    failures = list(index.failures)
    newest: dict[str, Entry] = {}
    for extension, listed in index.entries.items():
        owner = owners.get(extension, repository)
        if owner != repository:
            failures.append(Failure(extension, "", f"{extension} comes from Repository {owner} already; remove one"))
            continue
        kept = listed[:depth] if depth else listed
        newest[extension] = kept[0]
        for entry in kept:
            version = there.get(entry.object_name)
            if version is not None and version.repository != repository:
                message = f"{entry.object_name} was published by hand already; it is kept"
                failures.append(Failure(extension, entry.version, message))
            elif version is not None and entry.digest and (version.digest, version.url) == (entry.digest, entry.url):
                unchanged.append(entry)
            else:
                fetch.append(entry)
    kept_names = {entry.object_name for entry in (*fetch, *unchanged)} | set(in_use)
    unreadable = {failure.extension for failure in index.failures}
    remove = [
        version.name
        for version in there.values()
        if version.repository == repository and version.name not in kept_names and version.extension not in unreadable
    ]
    return SyncPlan(tuple(fetch), tuple(unchanged), tuple(sorted(remove)), tuple(failures), newest)


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
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{urlsplit(url).scheme}:// addresses are not read; offer the package over https")
    digest = str(fields.get("digest") or "").lower().removeprefix("sha256:")
    return Entry(name, version, url, digest, str(fields.get("created") or ""))
