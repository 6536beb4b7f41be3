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
from dovetail.lifecycle.dependencies.ranges import precedence
from dovetail.lifecycle.dependencies.standing import EXTENSION
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


@dataclass(frozen=True)
class Installed:
    """What is in force. A pinned one keeps its version whatever is asked."""

    version: str
    dependencies: tuple[Dependency, ...] = ()
    pinned: bool = False


class Catalogue:
    """Candidates by extension. `channels` says how unready a version of an extension may be (stable if nothing)."""

    def __init__(self, candidates: Iterable[Candidate], channels: Mapping[str, str] | None = None) -> None:
        found: defaultdict[str, dict[str, Candidate]] = defaultdict(dict)
        for one in candidates:
            found[one.extension][one.version] = one
        wanted = channels or {}
        self._versions = {
            name: tuple(sorted(of.values(), key=_preference(wanted.get(name, "")), reverse=True))
            for name, of in found.items()
        }

    def versions(self, extension: str) -> tuple[Candidate, ...]:
        """Best first; none of an extension that nobody offers."""
        return self._versions.get(extension, ())

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._versions))


@dataclass(frozen=True)
class Situation:
    """What a question is asked about: what there is, what is in force, and what it runs on."""

    catalogue: Catalogue
    installed: Mapping[str, Installed] = field(default_factory=dict[str, Installed])
    platform: constraints.Platform = constraints.Platform()

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


def _preference(channel: str) -> Callable[[Candidate], tuple[bool, bool, tuple[int, Version, str]]]:
    wanted = constraints.readiness(channel or constraints.STABLE)

    def key(one: Candidate) -> tuple[bool, bool, tuple[int, Version, str]]:
        ready = constraints.readiness(one.channel) >= wanted
        return not one.deprecated, ready and not one.deprecated, precedence(one.version)

    return key
