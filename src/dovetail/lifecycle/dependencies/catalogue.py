"""Every version there is, with what it needs, as the solver reads it: values, best version first.

The order of preference within an extension is that of its recommended version (`lifecycle.constraints`): ready enough
for its channel and not deprecated, then not deprecated, then the rest; within each the newest first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from dovetail.apis import labels
from dovetail.apis.dialects import Dependency, ExtensionVersion, extension_version
from dovetail.apis.errors import InvalidObject
from dovetail.kube import annotations_of, key_of
from dovetail.kube.resources import Object
from dovetail.lifecycle import constraints
from dovetail.lifecycle.dependencies.ranges import fits, precedence
from dovetail.lifecycle.dependencies.standing import EXTENSION
from dovetail.lifecycle.dependencies.statements import KUBERNETES, PLATFORM
from dovetail.packaging.versions import Version


@dataclass(frozen=True)
class Candidate:
    """One version of an extension. Ranges are empty for any."""

    extension: str
    version: str
    dependencies: tuple[Dependency, ...] = ()
    kube_version: str = ""
    ks_version: str = ""
    deprecated: bool = False
    channel: str = constraints.STABLE

    def needs(self, *, required: bool) -> Iterator[Dependency]:
        """Its dependencies on other extensions, the required or the optional ones."""
        return (one for one in self.dependencies if one.required is required and one.type == EXTENSION)

    def conditions(self) -> Iterator[tuple[str, str]]:
        """What it wants to run on: what, and the range."""
        return (
            (what, range) for what, range in ((KUBERNETES, self.kube_version), (PLATFORM, self.ks_version)) if range
        )


@dataclass(frozen=True)
class Installed:
    """What is in force. A pinned one keeps its version whatever is asked."""

    version: str
    dependencies: tuple[Dependency, ...] = ()
    pinned: bool = False


@dataclass(frozen=True)
class Group:
    """Versions of an extension that require the same: as a mask (bit 1 is the best version) and as texts.

    `target` is another extension, or what it runs on (`statements.KUBERNETES`, `statements.PLATFORM`).
    """

    extension: str
    target: str
    range: str
    mask: int
    versions: tuple[str, ...]


class Catalogue:
    """Candidates by extension. `channels` says how unready a version of an extension may be (stable if nothing).

    What several questions ask is kept: which versions are in a range, and which require the same.
    """

    def __init__(self, candidates: Iterable[Candidate], channels: Mapping[str, str] | None = None) -> None:
        found: defaultdict[str, dict[str, Candidate]] = defaultdict(dict)
        for one in candidates:
            found[one.extension][one.version] = one
        wanted = channels or {}
        self._versions = {
            name: tuple(sorted(of.values(), key=_preference(wanted.get(name, "")), reverse=True))
            for name, of in found.items()
        }
        self._masks: dict[tuple[str, str], int] = {}
        self._groups: dict[str, tuple[Group, ...]] = {}
        self._conditions: dict[str, tuple[Group, ...]] = {}

    def versions(self, extension: str) -> tuple[Candidate, ...]:
        """Best first; none of an extension that nobody offers."""
        return self._versions.get(extension, ())

    def mask(self, extension: str, range: str) -> int:
        """The versions in a range; the best version is bit 1."""
        key = extension, range
        known = self._masks.get(key)
        if known is None:
            offered = self.versions(extension)
            known = self._masks[key] = sum(2 << at for at, one in enumerate(offered) if fits(range, one.version))
        return known

    def groups(self, extension: str) -> tuple[Group, ...]:
        """What its versions require, each requirement once."""
        known = self._groups.get(extension)
        if known is None:
            offered = self.versions(extension)
            known = tuple(_grouped(offered, lambda one: ((n.name, n.version) for n in one.needs(required=True))))
            self._groups[extension] = known
        return known

    def conditions(self, extension: str) -> tuple[Group, ...]:
        """What its versions want to run on, each condition once."""
        known = self._conditions.get(extension)
        if known is None:
            offered = self.versions(extension)
            known = self._conditions[extension] = tuple(_grouped(offered, Candidate.conditions))
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._versions))


@dataclass(frozen=True)
class Situation:
    """What a question is asked about: what there is, what is in force, and what it runs on."""

    catalogue: Catalogue
    installed: Mapping[str, Installed] = field(default_factory=dict[str, Installed])
    platform: constraints.Platform = field(default_factory=constraints.Platform)

    def candidate(self, extension: str, version: str) -> Candidate:
        """A version by its name; what is in force although nobody offers it any more has only its dependencies."""
        for one in self.catalogue.versions(extension):
            if one.version == version:
                return one
        held = self.installed.get(extension)
        known = held.dependencies if held is not None and held.version == version else ()
        return Candidate(extension, version, known)


def candidate(version: ExtensionVersion) -> Candidate:
    """The part of a version that is solved with."""
    return Candidate(
        version.extension,
        version.version,
        version.external_dependencies,
        version.kube_version,
        version.ks_version,
        version.deprecated,
        constraints.channel_of(version),
    )


def catalogue(versions: Iterable[Object], extensions: Iterable[Object] = ()) -> Catalogue:
    """From ExtensionVersions and Extensions; a version that cannot be read is not offered."""
    channels = {key_of(obj).name: annotations_of(obj).get(labels.CHANNEL, "") for obj in extensions}
    return Catalogue(_readable(versions), channels)


def _readable(versions: Iterable[Object]) -> Iterator[Candidate]:
    for obj in versions:
        with suppress(InvalidObject):
            read = extension_version(obj)
            if read.version:
                yield candidate(read)


def _grouped(offered: tuple[Candidate, ...], asks: Callable[[Candidate], Iterable[tuple[str, str]]]) -> Iterator[Group]:
    found: defaultdict[tuple[str, str], int] = defaultdict(int)
    for at, one in enumerate(offered):
        for asked in asks(one):
            found[asked] |= 2 << at
    for (target, range), mask in found.items():
        versions = tuple(one.version for at, one in enumerate(offered) if mask >> at & 2)
        yield Group(offered[0].extension, target, range, mask, versions)


def _preference(channel: str) -> Callable[[Candidate], tuple[bool, bool, tuple[int, Version, str]]]:
    wanted = constraints.readiness(channel or constraints.STABLE)

    def key(one: Candidate) -> tuple[bool, bool, tuple[int, Version, str]]:
        ready = constraints.readiness(one.channel) >= wanted
        return not one.deprecated, ready and not one.deprecated, precedence(one.version)

    return key
